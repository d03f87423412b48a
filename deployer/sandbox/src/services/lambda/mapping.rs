//! Event source mappings: Lambda polls a queue and invokes a function with what it finds.
//! <https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{FUNCTION, MAPPING, conflict, function_arn, invalid, mapping_settings, name, not_found, paged, tags};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::{seconds, shown};
use crate::store::Resource;

const MADE: Duration = Duration::from_secs(12);
const CHANGED: Duration = Duration::from_secs(6);

fn arn(ctx: &Ctx<'_>, id: &str) -> String {
    ctx.arn("lambda", format!("event-source-mapping:{id}"))
}

/// The function that a call names, whose only version is the one that is asked for.
fn function(ctx: &Ctx<'_>, text: &str) -> Result<(Option<Arc<Resource>>, String), ApiError> {
    let named = name::read(ctx, text)?;
    Ok((named.find(ctx), function_arn(ctx, &named.name)))
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (found, function_arn) = function(ctx, input.str("FunctionName")?)?;
    let tags = tags::requested(input)?;
    let grant = Grant::new("lambda:CreateEventSourceMapping", "*").key("lambda:FunctionArn", &function_arn);
    ctx.authorise(grant.request_tags(&tags))?;
    let id = ctx.account.rng.uuid();
    if !tags.is_empty() {
        ctx.authorise(Grant::new("lambda:TagResource", arn(ctx, &id)).request_tags(&tags))?;
    }
    let queue = input.opt_str("EventSourceArn").ok_or_else(|| invalid("Unrecognized event source."))?.to_owned();
    if queue.split(':').nth(2) != Some("sqs") {
        return Err(ApiError::not_simulated(format!("the event source {queue}")));
    }
    let function = found.ok_or_else(|| invalid("Function does not exist"))?;
    let enabled = input.bool_or("Enabled", true)?;
    let mut mapping = ctx.resource(
        MAPPING,
        &id,
        json!({
            "UUID": id, "EventSourceMappingArn": arn(ctx, &id), "EventSourceArn": queue, "FunctionArn": function_arn,
            "BatchSize": 10, "MaximumBatchingWindowInSeconds": 0, "FunctionResponseTypes": [],
            "State": "Creating", "StateTransitionReason": "USER_INITIATED", "LastModified": seconds(ctx.now),
            "_enabled": enabled,
        }),
    );
    mapping_settings::apply(input, &mut mapping)?;
    mapping_settings::fits(ctx, &queue, &function)?;
    let same = |one: &Resource| one.text("EventSourceArn") == queue && one.text("FunctionArn") == function_arn;
    if let Some(known) = ctx.those(MAPPING, same).first() {
        return Err(conflict(format!(
            "An event source mapping with SQS arn (\" {queue} \") and function (\" {} \") already exists. Please update or delete the existing mapping with UUID {}",
            function.id, known.id
        )));
    }
    mapping.tags = tags;
    let answer = shown(&mapping);
    ctx.insert(mapping);
    ctx.after(MADE, MAPPING, &id, "settle");
    Ok(answer.into())
}

/// A change of a mapping is in force.
pub(super) fn settle(ctx: &mut Ctx<'_>, id: &str) {
    let Some(mapping) = ctx.get(MAPPING, id) else { return };
    if mapping.text("State") == "Deleting" {
        return ctx.remove(MAPPING, id);
    }
    let state = if mapping.flag("_enabled") { "Enabled" } else { "Disabled" };
    ctx.update(MAPPING, id, |mapping| mapping.set("State", state));
}

/// A mapping that a call names, once the caller may do this to it.
fn permitted(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<Arc<Resource>, ApiError> {
    let id = input.string("UUID")?;
    let found = ctx.get(MAPPING, &id);
    let mut grant = Grant::new(format!("lambda:{action}"), arn(ctx, &id));
    if let Some(mapping) = &found {
        grant = grant.key("lambda:FunctionArn", mapping.text("FunctionArn")).resource_tags(&mapping.tags);
    }
    ctx.authorise(grant)?;
    found.ok_or_else(|| not_found("The resource you requested does not exist."))
}

/// Refuses a change while another one is under way.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html>
fn idle(mapping: &Resource) -> Result<(), ApiError> {
    match mapping.text("State") {
        "Enabled" | "Disabled" => Ok(()),
        _ => {
            let message = "Cannot update the event source mapping because it is in use.";
            Err(ApiError::with_status(400, "ResourceInUseException", message).member("Type", "User"))
        }
    }
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    Ok(shown(&*permitted(ctx, input, "GetEventSourceMapping")?).into())
}

pub(super) fn update(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let known = permitted(ctx, input, "UpdateEventSourceMapping")?;
    idle(&known)?;
    let mut changed = Resource::clone(&known);
    mapping_settings::apply(input, &mut changed)?;
    if let Some(text) = input.opt_str("FunctionName") {
        let (found, function_arn) = function(ctx, text)?;
        let function = found.ok_or_else(|| invalid("Function does not exist"))?;
        mapping_settings::fits(ctx, known.text("EventSourceArn"), &function)?;
        changed.set("FunctionArn", function_arn);
    }
    let enabled = input.opt_bool("Enabled")?.unwrap_or_else(|| known.flag("_enabled"));
    changed.set(
        "State",
        match (known.flag("_enabled"), enabled) {
            (true, false) => "Disabling",
            (false, true) => "Enabling",
            _ => "Updating",
        },
    );
    changed.set("_enabled", enabled);
    passing(ctx, changed)
}

/// Puts a mapping into a state that it leaves by itself.
fn passing(ctx: &mut Ctx<'_>, mut mapping: Resource) -> Outcome {
    mapping.set("LastModified", seconds(ctx.now));
    let (id, answer) = (mapping.id.clone(), shown(&mapping));
    ctx.update(MAPPING, &id, |known| *known = mapping);
    ctx.after(CHANGED, MAPPING, &id, "settle");
    Ok(answer.into())
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let known = permitted(ctx, input, "DeleteEventSourceMapping")?;
    idle(&known)?;
    let mut changed = Resource::clone(&known);
    changed.set("State", "Deleting");
    passing(ctx, changed)
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let function = match input.opt_str("FunctionName") {
        Some(text) => Some(function(ctx, text)?),
        None => None,
    };
    if let Some((None, arn)) = &function {
        return Err(super::no_such_function(arn));
    }
    let queue = input.opt_str("EventSourceArn");
    let mut all = ctx.visible(MAPPING);
    all.retain(|one| {
        queue.is_none_or(|queue| one.text("EventSourceArn") == queue)
            && function.as_ref().is_none_or(|(_, arn)| one.text("FunctionArn") == arn)
    });
    paged(input, "EventSourceMappings", all.iter().map(|one| Value::Object(shown(one))).collect(), 100)
}

/// The function of a mapping, while there is one.
pub(super) fn target(ctx: &Ctx<'_>, mapping: &Resource) -> Option<Arc<Resource>> {
    ctx.get(FUNCTION, mapping.text("FunctionArn").rsplit(':').next()?)
}
