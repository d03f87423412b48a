//! What IAM demands of policy documents before it keeps them.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use serde_json::Value;

use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, refuse};
use crate::services::document::{self, principal_id, principals, statements, texts};

fn malformed(message: impl Into<String>) -> ApiError {
    refuse("MalformedPolicyDocument", message)
}

fn parsed(text: &str) -> Result<Value, ApiError> {
    let document: Value = serde_json::from_str(text).map_err(|_| malformed("This policy contains invalid Json"))?;
    statements(&document).ok_or_else(|| malformed("Syntax errors in policy."))?;
    Ok(document)
}

/// Whitespace does not count: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub(super) fn size(text: &str) -> usize {
    text.chars().filter(|letter| !letter.is_whitespace()).count()
}

/// A trust policy: its principals must exist. Answers what IAM keeps of each of them.
pub(super) fn trust(ctx: &Ctx<'_>, text: &str) -> Result<Vec<(String, String)>, ApiError> {
    let document = parsed(text)?;
    if size(text) > 2048 {
        return Err(super::conflict("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048"));
    }
    let mut kept = Vec::new();
    for statement in statements(&document).unwrap_or_default() {
        if statement.get("Resource").is_some() || statement.get("NotResource").is_some() {
            return Err(malformed("Has prohibited field Resource"));
        }
        let named = principals(statement);
        if named.is_empty() && statement.get("NotPrincipal").is_none() {
            return Err(malformed("Missing required field Principal"));
        }
        let actions = texts(statement, "Action");
        if actions.is_empty() && statement.get("NotAction").is_none() {
            return Err(malformed("Missing required field Action"));
        }
        if actions.iter().any(|action| action != "*" && !action.to_lowercase().starts_with("sts:")) {
            return Err(malformed("AssumeRole policy may only specify STS AssumeRole actions."));
        }
        for (kind, name) in named {
            let id = principal_id(ctx, &kind, &name).ok_or_else(|| {
                malformed(format!("Invalid principal in policy: \"{}\":\"{name}\"", kind.to_uppercase()))
            })?;
            kept.push((name, id));
        }
    }
    Ok(kept)
}

/// A policy of permissions.
pub(super) fn permissions(text: &str) -> Result<(), ApiError> {
    let document = parsed(text)?;
    for statement in statements(&document).unwrap_or_default() {
        if statement.get("Principal").is_some() || statement.get("NotPrincipal").is_some() {
            return Err(malformed("Policy document should not specify a principal."));
        }
        let actions: Vec<String> = [texts(statement, "Action"), texts(statement, "NotAction")].concat();
        if actions.is_empty() {
            return Err(malformed("Policy statement must contain actions."));
        }
        if actions.iter().any(|action| action != "*" && !action.contains(':')) {
            return Err(malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."));
        }
        let resources: Vec<String> = [texts(statement, "Resource"), texts(statement, "NotResource")].concat();
        if resources.is_empty() {
            return Err(malformed("Policy statement must contain resources."));
        }
        if let Some(wrong) = resources.iter().find(|r| *r != "*" && r.split(':').count() < 6) {
            return Err(malformed(format!("Resource {wrong} must be in ARN format or \"*\".")));
        }
    }
    Ok(())
}

/// Whether a trust policy lets a service assume its role, on behalf of the resource `source` when it names one.
pub(super) fn trusts(trust: &str, service: &str, source: Option<&str>) -> bool {
    let Ok(mut document) = serde_json::from_str::<Value>(trust) else { return false };
    // Trust policies have no resource; evaluation wants one.
    match &mut document["Statement"] {
        Value::Array(statements) => statements.iter_mut().for_each(|s| s["Resource"] = "*".into()),
        one => one["Resource"] = "*".into(),
    }
    let about = |kind: &str, name: &str| name == "*" || (kind == "Service" && name == service);
    let grant = Grant::new("sts:AssumeRole", "*");
    let grant = match source {
        Some(source) => {
            let account = source.split(':').nth(4).unwrap_or_default();
            grant.key("aws:SourceArn", source).key("aws:SourceAccount", account)
        }
        None => grant,
    };
    document::judge(&document, about, &grant) == Ok(Some(true))
}
