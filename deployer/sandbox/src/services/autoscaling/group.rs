//! Groups. <https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-groups.html>

use std::time::Duration;

use serde_json::{Value, json};

use super::{authorise, hook, instance, invalid, look_after, named, paged, refresh, shape, tags};
use crate::account::Ctx;
use crate::authorise::{Grant, like};
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::iam;
use crate::services::shared::shown as public;
use crate::store::Resource;
use crate::wire::iso_millis;

const SERVICE: &str = "autoscaling.amazonaws.com";

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.string("AutoScalingGroupName")?;
    let wanted = tags::requested(input)?;
    let role = format!("arn:aws:iam::{}:role/aws-service-role/{SERVICE}/AWSServiceRoleForAutoScaling", ctx.account.id);
    let pattern = ctx.arn("autoscaling", format!("autoScalingGroup:*:autoScalingGroupName/{name}"));
    ctx.authorise(Grant::new("autoscaling:CreateAutoScalingGroup", pattern).request_tags(&wanted.values))?;
    if name.len() > 255 || name.contains(':') {
        return Err(invalid(format!("The name {name} is too long or contains a colon")));
    }
    if ctx.get("autoscaling.group", &name).is_some() {
        let message = "AutoScalingGroup by this name already exists - A group with the given name already exists";
        return Err(refuse("AlreadyExists", message));
    }
    if !input.has("LaunchTemplate") {
        return Err(invalid(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.",
        ));
    }
    iam::ensure_service_linked_role(ctx, SERVICE)?;
    let mut group = object(ctx, &name, &role);
    for bound in ["MinSize", "MaxSize"] {
        let value = input.int(bound)?;
        group.set(bound, value);
        group.set("DesiredCapacity", group.number("MinSize"));
    }
    shape::sizes(input, &mut group)?;
    shape::settings(input, &mut group)?;
    shape::subnets(ctx, input, &mut group)?;
    shape::template(ctx, input, &mut group)?;
    for list in ["TargetGroupARNs", "LoadBalancerNames", "TrafficSources", "LifecycleHookSpecificationList"] {
        if !input.strings(list).is_empty() || !input.objects(list).is_empty() {
            return Err(ApiError::not_simulated(format!("groups with {list}")));
        }
    }
    group.tags = wanted.values;
    group.set("_propagate", wanted.propagate);
    ctx.insert(group);
    look_after(ctx, &name, Duration::from_secs(3));
    Ok(nothing())
}

/// A group with the settings that nobody asked for.
fn object(ctx: &mut Ctx<'_>, name: &str, role: &str) -> Resource {
    let id = ctx.account.rng.uuid();
    let arn = ctx.arn("autoscaling", format!("autoScalingGroup:{id}:autoScalingGroupName/{name}"));
    let attrs = json!({
        "AutoScalingGroupName": name,
        "AutoScalingGroupARN": arn,
        "DefaultCooldown": 300,
        "AvailabilityZones": [],
        "LoadBalancerNames": [],
        "TargetGroupARNs": [],
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 0,
        "CreatedTime": iso_millis(ctx.now),
        "SuspendedProcesses": [],
        "EnabledMetrics": [],
        "TerminationPolicies": ["Default"],
        "NewInstancesProtectedFromScaleIn": false,
        "ServiceLinkedRoleARN": role,
        "TrafficSources": [],
        "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-best-effort"},
        "AvailabilityZoneImpairmentPolicy": {
            "ZonalShiftEnabled": false, "ImpairedZoneHealthCheckBehavior": "IgnoreUnhealthy",
        },
        "CapacityReservationSpecification": {"CapacityReservationPreference": "default"},
        "DeletionProtection": "none",
    });
    ctx.resource("autoscaling.group", name, attrs)
}

/// Instances that run keep what they were launched by; new ones get what is new.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_UpdateAutoScalingGroup.html>
pub(super) fn update(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    authorise(ctx, "UpdateAutoScalingGroup", &group)?;
    not_leaving(&group)?;
    let mut changed = Resource::clone(&group);
    shape::sizes(input, &mut changed)?;
    shape::settings(input, &mut changed)?;
    shape::subnets(ctx, input, &mut changed)?;
    shape::template(ctx, input, &mut changed)?;
    ctx.update("autoscaling.group", &group.id, |group| group.attrs = changed.attrs);
    look_after(ctx, &group.id, Duration::from_secs(3));
    Ok(nothing())
}

/// A group that is going takes no more changes.
pub(super) fn not_leaving(group: &Resource) -> Result<(), ApiError> {
    if group.flag("_deleting") {
        let message = "You cannot update an AutoScalingGroup that is pending delete: deletion is in progress.";
        return Err(refuse("ScalingActivityInProgress", message));
    }
    Ok(())
}

pub(super) fn set_desired_capacity(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["HonorCooldown"]);
    let group = named(ctx, input)?;
    authorise(ctx, "SetDesiredCapacity", &group)?;
    not_leaving(&group)?;
    let desired = input.int("DesiredCapacity")?;
    let (least, most) = (group.number("MinSize"), group.number("MaxSize"));
    if desired < least {
        let message =
            format!("New SetDesiredCapacity value {desired} is below min value {least} for the AutoScalingGroup.");
        return Err(invalid(message));
    }
    if desired > most {
        let message =
            format!("New SetDesiredCapacity value {desired} is above max value {most} for the AutoScalingGroup.");
        return Err(invalid(message));
    }
    set_desired(ctx, &group.id, desired);
    Ok(nothing())
}

/// Changes the number of instances that a group keeps, within its bounds; for ECS managed scaling too.
pub(crate) fn set_desired(ctx: &mut Ctx<'_>, name: &str, desired: i64) {
    ctx.update("autoscaling.group", name, |group| {
        let (least, most) = (group.number("MinSize"), group.number("MaxSize"));
        group.set("DesiredCapacity", desired.clamp(least, most.max(least)));
    });
    look_after(ctx, name, Duration::from_secs(3));
}

/// Protects an instance from scale in, or no longer; for ECS managed termination protection too.
pub(crate) fn protect(ctx: &mut Ctx<'_>, name: &str, instance: &str, protected: bool) {
    let known = ctx.get("autoscaling.instance", instance);
    if known.is_some_and(|i| i.text("AutoScalingGroupName") == name && i.flag("ProtectedFromScaleIn") != protected) {
        ctx.update("autoscaling.instance", instance, |i| i.set("ProtectedFromScaleIn", protected));
        look_after(ctx, name, Duration::from_secs(3));
    }
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html>
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    authorise(ctx, "DeleteAutoScalingGroup", &group)?;
    let force = input.bool_or("ForceDelete", false)?;
    let protection = group.text("DeletionProtection");
    if protection == "prevent-all-deletion" || (force && protection == "prevent-force-deletion") {
        return Err(invalid(format!("The group {} is protected from deletion: {protection}", group.id)));
    }
    if group.flag("_deleting") {
        let message =
            "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.";
        return Err(refuse("ScalingActivityInProgress", message));
    }
    let members = instance::of(ctx, &group.id);
    if !force && !members.is_empty() {
        let busy = members.iter().any(|i| i.text("LifecycleState") != "InService");
        let (code, message) = match busy {
            true => (
                "ScalingActivityInProgress",
                "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.",
            ),
            false => {
                ("ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances still in the group.")
            }
        };
        return Err(refuse(code, message));
    }
    if members.is_empty() {
        remove(ctx, &group.id);
        return Ok(nothing());
    }
    ctx.update("autoscaling.group", &group.id, |group| {
        group.set("_deleting", true);
        group.set("Status", "Delete in progress");
        group.set("MinSize", 0);
        group.set("DesiredCapacity", 0);
    });
    // Nobody waits for anything any more, and protection from scale in is none from this.
    for member in members {
        instance::end(ctx, &member.id, "the group is deleted with all its instances");
    }
    Ok(nothing())
}

/// Takes a group away, with what only it knows.
pub(super) fn remove(ctx: &mut Ctx<'_>, name: &str) {
    hook::remove_of(ctx, name);
    refresh::remove_of(ctx, name);
    ctx.remove("autoscaling.group", name);
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["IncludeInstances", "IncludeManagedResources"]);
    let names = input.strings("AutoScalingGroupNames");
    let filters: Vec<(String, Vec<String>)> = input
        .objects("Filters")
        .iter()
        .map(|filter| Ok((filter.string("Name")?, filter.strings("Values"))))
        .collect::<Result<_, ApiError>>()?;
    let mut found = Vec::new();
    for group in ctx.visible("autoscaling.group") {
        if (names.is_empty() || names.contains(&group.id)) && fits(&group, &filters)? {
            found.push(shown(ctx, &group));
        }
    }
    paged(input, "AutoScalingGroups", found)
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Filter.html>
fn fits(group: &Resource, filters: &[(String, Vec<String>)]) -> Result<bool, ApiError> {
    let mut all = true;
    for (name, values) in filters {
        let any = |text: &String| values.iter().any(|value| like(value, text));
        all &= match name.as_str() {
            "tag-key" => group.tags.keys().any(any),
            "tag-value" => group.tags.values().any(any),
            _ => match name.strip_prefix("tag:") {
                Some(key) => group.tags.get(key).is_some_and(any),
                None => return Err(invalid(format!("Filter type {name} is not correct."))),
            },
        };
    }
    Ok(all)
}

fn shown(ctx: &Ctx<'_>, group: &Resource) -> Value {
    let mut map = public(group);
    let members = ctx.visible("autoscaling.instance");
    let members = members.iter().filter(|i| i.text("AutoScalingGroupName") == group.id);
    let members: Vec<Value> = members
        .map(|member| {
            let mut member = public(member);
            member.remove("AutoScalingGroupName");
            Value::Object(member)
        })
        .collect();
    map.insert("Instances".to_owned(), members.into());
    map.insert("Tags".to_owned(), tags::of(group).into());
    Value::Object(map)
}
