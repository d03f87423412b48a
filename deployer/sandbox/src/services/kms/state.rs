//! What state a key is in and what it can then be used for.
//! <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>

use std::sync::Arc;

use serde_json::json;

use super::{DAY, authorise, find, find_by_any_name};
use crate::account::Ctx;
use crate::clock::later;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::seconds;
use crate::store::{Resource, Timer};

/// A key (by id, ARN or alias) that can encrypt now. Other services put KMS's error into their own words.
pub(crate) fn usable(ctx: &Ctx<'_>, key: &str) -> Result<Arc<Resource>, ApiError> {
    let key = find_by_any_name(ctx, key)?;
    not_pending_deletion(&key)?;
    enabled(&key)?;
    Ok(key)
}

pub(super) fn not_pending_deletion(key: &Resource) -> Result<(), ApiError> {
    if key.text("KeyState") == "PendingDeletion" {
        return Err(refuse("KMSInvalidStateException", format!("{} is pending deletion.", key.text("Arn"))));
    }
    Ok(())
}

pub(super) fn enabled(key: &Resource) -> Result<(), ApiError> {
    if key.text("KeyState") == "Disabled" {
        return Err(refuse("DisabledException", format!("{} is disabled.", key.text("Arn"))));
    }
    Ok(())
}

/// Keys that AWS manages are not the customer's to change.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-key>
pub(super) fn own(key: &Resource) -> Result<(), ApiError> {
    if key.text("KeyManager") == "AWS" {
        let message = format!("{} is an AWS managed key: you cannot do this with it", key.text("Arn"));
        return Err(refuse("AccessDeniedException", message));
    }
    Ok(())
}

pub(super) fn enable(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    switch(ctx, input, "EnableKey", true)
}

pub(super) fn disable(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    switch(ctx, input, "DisableKey", false)
}

fn switch(ctx: &mut Ctx<'_>, input: &Input, action: &str, on: bool) -> Outcome {
    let key = find(ctx, input.str("KeyId")?)?;
    authorise(ctx, action, &key)?;
    own(&key)?;
    not_pending_deletion(&key)?;
    ctx.update("kms.key", &key.id, |key| {
        key.set("Enabled", on);
        key.set("KeyState", if on { "Enabled" } else { "Disabled" });
    });
    Ok(nothing())
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html>
pub(super) fn schedule_deletion(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let key = find(ctx, input.str("KeyId")?)?;
    authorise(ctx, "ScheduleKeyDeletion", &key)?;
    own(&key)?;
    not_pending_deletion(&key)?;
    let days = input.opt_int("PendingWindowInDays")?.unwrap_or(30);
    let window = u32::try_from(days).ok().filter(|days| (7..=30).contains(days)).ok_or_else(|| {
        refuse("ValidationException", format!("1 validation error detected: Value '{days}' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value between 7 and 30"))
    })?;
    let due = later(ctx.now, DAY * window);
    ctx.account.store.schedule(due, Timer { kind: "kms.key", id: key.id.clone(), event: "delete" });
    ctx.update("kms.key", &key.id, |key| {
        key.set("Enabled", false);
        key.set("KeyState", "PendingDeletion");
        key.set("DeletionDate", seconds(due));
    });
    Ok(json!({
        "KeyId": key.text("Arn"),
        "DeletionDate": seconds(due),
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": window,
    }))
}

/// A key comes back disabled: <https://docs.aws.amazon.com/kms/latest/APIReference/API_CancelKeyDeletion.html>
pub(super) fn cancel_deletion(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let key = find(ctx, input.str("KeyId")?)?;
    authorise(ctx, "CancelKeyDeletion", &key)?;
    if key.text("KeyState") != "PendingDeletion" {
        return Err(refuse("KMSInvalidStateException", format!("{} is not pending deletion.", key.text("Arn"))));
    }
    ctx.update("kms.key", &key.id, |key| {
        key.set("KeyState", "Disabled");
        key.attrs.remove("DeletionDate");
    });
    Ok(json!({"KeyId": key.text("Arn")}))
}

/// The window is over: the key goes, with its aliases and grants, unless the deletion was cancelled meanwhile.
pub(super) fn delete_if_due(ctx: &mut Ctx<'_>, id: &str) {
    let due = |key: &Resource| key.attrs.get("DeletionDate") == Some(&seconds(ctx.now));
    if !ctx.get("kms.key", id).is_some_and(|key| key.text("KeyState") == "PendingDeletion" && due(&key)) {
        return;
    }
    ctx.remove("kms.key", id);
    for alias in ctx.those("kms.alias", |alias| alias.text("TargetKeyId") == id) {
        ctx.remove("kms.alias", &alias.id);
    }
    for grant in ctx.those("kms.grant", |grant| grant.text("_key") == id) {
        ctx.remove("kms.grant", &grant.id);
    }
}
