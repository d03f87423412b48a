//! How a group keeps the number of instances that it is to have: it replaces what is lost, launches what is missing
//! where there are fewest, and takes away what is too much, but nothing that is protected.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-instance-termination.html>

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{activity, group, instance, launch, look_after, refresh};
use crate::account::Ctx;
use crate::services::ec2;
use crate::store::Resource;

/// After a launch that failed.
const AGAIN: Duration = Duration::from_secs(60);

pub(super) fn balance(ctx: &mut Ctx<'_>, name: &str) {
    let Some(known) = ctx.get("autoscaling.group", name) else { return };
    if known.flag("_deleting") {
        if instance::of(ctx, name).is_empty() {
            group::remove(ctx, name);
        }
        return;
    }
    replace_lost(ctx, &known);
    // A refresh has more instances than desired for a while, and says itself which.
    if refresh::advance(ctx, &known) {
        return;
    }
    let desired = usize::try_from(known.number("DesiredCapacity")).unwrap_or(0);
    let members = instance::active(ctx, name);
    if members.len() < desired {
        launch_missing(ctx, &known, desired - members.len());
    } else if members.len() > desired {
        scale_in(ctx, &known, &members, members.len() - desired);
    }
}

pub(super) fn suspended(group: &Resource, process: &str) -> bool {
    group.items("SuspendedProcesses").iter().any(|p| p["ProcessName"] == process)
}

/// Members whose machine is going or was found unhealthy: protection from scale in keeps none of them.
fn replace_lost(ctx: &mut Ctx<'_>, group: &Resource) {
    for member in instance::active(ctx, &group.id) {
        let state = ec2::instance::state(ctx, &member.id);
        let lost = !matches!(state.as_str(), "pending" | "running");
        if lost || member.text("HealthStatus") == "Unhealthy" {
            ctx.update("autoscaling.instance", &member.id, |i| i.set("HealthStatus", "Unhealthy"));
            if suspended(group, "ReplaceUnhealthy") {
                continue;
            }
            let cause = "an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped";
            if lost {
                instance::end(ctx, &member.id, cause);
            } else {
                instance::leave(ctx, group, &member.id, cause);
            }
        }
    }
}

fn launch_missing(ctx: &mut Ctx<'_>, group: &Resource, count: usize) {
    if suspended(group, "Launch") {
        return;
    }
    let specification = group.attrs.get("LaunchTemplate").cloned().unwrap_or_default();
    let cause = "an instance was started in response to a difference between desired and actual capacity";
    let launched = (0..count).all(|_| instance::launch(ctx, group, &specification, cause));
    if !launched {
        look_after(ctx, &group.id, AGAIN);
    }
}

fn scale_in(ctx: &mut Ctx<'_>, group: &Resource, members: &[Arc<Resource>], count: usize) {
    if suspended(group, "Terminate") {
        return;
    }
    let mut free: Vec<Arc<Resource>> = members.iter().filter(|i| !i.flag("ProtectedFromScaleIn")).cloned().collect();
    let cause = "an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity";
    let mut left: Vec<Arc<Resource>> = members.to_vec();
    for _ in 0..count {
        let Some(at) = worst(ctx, group, &free, &left) else {
            let message =
                "Could not scale to desired capacity because all remaining instances are protected from scale-in.";
            activity::failed(ctx, group, "Terminating EC2 instance", cause, message);
            return;
        };
        let member = free.swap_remove(at);
        left.retain(|i| i.id != member.id);
        instance::leave(ctx, group, &member.id, cause);
    }
}

/// Of those that may go, the one in the fullest zone that the termination policies like least.
fn worst(ctx: &Ctx<'_>, group: &Resource, free: &[Arc<Resource>], left: &[Arc<Resource>]) -> Option<usize> {
    let current = launch::version(ctx, group.attrs.get("LaunchTemplate").unwrap_or(&Value::Null));
    let current = current.map(|version| version.number.to_string()).unwrap_or_default();
    let newest_first = group.items("TerminationPolicies").iter().any(|policy| policy == "NewestInstance");
    let rank = |member: &Arc<Resource>| {
        let zone = left.iter().filter(|i| i.text("AvailabilityZone") == member.text("AvailabilityZone")).count();
        let outdated = member.attrs.get("LaunchTemplate").is_some_and(|t| t["Version"] != *current);
        let age = ctx.now.duration_since(member.created).as_millis();
        (zone, outdated, if newest_first { -age } else { age })
    };
    (0..free.len()).max_by_key(|at| free.get(*at).map(rank))
}
