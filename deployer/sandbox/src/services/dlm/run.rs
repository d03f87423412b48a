//! What policies do by themselves. <https://docs.aws.amazon.com/ebs/latest/userguide/snapshot-ami-policy.html>

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{POLICY, details};
use crate::account::Ctx;
use crate::services::{ec2, events, iam};
use crate::store::{Resource, Tags, Timer};

const SNAPSHOT: &str = "ec2.snapshot";
const DAY: i64 = 86_400;
const CANNOT_ASSUME: &str = "DLM cannot assume the execution role of the policy";

/// Sets a policy off at the next time that one of its schedules names, in UTC.
pub(super) fn plan(ctx: &mut Ctx<'_>, id: &str) {
    let Some(policy) = ctx.get(POLICY, id) else { return };
    let now = ctx.now.as_second();
    let Some(next) = schedules(&policy).iter().filter_map(|schedule| next(schedule, now)).min() else { return };
    if policy.number("_next") == next {
        return;
    }
    ctx.update(POLICY, id, |policy| policy.set("_next", next));
    let due = Timestamp::from_second(next).unwrap_or(Timestamp::MAX);
    ctx.account.store.schedule(due, Timer { kind: POLICY, id: id.to_owned(), event: "due" });
}

fn schedules(policy: &Resource) -> Vec<Value> {
    let all = policy.attrs.get("PolicyDetails").and_then(|details| details["Schedules"].as_array());
    all.cloned().unwrap_or_default()
}

/// The first time after a moment at which a schedule is due.
fn next(schedule: &Value, after: i64) -> Option<i64> {
    let rule = &schedule["CreateRule"];
    let (step, at) = (rule["Interval"].as_i64()? * 3600, details::minutes(rule["Times"][0].as_str()?)? * 60);
    let first = after.div_euclid(DAY) * DAY + at.rem_euclid(step);
    Some(first + ((after - first).div_euclid(step) + 1) * step)
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, id: &str) {
    let Some(policy) = ctx.get(POLICY, id) else { return };
    let now = ctx.now.as_second();
    // A timer of a schedule that was changed since is not the one to come.
    if policy.number("_next") != now {
        return;
    }
    if policy.text("State") == "ENABLED" {
        act(ctx, &policy, now);
    }
    plan(ctx, id);
}

fn act(ctx: &mut Ctx<'_>, policy: &Resource, now: i64) {
    let role = iam::role_by_arn(ctx, policy.text("ExecutionRoleArn"));
    let source = ctx.arn("dlm", format!("policy/{}", policy.id));
    if !role.is_some_and(|role| iam::trusts_for(&role, "dlm.amazonaws.com", &source)) {
        // <https://docs.aws.amazon.com/dlm/latest/APIReference/API_LifecyclePolicy.html>
        ctx.update(POLICY, &policy.id, |policy| {
            policy.set("State", "ERROR");
            policy.set("StatusMessage", CANNOT_ASSUME);
        });
        // <https://docs.aws.amazon.com/ebs/latest/userguide/monitor-dlm-cw-events.html>
        let detail = json!({"state": "ERROR", "cause": CANNOT_ASSUME, "policy_id": source});
        events::tell(ctx, "aws.dlm", "DLM Policy State Change", &source, detail);
        return;
    }
    let due = |schedule: &Value| next(schedule, now - 1) == Some(now);
    for schedule in schedules(policy).iter().filter(|schedule| due(schedule)) {
        for volume in targets(ctx, policy) {
            snapshot(ctx, policy, schedule, &volume);
            retain(ctx, policy, schedule, &volume.id);
        }
    }
}

/// The volumes that have any of the policy's tags.
fn targets(ctx: &Ctx<'_>, policy: &Resource) -> Vec<std::sync::Arc<Resource>> {
    let wanted = policy.attrs.get("PolicyDetails").and_then(|details| details["TargetTags"].as_array());
    let wanted = wanted.cloned().unwrap_or_default();
    let has = |volume: &Resource, tag: &Value| {
        let value = tag["Key"].as_str().and_then(|key| volume.tags.get(key));
        value.map(String::as_str) == tag["Value"].as_str()
    };
    ctx.those("ec2.volume", |volume| wanted.iter().any(|tag| has(volume, tag)))
}

fn snapshot(ctx: &mut Ctx<'_>, policy: &Resource, schedule: &Value, volume: &Resource) {
    let name = schedule["Name"].as_str().unwrap_or_default();
    let mut tags = Tags::new();
    if schedule["CopyTags"] == true {
        tags.extend(volume.tags.clone().into_iter().filter(|(key, _)| !key.starts_with("aws:")));
    }
    for tag in schedule["TagsToAdd"].as_array().into_iter().flatten() {
        let text = |member: &str| tag[member].as_str().unwrap_or_default().to_owned();
        tags.insert(text("Key"), text("Value"));
    }
    tags.insert("dlm:managed".to_owned(), "true".to_owned());
    tags.insert("aws:dlm:lifecycle-policy-id".to_owned(), policy.id.clone());
    tags.insert("aws:dlm:lifecycle-schedule-name".to_owned(), name.to_owned());
    let description = format!("Created for policy: {} schedule: {name}", policy.id);
    let id = ec2::snapshot::make(ctx, volume, &description, tags);
    ctx.update(SNAPSHOT, &id, |snapshot| snapshot.aws_made = true);
}

/// Deletes the oldest snapshots of a volume beyond the number that is kept.
fn retain(ctx: &mut Ctx<'_>, policy: &Resource, schedule: &Value, volume: &str) {
    let keep = usize::try_from(schedule["RetainRule"]["Count"].as_i64().unwrap_or(1)).unwrap_or(1);
    let name = schedule["Name"].as_str().unwrap_or_default();
    let mut made = ctx.those(SNAPSHOT, |snapshot| {
        snapshot.text("volumeId") == volume
            && snapshot.tags.get("aws:dlm:lifecycle-policy-id") == Some(&policy.id)
            && snapshot.tags.get("aws:dlm:lifecycle-schedule-name").map(String::as_str) == Some(name)
    });
    made.sort_by_key(|snapshot| snapshot.created);
    let surplus = made.len().saturating_sub(keep);
    for old in &made[..surplus] {
        ctx.remove(SNAPSHOT, &old.id);
    }
}
