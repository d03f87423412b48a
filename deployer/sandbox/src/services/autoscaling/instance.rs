//! The instances of a group, from their launch to their end.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html>

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{activity, authorise, hook, invalid, launch, look_after, named, paged};
use crate::account::Ctx;
use crate::clock::later;
use crate::dispatch::{empty_result, nothing};
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::ec2;
use crate::services::ec2::launch_template::Version;
use crate::services::ecs;
use crate::services::shared::{seconds, shown};
use crate::store::Resource;

const KIND: &str = "autoscaling.instance";

/// The members of a group, as they are.
pub(super) fn of(ctx: &Ctx<'_>, group: &str) -> Vec<Arc<Resource>> {
    ctx.those(KIND, |i| i.text("AutoScalingGroupName") == group)
}

/// Those that count: not on their way out.
pub(crate) fn active(ctx: &Ctx<'_>, group: &str) -> Vec<Arc<Resource>> {
    let mut all = of(ctx, group);
    all.retain(|i| !i.text("LifecycleState").starts_with("Terminating"));
    all
}

/// How long a group takes to notice that an instance is lost, and how often it asks whether one that leaves is empty.
const HEALTH_CHECK: Duration = Duration::from_secs(45);
const DRAIN_CHECK: Duration = Duration::from_secs(15);
/// So long ECS has to move the tasks of an instance away.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-instance-draining.html>
const DRAINING: Duration = Duration::from_secs(48 * 60 * 60);
/// So long other hooks wait: `HeartbeatTimeout` is not looked at.
const HOOKED: Duration = Duration::from_secs(120);

/// Launches an instance in the zone that has the fewest; answers whether it could.
pub(super) fn launch(ctx: &mut Ctx<'_>, group: &Resource, specification: &Value, cause: &str) -> bool {
    let outcome = try_launch(ctx, group, specification);
    match outcome {
        Ok(id) => {
            activity::begin(ctx, group, &id, "Launching a new EC2 instance", cause);
            true
        }
        Err(error) => {
            let message = match error.code.strip_prefix("Client.") {
                Some(_) => format!(
                    "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: {}: {}",
                    error.code, error.message
                ),
                None => format!("{} Launching EC2 instance failed.", error.message),
            };
            activity::failed(ctx, group, "Launching a new EC2 instance", cause, &message);
            false
        }
    }
}

fn try_launch(ctx: &mut Ctx<'_>, group: &Resource, specification: &Value) -> Result<String, ApiError> {
    let Version { template, number, data } = launch::version(ctx, specification)?;
    let template = template.id.clone();
    let subnet = roomiest(ctx, group).ok_or_else(|| invalid("The group has no subnet."))?;
    let mut tags = super::tags::propagated(group);
    for (key, value) in [
        ("aws:autoscaling:groupName", group.id.clone()),
        ("aws:ec2launchtemplate:id", template.clone()),
        ("aws:ec2launchtemplate:version", number.to_string()),
    ] {
        tags.insert(key.to_owned(), value);
    }
    let role = Some(group.text("ServiceLinkedRoleARN").to_owned());
    let id = ec2::instance::launch(ctx, &ec2::instance::Launch { data: &data, subnet: &subnet, tags, role })?;
    let placed = ctx.get("ec2.instance", &id).and_then(|i| i.attrs.get("placement").cloned()).unwrap_or_default();
    let mut member = ctx.resource(
        KIND,
        &id,
        json!({
            "InstanceId": id,
            "AutoScalingGroupName": group.id,
            "InstanceType": data.get("instanceType"),
            "AvailabilityZone": placed["availabilityZone"],
            "AvailabilityZoneId": placed["availabilityZoneId"],
            "LifecycleState": "Pending",
            "HealthStatus": "Healthy",
            "LaunchTemplate": {
                "LaunchTemplateId": template,
                "LaunchTemplateName": specification["LaunchTemplateName"],
                "Version": number.to_string(),
            },
            "ProtectedFromScaleIn": group.flag("NewInstancesProtectedFromScaleIn"),
        }),
    );
    member.aws_made = true;
    ctx.insert(member);
    Ok(id)
}

/// The subnet whose zone has the fewest members, and of those of one zone the one that has.
fn roomiest(ctx: &Ctx<'_>, group: &Resource) -> Option<String> {
    let members = active(ctx, &group.id);
    let subnets = launch::subnets(group);
    let in_subnet = |id: &String| {
        let here = |i: &&Arc<Resource>| ctx.get("ec2.instance", &i.id).is_some_and(|i| i.text("subnetId") == id);
        members.iter().filter(here).count()
    };
    let in_zone = |id: &String| {
        let zone = ctx.get("ec2.subnet", id).map(|s| s.text("availabilityZone").to_owned()).unwrap_or_default();
        members.iter().filter(|i| i.text("AvailabilityZone") == zone).count()
    };
    subnets.into_iter().min_by_key(|id| (in_zone(id), in_subnet(id)))
}

/// The machine runs: it is in service.
pub(crate) fn runs(ctx: &mut Ctx<'_>, id: &str) {
    let Some(member) = ctx.get(KIND, id).filter(|i| i.text("LifecycleState") == "Pending") else { return };
    let now = seconds(ctx.now);
    ctx.update(KIND, id, |i| {
        i.set("LifecycleState", "InService");
        i.set("_inService", now);
    });
    activity::finish(ctx, id);
    look_after(ctx, member.text("AutoScalingGroupName"), Duration::from_secs(2));
}

/// The machine is going. Where the group did not begin that, it finds out by its next health check.
pub(crate) fn going(ctx: &mut Ctx<'_>, id: &str) {
    let Some(member) = ctx.get(KIND, id) else { return };
    if !member.text("LifecycleState").starts_with("Terminating") {
        look_after(ctx, member.text("AutoScalingGroupName"), HEALTH_CHECK);
    }
}

/// The machine is gone.
pub(crate) fn gone(ctx: &mut Ctx<'_>, id: &str) {
    let Some(member) = ctx.get(KIND, id) else { return };
    if member.text("LifecycleState").starts_with("Terminating") {
        ctx.remove(KIND, id);
        activity::finish(ctx, id);
        look_after(ctx, member.text("AutoScalingGroupName"), Duration::from_secs(2));
    }
}

/// Begins the end of a member: its tasks are moved away first, when something waits for that.
pub(super) fn leave(ctx: &mut Ctx<'_>, group: &Resource, id: &str, cause: &str) {
    activity::begin(ctx, group, id, "Terminating EC2 instance", cause);
    let drains = ecs::drains(ctx, id);
    if hook::of(ctx, &group.id).is_empty() && !drains {
        return end_now(ctx, id);
    }
    let until = seconds(later(ctx.now, if drains { DRAINING } else { HOOKED }));
    ctx.update(KIND, id, |i| {
        i.set("LifecycleState", "Terminating:Wait");
        i.set("_until", until);
    });
    ctx.after(Duration::ZERO, "ecs.container-instance", id, "instance-terminating");
    ctx.after(DRAIN_CHECK, KIND, id, "drained");
}

/// Ends a member without waiting for anything.
pub(super) fn end(ctx: &mut Ctx<'_>, id: &str, cause: &str) {
    let name = ctx.get(KIND, id).map(|i| i.text("AutoScalingGroupName").to_owned()).unwrap_or_default();
    if let Some(group) = ctx.get("autoscaling.group", &name) {
        activity::begin(ctx, &group, id, "Terminating EC2 instance", cause);
    }
    end_now(ctx, id);
}

fn end_now(ctx: &mut Ctx<'_>, id: &str) {
    ctx.update(KIND, id, |i| i.set("LifecycleState", "Terminating"));
    if matches!(ec2::instance::state(ctx, id).as_str(), "" | "terminated") {
        return gone(ctx, id);
    }
    ec2::instance::terminate(ctx, id);
}

/// Looks whether an instance that waits is empty, or has waited long enough.
pub(super) fn drained(ctx: &mut Ctx<'_>, id: &str) {
    let Some(member) = ctx.get(KIND, id).filter(|i| i.text("LifecycleState") == "Terminating:Wait") else { return };
    let until = member.attrs.get("_until").and_then(Value::as_f64).unwrap_or_default();
    let late = seconds(ctx.now).as_f64().is_some_and(|now| now >= until);
    if late || !ecs::drains(ctx, id) {
        return end_now(ctx, id);
    }
    ctx.after(DRAIN_CHECK, KIND, id, "drained");
}

/// Whoever held it up lets it go.
pub(super) fn proceed(ctx: &mut Ctx<'_>, id: &str) {
    if ctx.get(KIND, id).is_some_and(|i| i.text("LifecycleState") == "Terminating:Wait") {
        end_now(ctx, id);
    }
}

fn member_of(ctx: &Ctx<'_>, group: &str, id: &str) -> Result<Arc<Resource>, ApiError> {
    let known = ctx.usable(KIND, id).filter(|i| i.text("AutoScalingGroupName") == group);
    known.ok_or_else(|| invalid(format!("The instance {id} is not part of Auto Scaling group {group}.")))
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetInstanceProtection.html>
pub(super) fn set_protection(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    authorise(ctx, "SetInstanceProtection", &group)?;
    let protected = input.opt_bool("ProtectedFromScaleIn")?.ok_or_else(|| input.missing("ProtectedFromScaleIn"))?;
    let ids = input.strings("InstanceIds");
    if ids.is_empty() || ids.len() > 50 {
        return Err(invalid("Between 1 and 50 instances can be given"));
    }
    for id in &ids {
        let member = member_of(ctx, &group.id, id)?;
        if !matches!(member.text("LifecycleState"), "InService" | "Pending") {
            let message = format!("The instance {id} is not in InService or EnteringStandby or Standby.");
            return Err(invalid(message));
        }
    }
    for id in ids {
        super::group::protect(ctx, &group.id, &id, protected);
    }
    Ok(empty_result())
}

pub(super) fn set_health(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["ShouldRespectGracePeriod"]);
    let id = input.str("InstanceId")?;
    let member = ctx.usable(KIND, id);
    let member = member
        .ok_or_else(|| invalid(format!("Instance Id not found - No managed instance found for instance ID {id}")))?;
    let group = member.text("AutoScalingGroupName").to_owned();
    if let Some(group) = ctx.get("autoscaling.group", &group) {
        authorise(ctx, "SetInstanceHealth", &group)?;
    }
    let status = match input.str("HealthStatus")? {
        status @ ("Healthy" | "Unhealthy") => status.to_owned(),
        other => return Err(invalid(format!("The health status {other} is not valid"))),
    };
    ctx.update(KIND, id, |i| i.set("HealthStatus", status));
    look_after(ctx, &group, HEALTH_CHECK);
    Ok(nothing())
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html>
pub(super) fn terminate(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("InstanceId")?;
    let fewer = input.opt_bool("ShouldDecrementDesiredCapacity")?;
    let fewer = fewer.ok_or_else(|| input.missing("ShouldDecrementDesiredCapacity"))?;
    let member = ctx.usable(KIND, id);
    let member = member
        .ok_or_else(|| invalid(format!("Instance Id not found - No managed instance found for instance ID: {id}")))?;
    let name = member.text("AutoScalingGroupName").to_owned();
    let group =
        ctx.get("autoscaling.group", &name).ok_or_else(|| invalid(format!("AutoScalingGroup '{name}' not found")))?;
    authorise(ctx, "TerminateInstanceInAutoScalingGroup", &group)?;
    if member.text("LifecycleState").starts_with("Terminating") {
        let message = format!("The instance {id} is already being terminated.");
        return Err(refuse("ScalingActivityInProgress", message));
    }
    if fewer {
        let (desired, least) = (group.number("DesiredCapacity"), group.number("MinSize"));
        if desired <= least {
            return Err(invalid(format!(
                "Currently, desiredSize equals minSize ({least}). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."
            )));
        }
        ctx.update("autoscaling.group", &name, |group| group.set("DesiredCapacity", desired - 1));
    }
    leave(ctx, &group, id, "an instance was taken out of service in response to a user request");
    look_after(ctx, &name, Duration::from_secs(3));
    Ok(json!({"Activity": activity::last(ctx, &name)}))
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["IncludeManagedResources"]);
    let ids = input.strings("InstanceIds");
    let all = ctx.visible(KIND);
    let found = all.iter().filter(|i| ids.is_empty() || ids.contains(&i.id));
    paged(input, "AutoScalingInstances", found.map(|i| Value::Object(shown(i))).collect())
}
