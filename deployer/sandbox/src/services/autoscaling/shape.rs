//! The settings of a group: read from a request, judged, kept as they are shown.
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{invalid, launch};
use crate::account::Ctx;
use crate::error::ApiError;
use crate::input::Input;
use crate::rng::rank;
use crate::store::Resource;

const POLICIES: &[&str] = &[
    "Default",
    "AllocationStrategy",
    "ClosestToNextInstanceHour",
    "NewestInstance",
    "OldestInstance",
    "OldestLaunchConfiguration",
    "OldestLaunchTemplate",
];

/// The termination policies that there are.
pub(super) fn policies() -> &'static [&'static str] {
    POLICIES
}

/// What both creating and updating can set, but the sizes, the template and the subnets.
pub(super) fn settings(input: &Input, group: &mut Resource) -> Result<(), ApiError> {
    for name in ["DefaultCooldown", "HealthCheckGracePeriod"] {
        if let Some(value) = input.opt_int(name)? {
            group.set(name, value);
        }
    }
    for name in ["NewInstancesProtectedFromScaleIn", "CapacityRebalance"] {
        if let Some(value) = input.opt_bool(name)? {
            group.set(name, value);
        }
    }
    for name in ["Context", "DesiredCapacityType", "ServiceLinkedRoleARN", "DeletionProtection"] {
        if let Some(value) = input.opt_str(name) {
            group.set(name, value);
        }
    }
    if let Some(kind) = input.opt_str("HealthCheckType") {
        if kind.split(',').any(|one| !matches!(one, "EC2" | "ELB" | "EBS" | "VPC_LATTICE")) {
            return Err(invalid(format!("Invalid HealthCheckType: {kind}")));
        }
        group.set("HealthCheckType", kind);
    }
    if input.has("TerminationPolicies") {
        let policies = input.strings("TerminationPolicies");
        if let Some(wrong) = policies.iter().find(|one| !POLICIES.contains(&one.as_str())) {
            return Err(invalid(format!("Termination policy {wrong} is not valid")));
        }
        let policies = if policies.is_empty() { vec!["Default".to_owned()] } else { policies };
        group.set("TerminationPolicies", policies);
    }
    lifetimes(input, group)?;
    structures(input, group)
}

/// Zero and -1 take a setting back.
fn lifetimes(input: &Input, group: &mut Resource) -> Result<(), ApiError> {
    match input.opt_int("MaxInstanceLifetime")? {
        None => {}
        Some(0) => drop(group.attrs.remove("MaxInstanceLifetime")),
        Some(seconds) if (86_400..=31_536_000).contains(&seconds) => group.set("MaxInstanceLifetime", seconds),
        Some(_) => {
            return Err(invalid(
                "Maximum instance lifetime must be equal to 0, between 86400 and 31536000 seconds (inclusive), or not specified.",
            ));
        }
    }
    match input.opt_int("DefaultInstanceWarmup")? {
        None => {}
        Some(-1) => drop(group.attrs.remove("DefaultInstanceWarmup")),
        Some(seconds) => group.set("DefaultInstanceWarmup", seconds),
    }
    Ok(())
}

fn structures(input: &Input, group: &mut Resource) -> Result<(), ApiError> {
    if let Some(policy) = input.object("InstanceMaintenancePolicy") {
        let (least, most) = (policy.int("MinHealthyPercentage")?, policy.int("MaxHealthyPercentage")?);
        match (least, most) {
            (-1, -1) => drop(group.attrs.remove("InstanceMaintenancePolicy")),
            _ => healthy_range(least, most).map(|()| {
                group.set(
                    "InstanceMaintenancePolicy",
                    json!({"MinHealthyPercentage": least, "MaxHealthyPercentage": most}),
                )
            })?,
        }
    }
    if let Some(zones) = input.object("AvailabilityZoneDistribution") {
        let strategy = zones.opt_str("CapacityDistributionStrategy").unwrap_or("balanced-best-effort");
        group.set("AvailabilityZoneDistribution", json!({"CapacityDistributionStrategy": strategy}));
    }
    if let Some(policy) = input.object("AvailabilityZoneImpairmentPolicy") {
        let value = json!({
            "ZonalShiftEnabled": policy.bool_or("ZonalShiftEnabled", false)?,
            "ImpairedZoneHealthCheckBehavior":
                policy.opt_str("ImpairedZoneHealthCheckBehavior").unwrap_or("IgnoreUnhealthy"),
        });
        group.set("AvailabilityZoneImpairmentPolicy", value);
    }
    if let Some(capacity) = input.object("CapacityReservationSpecification") {
        let preference = capacity.opt_str("CapacityReservationPreference").unwrap_or("default");
        group.set("CapacityReservationSpecification", json!({"CapacityReservationPreference": preference}));
    }
    Ok(())
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstanceMaintenancePolicy.html>
pub(super) fn healthy_range(least: i64, most: i64) -> Result<(), ApiError> {
    if !(0..=100).contains(&least) || !(100..=200).contains(&most) || most - least > 100 {
        return Err(invalid(format!(
            "MinHealthyPercentage {least} and MaxHealthyPercentage {most} are not valid: from 0 to 100, from 100 to 200, and at most 100 apart"
        )));
    }
    Ok(())
}

/// Sizes, which have to fit one another; a desired capacity that nobody asked for moves between the bounds.
pub(super) fn sizes(input: &Input, group: &mut Resource) -> Result<(), ApiError> {
    let or = |name: &str| -> Result<i64, ApiError> { Ok(input.opt_int(name)?.unwrap_or_else(|| group.number(name))) };
    let (least, most) = (or("MinSize")?, or("MaxSize")?);
    if least < 0 || most < least {
        return Err(invalid(format!("Max bound, {most}, must be greater than or equal to min bound, {least}")));
    }
    let desired = match input.opt_int("DesiredCapacity")? {
        Some(desired) => within(desired, least, most)?,
        None => group.number("DesiredCapacity").clamp(least, most),
    };
    for (name, value) in [("MinSize", least), ("MaxSize", most), ("DesiredCapacity", desired)] {
        group.set(name, value);
    }
    Ok(())
}

/// A desired capacity that is within its bounds.
pub(super) fn within(desired: i64, least: i64, most: i64) -> Result<i64, ApiError> {
    if (least..=most).contains(&desired) {
        return Ok(desired);
    }
    Err(invalid(format!(
        "Desired capacity:{desired} must be between the specified min size:{least} and max size:{most}"
    )))
}

/// Subnets, kept in AWS's own order, with their zones.
pub(super) fn subnets(ctx: &Ctx<'_>, input: &Input, group: &mut Resource) -> Result<(), ApiError> {
    let Some(listed) = input.opt_str("VPCZoneIdentifier") else { return Ok(()) };
    let mut found: Vec<Arc<Resource>> = Vec::new();
    for id in listed.split(',').map(str::trim).filter(|id| !id.is_empty()) {
        let subnet = ctx.usable("ec2.subnet", id);
        found.push(subnet.ok_or_else(|| invalid(format!("The subnet ID '{id}' does not exist")))?);
    }
    let Some(first) = found.first() else {
        return Err(invalid("At least one Availability Zone or VPC Subnet is required."));
    };
    if let Some(other) = found.iter().find(|s| s.text("vpcId") != first.text("vpcId")) {
        return Err(invalid(format!("Subnet {} is not in the VPC of the others", other.id)));
    }
    found.sort_by_cached_key(|subnet| rank(ctx.account.seed, &subnet.id));
    let mut zones: Vec<&str> = found.iter().map(|s| s.text("availabilityZone")).collect();
    zones.sort_unstable();
    zones.dedup();
    group.set("AvailabilityZones", zones.iter().map(|zone| Value::from(*zone)).collect::<Vec<_>>());
    group.set("VPCZoneIdentifier", found.iter().map(|s| s.id.as_str()).collect::<Vec<_>>().join(","));
    Ok(())
}

/// The template, by id or name, with the version as it was asked for.
pub(super) fn template(ctx: &mut Ctx<'_>, input: &Input, group: &mut Resource) -> Result<(), ApiError> {
    for name in ["LaunchConfigurationName", "MixedInstancesPolicy", "InstanceId"] {
        if input.has(name) {
            return Err(ApiError::not_simulated(format!("groups with {name}")));
        }
    }
    let Some(wanted) = input.object("LaunchTemplate") else { return Ok(()) };
    let specification = launch::specification(ctx, &wanted)?;
    group.set("LaunchTemplate", specification);
    launch::judge(ctx, group)
}
