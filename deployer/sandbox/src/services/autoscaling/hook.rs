//! Lifecycle hooks at the end of an instance, as ECS makes one to move tasks away first.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{authorise, instance, invalid, named};
use crate::account::Ctx;
use crate::dispatch::empty_result;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::shown;
use crate::store::Resource;

const KIND: &str = "autoscaling.hook";
const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";

/// The hooks of a group.
pub(super) fn of(ctx: &Ctx<'_>, group: &str) -> Vec<Arc<Resource>> {
    ctx.those(KIND, |hook| hook.text("AutoScalingGroupName") == group)
}

pub(super) fn remove_of(ctx: &mut Ctx<'_>, group: &str) {
    for hook in of(ctx, group) {
        ctx.remove(KIND, &hook.id);
    }
}

pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    authorise(ctx, "PutLifecycleHook", &group)?;
    let name = input.string("LifecycleHookName")?;
    let transition = input.str("LifecycleTransition")?;
    if transition != TERMINATING {
        return Err(ApiError::not_simulated(format!("lifecycle hooks at {transition}")));
    }
    for parameter in ["RoleARN", "NotificationTargetARN"] {
        if input.opt_str(parameter).is_some_and(|text| !text.is_empty()) {
            return Err(ApiError::not_simulated(format!("lifecycle hooks with {parameter}")));
        }
    }
    let timeout = input.opt_int("HeartbeatTimeout")?.unwrap_or(3600);
    let hook = json!({
        "LifecycleHookName": name,
        "AutoScalingGroupName": group.id,
        "LifecycleTransition": transition,
        "NotificationMetadata": input.opt_str("NotificationMetadata"),
        "HeartbeatTimeout": timeout,
        "GlobalTimeout": timeout * 100,
        "DefaultResult": input.opt_str("DefaultResult").unwrap_or("ABANDON"),
    });
    let hook = ctx.resource(KIND, format!("{}/{name}", group.id), hook);
    ctx.insert(hook);
    Ok(empty_result())
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    authorise(ctx, "DeleteLifecycleHook", &group)?;
    let name = input.str("LifecycleHookName")?;
    let id = format!("{}/{name}", group.id);
    if ctx.get(KIND, &id).is_none() {
        return Err(invalid(format!("No Lifecycle Hook found with name: {name}")));
    }
    ctx.remove(KIND, &id);
    Ok(empty_result())
}

/// At the end of an instance both results mean that it goes.
pub(super) fn complete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["LifecycleActionToken"]);
    let group = named(ctx, input)?;
    authorise(ctx, "CompleteLifecycleAction", &group)?;
    let (hook, result) = (input.str("LifecycleHookName")?, input.str("LifecycleActionResult")?);
    if !matches!(result, "CONTINUE" | "ABANDON") || ctx.get(KIND, &format!("{}/{hook}", group.id)).is_none() {
        return Err(invalid(format!("No active Lifecycle Action found for hook {hook} with result {result}")));
    }
    instance::proceed(ctx, input.str("InstanceId")?);
    Ok(empty_result())
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = input.str("AutoScalingGroupName")?;
    let names = input.strings("LifecycleHookNames");
    let mut found = ctx.visible(KIND);
    found.retain(|hook| {
        hook.text("AutoScalingGroupName") == group
            && (names.is_empty() || names.iter().any(|name| name == hook.text("LifecycleHookName")))
    });
    Ok(json!({"LifecycleHooks": found.iter().map(|hook| Value::Object(shown(hook))).collect::<Vec<_>>()}))
}
