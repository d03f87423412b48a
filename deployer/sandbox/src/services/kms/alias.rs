//! Aliases. One can move to another key, which is how a key is replaced.
//! <https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{authorise, find, not_found, paged, state};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::{seconds, shown};
use crate::store::Resource;

pub(super) fn object(ctx: &Ctx<'_>, name: &str, key: &str) -> Resource {
    let attrs = json!({
        "AliasName": name,
        "AliasArn": ctx.arn("kms", name),
        "TargetKeyId": key,
        "CreationDate": seconds(ctx.now),
        "LastUpdatedDate": seconds(ctx.now),
    });
    ctx.resource("kms.alias", name, attrs)
}

fn name(input: &Input) -> Result<String, ApiError> {
    let name = input.string("AliasName")?;
    let Some(rest) = name.strip_prefix("alias/") else {
        return Err(refuse(
            "ValidationException",
            "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        ));
    };
    if rest.starts_with("aws/") {
        return Err(refuse("NotAuthorizedException", ""));
    }
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "/_-".contains(letter);
    if rest.is_empty() || name.len() > 256 || !rest.chars().all(allowed) {
        return Err(input.invalid("aliasName", &Value::from(name)));
    }
    Ok(name)
}

/// An operation on an alias is demanded on it and on the key that it points to.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/alias-access.html>
fn demand(ctx: &mut Ctx<'_>, action: &str, name: &str, keys: &[&Resource]) -> Result<(), ApiError> {
    let arn = ctx.arn("kms", name);
    ctx.authorise(Grant::new(format!("kms:{action}"), arn))?;
    keys.iter().try_for_each(|key| authorise(ctx, action, key))
}

fn existing(ctx: &Ctx<'_>, name: &str) -> Result<Arc<Resource>, ApiError> {
    let alias = ctx.usable("kms.alias", name);
    alias.ok_or_else(|| not_found(format!("Alias {} is not found.", ctx.arn("kms", name))))
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = name(input)?;
    let key = find(ctx, input.str("TargetKeyId")?)?;
    demand(ctx, "CreateAlias", &name, &[&key])?;
    state::own(&key)?;
    state::not_pending_deletion(&key)?;
    if ctx.get("kms.alias", &name).is_some() {
        let arn = ctx.arn("kms", &name);
        return Err(refuse("AlreadyExistsException", format!("An alias with the name {arn} already exists")));
    }
    // <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html>
    if ctx.those("kms.alias", |alias| alias.text("TargetKeyId") == key.id).len() >= 50 {
        return Err(refuse("LimitExceededException", "A key can have at most 50 aliases"));
    }
    let alias = object(ctx, &name, &key.id);
    ctx.insert(alias);
    Ok(nothing())
}

pub(super) fn update(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = name(input)?;
    let alias = existing(ctx, &name)?;
    let to = find(ctx, input.str("TargetKeyId")?)?;
    let from = ctx.get("kms.key", alias.text("TargetKeyId"));
    let keys: Vec<&Resource> = from.as_deref().into_iter().chain([to.as_ref()]).collect();
    demand(ctx, "UpdateAlias", &name, &keys)?;
    state::not_pending_deletion(&to)?;
    // <https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdateAlias.html>
    if from.is_some_and(|from| from.text("KeyUsage") != to.text("KeyUsage")) {
        return Err(refuse("ValidationException", "Both the current and the new KMS key must have the same key usage"));
    }
    let now = ctx.now;
    ctx.update("kms.alias", &name, |alias| {
        alias.set("TargetKeyId", to.id.clone());
        alias.set("LastUpdatedDate", seconds(now));
    });
    Ok(nothing())
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = name(input)?;
    let alias = existing(ctx, &name)?;
    let key = ctx.get("kms.key", alias.text("TargetKeyId"));
    demand(ctx, "DeleteAlias", &name, &key.as_deref().into_iter().collect::<Vec<_>>())?;
    ctx.remove("kms.alias", &name);
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let of = input.opt_str("KeyId").map(|id| find(ctx, id)).transpose()?;
    let aliases = ctx.visible("kms.alias");
    let aliases = aliases
        .iter()
        .filter(|alias| of.as_ref().is_none_or(|key| key.id == alias.text("TargetKeyId")))
        .map(|alias| Value::Object(shown(alias)))
        .collect();
    paged(input, "Aliases", aliases, 50)
}
