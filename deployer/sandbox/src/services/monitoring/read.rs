//! Reading metrics. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>

use serde_json::{Map, Value, json};

use super::series::{self, METRIC, Name};
use super::{combination, evaluate, invalid, settings, time};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::wire::moment;

/// A stretch of time, which must have one.
fn stretch(input: &Input) -> Result<(i64, i64), ApiError> {
    let from = time(input, "StartTime")?.ok_or_else(|| input.missing("StartTime"))?;
    let to = time(input, "EndTime")?.ok_or_else(|| input.missing("EndTime"))?;
    if from >= to {
        return Err(invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    Ok((from.as_second(), to.as_second()))
}

/// The windows of a stretch, oldest first.
fn windows((from, to): (i64, i64), period: i64) -> impl Iterator<Item = i64> {
    let first = from.div_euclid(period) * period;
    (0..).map(move |n| first + n * period).take_while(move |start| *start < to)
}

pub(super) fn statistics(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    ctx.authorise(Grant::new("cloudwatch:GetMetricStatistics", "*"))?;
    let name = Name::of(&json!({
        "Namespace": input.string("Namespace")?, "MetricName": input.string("MetricName")?,
        "Dimensions": settings::dimensions(input)?,
    }));
    let (span, period) = (stretch(input)?, input.int("Period")?.max(1));
    let wanted = input.strings("Statistics");
    if wanted.is_empty() {
        return Err(ApiError::not_simulated("GetMetricStatistics with ExtendedStatistics only"));
    }
    let count = (span.1 - span.0) / period;
    if count > 1440 {
        return Err(combination(format!(
            "You have requested up to {count} datapoints, which exceeds the limit of 1440. You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )));
    }
    let metric = ctx.get(METRIC, &name.id());
    let mut found = Vec::new();
    for start in windows(span, period) {
        let points = series::points(metric.as_deref(), start.max(span.0), (start + period).min(span.1));
        if !points.is_empty() {
            let mut one = Map::from_iter([("Timestamp".to_owned(), moment(series::at(start)))]);
            for statistic in &wanted {
                one.insert(statistic.clone(), json!(series::statistic(&points, statistic)));
            }
            one.insert("Unit".to_owned(), "None".into());
            found.push(Value::Object(one));
        }
    }
    Ok(json!({"Label": name.name, "Datapoints": found}))
}

pub(super) fn data(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    ctx.authorise(Grant::new("cloudwatch:GetMetricData", "*"))?;
    let span = stretch(input)?;
    let queries = input.objects("MetricDataQueries").iter().map(settings::query).collect::<Result<Vec<_>, _>>()?;
    let ascending = input.opt_str("ScanBy") == Some("TimestampAscending");
    let periods = queries.iter().filter_map(|query| query["MetricStat"]["Period"].as_i64());
    let period = periods.max().unwrap_or(60);
    let mut results = Vec::new();
    for query in queries.iter().filter(|query| query["ReturnData"] == true) {
        let mut alone: Vec<Value> = queries.clone();
        for one in &mut alone {
            one["ReturnData"] = (one["Id"] == query["Id"]).into();
        }
        let mut found: Vec<(i64, f64)> = windows(span, period)
            .filter_map(|start| {
                let metric = |query: &Value| {
                    let stat = query["MetricStat"].as_object()?;
                    let metric = ctx.get(METRIC, &Name::of(&stat["Metric"]).id());
                    let points = series::points(metric.as_deref(), start.max(span.0), (start + period).min(span.1));
                    Some(series::statistic(&points, stat["Stat"].as_str()?))
                };
                Some((start, evaluate::combined(&alone, &metric)?))
            })
            .collect();
        if !ascending {
            found.reverse();
        }
        let label = query["Label"].as_str().or_else(|| query["MetricStat"]["Metric"]["MetricName"].as_str());
        results.push(json!({
            "Id": query["Id"], "Label": label.or(query["Id"].as_str()), "StatusCode": "Complete",
            "Timestamps": found.iter().map(|(at, _)| moment(series::at(*at))).collect::<Vec<_>>(),
            "Values": found.iter().map(|(_, value)| json!(value)).collect::<Vec<_>>(),
        }));
    }
    Ok(json!({"MetricDataResults": results, "Messages": []}))
}
