//! CloudWatch: alarms, dashboards, metrics. Alarms are evaluated in the account's time, and only while their outcome
//! can change, so that leaping over days stays cheap.

mod actions;
pub(crate) mod alarm;
mod composite;
mod dashboard;
mod describe;
mod emitted;
mod evaluate;
mod history;
mod math;
mod metric;
mod read;
mod rule;
mod series;
mod settings;
mod sources;
mod state;
mod tags;
#[cfg(test)]
mod tests_over_the_wire;
mod watch;

use jiff::Timestamp;
use serde_json::Value;

use super::{Service, access_denied, read_one, throttling, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, refuse};
use crate::input::Input;
use crate::store::{Resource, Timer};
use crate::weather::Bucket;

pub(crate) use metric::{publish_now, tally};
pub(crate) use watch::watch;

pub(crate) static SERVICE: Service = Service {
    name: "monitoring",
    namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/",
    global: false,
    operations: &[
        write("PutMetricAlarm", alarm::put),
        write("PutCompositeAlarm", composite::put),
        read_one("DescribeAlarms", describe::alarms),
        read_one("DescribeAlarmsForMetric", describe::for_metric),
        read_one("DescribeAlarmHistory", history::describe),
        write("DeleteAlarms", alarm::delete),
        write("EnableAlarmActions", alarm::enable),
        write("DisableAlarmActions", alarm::disable),
        write("SetAlarmState", state::set_by_hand),
        write("PutDashboard", dashboard::put),
        read_one("GetDashboard", dashboard::get),
        read_one("ListDashboards", dashboard::list),
        write("DeleteDashboards", dashboard::delete),
        write("PutMetricData", metric::put),
        read_one("ListMetrics", metric::list),
        read_one("GetMetricData", read::data),
        read_one("GetMetricStatistics", read::statistics),
        write("TagResource", tags::tag),
        write("UntagResource", tags::untag),
        read_one("ListTagsForResource", tags::list),
    ],
    on_timer: |ctx: &mut Ctx<'_>, timer: &Timer| {
        // Other timers only make the world be looked at, as it is after every timer.
        if timer.event == "evaluate" {
            evaluate::on_timer(ctx, &timer.id);
        }
    },
    // <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>
    bucket: |operation, _| match operation.name {
        "DescribeAlarms" => Bucket { name: operation.name, burst: 9.0, rate: 9.0 },
        "PutMetricAlarm" | "PutCompositeAlarm" | "DeleteAlarms" => {
            Bucket { name: operation.name, burst: 3.0, rate: 3.0 }
        }
        "GetMetricData" => Bucket { name: operation.name, burst: 50.0, rate: 50.0 },
        "PutMetricData" => Bucket { name: operation.name, burst: 500.0, rate: 500.0 },
        name => Bucket { name, burst: 10.0, rate: 10.0 },
    },
    throttled: throttling,
    denied: access_denied,
};

const ALARM: &str = "monitoring.alarm";
const COMPOSITE: &str = "monitoring.composite-alarm";

fn arn(ctx: &Ctx<'_>, alarm: &str) -> String {
    ctx.arn("cloudwatch", format!("alarm:{alarm}"))
}

/// Demands an action on a resource, with the tags that it has.
fn authorise(ctx: &mut Ctx<'_>, action: &str, arn: &str, resource: Option<&Resource>) -> Result<(), ApiError> {
    let mut grant = Grant::new(format!("cloudwatch:{action}"), arn);
    if let Some(resource) = resource {
        grant = grant.resource_tags(&resource.tags);
    }
    ctx.authorise(grant)
}

fn validation(message: impl Into<String>) -> ApiError {
    refuse("ValidationError", message).member("_shape", "ValidationException")
}

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("InvalidParameterValue", message).member("_shape", "InvalidParameterValueException")
}

fn combination(message: impl Into<String>) -> ApiError {
    refuse("InvalidParameterCombination", message).member("_shape", "InvalidParameterCombinationException")
}

/// A number, which a form sends as text.
fn number(input: &Input, name: &str) -> Result<Option<f64>, ApiError> {
    match input.opt(name) {
        None => Ok(None),
        Some(Value::String(text)) => text.parse().map(Some).map_err(|_| input.invalid(name, &text.clone().into())),
        Some(value) => value.as_f64().map(Some).ok_or_else(|| input.invalid(name, value)),
    }
}

/// A moment, which a form sends as text and the others as seconds.
#[expect(clippy::cast_possible_truncation, reason = "milliseconds of any date fit 64 bits")]
fn time(input: &Input, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(value) = input.opt(name) else { return Ok(None) };
    let parsed = match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_f64().and_then(|seconds| Timestamp::from_millisecond((seconds * 1000.0) as i64).ok()),
    };
    parsed.map(Some).ok_or_else(|| input.invalid(name, value))
}

/// A page of a list whose pages are as long as asked.
fn paged<T>(items: Vec<T>, token: Option<&str>, size: usize) -> Result<super::shared::Page<T>, ApiError> {
    super::shared::page(items, token.filter(|token| !token.is_empty()), size)
        .ok_or_else(|| refuse("InvalidNextToken", "The next token is not valid"))
}
