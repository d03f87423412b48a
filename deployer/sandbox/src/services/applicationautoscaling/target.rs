//! Scalable targets: between which numbers something scales.
//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html>

use serde_json::{Value, json};

use super::{Scaled, invalid, paged, policy, tags};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::iam::ensure_service_linked_role;
use crate::services::shared::{seconds, shown};
use crate::store::Resource;

pub(super) const KIND: &str = "application-autoscaling.target";
const LINKED: &str = "ecs.application-autoscaling.amazonaws.com";
const SWITCHES: [&str; 3] = ["DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"];

pub(super) fn register(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let scaled = Scaled::read(input)?;
    let tags = tags::requested(input)?;
    let known = ctx.get(KIND, &scaled.key());
    let grant = scaled.grant(ctx, "RegisterScalableTarget", known.as_deref()).request_tags(&tags);
    ctx.authorise(grant)?;
    if !tags.is_empty() {
        // <https://docs.aws.amazon.com/autoscaling/application/userguide/resource-tagging-support.html>
        let grant = scaled.grant(ctx, "TagResource", known.as_deref()).request_tags(&tags);
        ctx.authorise(grant)?;
    }
    there(ctx, &scaled)?;
    ensure_service_linked_role(ctx, LINKED)?;
    let (min, max) = (input.opt_int("MinCapacity")?, input.opt_int("MaxCapacity")?);
    // ECS is scaled by the service-linked role, whatever role is named.
    let _ = input.opt("RoleARN");
    let suspended = input.object("SuspendedState");
    let is_new = known.is_none();
    let mut target = match known {
        Some(target) => Resource::clone(&target),
        None => fresh(ctx, &scaled),
    };
    for (name, value) in [("MinCapacity", min), ("MaxCapacity", max)] {
        match value {
            Some(value) if value < 0 => return Err(invalid(format!("{name} must not be negative"))),
            Some(value) => target.set(name, value),
            None if is_new => {
                return Err(invalid("MinCapacity and MaxCapacity are required to register a new scalable target"));
            }
            None => {}
        }
    }
    if target.number("MinCapacity") > target.number("MaxCapacity") {
        return Err(invalid("Maximum capacity cannot be less than minimum capacity"));
    }
    if let Some(suspended) = suspended {
        for name in SWITCHES {
            if let Some(on) = suspended.opt_bool(name)? {
                target.attrs["SuspendedState"][name] = on.into();
            }
        }
    }
    scaled.alone(ctx)?;
    if is_new {
        target.tags = tags;
    }
    let arn = target.text("ScalableTargetARN").to_owned();
    // What is registered is moved into the range at once.
    let (least, most) = (target.number("MinCapacity"), target.number("MaxCapacity"));
    crate::services::ecs::scale_into(ctx, &scaled.resource, least, most);
    match is_new {
        true => ctx.insert(target),
        false => ctx.update(KIND, &scaled.key(), |old| *old = target),
    }
    Ok(json!({"ScalableTargetARN": arn}))
}

fn fresh(ctx: &mut Ctx<'_>, scaled: &Scaled) -> Resource {
    let id = ctx.account.rng.hex(27);
    let arn = ctx.arn("application-autoscaling", format!("scalable-target/{id}"));
    let role = "AWSServiceRoleForApplicationAutoScaling_ECSService";
    let off = SWITCHES.map(|name| (name.to_owned(), Value::Bool(false)));
    ctx.resource(
        KIND,
        scaled.key(),
        json!({
            "ServiceNamespace": scaled.namespace, "ResourceId": scaled.resource, "ScalableDimension": scaled.dimension,
            "RoleARN": format!("arn:aws:iam::{}:role/aws-service-role/{LINKED}/{role}", ctx.account.id),
            "CreationTime": seconds(ctx.now), "ScalableTargetARN": arn,
            "SuspendedState": off.into_iter().collect::<serde_json::Map<_, _>>(),
        }),
    )
}

/// The ECS service that is to scale exists.
fn there(ctx: &Ctx<'_>, scaled: &Scaled) -> Result<(), ApiError> {
    let end = format!(":{}", scaled.resource);
    let exists = |service: &Resource| service.text("serviceArn").ends_with(&end) && service.text("status") == "ACTIVE";
    match ctx.those("ecs.service", exists).is_empty() {
        true => Err(invalid(format!("ECS service doesn't exist: {}", scaled.resource))),
        false => Ok(()),
    }
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (namespace, ids) = (input.string("ServiceNamespace")?, input.strings("ResourceIds"));
    let dimension = input.opt_str("ScalableDimension");
    let mut all = ctx.visible(KIND);
    all.retain(|target| {
        target.text("ServiceNamespace") == namespace
            && (ids.is_empty() || ids.iter().any(|id| id == target.text("ResourceId")))
            && dimension.is_none_or(|dimension| target.text("ScalableDimension") == dimension)
    });
    paged(input, "ScalableTargets", all.iter().map(|target| Value::Object(shown(target))).collect())
}

/// Its policies go with it, and their alarms.
pub(super) fn deregister(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let scaled = Scaled::read(input)?;
    let known = ctx.get(KIND, &scaled.key());
    let grant = scaled.grant(ctx, "DeregisterScalableTarget", known.as_deref());
    ctx.authorise(grant)?;
    let target = known.ok_or_else(|| scaled.nothing())?;
    scaled.alone(ctx)?;
    for one in ctx.those(policy::KIND, |policy| scaled.fits(policy)) {
        policy::remove(ctx, &one);
    }
    ctx.remove(KIND, &target.id);
    Ok(nothing())
}
