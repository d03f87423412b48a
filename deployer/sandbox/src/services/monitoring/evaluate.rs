//! Judging metric alarms. An alarm is looked at every minute as long as what it looks at has moved within its window;
//! then it rests until something moves again.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html>

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::series::{self, METRIC, Name};
use super::{ALARM, math, state};
use crate::account::Ctx;
use crate::store::{Resource, Timer};

/// Beyond its periods an alarm looks back this many more, for data that comes late.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>
const MORE: i64 = 2;

/// Lets an alarm be evaluated at the next moment at which it is.
pub(super) fn wake(ctx: &mut Ctx<'_>, name: &str) {
    let Some(alarm) = ctx.get(ALARM, name) else { return };
    let step = step(period(&alarm));
    let due = (ctx.now.as_second().div_euclid(step) + 1) * step;
    if alarm.attrs.get("_due").and_then(Value::as_i64) == Some(due) {
        return;
    }
    ctx.update(ALARM, name, |alarm| alarm.set("_due", due));
    ctx.account.store.schedule(series::at(due), Timer { kind: ALARM, id: name.to_owned(), event: "evaluate" });
}

/// How often an alarm of this period is evaluated.
fn step(period: i64) -> i64 {
    match period {
        ..60 => period.max(10),
        60..3600 => 60,
        _ => 3600,
    }
}

/// The period of an alarm: of several metrics, the longest.
fn period(alarm: &Resource) -> i64 {
    let of = |query: &Value| query["MetricStat"]["Period"].as_i64();
    match alarm.items("Metrics") {
        [] => alarm.number("Period").max(10),
        queries => queries.iter().filter_map(of).max().unwrap_or(60),
    }
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, name: &str) {
    let Some(alarm) = ctx.get(ALARM, name) else { return };
    let now = ctx.now.as_second();
    // One that was set off twice, or belongs to an alarm of that name before this one, is not the one to come.
    if alarm.attrs.get("_due").and_then(Value::as_i64) != Some(now) {
        return;
    }
    ctx.update(ALARM, name, |alarm| drop(alarm.attrs.remove("_due")));
    judge(ctx, &alarm, now);
    let since = now - (alarm.number("EvaluationPeriods") + MORE) * period(&alarm) - step(period(&alarm));
    let metrics = metrics(&alarm);
    if metrics.iter().any(|metric| series::moved_since(ctx.get(METRIC, &metric.id()).as_deref(), since)) {
        wake(ctx, name);
    }
}

/// The metrics that an alarm looks at.
pub(super) fn metrics(alarm: &Resource) -> Vec<Name> {
    match alarm.items("Metrics") {
        [] => vec![Name::of_resource(alarm)],
        queries => queries
            .iter()
            .filter(|query| query["MetricStat"].is_object())
            .map(|query| Name::of(&query["MetricStat"]["Metric"]))
            .collect(),
    }
}

/// An alarm's value in one window; none without data.
fn value(ctx: &Ctx<'_>, alarm: &Resource, from: i64, to: i64) -> Option<f64> {
    let of = |name: &Name, statistic: &str| {
        let metric = ctx.get(METRIC, &name.id());
        series::statistic(&series::points(metric.as_deref(), from, to), statistic)
    };
    let queries = alarm.items("Metrics");
    if queries.is_empty() {
        let statistic = [alarm.text("Statistic"), alarm.text("ExtendedStatistic")].concat();
        return of(&Name::of_resource(alarm), &statistic);
    }
    let metric = |query: &Value| {
        let stat = query["MetricStat"].as_object()?;
        Some(of(&Name::of(&stat["Metric"]), stat["Stat"].as_str()?))
    };
    combined(queries, &metric)
}

/// The value of the one query that returns data. `metric` answers none for what is no metric.
pub(super) fn combined(queries: &[Value], metric: &dyn Fn(&Value) -> Option<Option<f64>>) -> Option<f64> {
    let mut known: BTreeMap<String, Option<f64>> = BTreeMap::new();
    // Expressions can stand on others: each round settles those whose names are known.
    for _ in 0..queries.len() {
        for query in queries {
            let id = query["Id"].as_str().unwrap_or_default();
            if known.contains_key(id) {
                continue;
            }
            if let Some(value) = metric(query) {
                known.insert(id.to_owned(), value);
            } else if let Some(Ok(expression)) = query["Expression"].as_str().map(math::parse)
                && expression.names().iter().all(|name| known.contains_key(name))
            {
                let value = expression.value(&known);
                known.insert(id.to_owned(), value);
            }
        }
    }
    let returned = queries.iter().find(|query| query["ReturnData"] == true)?;
    known.get(returned["Id"].as_str()?).copied().flatten()
}

fn breaches(alarm: &Resource, value: f64) -> bool {
    let threshold = alarm.attrs.get("Threshold").and_then(Value::as_f64).unwrap_or_default();
    match alarm.text("ComparisonOperator") {
        "GreaterThanOrEqualToThreshold" => value >= threshold,
        "GreaterThanThreshold" => value > threshold,
        "LessThanThreshold" => value < threshold,
        _ => value <= threshold,
    }
}

/// Evaluates an alarm at a moment and brings it into the state that follows.
fn judge(ctx: &mut Ctx<'_>, alarm: &Resource, now: i64) {
    let (period, wanted) = (period(alarm), alarm.number("EvaluationPeriods").max(1));
    let enough = alarm.attrs.get("DatapointsToAlarm").and_then(Value::as_i64).unwrap_or(wanted);
    // Newest first.
    let windows = (0..wanted + MORE).map(|n| now - (n + 1) * period);
    let values: Vec<(i64, f64)> =
        windows.filter_map(|from| Some((from, value(ctx, alarm, from, from + period)?))).collect();
    let real: Vec<(i64, f64)> = values.into_iter().take(usize::try_from(wanted).unwrap_or(1)).collect();
    let count = |of: usize| i64::try_from(of).unwrap_or(i64::MAX);
    let over = count(real.iter().filter(|(_, value)| breaches(alarm, *value)).count());
    let (found, missing) = (count(real.len()), wanted - count(real.len()));
    let treat = Some(alarm.text("TreatMissingData")).filter(|text| !text.is_empty()).unwrap_or("missing");
    let new = match treat {
        "breaching" if over + missing >= enough => "ALARM",
        _ if over >= enough => "ALARM",
        "missing" if found == 0 => "INSUFFICIENT_DATA",
        "missing" if over == found && missing > 0 => "ALARM",
        "ignore" if over == found && missing > 0 => return,
        _ => "OK",
    };
    if alarm.text("StateValue") == new {
        return;
    }
    let reason = reason(alarm, &real, missing, treat, new);
    let data = json!({
        "version": "1.0", "queryDate": stamp(now), "period": period,
        "recentDatapoints": real.iter().rev().map(|(_, value)| value).collect::<Vec<_>>(),
        "threshold": alarm.attrs.get("Threshold"),
        "evaluatedDatapoints": real.iter().map(|(at, value)| json!({"timestamp": stamp(*at), "value": value})).collect::<Vec<_>>(),
    });
    state::set(ctx, &alarm.id, new, &reason, Some(data));
}

fn stamp(second: i64) -> String {
    series::at(second).strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

fn reason(alarm: &Resource, real: &[(i64, f64)], missing: i64, treat: &str, new: &str) -> String {
    let threshold = alarm.attrs.get("Threshold").and_then(Value::as_f64).unwrap_or_default();
    if real.is_empty() {
        return match new {
            "INSUFFICIENT_DATA" => "Insufficient Data: no datapoints were received".to_owned(),
            _ => format!(
                "Threshold Crossed: no datapoints were received for {missing} periods and {missing} missing datapoints were treated as [{}].",
                if treat == "breaching" { "Breaching" } else { "NonBreaching" }
            ),
        };
    }
    let shown: Vec<String> = real
        .iter()
        .map(|(at, value)| format!("{value:?} ({})", series::at(*at).strftime("%d/%m/%y %H:%M:%S")))
        .collect();
    let words = match alarm.text("ComparisonOperator") {
        "GreaterThanOrEqualToThreshold" => "greater than or equal to",
        "GreaterThanThreshold" => "greater than",
        "LessThanThreshold" => "less than",
        _ => "less than or equal to",
    };
    let (count, s, was) = match real.len() {
        1 => (1, "", "was"),
        many => (many, "s", "were"),
    };
    let not = if new == "ALARM" { "" } else { "not " };
    format!(
        "Threshold Crossed: {count} datapoint{s} [{}] {was} {not}{words} the threshold ({threshold:?}).",
        shown.join(", ")
    )
}
