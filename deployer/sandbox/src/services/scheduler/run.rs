//! The moment of a schedule.

use serde_json::{Map, Value, json};

use super::expression::Expression;
use super::schedule::KIND;
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, refuse};
use crate::principal::acting;
use crate::services::iam::role_by_arn;
use crate::services::shared::seconds;
use crate::services::{ecs, lambda, sqs};
use crate::store::Timer;

/// Remembers when the schedule is due next.
pub(super) fn plan(ctx: &mut Ctx<'_>, id: &str) {
    let Some(schedule) = ctx.get(KIND, id) else { return };
    let zone = schedule.text("ScheduleExpressionTimezone");
    let expression = Expression::read(schedule.text("ScheduleExpression"), zone);
    let next = expression.ok().and_then(|expression| expression.after(schedule.created, ctx.now));
    let Some(next) = next else { return };
    ctx.update(KIND, id, |schedule| schedule.set("_due", seconds(next)));
    ctx.account.store.schedule(next, Timer { kind: KIND, id: id.to_owned(), event: "due" });
}

/// A moment has come that was once planned: it still holds unless the schedule was changed since.
pub(super) fn due(ctx: &mut Ctx<'_>, id: &str) {
    let Some(schedule) = ctx.get(KIND, id) else { return };
    if schedule.attrs.get("_due") != Some(&seconds(ctx.now)) {
        return;
    }
    if schedule.text("State") == "ENABLED" {
        let at = seconds(ctx.now);
        let target = &schedule.attrs["Target"];
        let started = if target["EcsParameters"].is_null() { send(ctx, target).is_ok() } else { start(ctx, target) };
        ctx.update(KIND, id, |schedule| schedule.list_mut("_runs").push(json!({"At": at, "Started": started})));
    }
    plan(ctx, id);
}

/// Sends the message of a target, in the name of its role.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html>
fn send(ctx: &mut Ctx<'_>, target: &Value) -> Result<(), ApiError> {
    let text = |name: &str| target[name].as_str().unwrap_or_default();
    let (to, message) = (text("Arn"), text("Input"));
    let role = role_by_arn(ctx, text("RoleArn"));
    let role = role.ok_or_else(|| refuse("AccessDeniedException", "The execution role is gone."))?;
    acting(ctx, &role, "AWSScheduler", |ctx| {
        if to.contains(":sqs:") {
            return sqs::put_as_caller(ctx, to, message, Map::new()).map(drop);
        }
        ctx.authorise(Grant::new("lambda:InvokeFunction", to))?;
        lambda::invoke_async(ctx, to, message).map(drop)
    })
}

/// Runs the task that a target names. <https://docs.aws.amazon.com/scheduler/latest/APIReference/API_EcsParameters.html>
fn start(ctx: &mut Ctx<'_>, target: &Value) -> bool {
    let parameters = &target["EcsParameters"];
    let network = &parameters["NetworkConfiguration"]["awsvpcConfiguration"];
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let strategy = list(&parameters["CapacityProviderStrategy"]);
    let wanted = ecs::Scheduled {
        cluster: target["Arn"].as_str().unwrap_or_default(),
        task_definition: parameters["TaskDefinitionArn"].as_str().unwrap_or_default(),
        providers: strategy.iter().filter_map(|item| item["capacityProvider"].as_str().map(str::to_owned)).collect(),
        subnets: list(&network["Subnets"]),
        security_groups: list(&network["SecurityGroups"]),
        started_by: "AWS Scheduler",
    };
    let count = parameters["TaskCount"].as_i64().unwrap_or(1);
    (0..count).all(|_| ecs::run_scheduled(ctx, &wanted))
}
