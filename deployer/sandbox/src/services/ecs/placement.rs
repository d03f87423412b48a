//! Where a task goes, and what becomes of the group when there is no place.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement.html>

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{INSTANCE, PROVIDER, TASK, container_instance, daemon, settings};
use crate::account::Ctx;
use crate::services::autoscaling;
use crate::store::Resource;

/// What an instance has left.
pub(super) struct Free {
    pub(super) cpu: i64,
    pub(super) memory: i64,
    pub(super) interfaces: i64,
}

/// What a task takes.
#[derive(Clone, Copy)]
pub(super) struct Need {
    pub(super) cpu: i64,
    pub(super) memory: i64,
    pub(super) interface: bool,
}

/// Why a task found no place, in ECS's words.
pub(super) enum Nowhere {
    /// None in the cluster, or none of the capacity providers that it may use.
    NoInstances(&'static str),
    TooSmall(&'static str),
    /// Every instance with room has a task of the service already, and may have one only.
    Taken,
}

impl Nowhere {
    pub(super) fn words(&self) -> String {
        match self {
            Self::NoInstances(place) => format!("was unable to place a task because no container instance met all of its requirements. Reason: No Container Instances were found in your {place}. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."),
            Self::Taken => "was unable to place a task because no container instance met all of its requirements. The closest matching container-instance encountered error \"DistinctInstance placement constraint unsatisfied.\". For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.".to_owned(),
            Self::TooSmall(what) => format!("was unable to place a task because no container instance met all of its requirements. The closest matching container-instance has insufficient {what} available. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."),
        }
    }
}

/// What a revision's tasks take.
pub(super) fn need(definition: &Resource) -> Need {
    let whole = |name: &str| definition.text(name).parse::<i64>().ok();
    let sum = |name: &str, other: &str| -> i64 {
        let containers = definition.items("containerDefinitions").iter();
        containers.map(|c| c[name].as_i64().or_else(|| c[other].as_i64()).unwrap_or(0)).sum()
    };
    Need {
        cpu: whole("cpu").unwrap_or_else(|| sum("cpu", "cpu")),
        memory: whole("memory").unwrap_or_else(|| sum("memoryReservation", "memory")),
        interface: definition.text("networkMode") == "awsvpc",
    }
}

pub(super) fn free(ctx: &Ctx<'_>, instance: &Resource) -> Free {
    let trunking = settings::value(ctx, "awsvpcTrunking") == "enabled";
    let trunk = instance.attrs["_trunk"].as_i64().filter(|_| trunking);
    let mut free = Free {
        cpu: instance.number("_cpu"),
        memory: instance.number("_memory"),
        interfaces: trunk.unwrap_or_else(|| instance.number("_interfaces")),
    };
    for task in container_instance::on(ctx, &instance.id) {
        free.cpu -= task.number("_cpu");
        free.memory -= task.number("_memory");
        free.interfaces -= i64::from(!task.text("_eni").is_empty());
    }
    free
}

/// Where a task may go, and where it should.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    /// Onto instances of these capacity providers; of any if there are none.
    pub(super) providers: &'a [String],
    /// One of the group at most on each instance.
    pub(super) distinct: bool,
    /// `placementStrategy`, in its order.
    pub(super) strategy: &'a [Value],
}

/// The instance for a task of this group (`service:web`): enough of everything, then what the strategy likes best;
/// without one the zone and the instance with the fewest tasks of the group.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-strategies.html>
pub(super) fn choose(
    ctx: &Ctx<'_>,
    cluster: &str,
    group: &str,
    need: Need,
    rules: Rules<'_>,
) -> Result<Arc<Resource>, Nowhere> {
    let candidates = ctx.those(INSTANCE, |i| {
        let provided =
            rules.providers.is_empty() || rules.providers.iter().any(|p| i.text("capacityProviderName") == p);
        i.text("_cluster") == cluster && i.text("status") == "ACTIVE" && provided
    });
    if candidates.is_empty() {
        let place = if rules.providers.is_empty() { "cluster" } else { "capacity provider" };
        return Err(Nowhere::NoInstances(place));
    }
    let mut lacking = "CPU units";
    let mut fitting = Vec::new();
    for instance in candidates {
        let free = free(ctx, &instance);
        if free.cpu < need.cpu {
            lacking = "CPU units";
        } else if free.memory < need.memory {
            lacking = "memory";
        } else if need.interface && free.interfaces < 1 {
            lacking = "network interfaces (RESOURCE:ENI)";
        } else {
            fitting.push((instance, free));
        }
    }
    let alike = ctx.those(TASK, |task| task.text("group") == group && task.text("desiredStatus") == "RUNNING");
    let on_instance = |id: &str| alike.iter().filter(|task| task.text("_instance") == id).count();
    let room = !fitting.is_empty();
    fitting
        .into_iter()
        .filter(|(i, _)| !rules.distinct || on_instance(&i.id) == 0)
        .min_by_key(|(i, free)| (liked(rules.strategy, &alike, i, free), i.id.clone()))
        .map(|(instance, _)| instance)
        .ok_or(if room { Nowhere::Taken } else { Nowhere::TooSmall(lacking) })
}

/// How a strategy ranks an instance: the least is the best.
fn liked(strategy: &[Value], alike: &[Arc<Resource>], instance: &Resource, free: &Free) -> Vec<i64> {
    let count = |test: &dyn Fn(&Resource) -> bool| {
        i64::try_from(alike.iter().filter(|task| test(task)).count()).unwrap_or(i64::MAX)
    };
    let in_zone = || count(&|task| task.text("availabilityZone") == instance.text("_zone"));
    let on_it = || count(&|task| task.text("_instance") == instance.id);
    if strategy.is_empty() {
        return vec![in_zone(), on_it()];
    }
    let rank = |one: &Value| {
        let field = one["field"].as_str().unwrap_or_default().to_lowercase();
        match (one["type"].as_str().unwrap_or_default(), field.as_str()) {
            ("spread", "instanceid" | "host") => on_it(),
            ("spread", _) => in_zone(),
            ("binpack", "cpu") => free.cpu,
            ("binpack", _) => free.memory,
            // `random` is as good as any order.
            _ => 0,
        }
    };
    strategy.iter().map(rank).collect()
}

/// An instance registers within this of its launch, or never does.
const REGISTERS: i64 = 10 * 60;

/// Whether instances of a group are on their way into the cluster.
fn coming(ctx: &Ctx<'_>, group: &Resource) -> bool {
    let members = autoscaling::instance::active(ctx, &group.id);
    let young = |member: &Resource| ctx.now.as_second() - member.created.as_second() < REGISTERS;
    let due = i64::try_from(members.len()).unwrap_or(0) < group.number("DesiredCapacity");
    let refused = autoscaling::activity::last(ctx, &group.id)["StatusCode"] == "Failed";
    (due && !refused) || members.iter().any(|member| ctx.get(INSTANCE, &member.id).is_none() && young(member))
}

/// Managed scaling: the group grows when there is no place, within its maximum. Tells whether more is to come.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-scaling-behavior.html>
pub(super) fn grow(ctx: &mut Ctx<'_>, providers: &[String]) -> bool {
    for provider in providers {
        let Some(object) = ctx.get(PROVIDER, provider) else { continue };
        let Some(group) = container_instance::group_of(ctx, provider) else { continue };
        // What was asked for has to come first.
        if coming(ctx, &group) {
            return true;
        }
        let desired = group.number("DesiredCapacity");
        let managed = object.attrs["autoScalingGroupProvider"]["managedScaling"]["status"] == "ENABLED";
        if managed && desired < group.number("MaxSize") {
            autoscaling::group::set_desired(ctx, &group.id, desired + 1);
            return true;
        }
    }
    false
}

/// Managed termination protection: an instance with tasks is not terminated by a scale-in.
pub(super) fn protect(ctx: &mut Ctx<'_>, instance: &str) {
    let Some(object) = ctx.get(INSTANCE, instance) else { return };
    let Some(provider) = ctx.get(PROVIDER, object.text("capacityProviderName")) else { return };
    let Some(group) = container_instance::group_of(ctx, &provider.id) else { return };
    if provider.attrs["autoScalingGroupProvider"]["managedTerminationProtection"] == "ENABLED" {
        let busy = daemon::is_held(ctx, instance);
        autoscaling::group::protect(ctx, &group.id, instance, busy);
    }
    if provider.attrs["autoScalingGroupProvider"]["managedScaling"]["status"] == "ENABLED" {
        ctx.after(Duration::from_secs(15 * 60), PROVIDER, &provider.id, "scale-in");
    }
}

/// Managed scaling: instances without tasks go, one at a time, down to the group's minimum.
pub(super) fn shrink(ctx: &mut Ctx<'_>, provider: &str) {
    let Some(group) = container_instance::group_of(ctx, provider) else { return };
    let instances = container_instance::of_provider(ctx, provider);
    let idle = instances.iter().filter(|i| !daemon::is_held(ctx, &i.id)).count();
    let desired = group.number("DesiredCapacity");
    let settled = i64::try_from(instances.len()).unwrap_or(0) == desired;
    if idle > 0 && settled && desired > group.number("MinSize") {
        autoscaling::group::set_desired(ctx, &group.id, desired - 1);
        ctx.after(Duration::from_secs(5 * 60), PROVIDER, provider, "scale-in");
    }
}

/// The providers of a strategy, in its order.
pub(super) fn providers(strategy: &[Value]) -> Vec<String> {
    strategy.iter().filter_map(|item| item["capacityProvider"].as_str().map(str::to_owned)).collect()
}
