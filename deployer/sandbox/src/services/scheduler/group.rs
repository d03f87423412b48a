//! Schedule groups, which carry the tags that schedules cannot.
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-group.html>

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{conflict, invalid, missing, paged, schedule, tags, well_formed};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::{seconds, shown};
use crate::store::Resource;

pub(super) const KIND: &str = "scheduler.group";

fn arn(ctx: &Ctx<'_>, name: &str) -> String {
    ctx.arn("scheduler", format!("schedule-group/{name}"))
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (name, tags) = (input.string("Name")?, tags::requested(input)?);
    let grant = Grant::new("scheduler:CreateScheduleGroup", arn(ctx, &name)).request_tags(&tags);
    ctx.authorise(grant)?;
    if !tags.is_empty() {
        let grant = Grant::new("scheduler:TagResource", arn(ctx, &name)).request_tags(&tags);
        ctx.authorise(grant)?;
    }
    well_formed(&name)?;
    let token = input.opt_str("ClientToken");
    if let (Some(known), Some(_)) = (ctx.token("CreateScheduleGroup", token, input)?, ctx.get(KIND, &name)) {
        return Ok(json!({"ScheduleGroupArn": arn(ctx, &known)}));
    }
    if name == "default" || ctx.get(KIND, &name).is_some() {
        return Err(conflict(format!("Schedule group {name} already exists.")));
    }
    let arn = arn(ctx, &name);
    let mut group = ctx.resource(
        KIND,
        &name,
        json!({
            "Arn": arn, "Name": name, "State": "ACTIVE",
            "CreationDate": seconds(ctx.now), "LastModificationDate": seconds(ctx.now),
        }),
    );
    group.tags = tags;
    ctx.insert(group);
    ctx.remember("CreateScheduleGroup", token, input, &name);
    Ok(json!({"ScheduleGroupArn": arn}))
}

/// The group of this name; the one called `default` is there without being made.
pub(super) fn find(ctx: &Ctx<'_>, name: &str) -> Result<Arc<Resource>, ApiError> {
    if name == "default" {
        let text = arn(ctx, name);
        let state = json!({"Arn": text, "Name": name, "State": "ACTIVE"});
        return Ok(Arc::new(ctx.resource(KIND, name, state)));
    }
    ctx.get(KIND, name).ok_or_else(|| missing(format!("Schedule group {name} does not exist.")))
}

fn named(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<Arc<Resource>, ApiError> {
    let name = input.string("Name")?;
    let found = find(ctx, &name);
    let grant = Grant::new(format!("scheduler:{action}"), arn(ctx, &name));
    ctx.authorise(match &found {
        Ok(group) => grant.resource_tags(&group.tags),
        Err(_) => grant,
    })?;
    found
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    named(ctx, input, "GetScheduleGroup").map(|group| Value::Object(shown(&group)))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let mut all = ctx.visible(KIND);
    all.push(find(ctx, "default")?);
    all.retain(|group| input.opt_str("NamePrefix").is_none_or(|prefix| group.id.starts_with(prefix)));
    paged(input, "ScheduleGroups", all.iter().map(|group| Value::Object(shown(group))).collect())
}

/// The group and its schedules go after the answer:
/// <https://docs.aws.amazon.com/scheduler/latest/APIReference/API_DeleteScheduleGroup.html>
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let _ = input.opt("ClientToken");
    let group = named(ctx, input, "DeleteScheduleGroup")?;
    if group.id == "default" {
        return Err(invalid("The default schedule group cannot be deleted."));
    }
    if group.text("State") == "DELETING" {
        return Err(conflict(format!("Schedule group {} is being deleted.", group.id)));
    }
    ctx.update(KIND, &group.id, |group| group.set("State", "DELETING"));
    ctx.after(Duration::from_secs(10), KIND, &group.id, "gone");
    Ok(nothing())
}

pub(super) fn gone(ctx: &mut Ctx<'_>, name: &str) {
    for schedule in ctx.those(schedule::KIND, |schedule| schedule.text("GroupName") == name) {
        ctx.remove(schedule::KIND, &schedule.id);
    }
    ctx.remove(KIND, name);
}
