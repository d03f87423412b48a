//! The metrics of functions, and those that functions write into their log.

use serde_json::Value;

use crate::account::Ctx;
use crate::services::monitoring;

/// A value of one of Lambda's own metrics of a function.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>
pub(super) fn count(ctx: &mut Ctx<'_>, function: &str, name: &str, value: f64) {
    monitoring::tally(ctx, "AWS/Lambda", name, &[("FunctionName", function)], value);
}

/// A log line in CloudWatch's embedded metric format is as many metrics as it names. Its values count from when it was
/// written, by the account's clock: the code that wrote it lives by another.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
pub(super) fn embedded(ctx: &mut Ctx<'_>, line: &str) {
    let Ok(event) = serde_json::from_str::<Value>(line) else { return };
    for directive in event["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten() {
        let namespace = directive["Namespace"].as_str().unwrap_or_default();
        // No namespace of AWS's own can be written by others.
        if namespace.is_empty() || namespace.starts_with("AWS/") {
            continue;
        }
        for set in directive["Dimensions"].as_array().into_iter().flatten() {
            let Some(dimensions) = dimensions(&event, set) else { continue };
            let dimensions: Vec<(&str, &str)> =
                dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            for metric in directive["Metrics"].as_array().into_iter().flatten() {
                let name = metric["Name"].as_str().unwrap_or_default();
                for value in values(&event[name]) {
                    monitoring::publish_now(ctx, namespace, name, &dimensions, value);
                }
            }
        }
    }
}

/// A set of at most 30 dimensions, each of which is a text in the event.
fn dimensions(event: &Value, set: &Value) -> Option<Vec<(String, String)>> {
    let names = set.as_array().filter(|names| names.len() <= 30)?;
    names
        .iter()
        .map(|name| {
            let name = name.as_str()?;
            Some((name.to_owned(), event[name].as_str()?.to_owned()))
        })
        .collect()
}

/// A number, or up to a hundred of them.
fn values(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(all) if all.len() <= 100 => all.iter().filter_map(Value::as_f64).collect(),
        one => one.as_f64().into_iter().collect(),
    }
}
