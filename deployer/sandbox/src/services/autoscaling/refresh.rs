//! Instance refreshes: a group's instances are replaced step by step, so that enough of them are always healthy.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-instance-refresh.html>

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{authorise, instance, invalid, launch, look_after, named, paged, shape};
use crate::account::Ctx;
use crate::clock::later;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::{seconds, shown};
use crate::store::Resource;
use crate::wire::iso_millis;

const KIND: &str = "autoscaling.refresh";

/// How often a refresh looks whether it can go on.
const STEP: Duration = Duration::from_secs(15);

/// How long a refresh waits for protection to be lifted before it gives up.
const WAIT: Duration = Duration::from_secs(60 * 60);

fn under_way(ctx: &Ctx<'_>, group: &str) -> Option<Arc<Resource>> {
    let of_it = |r: &Resource| {
        r.text("AutoScalingGroupName") == group && matches!(r.text("Status"), "Pending" | "InProgress" | "Cancelling")
    };
    ctx.those(KIND, of_it).into_iter().next()
}

pub(super) fn start(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    authorise(ctx, "StartInstanceRefresh", &group)?;
    if input.opt_str("Strategy").is_some_and(|strategy| strategy != "Rolling") {
        return Err(ApiError::not_simulated("refreshes that only replace the root volume"));
    }
    if under_way(ctx, &group.id).is_some() {
        let message = "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.";
        return Err(refuse("InstanceRefreshInProgress", message));
    }
    super::group::not_leaving(&group)?;
    let preferences = preferences(input.object("Preferences").as_ref(), &group)?;
    let wanted = input.object("DesiredConfiguration").and_then(|wanted| wanted.object("LaunchTemplate"));
    let wanted = wanted.map(|wanted| launch::specification(ctx, &wanted)).transpose()?;
    let specification = wanted.clone().or_else(|| group.attrs.get("LaunchTemplate").cloned()).unwrap_or_default();
    let id = ctx.account.rng.uuid();
    let mut attrs = json!({
        "InstanceRefreshId": id,
        "AutoScalingGroupName": group.id,
        "Status": "Pending",
        "StartTime": iso_millis(ctx.now),
        "PercentageComplete": 0,
        "InstancesToUpdate": instance::active(ctx, &group.id).len(),
        "Preferences": preferences,
        "Strategy": "Rolling",
        "_specification": specification,
        "_patience": seconds(later(ctx.now, WAIT)),
        "_begun": seconds(ctx.now),
    });
    if let Some(wanted) = wanted {
        attrs["DesiredConfiguration"] = json!({"LaunchTemplate": wanted});
    }
    let mut refresh = ctx.resource(KIND, format!("{}/{:020}-{id}", group.id, ctx.now.as_millisecond()), attrs);
    refresh.aws_made = true;
    refresh.set("_gone", true);
    ctx.insert(refresh);
    look_after(ctx, &group.id, STEP);
    Ok(json!({"InstanceRefreshId": id}))
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RefreshPreferences.html>
fn preferences(input: Option<&Input>, group: &Resource) -> Result<Value, ApiError> {
    let policy = group.attrs.get("InstanceMaintenancePolicy");
    let of_policy = |name: &str| policy.and_then(|policy| policy[name].as_i64());
    let int = |name: &str| input.map_or(Ok(None), |input| input.opt_int(name));
    let flag = |name: &str| input.map_or(Ok(None), |input| input.opt_bool(name));
    let least = int("MinHealthyPercentage")?.or(of_policy("MinHealthyPercentage")).unwrap_or(90);
    let most = int("MaxHealthyPercentage")?.or(of_policy("MaxHealthyPercentage")).unwrap_or(100);
    shape::healthy_range(least, most)?;
    let default = group.attrs.get("DefaultInstanceWarmup").and_then(Value::as_i64);
    let warmup = int("InstanceWarmup")?.or(default).unwrap_or_else(|| group.number("HealthCheckGracePeriod"));
    let protected = input.and_then(|input| input.opt_str("ScaleInProtectedInstances")).unwrap_or("Wait");
    if !matches!(protected, "Refresh" | "Ignore" | "Wait") {
        return Err(invalid(format!("ScaleInProtectedInstances {protected} is not valid")));
    }
    if let Some(input) = input {
        for name in ["AlarmSpecification", "CheckpointDelay", "BakeTime"] {
            if input.has(name) {
                return Err(ApiError::not_simulated(format!("refreshes with {name}")));
            }
        }
        if !input.strings("CheckpointPercentages").is_empty() {
            return Err(ApiError::not_simulated("refreshes with checkpoints"));
        }
    }
    if flag("AutoRollback")? == Some(true) {
        return Err(ApiError::not_simulated("refreshes that roll back by themselves"));
    }
    let standby = input.and_then(|input| input.opt_str("StandbyInstances")).unwrap_or("Wait");
    Ok(json!({
        "MinHealthyPercentage": least,
        "MaxHealthyPercentage": most,
        "InstanceWarmup": warmup,
        "SkipMatching": flag("SkipMatching")?.unwrap_or(false),
        "AutoRollback": false,
        "ScaleInProtectedInstances": protected,
        "StandbyInstances": standby,
    }))
}

pub(super) fn cancel(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["WaitForTransitioningInstances"]);
    let group = named(ctx, input)?;
    authorise(ctx, "CancelInstanceRefresh", &group)?;
    let Some(refresh) = under_way(ctx, &group.id) else {
        let message = "No in progress or pending Instance Refresh found for Auto Scaling group";
        return Err(refuse("ActiveInstanceRefreshNotFound", format!("{message} {}", group.id)));
    };
    ctx.update(KIND, &refresh.id, |r| r.set("Status", "Cancelling"));
    look_after(ctx, &group.id, STEP);
    Ok(json!({"InstanceRefreshId": refresh.text("InstanceRefreshId")}))
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = input.str("AutoScalingGroupName")?;
    if ctx.visible_one("autoscaling.group", group).is_none() {
        return Err(invalid(format!("AutoScalingGroup name not found - AutoScalingGroup '{group}' not found")));
    }
    let ids = input.strings("InstanceRefreshIds");
    let asked = |r: &Resource| ids.is_empty() || ids.iter().any(|id| id == r.text("InstanceRefreshId"));
    let mut found = ctx.visible(KIND);
    found.retain(|r| r.text("AutoScalingGroupName") == group && asked(r));
    // The newest first.
    found.sort_by(|a, b| b.id.cmp(&a.id));
    paged(input, "InstanceRefreshes", found.iter().map(|r| Value::Object(shown(r))).collect())
}

/// What is remembered of a group's refreshes goes with it.
pub(super) fn remove_of(ctx: &mut Ctx<'_>, group: &str) {
    for refresh in ctx.those(KIND, |r| r.text("AutoScalingGroupName") == group) {
        ctx.remove(KIND, &refresh.id);
    }
}

/// The members as a refresh sees them.
struct Members {
    old: Vec<Arc<Resource>>,
    new: usize,
    /// Those in service and, if new, warm.
    healthy: usize,
    /// Neither pending nor warming up.
    settled: bool,
}

fn members(ctx: &Ctx<'_>, group: &Resource, refresh: &Resource) -> Members {
    let preferences = refresh.attrs.get("Preferences").cloned().unwrap_or_default();
    let specification = refresh.attrs.get("_specification").cloned().unwrap_or_default();
    let target =
        launch::version(ctx, &specification).map(|version| (version.template.id.clone(), version.number.to_string()));
    let begun = refresh.attrs.get("_begun").and_then(Value::as_f64).unwrap_or_default();
    let warmup = preferences["InstanceWarmup"].as_f64().unwrap_or_default();
    let now = seconds(ctx.now).as_f64().unwrap_or_default();
    let matches = |member: &Resource| {
        let of = member.attrs.get("LaunchTemplate").cloned().unwrap_or_default();
        target.as_ref().is_ok_and(|(id, number)| of["LaunchTemplateId"] == **id && of["Version"] == **number)
    };
    let mut all = Members { old: Vec::new(), new: 0, healthy: 0, settled: true };
    for member in instance::active(ctx, &group.id) {
        let launched = seconds(member.created).as_f64().unwrap_or_default();
        let fresh = launched >= begun;
        let current = matches(&member) && (fresh || preferences["SkipMatching"] == true);
        let since = member.attrs.get("_inService").and_then(Value::as_f64);
        let warm = since.is_some_and(|since| !fresh || now >= since + warmup);
        all.healthy += usize::from(warm);
        all.settled &= warm;
        if current { all.new += 1 } else { all.old.push(member) }
    }
    all
}

/// Goes one step on; answers whether a refresh decides about the group's instances now.
pub(super) fn advance(ctx: &mut Ctx<'_>, group: &Resource) -> bool {
    let Some(refresh) = under_way(ctx, &group.id) else { return false };
    if refresh.text("Status") == "Cancelling" {
        finish(ctx, &refresh, "Cancelled", "Cancelled due to user request.");
        look_after(ctx, &group.id, STEP);
        return false;
    }
    let all = members(ctx, group, &refresh);
    let desired = usize::try_from(group.number("DesiredCapacity")).unwrap_or(0);
    let done = 100 * desired.saturating_sub(all.old.len()).min(desired) / desired.max(1);
    ctx.update(KIND, &refresh.id, |r| {
        r.set("Status", "InProgress");
        r.set("PercentageComplete", if desired == 0 { 100 } else { done });
        r.set("InstancesToUpdate", all.old.len());
    });
    let ignored = refresh.attrs.get("Preferences").is_some_and(|p| p["ScaleInProtectedInstances"] == "Ignore");
    let to_replace = all.old.iter().filter(|i| !(ignored && i.flag("ProtectedFromScaleIn"))).count();
    let leaving = instance::of(ctx, &group.id).len() > all.new + all.old.len();
    if to_replace == 0 && all.settled && !leaving && all.new + all.old.len() >= desired {
        finish(ctx, &refresh, "Successful", "");
        // What it was told to make of the group is what the group is now.
        if let Some(wanted) = refresh.attrs.get("DesiredConfiguration").map(|wanted| wanted["LaunchTemplate"].clone()) {
            ctx.update("autoscaling.group", &group.id, |group| group.set("LaunchTemplate", wanted));
        }
        look_after(ctx, &group.id, Duration::from_secs(2));
        return false;
    }
    look_after(ctx, &group.id, STEP);
    step(ctx, group, &refresh, &all, desired);
    true
}

/// Launches as many new ones as there may be more, and ends as many old ones as may be missing; at least one at a time.
fn step(ctx: &mut Ctx<'_>, group: &Resource, refresh: &Resource, all: &Members, desired: usize) {
    let preferences = refresh.attrs.get("Preferences").cloned().unwrap_or_default();
    let percent = |name: &str| usize::try_from(preferences[name].as_i64().unwrap_or(100)).unwrap_or(100);
    let (least, most) = (percent("MinHealthyPercentage"), percent("MaxHealthyPercentage"));
    let floor = (desired * least).div_ceil(100);
    let mut ceiling = desired * most / 100;
    if most > 100 {
        ceiling = ceiling.max(desired + 1);
    }
    let there = all.old.len() + all.new;
    let missing = desired.saturating_sub(all.new).min(ceiling.saturating_sub(there));
    let specification = refresh.attrs.get("_specification").cloned().unwrap_or_default();
    let cause = "an instance was launched in response to an instance refresh";
    for _ in 0..missing {
        if !instance::launch(ctx, group, &specification, cause) {
            break;
        }
    }
    let mut spare = all.healthy.saturating_sub(floor);
    if spare == 0 && missing == 0 && all.settled && most == 100 {
        spare = 1;
    }
    let free =
        |i: &&Arc<Resource>| preferences["ScaleInProtectedInstances"] == "Refresh" || !i.flag("ProtectedFromScaleIn");
    let gone: Vec<Arc<Resource>> = all.old.iter().filter(free).take(spare).cloned().collect();
    if gone.is_empty() && spare > 0 && !all.old.is_empty() {
        wait(ctx, refresh);
    }
    for member in gone {
        let cause = "an instance was taken out of service in response to an instance refresh";
        instance::leave(ctx, group, &member.id, cause);
    }
}

/// All that is left is protected from scale in: that is somebody else's to lift, for an hour.
fn wait(ctx: &mut Ctx<'_>, refresh: &Resource) {
    let why = "Waiting for remaining instances to be available, as they are protected from scale in.";
    let until = refresh.attrs.get("_patience").and_then(Value::as_f64).unwrap_or_default();
    if seconds(ctx.now).as_f64().is_some_and(|now| now >= until) {
        return finish(ctx, refresh, "Failed", why);
    }
    ctx.update(KIND, &refresh.id, |r| r.set("StatusReason", why));
}

fn finish(ctx: &mut Ctx<'_>, refresh: &Resource, status: &str, reason: &str) {
    let at = iso_millis(ctx.now);
    ctx.update(KIND, &refresh.id, |r| {
        r.set("Status", status);
        r.set("EndTime", at);
        if status == "Successful" {
            r.set("PercentageComplete", 100);
            r.set("InstancesToUpdate", 0);
        }
        match reason {
            "" => drop(r.attrs.remove("StatusReason")),
            reason => r.set("StatusReason", reason),
        }
    });
}
