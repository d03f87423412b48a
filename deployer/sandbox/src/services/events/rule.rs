//! Rules. <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::pattern::Pattern;
use super::{RULE, arn, default_bus, demand, invalid, paged, permitted, tags, too_many, well_formed};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::iam::authorise_pass;
use crate::services::shared::shown;
use crate::store::{Resource, Tags};

/// So many rules has a bus. <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>
const MOST: usize = 300;

/// Makes a rule or replaces what it says; its tags and targets stay. What the call leaves out is not kept.
pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    default_bus(ctx, input)?;
    let name = input.string("Name")?;
    let (tags, known) = (tags::requested(input)?, ctx.get(RULE, &name));
    permit(ctx, input, &name, known.as_deref(), &tags)?;
    well_formed("name", &name)?;
    let attrs = wanted(ctx, input, &name)?;
    let mut rule = ctx.resource(RULE, &name, attrs);
    match &known {
        // Tags on a rule that is there already do nothing: only `TagResource` changes them.
        Some(known) => {
            rule.created = known.created;
            rule.tags = known.tags.clone();
            rule.set("_targets", known.items("_targets").to_vec());
        }
        None if ctx.all(RULE).len() >= MOST => return Err(too_many()),
        None => rule.tags = tags,
    }
    ctx.insert(rule);
    Ok(json!({"RuleArn": arn(ctx, &name)}))
}

/// What the caller needs: the rule, its tags, and the role that it gives.
fn permit(ctx: &mut Ctx<'_>, input: &Input, name: &str, known: Option<&Resource>, tags: &Tags) -> Result<(), ApiError> {
    let pattern: Value = serde_json::from_str(input.opt_str("EventPattern").unwrap_or_default()).unwrap_or_default();
    // <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html>
    let about = [("source", "events:source"), ("detail-type", "events:detail-type")];
    demand(ctx, "PutRule", name, known, |mut grant| {
        for (field, key) in about {
            for value in pattern[field].as_array().into_iter().flatten().filter_map(Value::as_str) {
                grant = grant.key(key, value);
            }
        }
        grant.request_tags(tags)
    })?;
    if !tags.is_empty() {
        demand(ctx, "TagResource", name, known, |grant| grant.request_tags(tags))?;
    }
    match input.opt_str("RoleArn") {
        Some(role) => authorise_pass(ctx, role, "events.amazonaws.com"),
        None => Ok(()),
    }
}

fn wanted(ctx: &Ctx<'_>, input: &Input, name: &str) -> Result<Value, ApiError> {
    if let Some(schedule) = input.opt_str("ScheduleExpression").filter(|text| !text.is_empty()) {
        return Err(ApiError::not_simulated(format!("rules on a schedule ({schedule})")));
    }
    let pattern = input.opt_str("EventPattern").filter(|text| !text.is_empty());
    let pattern =
        pattern.ok_or_else(|| invalid("Parameter(s) EventPattern or ScheduleExpression must be specified."))?;
    // <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>
    if pattern.len() > 2048 {
        return Err(too_many());
    }
    Pattern::read(pattern)?;
    let state = input.opt_str("State").unwrap_or("ENABLED");
    match state {
        "ENABLED" | "DISABLED" => {}
        "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" => {
            return Err(ApiError::not_simulated(format!("the state {state}")));
        }
        other => return Err(input.invalid("state", &json!(other))),
    }
    let mut attrs = json!({
        "Name": name, "Arn": arn(ctx, name), "EventPattern": pattern, "State": state, "EventBusName": "default",
    });
    for optional in ["Description", "RoleArn"] {
        if let Some(text) = input.opt_str(optional) {
            attrs[optional] = text.into();
        }
    }
    Ok(attrs)
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let rule = permitted(ctx, input, "Name", "DescribeRule")?;
    let rule = ctx.visible_one(RULE, &rule.id).ok_or_else(|| super::no_such_rule(&rule.id))?;
    let mut answer = Value::Object(shown(&rule));
    answer["CreatedBy"] = ctx.account.id.clone().into();
    Ok(answer)
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    default_bus(ctx, input)?;
    let prefix = input.opt_str("NamePrefix").unwrap_or_default();
    let mut rules = ctx.visible(RULE);
    rules.retain(|rule| rule.id.starts_with(prefix));
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    paged(input, "Rules", rules.iter().map(|rule: &Arc<Resource>| Value::Object(shown(rule))).collect())
}

/// Deletes a rule, which must have no targets any more. One that is not there is no error.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DeleteRule.html>
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    // What only matters for rules that services manage.
    let _ = input.opt_bool("Force")?;
    let rule = match permitted(ctx, input, "Name", "DeleteRule") {
        Err(error) if error.code == "ResourceNotFoundException" => return Ok(nothing()),
        found => found?,
    };
    if !rule.items("_targets").is_empty() {
        return Err(invalid("Rule can't be deleted since it has targets."));
    }
    ctx.remove(RULE, &rule.id);
    Ok(nothing())
}

pub(super) fn enable(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    switch(ctx, input, "EnableRule", "ENABLED")
}

pub(super) fn disable(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    switch(ctx, input, "DisableRule", "DISABLED")
}

fn switch(ctx: &mut Ctx<'_>, input: &Input, action: &str, state: &str) -> Outcome {
    let rule = permitted(ctx, input, "Name", action)?;
    ctx.update(RULE, &rule.id, |rule| rule.set("State", state));
    Ok(nothing())
}
