//! Metrics that are published. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>

use serde_json::{Value, json};

use super::series::{self, METRIC, Name, Point};
use super::{ALARM, combination, evaluate, invalid, number, paged, settings, time};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::shown;

pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let namespace = input.string("Namespace")?;
    ctx.authorise(Grant::new("cloudwatch:PutMetricData", "*").key("cloudwatch:namespace", namespace.clone()))?;
    if namespace.starts_with("AWS/") {
        return Err(invalid("The value AWS/ for parameter Namespace is invalid."));
    }
    for (n, datum) in input.objects("MetricData").iter().enumerate() {
        let name = Name::of(&json!({
            "Namespace": namespace, "MetricName": datum.string("MetricName")?, "Dimensions": settings::dimensions(datum)?,
        }));
        datum.ignore(&["Unit", "StorageResolution"]);
        let at = time(datum, "Timestamp")?.unwrap_or(ctx.now).as_second();
        let points = points(datum, at, n + 1)?;
        series::publish(ctx, &name, &points);
        awaken(ctx, &name);
    }
    Ok(nothing())
}

fn points(datum: &Input, at: i64, n: usize) -> Result<Vec<Point>, ApiError> {
    let place = format!("MetricData.member.{n}");
    let exclusive = |a: &str, b: &str| {
        combination(format!(
            "The parameters {place}.{a} and {place}.{b} are mutually exclusive and you have specified both."
        ))
    };
    let (value, set) = (number(datum, "Value")?, datum.object("StatisticValues"));
    let (values, counts) = (numbers(datum, "Values"), numbers(datum, "Counts"));
    if value.is_some() && !values.is_empty() {
        return Err(exclusive("Value", "Values"));
    }
    if value.is_some() && set.is_some() {
        return Err(exclusive("Value", "StatisticValues"));
    }
    if !counts.is_empty() && counts.len() != values.len() {
        return Err(invalid(format!("The parameters {place}.Values and {place}.Counts must be of the same size.")));
    }
    if let Some(set) = set {
        let of = |name: &str| number(&set, name)?.ok_or_else(|| set.missing(name));
        let (sum, count) = (of("Sum")?, of("SampleCount")?);
        return Ok(vec![Point { at, sum, count, minimum: of("Minimum")?, maximum: of("Maximum")? }]);
    }
    if let Some(value) = value {
        return Ok(vec![Point::value(at, value)]);
    }
    let counted = values.iter().enumerate().map(|(n, value)| {
        let count = counts.get(n).copied().unwrap_or(1.0);
        Point { at, sum: value * count, count, minimum: *value, maximum: *value }
    });
    Ok(counted.collect())
}

fn numbers(input: &Input, name: &str) -> Vec<f64> {
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
    input.opt(name).and_then(Value::as_array).map(|all| all.iter().filter_map(number).collect()).unwrap_or_default()
}

fn awaken(ctx: &mut Ctx<'_>, name: &Name) {
    for alarm in ctx.those(ALARM, |alarm| evaluate::metrics(alarm).contains(name)) {
        evaluate::wake(ctx, &alarm.id);
    }
}

/// A value published at this moment, in any namespace: AWS's own services publish too.
pub(crate) fn publish_now(ctx: &mut Ctx<'_>, namespace: &str, name: &str, dimensions: &[(&str, &str)], value: f64) {
    let (name, point) = (named(namespace, name, dimensions), Point::value(ctx.now.as_second(), value));
    series::publish(ctx, &name, &[point]);
    awaken(ctx, &name);
}

/// The same where many values come within a second: they are kept as one, so that of them there are no percentiles.
pub(crate) fn tally(ctx: &mut Ctx<'_>, namespace: &str, name: &str, dimensions: &[(&str, &str)], value: f64) {
    let (name, point) = (named(namespace, name, dimensions), Point::value(ctx.now.as_second(), value));
    series::add(ctx, &name, point);
    awaken(ctx, &name);
}

fn named(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Name {
    let dimensions = dimensions.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Name { namespace: namespace.to_owned(), name: name.to_owned(), dimensions }
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html>
pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    ctx.authorise(Grant::new("cloudwatch:ListMetrics", "*"))?;
    let (namespace, name) = (input.opt_str("Namespace"), input.opt_str("MetricName"));
    let wanted: Vec<(String, Option<String>)> = input
        .objects("Dimensions")
        .iter()
        .map(|one| Ok((one.string("Name")?, one.opt_str("Value").map(str::to_owned))))
        .collect::<Result<_, ApiError>>()?;
    let found = ctx.those(METRIC, |metric| {
        let dimensions = Name::of_resource(metric).dimensions;
        namespace.is_none_or(|one| metric.text("Namespace") == one)
            && name.is_none_or(|one| metric.text("MetricName") == one)
            && wanted.iter().all(|(key, value)| {
                dimensions.iter().any(|(k, v)| k == key && value.as_ref().is_none_or(|value| value == v))
            })
    });
    let page = paged(found, input.opt_str("NextToken"), 500)?;
    let metrics: Vec<Value> = page.items.iter().map(|metric| shown(metric).into()).collect();
    Ok(json!({"Metrics": metrics, "NextToken": page.next}))
}
