//! What an alarm is set to: how it is read from a call, and what AWS refuses.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>

use serde_json::{Map, Value, json};

use super::{math, number, validation};
use crate::error::ApiError;
use crate::input::Input;

const COMPARISONS: &[&str] =
    &["GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"];
const STATISTICS: &[&str] = &["SampleCount", "Average", "Sum", "Minimum", "Maximum"];
const MISSING: &[&str] = &["breaching", "notBreaching", "ignore", "missing"];

/// The attributes of a metric alarm, in the shape in which it is described.
pub(super) fn of_metric_alarm(input: &Input) -> Result<Map<String, Value>, ApiError> {
    let mut kept = shared(input)?;
    let periods = input.opt_int("EvaluationPeriods")?.ok_or_else(|| input.missing("EvaluationPeriods"))?;
    let breaches = input.opt_int("DatapointsToAlarm")?;
    if periods < 1 || breaches.is_some_and(|breaches| breaches < 1) {
        return Err(validation("EvaluationPeriods and DatapointsToAlarm must be at least 1"));
    }
    if breaches.is_some_and(|breaches| breaches > periods) {
        return Err(validation("DatapointsToAlarm must be less than or equal to EvaluationPeriods"));
    }
    kept.insert("EvaluationPeriods".to_owned(), periods.into());
    insert(&mut kept, "DatapointsToAlarm", breaches);
    let comparison = input.string("ComparisonOperator")?;
    if !COMPARISONS.contains(&comparison.as_str()) {
        return Err(ApiError::not_simulated(format!("ComparisonOperator {comparison}")));
    }
    kept.insert("ComparisonOperator".to_owned(), comparison.into());
    let threshold = number(input, "Threshold")?;
    kept.insert("Threshold".to_owned(), json!(threshold.ok_or_else(|| input.missing("Threshold"))?));
    if let Some(missing) = input.opt_str("TreatMissingData") {
        if !MISSING.contains(&missing) {
            return Err(validation(format!("Option {missing} is not supported for parameter TreatMissingData")));
        }
        kept.insert("TreatMissingData".to_owned(), missing.into());
    }
    let longest = match input.objects("Metrics").as_slice() {
        [] => {
            kept.append(&mut single(input)?);
            kept["Period"].as_i64().unwrap_or(60)
        }
        queries => {
            if input.has("MetricName") || input.has("Statistic") || input.has("Period") {
                return Err(validation("The parameters MetricName and Metrics are mutually exclusive"));
            }
            let queries = queries.iter().map(query).collect::<Result<Vec<Value>, _>>()?;
            check(&queries)?;
            let periods = queries.iter().filter_map(|query| query["MetricStat"]["Period"].as_i64());
            let longest = periods.max().unwrap_or(60);
            kept.insert("Metrics".to_owned(), queries.into());
            longest
        }
    };
    // An alarm looks back a day at most, and seven days from a period of an hour on.
    let most = if longest >= 3600 { 604_800 } else { 86_400 };
    if longest * periods > most {
        return Err(validation(format!(
            "Metrics cannot be checked across more than {} (EvaluationPeriods * Period must be <= {most}).",
            if most > 86_400 { "a week" } else { "a day" }
        )));
    }
    Ok(kept)
}

/// What metric alarms and composite alarms have in common.
pub(super) fn shared(input: &Input) -> Result<Map<String, Value>, ApiError> {
    let mut kept = Map::new();
    let name = input.string("AlarmName")?;
    if name.chars().count() > 255 || name.chars().any(char::is_control) {
        return Err(validation(format!("Value '{name}' at 'alarmName' failed to satisfy constraint")));
    }
    kept.insert("AlarmName".to_owned(), name.into());
    kept.insert("ActionsEnabled".to_owned(), input.bool_or("ActionsEnabled", true)?.into());
    if let Some(description) = input.opt_str("AlarmDescription") {
        if description.chars().count() > 1024 {
            return Err(validation(
                "Value at 'alarmDescription' failed to satisfy constraint: Member must have length less than or equal to 1024",
            ));
        }
        kept.insert("AlarmDescription".to_owned(), description.into());
    }
    for list in ["OKActions", "AlarmActions", "InsufficientDataActions"] {
        let actions = input.strings(list);
        if actions.len() > 5 {
            return Err(validation(format!("The member {list} must have at most 5 items")));
        }
        for action in &actions {
            let parts: Vec<&str> = action.split(':').collect();
            match parts.get(2) {
                Some(&"sns" | &"autoscaling" | &"lambda") if parts.len() >= 6 => {}
                Some(service) if parts.len() >= 6 => {
                    return Err(ApiError::not_simulated(format!("alarm actions of {service}")));
                }
                _ => return Err(validation(format!("Invalid arn syntax: {action}"))),
            }
        }
        kept.insert(list.to_owned(), actions.into());
    }
    Ok(kept)
}

fn insert(map: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        map.insert(name.to_owned(), value.into());
    }
}

/// The members of an alarm on one metric.
fn single(input: &Input) -> Result<Map<String, Value>, ApiError> {
    let mut kept = Map::new();
    kept.insert("MetricName".to_owned(), input.string("MetricName")?.into());
    kept.insert("Namespace".to_owned(), input.string("Namespace")?.into());
    kept.insert("Dimensions".to_owned(), dimensions(input)?);
    kept.insert("Period".to_owned(), period(input)?.into());
    insert(&mut kept, "Unit", input.opt_str("Unit"));
    match (input.opt_str("Statistic"), input.opt_str("ExtendedStatistic")) {
        (Some(statistic), None) if STATISTICS.contains(&statistic) => {
            kept.insert("Statistic".to_owned(), statistic.into());
        }
        (None, Some(statistic)) if percentile(statistic).is_some() => {
            kept.insert("ExtendedStatistic".to_owned(), statistic.into());
            insert(&mut kept, "EvaluateLowSampleCountPercentile", input.opt_str("EvaluateLowSampleCountPercentile"));
        }
        (None, None) => return Err(validation("One of Statistic, ExtendedStatistic or Metrics must be given")),
        _ => return Err(validation("Statistic and ExtendedStatistic are mutually exclusive, and must be supported")),
    }
    Ok(kept)
}

/// `p99` as 99.
pub(super) fn percentile(statistic: &str) -> Option<f64> {
    let number: f64 = statistic.strip_prefix('p')?.parse().ok()?;
    (0.0..=100.0).contains(&number).then_some(number)
}

fn period(input: &Input) -> Result<i64, ApiError> {
    let period = input.int("Period")?;
    if !matches!(period, 10 | 20 | 30) && (period < 60 || period % 60 != 0) {
        return Err(validation(format!("Invalid period {period}. Period must be 10, 20, 30 or a multiple of 60")));
    }
    Ok(period)
}

/// Dimensions as AWS lists them.
pub(super) fn dimensions(input: &Input) -> Result<Value, ApiError> {
    let one = |one: &Input| Ok(json!({"Name": one.string("Name")?, "Value": one.string("Value")?}));
    let all = input.objects("Dimensions").iter().map(one).collect::<Result<Vec<Value>, ApiError>>()?;
    if all.len() > 30 {
        return Err(validation("The collection Dimensions must not have a size greater than 30."));
    }
    Ok(all.into())
}

/// One of several metrics and expressions.
pub(super) fn query(query: &Input) -> Result<Value, ApiError> {
    let id = query.string("Id")?;
    let fits = id.starts_with(|letter: char| letter.is_ascii_lowercase())
        && id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if !fits {
        return Err(validation(format!(
            "The value '{id}' for parameter Id must start with a lowercase letter and have letters, digits and underscores only"
        )));
    }
    let mut kept = Map::from_iter([("Id".to_owned(), id.into())]);
    insert(&mut kept, "Label", query.opt_str("Label"));
    kept.insert("ReturnData".to_owned(), query.bool_or("ReturnData", true)?.into());
    match (query.object("MetricStat"), query.opt_str("Expression")) {
        (Some(stat), None) => {
            let metric = stat.object("Metric").ok_or_else(|| stat.missing("Metric"))?;
            let statistic = stat.string("Stat")?;
            if !STATISTICS.contains(&statistic.as_str()) && percentile(&statistic).is_none() {
                return Err(ApiError::not_simulated(format!("Stat {statistic}")));
            }
            let mut shown = Map::from_iter([
                (
                    "Metric".to_owned(),
                    json!({
                        "Namespace": metric.string("Namespace")?, "MetricName": metric.string("MetricName")?,
                        "Dimensions": dimensions(&metric)?,
                    }),
                ),
                ("Period".to_owned(), period(&stat)?.into()),
                ("Stat".to_owned(), statistic.into()),
            ]);
            insert(&mut shown, "Unit", stat.opt_str("Unit"));
            kept.insert("MetricStat".to_owned(), shown.into());
        }
        (None, Some(expression)) => {
            kept.insert("Expression".to_owned(), expression.into());
            insert(&mut kept, "Period", query.opt_int("Period")?);
        }
        _ => return Err(validation("Exactly one of MetricStat and Expression must be given for each metric")),
    }
    Ok(kept.into())
}

fn check(queries: &[Value]) -> Result<(), ApiError> {
    if queries.iter().filter(|query| query["ReturnData"] == true).count() != 1 {
        return Err(validation("Exactly one element of the metrics list should return data."));
    }
    let ids: Vec<&str> = queries.iter().filter_map(|query| query["Id"].as_str()).collect();
    if ids.iter().enumerate().any(|(n, id)| ids[..n].contains(id)) {
        return Err(validation("The values for parameter Id in parameter Metrics are not unique"));
    }
    for expression in queries.iter().filter_map(|query| query["Expression"].as_str()) {
        let parsed = math::parse(expression)
            .map_err(|what| validation(format!("Error in expression '{expression}': {what}")))?;
        if let Some(unknown) = parsed.names().into_iter().find(|name| !ids.contains(&name.as_str())) {
            return Err(validation(format!("Error in expression '{expression}': Unknown identifier '{unknown}'")));
        }
    }
    Ok(())
}
