//! Schedules: what is run, and when.
//! <https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::expression::Expression;
use super::{conflict, group, invalid, missing, paged, run, target, well_formed};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::{seconds, shown};
use crate::store::Resource;

pub(super) const KIND: &str = "scheduler.schedule";

fn arn(ctx: &Ctx<'_>, group: &str, name: &str) -> String {
    ctx.arn("scheduler", format!("schedule/{group}/{name}"))
}

fn place(input: &Input) -> Result<(String, String), ApiError> {
    Ok((input.opt_str("GroupName").unwrap_or("default").to_owned(), input.string("Name")?))
}

/// Demands an action on a schedule; its tags are those of its group.
fn demand(ctx: &mut Ctx<'_>, action: &str, group: &str, name: &str) -> Result<(), ApiError> {
    let grant = Grant::new(format!("scheduler:{action}"), arn(ctx, group, name));
    let grant = match group::find(ctx, group) {
        Ok(group) => grant.resource_tags(&group.tags),
        Err(_) => grant,
    };
    ctx.authorise(grant)
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (group, name) = place(input)?;
    demand(ctx, "CreateSchedule", &group, &name)?;
    well_formed(&name)?;
    let token = input.opt_str("ClientToken");
    let id = format!("{group}/{name}");
    let attrs = wanted(ctx, input, &group, &name)?;
    if let (Some(_), Some(known)) = (ctx.token("CreateSchedule", token, input)?, ctx.get(KIND, &id)) {
        return Ok(json!({"ScheduleArn": known.text("Arn")}));
    }
    if group::find(ctx, &group)?.text("State") == "DELETING" {
        return Err(conflict(format!("Schedule group {group} is being deleted.")));
    }
    if ctx.get(KIND, &id).is_some() {
        return Err(conflict(format!("Schedule {name} already exists.")));
    }
    let mut schedule = ctx.resource(KIND, &id, attrs);
    schedule.set("CreationDate", seconds(ctx.now));
    let arn = schedule.text("Arn").to_owned();
    ctx.insert(schedule);
    ctx.remember("CreateSchedule", token, input, &id);
    run::plan(ctx, &id);
    Ok(json!({"ScheduleArn": arn}))
}

/// What a schedule becomes by a request: what the request leaves out has its default, also in an update.
fn wanted(ctx: &mut Ctx<'_>, input: &Input, group: &str, name: &str) -> Result<Value, ApiError> {
    for unknown in ["StartDate", "EndDate"] {
        if input.has(unknown) {
            return Err(ApiError::not_simulated(format!("{unknown} of a schedule")));
        }
    }
    let (expression, zone) =
        (input.string("ScheduleExpression")?, input.opt_str("ScheduleExpressionTimezone").unwrap_or("UTC"));
    Expression::read(&expression, zone)?;
    let state = input.opt_str("State").unwrap_or("ENABLED");
    if !["ENABLED", "DISABLED"].contains(&state) {
        return Err(invalid(format!("State must be ENABLED or DISABLED, not {state}")));
    }
    let mut attrs = json!({
        "Arn": arn(ctx, group, name), "GroupName": group, "Name": name,
        "ScheduleExpression": expression, "ScheduleExpressionTimezone": zone, "State": state,
        "ActionAfterCompletion": input.opt_str("ActionAfterCompletion").unwrap_or("NONE"),
        "FlexibleTimeWindow": window(input)?,
        "LastModificationDate": seconds(ctx.now),
    });
    for optional in ["Description", "KmsKeyArn"] {
        if let Some(text) = input.opt_str(optional) {
            attrs[optional] = text.into();
        }
    }
    attrs["Target"] = target::read(ctx, input)?;
    Ok(attrs)
}

fn window(input: &Input) -> Result<Value, ApiError> {
    let window = input.object("FlexibleTimeWindow").ok_or_else(|| input.missing("FlexibleTimeWindow"))?;
    match (window.str("Mode")?, window.opt_int("MaximumWindowInMinutes")?) {
        ("OFF", None) => Ok(json!({"Mode": "OFF"})),
        ("FLEXIBLE", Some(minutes)) if (1..=1440).contains(&minutes) => {
            Ok(json!({"Mode": "FLEXIBLE", "MaximumWindowInMinutes": minutes}))
        }
        _ => Err(invalid(
            "Invalid FlexibleTimeWindow: a window of 1 to 1440 minutes goes with FLEXIBLE, and only with it.",
        )),
    }
}

pub(super) fn update(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (group, name) = place(input)?;
    demand(ctx, "UpdateSchedule", &group, &name)?;
    let _ = input.opt("ClientToken");
    let known = find(ctx, &group, &name)?;
    let attrs = wanted(ctx, input, &group, &name)?;
    let mut schedule = ctx.resource(KIND, &known.id, attrs);
    schedule.created = known.created;
    schedule.set("CreationDate", known.attrs["CreationDate"].clone());
    ctx.update(KIND, &known.id, |old| *old = schedule);
    run::plan(ctx, &known.id);
    Ok(json!({"ScheduleArn": known.text("Arn")}))
}

fn find(ctx: &Ctx<'_>, group: &str, name: &str) -> Result<Arc<Resource>, ApiError> {
    let found = ctx.get(KIND, &format!("{group}/{name}"));
    found.ok_or_else(|| missing(format!("Schedule {name} does not exist.")))
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (group, name) = place(input)?;
    demand(ctx, "GetSchedule", &group, &name)?;
    Ok(Value::Object(shown(&*find(ctx, &group, &name)?)))
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (group, name) = place(input)?;
    demand(ctx, "DeleteSchedule", &group, &name)?;
    let _ = input.opt("ClientToken");
    let known = find(ctx, &group, &name)?;
    ctx.remove(KIND, &known.id);
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (group, prefix, state) = (input.opt_str("GroupName"), input.opt_str("NamePrefix"), input.opt_str("State"));
    if let Some(group) = group {
        group::find(ctx, group)?;
    }
    let mut all = ctx.visible(KIND);
    all.retain(|one| {
        group.is_none_or(|group| one.text("GroupName") == group)
            && prefix.is_none_or(|prefix| one.text("Name").starts_with(prefix))
            && state.is_none_or(|state| one.text("State") == state)
    });
    let summary = |one: &Arc<Resource>| {
        let mut summary = json!({"Target": {"Arn": one.attrs["Target"]["Arn"]}});
        for name in ["Arn", "Name", "GroupName", "State", "CreationDate", "LastModificationDate"] {
            summary[name] = one.attrs[name].clone();
        }
        summary
    };
    paged(input, "Schedules", all.iter().map(summary).collect())
}
