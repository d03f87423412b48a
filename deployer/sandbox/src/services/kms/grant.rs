//! Grants: what lets a service use a key in somebody's name.
//! <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{authorise, authorise_grant, find, not_found, paged, state};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::document;
use crate::services::shared::{seconds, shown};

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html>
pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["GrantTokens"]);
    let key = find(ctx, input.str("KeyId")?)?;
    let operations = input.strings("Operations");
    let mut grant = Grant::new("kms:CreateGrant", key.text("Arn"));
    for operation in &operations {
        grant = grant.key("kms:GrantOperations", operation.clone());
    }
    authorise_grant(ctx, &key, grant)?;
    state::not_pending_deletion(&key)?;
    state::enabled(&key)?;
    if operations.is_empty() {
        return Err(input.missing("Operations"));
    }
    let mut attrs =
        json!({"GranteePrincipal": principal(ctx, input.str("GranteePrincipal")?)?, "Operations": operations});
    if let Some(name) = input.opt_str("RetiringPrincipal") {
        attrs["RetiringPrincipal"] = principal(ctx, name)?.into();
    }
    if let Some(constraints) = input.object("Constraints") {
        attrs["Constraints"] = constraints.raw();
    }
    if let Some(name) = input.opt_str("Name") {
        attrs["Name"] = name.into();
    }
    if input.bool_or("DryRun", false)? {
        return Err(refuse(
            "DryRunOperationException",
            "The request would have succeeded, but the DryRun option is set.",
        ));
    }
    // A repeated request with the same name answers the same grant.
    let same = ctx.those("kms.grant", |known| {
        known.text("_key") == key.id && attrs.get("Name").is_some() && known.attrs.get("_request") == Some(&attrs)
    });
    let id = match same.first() {
        Some(known) => known.id.clone(),
        None => {
            let id = ctx.account.rng.hex(64);
            let mut grant = ctx.resource("kms.grant", &id, attrs.clone());
            grant.set("_request", attrs);
            grant.set("_key", key.id.clone());
            grant.set("KeyId", key.text("Arn"));
            grant.set("GrantId", id.clone());
            grant.set("CreationDate", seconds(ctx.now));
            grant.set("IssuingAccount", format!("arn:aws:iam::{}:root", ctx.account.id));
            ctx.insert(grant);
            id
        }
    };
    Ok(json!({"GrantId": id, "GrantToken": token(&id)}))
}

fn token(id: &str) -> String {
    STANDARD.encode(format!("grant {id}"))
}

fn principal(ctx: &Ctx<'_>, name: &str) -> Result<String, ApiError> {
    let kind = if name.starts_with("arn:") { "AWS" } else { "Service" };
    match document::principal_id(ctx, kind, name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(refuse("InvalidArnException", format!("ARN does not refer to a valid principal: {name}"))),
    }
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let key = find(ctx, input.str("KeyId")?)?;
    authorise(ctx, "ListGrants", &key)?;
    let (id, grantee) = (input.opt_str("GrantId"), input.opt_str("GranteePrincipal"));
    let grants = ctx.visible("kms.grant");
    let grants = grants
        .iter()
        .filter(|grant| grant.text("_key") == key.id)
        .filter(|grant| id.is_none_or(|id| id == grant.id))
        .filter(|grant| grantee.is_none_or(|name| name == grant.text("GranteePrincipal")))
        .map(|grant| Value::Object(shown(grant)))
        .collect();
    paged(input, "Grants", grants, 50)
}

pub(super) fn revoke(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let key = find(ctx, input.str("KeyId")?)?;
    end(ctx, input, "RevokeGrant", &key.id, &input.string("GrantId")?)
}

pub(super) fn retire(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    if let Some(given) = input.opt_str("GrantToken") {
        let grants = ctx.those("kms.grant", |grant| token(&grant.id) == given);
        let grant = grants.first().ok_or_else(|| refuse("InvalidGrantTokenException", "Invalid grant token"))?;
        return end(ctx, input, "RetireGrant", grant.text("_key"), &grant.id);
    }
    let key = find(ctx, input.str("KeyId")?)?;
    end(ctx, input, "RetireGrant", &key.id, &input.string("GrantId")?)
}

fn end(ctx: &mut Ctx<'_>, input: &Input, action: &str, key: &str, id: &str) -> Outcome {
    let key = find(ctx, key)?;
    authorise(ctx, action, &key)?;
    if input.bool_or("DryRun", false)? {
        return Err(refuse(
            "DryRunOperationException",
            "The request would have succeeded, but the DryRun option is set.",
        ));
    }
    if ctx.get("kms.grant", id).is_none_or(|grant| grant.text("_key") != key.id) {
        return Err(not_found(format!("Grant ID {id} not found")));
    }
    ctx.remove("kms.grant", id);
    Ok(nothing())
}
