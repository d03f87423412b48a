//! Describing alarms. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::series::Name;
use super::{ALARM, COMPOSITE, arn, authorise, composite, paged, settings, validation};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::shown;
use crate::store::Resource;

pub(super) fn alarms(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let everything = arn(ctx, "*");
    authorise(ctx, "DescribeAlarms", &everything, None)?;
    let (names, prefix) = (input.strings("AlarmNames"), input.opt_str("AlarmNamePrefix"));
    if !names.is_empty() && prefix.is_some() {
        return Err(validation("AlarmNames and AlarmNamePrefix are mutually exclusive"));
    }
    for relation in ["ChildrenOfAlarmName", "ParentsOfAlarmName"] {
        if input.has(relation) {
            return related(ctx, input, relation);
        }
    }
    let (state, action) = (input.opt_str("StateValue"), input.opt_str("ActionPrefix"));
    // Without types only metric alarms are shown, as the page says.
    let types = match input.strings("AlarmTypes") {
        types if types.is_empty() => vec!["MetricAlarm".to_owned()],
        types => types,
    };
    let has_action = |alarm: &Resource, prefix: &str| {
        let lists = ["AlarmActions", "OKActions", "InsufficientDataActions"];
        lists
            .iter()
            .flat_map(|list| alarm.items(list))
            .any(|arn| arn.as_str().is_some_and(|arn| arn.starts_with(prefix)))
    };
    let fits = |alarm: &Arc<Resource>| {
        (names.is_empty() || names.contains(&alarm.id))
            && prefix.is_none_or(|prefix| alarm.id.starts_with(prefix))
            && state.is_none_or(|state| alarm.text("StateValue") == state)
            && action.is_none_or(|action| has_action(alarm, action))
    };
    let mut found: Vec<Arc<Resource>> = Vec::new();
    for (name, kind) in [("MetricAlarm", ALARM), ("CompositeAlarm", COMPOSITE)] {
        if types.iter().any(|one| one == name) {
            found.extend(ctx.all(kind).into_iter().filter(fits));
        }
    }
    answer(input, found)
}

fn answer(input: &Input, mut found: Vec<Arc<Resource>>) -> Outcome {
    found.sort_by(|a, b| a.id.cmp(&b.id));
    let size = input.opt_int("MaxRecords")?.unwrap_or(50);
    if !(1..=100).contains(&size) {
        return Err(validation(format!("Value '{size}' at 'maxRecords' failed to satisfy constraint")));
    }
    let page = paged(found, input.opt_str("NextToken"), usize::try_from(size).unwrap_or(50))?;
    let of = |kind: &str| -> Vec<Value> {
        page.items.iter().filter(|alarm| alarm.kind == kind).map(|alarm| shown(alarm).into()).collect()
    };
    Ok(json!({"MetricAlarms": of(ALARM), "CompositeAlarms": of(COMPOSITE), "NextToken": page.next}))
}

/// The alarms that a composite alarm looks at, or the composite alarms that look at an alarm; only names and states.
fn related(ctx: &mut Ctx<'_>, input: &Input, relation: &str) -> Outcome {
    let name = input.str(relation)?;
    let found = match relation {
        "ParentsOfAlarmName" => composite::needing(ctx, name),
        _ => match ctx.get(COMPOSITE, name) {
            Some(parent) => {
                composite::children(&parent).iter().filter_map(|name| super::alarm::find(ctx, name)).collect()
            }
            None => return Err(ApiError::with_status(404, "ResourceNotFound", format!("no composite alarm {name}"))),
        },
    };
    answer(input, found)
}

/// The alarms on one metric, with this statistic and period if they are given.
pub(super) fn for_metric(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let everything = arn(ctx, "*");
    authorise(ctx, "DescribeAlarmsForMetric", &everything, None)?;
    let wanted = Name::of(&json!({
        "Namespace": input.string("Namespace")?, "MetricName": input.string("MetricName")?,
        "Dimensions": settings::dimensions(input)?,
    }));
    let (statistic, extended) = (input.opt_str("Statistic"), input.opt_str("ExtendedStatistic"));
    let (period, unit) = (input.opt_int("Period")?, input.opt_str("Unit"));
    let found = ctx.those(ALARM, |alarm| {
        Name::of_resource(alarm) == wanted
            && statistic.is_none_or(|one| alarm.text("Statistic") == one)
            && extended.is_none_or(|one| alarm.text("ExtendedStatistic") == one)
            && period.is_none_or(|period| alarm.number("Period") == period)
            && unit.is_none_or(|unit| alarm.text("Unit") == unit)
    });
    let found: Vec<Value> = found.iter().map(|alarm| shown(alarm).into()).collect();
    Ok(json!({"MetricAlarms": found}))
}
