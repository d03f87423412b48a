//! What alarms do when their state changes.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html>

use serde_json::{Map, Value, json};

use super::{ALARM, emitted, history};
use crate::account::Ctx;
use crate::services::deliver::{self, Origin};
use crate::store::Resource;

const SERVICE: &str = "cloudwatch.amazonaws.com";
/// As whom alarms call functions.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html>
const FUNCTIONS: &str = "lambda.alarms.cloudwatch.amazonaws.com";

/// Runs the actions of the state that an alarm has come into.
pub(super) fn run(ctx: &mut Ctx<'_>, before: &Resource, alarm: &Resource) {
    let (name, old) = (&alarm.id, before.text("StateValue"));
    if !alarm.flag("ActionsEnabled") {
        return;
    }
    let list = match alarm.text("StateValue") {
        "ALARM" => "AlarmActions",
        "OK" => "OKActions",
        _ => "InsufficientDataActions",
    };
    let state = alarm.text("StateValue").to_owned();
    for action in alarm.items(list).iter().filter_map(Value::as_str) {
        // A scaling policy is asked by its own service, which looks at the state.
        let (service, body) = match action.split(':').nth(2) {
            Some("sns") => (SERVICE, message(ctx, alarm, old)),
            Some("lambda") => (FUNCTIONS, emitted::payload(ctx, before, alarm)),
            _ => continue,
        };
        let subject: String =
            format!("{state}: \"{name}\" in {}", region_name(&ctx.account.region)).chars().take(100).collect();
        let source = alarm.text("AlarmArn");
        let origin = Origin { service, source, subject: Some(&subject), attributes: None, role: None, task: None };
        let outcome = deliver::deliver(ctx, action, &body.to_string(), &origin);
        let summary = match &outcome {
            Ok(()) => format!("Successfully executed action {action}"),
            Err(error) => format!("Failed to execute action {action}. Received error: \"{}\"", error.message),
        };
        let data = json!({"actionState": if outcome.is_ok() { "Succeeded" } else { "Failed" }, "stateUpdateTimestamp": ctx.now.as_millisecond(), "notificationResource": action});
        history::note(ctx, name, alarm.kind, "Action", &summary, data);
    }
}

/// A region as messages name it.
fn region_name(region: &str) -> &str {
    match region {
        "us-east-1" => "US East (N. Virginia)",
        "us-east-2" => "US East (Ohio)",
        "us-west-2" => "US West (Oregon)",
        "eu-west-1" => "EU (Ireland)",
        "eu-central-1" => "EU (Frankfurt)",
        other => other,
    }
}

/// The message. A composite alarm has its rule in place of a trigger.
fn message(ctx: &Ctx<'_>, alarm: &Resource, old: &str) -> Value {
    let mut message = json!({
        "AlarmName": alarm.id,
        "AlarmDescription": alarm.attrs.get("AlarmDescription"),
        "AWSAccountId": ctx.account.id,
        "NewStateValue": alarm.text("StateValue"),
        "NewStateReason": alarm.text("StateReason"),
        "StateChangeTime": emitted::stamp(ctx.now),
        "Region": region_name(&ctx.account.region),
        "AlarmArn": alarm.text("AlarmArn"),
        "OldStateValue": old,
        "OKActions": alarm.attrs.get("OKActions"),
        "AlarmActions": alarm.attrs.get("AlarmActions"),
        "InsufficientDataActions": alarm.attrs.get("InsufficientDataActions"),
    });
    if alarm.kind == ALARM {
        message["AlarmConfigurationUpdatedTimestamp"] = emitted::stamp(alarm.created).into();
        message["Trigger"] = trigger(alarm);
    } else {
        message["AlarmRule"] = alarm.text("AlarmRule").into();
        message["TriggeringChildren"] = json!([]);
    }
    message
}

fn trigger(alarm: &Resource) -> Value {
    let mut trigger = Map::new();
    for name in [
        "Period",
        "EvaluationPeriods",
        "DatapointsToAlarm",
        "ComparisonOperator",
        "Threshold",
        "MetricName",
        "Namespace",
        "Unit",
    ] {
        if let Some(value) = alarm.attrs.get(name) {
            trigger.insert(name.to_owned(), value.clone());
        }
    }
    let missing = Some(alarm.text("TreatMissingData")).filter(|text| !text.is_empty()).unwrap_or("missing");
    trigger.insert("TreatMissingData".to_owned(), missing.into());
    trigger
        .insert("EvaluateLowSampleCountPercentile".to_owned(), alarm.text("EvaluateLowSampleCountPercentile").into());
    let dimensions = |list: &[Value]| -> Value {
        list.iter().map(|one| json!({"name": one["Name"], "value": one["Value"]})).collect()
    };
    if alarm.items("Metrics").is_empty() {
        trigger.insert("Dimensions".to_owned(), dimensions(alarm.items("Dimensions")));
        let (kind, statistic) = match alarm.text("Statistic") {
            "" => ("ExtendedStatistic", alarm.text("ExtendedStatistic").to_owned()),
            plain => ("Statistic", plain.to_uppercase()),
        };
        trigger.insert("StatisticType".to_owned(), kind.into());
        trigger.insert(kind.to_owned(), statistic.into());
    } else {
        trigger.insert("Metrics".to_owned(), alarm.items("Metrics").to_vec().into());
    }
    trigger.into()
}
