//! What CloudWatch tells of an alarm's change: to EventBridge, and to the functions that are its actions.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html>

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::ALARM;
use crate::account::Ctx;
use crate::services::events;
use crate::store::Resource;
use crate::wire::EPOCH;

/// A moment as alarms have it.
pub(super) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

/// The change of an alarm's state, for whoever listens.
pub(super) fn changed(ctx: &mut Ctx<'_>, before: &Resource, after: &Resource) {
    let detail = data(before, after);
    events::tell(ctx, "aws.cloudwatch", "CloudWatch Alarm State Change", after.text("AlarmArn"), detail);
}

/// What a function gets that is an action of the alarm.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html>
pub(super) fn payload(ctx: &Ctx<'_>, before: &Resource, after: &Resource) -> Value {
    json!({
        "source": "aws.cloudwatch", "alarmArn": after.text("AlarmArn"), "accountId": ctx.account.id,
        "time": stamp(ctx.now), "region": ctx.account.region, "alarmData": data(before, after),
    })
}

fn data(before: &Resource, after: &Resource) -> Value {
    json!({
        "alarmName": after.id, "state": state(after), "previousState": state(before),
        "configuration": configuration(after),
    })
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 are far from the end of 64 bits")]
fn state(alarm: &Resource) -> Value {
    let mut state = json!({"value": alarm.text("StateValue"), "reason": alarm.text("StateReason")});
    let since = alarm.attrs.get("StateUpdatedTimestamp").and_then(|at| at[EPOCH].as_f64());
    let since = since.and_then(|seconds| Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok());
    if let Some(since) = since {
        state["timestamp"] = stamp(since).into();
    }
    for (attribute, name) in [
        ("StateReasonData", "reasonData"),
        ("ActionsSuppressedBy", "actionsSuppressedBy"),
        ("ActionsSuppressedReason", "actionsSuppressedReason"),
    ] {
        if !alarm.text(attribute).is_empty() {
            state[name] = alarm.text(attribute).into();
        }
    }
    state
}

fn configuration(alarm: &Resource) -> Value {
    let mut configuration = json!({});
    if !alarm.text("AlarmDescription").is_empty() {
        configuration["description"] = alarm.text("AlarmDescription").into();
    }
    if alarm.kind != ALARM {
        configuration["alarmRule"] = alarm.text("AlarmRule").into();
        for (attribute, name) in [
            ("ActionsSuppressor", "actionsSuppressor"),
            ("ActionsSuppressorWaitPeriod", "actionsSuppressorWaitPeriod"),
            ("ActionsSuppressorExtensionPeriod", "actionsSuppressorExtensionPeriod"),
        ] {
            if let Some(value) = alarm.attrs.get(attribute) {
                configuration[name] = value.clone();
            }
        }
        return configuration;
    }
    configuration["metrics"] = match alarm.items("Metrics") {
        [] => json!([single(alarm)]),
        several => several.iter().map(query).collect(),
    };
    configuration
}

/// The metric of an alarm that has but one.
fn single(alarm: &Resource) -> Value {
    let statistic = match alarm.text("Statistic") {
        "" => alarm.text("ExtendedStatistic"),
        plain => plain,
    };
    let metric = metric(&alarm.attrs["Namespace"], &alarm.attrs["MetricName"], alarm.items("Dimensions"));
    let stat = json!({"metric": metric, "period": alarm.number("Period"), "stat": statistic});
    // An id that stays with the alarm.
    let hex: String = Sha256::digest(alarm.text("AlarmArn")).iter().map(|byte| format!("{byte:02x}")).collect();
    let id = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]);
    json!({"id": id, "metricStat": stat, "returnData": true})
}

fn metric(namespace: &Value, name: &Value, dimensions: &[Value]) -> Value {
    let pair = |one: &Value| Some((one["Name"].as_str()?.to_owned(), one["Value"].clone()));
    let dimensions: Map<String, Value> = dimensions.iter().filter_map(pair).collect();
    json!({"namespace": namespace, "name": name, "dimensions": dimensions})
}

fn query(given: &Value) -> Value {
    let mut query = json!({"id": given["Id"], "returnData": given["ReturnData"].as_bool().unwrap_or(true)});
    for (from, to) in [("Expression", "expression"), ("Label", "label"), ("Period", "period")] {
        if let Some(value) = given.get(from) {
            query[to] = value.clone();
        }
    }
    if let Some(stat) = given.get("MetricStat") {
        let of = &stat["Metric"];
        let dimensions = of["Dimensions"].as_array().map_or(&[][..], Vec::as_slice);
        query["metricStat"] = json!({
            "metric": metric(&of["Namespace"], &of["MetricName"], dimensions),
            "period": stat["Period"], "stat": stat["Stat"],
        });
    }
    query
}
