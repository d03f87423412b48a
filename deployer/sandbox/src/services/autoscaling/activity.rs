//! What a group did and why. AWS remembers it for six weeks, the group's own end included.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-verify-scaling-activity.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::paged;
use crate::account::Ctx;
use crate::error::Outcome;
use crate::input::Input;
use crate::services::shared::shown;
use crate::store::Resource;
use crate::wire::iso_millis;

const KIND: &str = "autoscaling.activity";

fn put(ctx: &mut Ctx<'_>, group: &Resource, what: &str, cause: &str, instance: &str) -> String {
    // Ids in the order in which things happened, so that the newest can be shown first.
    let id = format!("{:020}-{}", ctx.now.as_millisecond(), ctx.account.rng.hex(12));
    let cause = format!("At {} {cause}.", ctx.now.strftime("%Y-%m-%dT%H:%M:%SZ"));
    let zone = ctx.get("autoscaling.instance", instance).map(|i| i.text("AvailabilityZone").to_owned());
    let subnet = ctx.get("ec2.instance", instance).map(|i| i.text("subnetId").to_owned());
    let uuid = ctx.account.rng.uuid();
    let mut activity = ctx.resource(
        KIND,
        &id,
        json!({
            "ActivityId": uuid,
            "AutoScalingGroupName": group.id,
            "AutoScalingGroupARN": group.text("AutoScalingGroupARN"),
            "Description": what,
            "Cause": cause,
            "StartTime": iso_millis(ctx.now),
            "StatusCode": "InProgress",
            "Progress": 50,
            "Details": json!({"Subnet ID": subnet, "Availability Zone": zone}).to_string(),
            "_instance": instance,
        }),
    );
    // It is a memory, not a thing.
    activity.set("_gone", true);
    activity.aws_made = true;
    ctx.insert(activity);
    id
}

/// Something begins with an instance.
pub(super) fn begin(ctx: &mut Ctx<'_>, group: &Resource, instance: &str, what: &str, cause: &str) {
    let what = format!("{what}: {instance}");
    put(ctx, group, &what, cause, instance);
}

/// What went on with an instance is done.
pub(super) fn finish(ctx: &mut Ctx<'_>, instance: &str) {
    let at = iso_millis(ctx.now);
    for activity in ctx.those(KIND, |a| a.text("_instance") == instance && a.text("StatusCode") == "InProgress") {
        ctx.update(KIND, &activity.id, |activity| {
            activity.set("StatusCode", "Successful");
            activity.set("Progress", 100);
            activity.set("EndTime", at.clone());
        });
    }
}

/// Something could not be done. The same failure again is not told twice in a row.
pub(super) fn failed(ctx: &mut Ctx<'_>, group: &Resource, what: &str, cause: &str, message: &str) {
    let newest = of(ctx, &group.id).into_iter().next();
    if newest.is_some_and(|a| a.text("StatusMessage") == message) {
        return;
    }
    let id = put(ctx, group, what, cause, "");
    let at = iso_millis(ctx.now);
    ctx.update(KIND, &id, |activity| {
        activity.set("StatusCode", "Failed");
        activity.set("StatusMessage", message);
        activity.set("Progress", 100);
        activity.set("EndTime", at);
    });
}

/// A group's activities, the newest first.
fn of(ctx: &Ctx<'_>, group: &str) -> Vec<Arc<Resource>> {
    let mut all = ctx.those(KIND, |a| a.text("AutoScalingGroupName") == group);
    all.reverse();
    all
}

/// The newest activity of a group, as it is shown.
pub(crate) fn last(ctx: &Ctx<'_>, group: &str) -> Value {
    of(ctx, group).first().map(|activity| Value::Object(shown(activity))).unwrap_or_default()
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["IncludeManagedResources"]);
    let gone = input.bool_or("IncludeDeletedGroups", false)?;
    let (ids, name) = (input.strings("ActivityIds"), input.opt_str("AutoScalingGroupName"));
    let mut found = Vec::new();
    let mut all = ctx.those(KIND, |_| true);
    all.reverse();
    for activity in all {
        let group = activity.text("AutoScalingGroupName");
        let there = ctx.get("autoscaling.group", group).is_some();
        let asked = name.is_none_or(|name| name == group)
            && (ids.is_empty() || ids.iter().any(|id| id == activity.text("ActivityId")));
        if asked && (there || gone) {
            let mut value = shown(&activity);
            if !there {
                value.insert("AutoScalingGroupState".to_owned(), "Deleted".into());
            }
            found.push(Value::Object(value));
        }
    }
    paged(input, "Activities", found)
}
