//! Automatic rotation.
//! <https://docs.aws.amazon.com/kms/latest/developerguide/rotating-keys-enable.html>

use std::time::Duration;

use serde_json::json;

use super::{DAY, authorise, find, state};
use crate::account::Ctx;
use crate::clock::later;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::seconds;
use crate::store::{Resource, Timer};

fn rotatable(key: &Resource) -> Result<(), ApiError> {
    if key.text("KeySpec") != "SYMMETRIC_DEFAULT" {
        return Err(refuse("UnsupportedOperationException", ""));
    }
    Ok(())
}

fn changed(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<String, ApiError> {
    let key = find(ctx, input.str("KeyId")?)?;
    authorise(ctx, action, &key)?;
    state::own(&key)?;
    rotatable(&key)?;
    state::not_pending_deletion(&key)?;
    state::enabled(&key)?;
    Ok(key.id.clone())
}

fn period(days: i64) -> Duration {
    DAY * u32::try_from(days).unwrap_or(365)
}

pub(super) fn enable(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = changed(ctx, input, "EnableKeyRotation")?;
    let known = ctx.get("kms.key", &id);
    // Without a period a key keeps the one it has: <https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKeyRotation.html>
    let current = known.filter(|key| key.flag("_rotation")).map_or(365, |key| key.number("_rotationPeriod"));
    let days = input.opt_int("RotationPeriodInDays")?.unwrap_or(current);
    if !(90..=2560).contains(&days) {
        return Err(refuse(
            "ValidationException",
            format!(
                "1 validation error detected: Value '{days}' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have value between 90 and 2560"
            ),
        ));
    }
    let next = later(ctx.now, period(days));
    ctx.account.store.schedule(next, Timer { kind: "kms.key", id: id.clone(), event: "rotate" });
    ctx.update("kms.key", &id, |key| {
        key.set("_rotation", true);
        key.set("_rotationPeriod", days);
        key.set("_nextRotation", seconds(next));
    });
    Ok(nothing())
}

pub(super) fn disable(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = changed(ctx, input, "DisableKeyRotation")?;
    ctx.update("kms.key", &id, |key| {
        key.set("_rotation", false);
        key.attrs.remove("_nextRotation");
    });
    Ok(nothing())
}

pub(super) fn status(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let key = find(ctx, input.str("KeyId")?)?;
    authorise(ctx, "GetKeyRotationStatus", &key)?;
    rotatable(&key)?;
    // Says false for a key that is to be deleted, and remembers what it was.
    if !key.flag("_rotation") || key.text("KeyState") == "PendingDeletion" {
        return Ok(json!({"KeyId": key.id, "KeyRotationEnabled": false}));
    }
    Ok(json!({
        "KeyId": key.id,
        "KeyRotationEnabled": true,
        "RotationPeriodInDays": key.number("_rotationPeriod"),
        "NextRotationDate": key.attrs.get("_nextRotation"),
    }))
}

/// New key material, and the next date, when a rotation is due.
pub(super) fn rotate(ctx: &mut Ctx<'_>, id: &str) {
    let due = |key: &Resource| key.flag("_rotation") && key.attrs.get("_nextRotation") == Some(&seconds(ctx.now));
    let Some(key) = ctx.get("kms.key", id).filter(|key| due(key)) else { return };
    let next = later(ctx.now, period(key.number("_rotationPeriod")));
    let material = ctx.account.rng.hex(64);
    ctx.account.store.schedule(next, Timer { kind: "kms.key", id: id.to_owned(), event: "rotate" });
    ctx.update("kms.key", id, |key| {
        key.set("_nextRotation", seconds(next));
        if key.text("KeyState") == "Enabled" {
            key.set("CurrentKeyMaterialId", material);
        }
    });
}
