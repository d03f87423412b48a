//! Tasks that are protected from scaling in and from deployments.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{SERVICE_KIND, TASK, authorise_in, cluster_name, invalid, lifecycle, task};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::seconds;
use crate::store::Resource;

/// So many tasks may one call protect, and so many may one ask about.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateTaskProtection.html>
const AT_ONCE: usize = 10;
const ASKED_AT_ONCE: usize = 100;
/// From a minute to two days; two hours unless it is said.
const MINUTES: std::ops::RangeInclusive<i64> = 1..=2880;
const USUAL: i64 = 120;

pub(super) fn update(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let on = input.opt_bool("protectionEnabled")?.ok_or_else(|| input.missing("protectionEnabled"))?;
    let minutes = input.opt_int("expiresInMinutes")?.unwrap_or(USUAL);
    let (tasks, mut failures) = named(ctx, input, "UpdateTaskProtection", AT_ONCE)?;
    if !MINUTES.contains(&minutes) {
        return Err(invalid("expiresInMinutes must be between 1 and 2880."));
    }
    let mut found = Vec::new();
    for task in tasks {
        if on && !leaves_the_service_free(ctx, &task) {
            failures.push(blocked(&task));
            continue;
        }
        let until = ctx.now.as_second() + 60 * minutes;
        ctx.update(TASK, &task.id, |task| task.set("_protected", if on { until } else { 0 }));
        found.push(shown(ctx, &task.id));
    }
    Ok(json!({"protectedTasks": found, "failures": failures}))
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (tasks, failures) = named(ctx, input, "GetTaskProtection", ASKED_AT_ONCE)?;
    let found: Vec<Value> = tasks.iter().map(|task| shown(ctx, &task.id)).collect();
    Ok(json!({"protectedTasks": found, "failures": failures}))
}

/// Whether a scale-in or rollout has to leave the task alone for now.
pub(super) fn is_on(ctx: &Ctx<'_>, task: &Resource) -> bool {
    task.number("_protected") > ctx.now.as_second()
}

/// The tasks that a call names. One that no service started cannot be protected.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html>
fn named(
    ctx: &mut Ctx<'_>,
    input: &Input,
    action: &str,
    at_once: usize,
) -> Result<(Vec<Arc<Resource>>, Vec<Value>), ApiError> {
    let cluster = cluster_name(input);
    let texts = input.strings("tasks");
    if texts.is_empty() || texts.len() > at_once {
        authorise_in(ctx, action, "*", &cluster, None)?;
        return Err(invalid(format!("tasks must name between 1 and {at_once} tasks.")));
    }
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for text in texts {
        let task_arn = task::arn_of(ctx, &cluster, &text);
        let found = task::find(ctx, &cluster, &text);
        authorise_in(ctx, action, &task_arn, &cluster, found.as_ref().map(|task| &task.tags))?;
        let found = found.ok_or_else(|| invalid("The referenced task was not found."))?;
        match found.text("_service").is_empty() {
            false => tasks.push(found),
            true => failures.push(json!({"arn": task_arn, "reason": "TASK_NOT_VALID",
                "detail": "The specified task isn't part of an Amazon ECS service."})),
        }
    }
    Ok((tasks, failures))
}

/// More tasks cannot be protected than the service is to have.
fn leaves_the_service_free(ctx: &Ctx<'_>, task: &Resource) -> bool {
    let service = task.text("_service");
    let others = lifecycle::of_service(ctx, service);
    let others = others.iter().filter(|other| other.id != task.id && is_on(ctx, other)).count();
    let desired = ctx.get(SERVICE_KIND, service).map_or(0, |service| service.number("desiredCount"));
    i64::try_from(others).is_ok_and(|others| others < desired)
}

fn blocked(task: &Resource) -> Value {
    let detail = "One or more protected tasks are preventing the service deployment from reaching steady state.";
    json!({"arn": task.text("taskArn"), "reason": "DEPLOYMENT_BLOCKED", "detail": detail})
}

fn shown(ctx: &Ctx<'_>, id: &str) -> Value {
    let Some(task) = ctx.get(TASK, id) else { return Value::Null };
    let on = is_on(ctx, &task);
    let mut shown = json!({"taskArn": task.text("taskArn"), "protectionEnabled": on});
    if let Some(until) = jiff::Timestamp::from_second(task.number("_protected")).ok().filter(|_| on) {
        shown["expirationDate"] = seconds(until);
    }
    shown
}
