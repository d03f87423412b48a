//! Metric alarms, and what is done to alarms of any type.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{ALARM, COMPOSITE, arn, authorise, composite, evaluate, history, settings, tags, watch};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Tags};
use crate::wire::moment;

pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.string("AlarmName")?;
    let asked = tags::requested(input)?;
    authorise_put(ctx, "PutMetricAlarm", ALARM, &name, &asked)?;
    let kept = settings::of_metric_alarm(input)?;
    taken(ctx, COMPOSITE, &name)?;
    save(ctx, ALARM, &name, kept, asked);
    watch::look(ctx, &name);
    evaluate::wake(ctx, &name);
    Ok(nothing())
}

/// Demands that an alarm may be written. Its tags count when it is new, see [`save`].
pub(super) fn authorise_put(
    ctx: &mut Ctx<'_>,
    action: &str,
    kind: &'static str,
    name: &str,
    asked: &Tags,
) -> Result<(), ApiError> {
    let known = ctx.get(kind, name).map(|alarm| alarm.tags.clone()).unwrap_or_default();
    let arn = arn(ctx, name);
    ctx.authorise(Grant::new(format!("cloudwatch:{action}"), arn.clone()).resource_tags(&known).request_tags(asked))?;
    if asked.is_empty() {
        return Ok(());
    }
    ctx.authorise(Grant::new("cloudwatch:TagResource", arn).resource_tags(&known).request_tags(asked))
}

/// Metric alarms and composite alarms share their names.
pub(super) fn taken(ctx: &Ctx<'_>, other: &'static str, name: &str) -> Result<(), ApiError> {
    match ctx.get(other, name) {
        Some(_) => Err(super::validation(format!("An alarm of another type has the name {name} already"))),
        None => Ok(()),
    }
}

/// Writes an alarm. One that is there keeps its state and its tags: tags in such a call are ignored.
pub(super) fn save(ctx: &mut Ctx<'_>, kind: &'static str, name: &str, mut kept: Map<String, Value>, asked: Tags) {
    let now = moment(ctx.now);
    kept.insert("AlarmArn".to_owned(), arn(ctx, name).into());
    kept.insert("AlarmConfigurationUpdatedTimestamp".to_owned(), now.clone());
    match ctx.get(kind, name) {
        Some(known) => {
            let state = |(key, _): &(&String, &Value)| key.starts_with("State") || key.starts_with('_');
            kept.extend(known.attrs.iter().filter(state).map(|(key, value)| (key.clone(), value.clone())));
            ctx.update(kind, name, |alarm| alarm.attrs = kept);
            history::note(ctx, name, kind, "ConfigurationUpdate", &format!("Alarm \"{name}\" updated"), nothing());
        }
        None => {
            kept.insert("StateValue".to_owned(), "INSUFFICIENT_DATA".into());
            kept.insert("StateReason".to_owned(), "Unchecked: Initial alarm creation".into());
            kept.insert("StateUpdatedTimestamp".to_owned(), now.clone());
            kept.insert("StateTransitionedTimestamp".to_owned(), now);
            let mut alarm = ctx.resource(kind, name, Value::Object(kept));
            alarm.tags = asked;
            ctx.insert(alarm);
            history::note(ctx, name, kind, "ConfigurationUpdate", &format!("Alarm \"{name}\" created"), nothing());
        }
    }
}

/// An alarm of either type.
pub(super) fn find(ctx: &Ctx<'_>, name: &str) -> Option<Arc<Resource>> {
    ctx.get(ALARM, name).or_else(|| ctx.get(COMPOSITE, name))
}

/// Deletes alarms, all or none. One that a composite alarm outside this call needs stays.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html>
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let names = input.strings("AlarmNames");
    if names.len() > 100 {
        return Err(super::validation("Up to 100 alarms can be deleted in one call"));
    }
    for name in &names {
        let (arn, known) = (arn(ctx, name), find(ctx, name));
        authorise(ctx, "DeleteAlarms", &arn, known.as_deref())?;
        if known.is_none() {
            return Err(ApiError::with_status(404, "ResourceNotFound", format!("Alarms [{name}] were not found")));
        }
    }
    let composites = names.iter().filter(|name| ctx.get(COMPOSITE, name).is_some()).count();
    if composites > 1 || composites == 1 && names.len() > 1 {
        return Err(super::validation("A composite alarm can only be deleted alone"));
    }
    for name in &names {
        if let Some(needs) = composite::needing(ctx, name).first() {
            let message = format!("Cannot delete {name} as there are composite alarm(s) depending on it: {}", needs.id);
            return Err(ApiError::with_status(409, "ResourceConflict", message));
        }
    }
    for name in &names {
        ctx.remove(ALARM, name);
        ctx.remove(COMPOSITE, name);
    }
    Ok(nothing())
}

fn switch(ctx: &mut Ctx<'_>, input: &Input, action: &str, enabled: bool) -> Outcome {
    let names = input.strings("AlarmNames");
    if names.is_empty() {
        return Err(input.missing("AlarmNames"));
    }
    for name in &names {
        let (arn, known) = (arn(ctx, name), find(ctx, name));
        authorise(ctx, action, &arn, known.as_deref())?;
        // Names that no alarm has are passed over.
        if let Some(known) = known {
            ctx.update(known.kind, name, |alarm| alarm.set("ActionsEnabled", enabled));
        }
    }
    Ok(nothing())
}

pub(super) fn enable(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    switch(ctx, input, "EnableAlarmActions", true)
}

pub(super) fn disable(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    switch(ctx, input, "DisableAlarmActions", false)
}

/// An alarm that a service of AWS makes for itself, such as target tracking; `shown` as it is described.
pub(crate) fn made_by_aws(ctx: &mut Ctx<'_>, name: &str, shown: Value) -> Result<(), ApiError> {
    let Value::Object(mut kept) = shown else {
        return Err(refuse("ValidationError", "an alarm is a structure"));
    };
    for list in ["OKActions", "AlarmActions", "InsufficientDataActions"] {
        kept.entry(list).or_insert_with(|| Value::Array(Vec::new()));
    }
    kept.insert("AlarmName".to_owned(), name.into());
    kept.entry("ActionsEnabled").or_insert(true.into());
    save(ctx, ALARM, name, kept, Tags::new());
    ctx.update(ALARM, name, |alarm| alarm.aws_made = true);
    watch::look(ctx, name);
    evaluate::wake(ctx, name);
    Ok(())
}

/// Such an alarm goes.
pub(crate) fn removed_by_aws(ctx: &mut Ctx<'_>, name: &str) {
    ctx.remove(ALARM, name);
}
