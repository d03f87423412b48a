//! Key policies.
//! <https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html>

use serde_json::{Value, json};

use super::{authorise, find, paged, state};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::document;
use crate::services::not_authorised;
use crate::store::Resource;

/// A policy that was found in order, as KMS keeps it.
pub(super) struct Judged {
    text: String,
    principals: Vec<(String, String)>,
}

impl Judged {
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>
    pub(super) fn default_for(ctx: &Ctx<'_>) -> Self {
        Self::of(&json!({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": {"AWS": root(ctx)},
            "Action": "kms:*",
            "Resource": "*",
        }]}))
    }

    /// The policy of a key that AWS keeps for a service.
    pub(super) fn of_managed(ctx: &Ctx<'_>, service: &str) -> Self {
        let account = &ctx.account.id;
        let via = format!("{service}.{}.amazonaws.com", ctx.account.region);
        Self::of(&json!({"Version": "2012-10-17", "Id": format!("auto-{service}-2"), "Statement": [
            {
                "Sid": format!("Allow access through {service} for all principals in the account that are authorized to use it"),
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:ListGrants", "kms:DescribeKey"],
                "Resource": "*",
                "Condition": {"StringEquals": {"kms:CallerAccount": account, "kms:ViaService": via}},
            },
            {
                "Sid": "Allow direct access to key metadata to the account",
                "Effect": "Allow",
                "Principal": {"AWS": root(ctx)},
                "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
                "Resource": "*",
            },
        ]}))
    }

    fn of(policy: &Value) -> Self {
        Self { text: pretty(policy, 0), principals: Vec::new() }
    }

    pub(super) fn keep(self, key: &mut Resource) {
        document::keep(key, "_policy", self.text, self.principals);
    }
}

fn root(ctx: &Ctx<'_>) -> String {
    format!("arn:aws:iam::{}:root", ctx.account.id)
}

fn malformed(message: impl Into<String>) -> ApiError {
    refuse("MalformedPolicyDocumentException", message)
}

/// Judges a policy as PutKeyPolicy does: its form, that its principals exist, that it locks nobody out.
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html>
pub(super) fn judged(ctx: &Ctx<'_>, text: &str, bypass: bool) -> Result<Judged, ApiError> {
    if text.len() > 32 * 1024 {
        return Err(refuse("LimitExceededException", "The key policy is larger than 32 KB"));
    }
    let policy: Value = serde_json::from_str(text).map_err(|_| malformed("Policy contains invalid json"))?;
    let statements = document::statements(&policy).ok_or_else(|| malformed("Syntax errors in policy."))?;
    let mut principals = Vec::new();
    for statement in statements {
        let named = document::principals(statement);
        if named.is_empty() && statement.get("NotPrincipal").is_none() {
            return Err(malformed("Policy contains a statement with no principal."));
        }
        for name in ["Action", "Resource"] {
            if statement.get(name).is_none() && statement.get(format!("Not{name}")).is_none() {
                return Err(malformed(format!("Policy contains a statement with no {}.", name.to_lowercase())));
            }
        }
        for (kind, name) in named {
            let id = document::principal_id(ctx, &kind, &name)
                .ok_or_else(|| malformed("Policy contains a statement with one or more invalid principals."))?;
            principals.push((name, id));
        }
    }
    // <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#prevent-unmanageable-key>
    let later = Grant::new("kms:PutKeyPolicy", "*").key("kms:CallerAccount", ctx.account.id.clone());
    if !bypass && caller_may(ctx, &policy, &later)? != Some(true) {
        return Err(malformed("The new key policy will not allow you to update the key policy in the future."));
    }
    Ok(Judged { text: pretty(&policy, 0), principals })
}

/// What a key policy says of the account's caller, in whose name or in that of the whole account it may speak.
fn caller_may(ctx: &Ctx<'_>, policy: &Value, grant: &Grant) -> Result<Option<bool>, ApiError> {
    let mut us = ctx.principal.names(ctx.account);
    us.extend([root(ctx), ctx.account.id.clone(), "*".to_owned()]);
    document::judge(policy, |kind, name| kind == "AWS" && us.iter().any(|us| us == name), grant)
}

fn parsed(key: &Resource) -> Value {
    serde_json::from_str(key.text("_policy")).unwrap_or_default()
}

/// Demands that the key's policy allows something to the caller. Answers whether that is enough: where it only
/// speaks to the account, the caller's own policy has to allow it too.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#key-policy-default-allow-root-enable-iam>
pub(super) fn demand(ctx: &Ctx<'_>, key: &Resource, grant: &Grant) -> Result<bool, ApiError> {
    let policy = parsed(key);
    if caller_may(ctx, &policy, grant)? != Some(true) {
        let message = not_authorised(&ctx.caller(), &grant.action, &grant.resource);
        return Err(refuse("AccessDeniedException", message.replace("identity-based", "resource-based")));
    }
    let caller = ctx.principal.names(ctx.account);
    let itself = |kind: &str, name: &str| kind == "AWS" && (name == "*" || caller.iter().any(|us| us == name));
    Ok(document::judge(&policy, itself, grant)? == Some(true))
}

/// Whether the key's policy lets a service do all of these with the key, which says this much of what it is about.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-services.html>
pub(crate) fn allows_service(
    key: &Resource,
    service: &str,
    actions: &[&str],
    context: &[(&str, &str)],
) -> Result<bool, ApiError> {
    let policy = parsed(key);
    for action in actions {
        let whole = Grant::new(format!("kms:{action}"), key.text("Arn"));
        let grant = context.iter().fold(whole, |grant, (name, value)| grant.key(name, *value));
        let about = |kind: &str, name: &str| name == "*" || (kind == "Service" && name == service);
        if document::judge(&policy, about, &grant)? != Some(true) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the key's policy alone lets a role do all of these with the key through a service. That of a service-linked
/// role never has keys in it, so a policy that only speaks to the account lets it do nothing.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html>
pub(crate) fn allows_role(
    ctx: &Ctx<'_>,
    key: &Resource,
    role: &str,
    actions: &[&str],
    via: &str,
) -> Result<bool, ApiError> {
    let policy = parsed(key);
    for action in actions {
        let grant = Grant::new(format!("kms:{action}"), key.text("Arn"))
            .key("kms:CallerAccount", ctx.account.id.clone())
            .key("kms:ViaService", format!("{via}.{}.amazonaws.com", ctx.account.region))
            .key("kms:GrantIsForAWSResource", "true")
            .key("aws:PrincipalArn", role)
            .key("aws:PrincipalAccount", ctx.account.id.clone());
        let about = |kind: &str, name: &str| kind == "AWS" && (name == "*" || name == role);
        if document::judge(&policy, about, &grant)? != Some(true) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A key has one policy, with one name.
fn only_default(input: &Input) -> Result<(), ApiError> {
    match input.opt_str("PolicyName") {
        None | Some("default") => Ok(()),
        Some(name) => Err(super::not_found(format!("No such policy exists {name}"))),
    }
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let key = find(ctx, input.str("KeyId")?)?;
    authorise(ctx, "GetKeyPolicy", &key)?;
    only_default(input)?;
    Ok(json!({"Policy": document::kept(ctx, &key, "_policy"), "PolicyName": "default"}))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let key = find(ctx, input.str("KeyId")?)?;
    authorise(ctx, "ListKeyPolicies", &key)?;
    paged(input, "PolicyNames", vec!["default".into()], 100)
}

pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let key = find(ctx, input.str("KeyId")?)?;
    authorise(ctx, "PutKeyPolicy", &key)?;
    state::own(&key)?;
    only_default(input)?;
    let bypass = input.bool_or("BypassPolicyLockoutSafetyCheck", false)?;
    let policy = judged(ctx, input.str("Policy")?, bypass)?;
    ctx.update("kms.key", &key.id, |key| policy.keep(key));
    Ok(nothing())
}

/// A policy in the layout in which KMS gives it back, whatever layout it came in.
fn pretty(value: &Value, depth: usize) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let indent = "  ".repeat(depth + 1);
            let members: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{indent}{} : {}", Value::from(key.as_str()), pretty(value, depth + 1)))
                .collect();
            format!("{{\n{}\n{}}}", members.join(",\n"), "  ".repeat(depth))
        }
        Value::Array(items) if !items.is_empty() => {
            let items: Vec<String> = items.iter().map(|item| pretty(item, depth)).collect();
            format!("[ {} ]", items.join(", "))
        }
        other => other.to_string(),
    }
}
