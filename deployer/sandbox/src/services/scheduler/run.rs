//! The moment of a schedule.

use serde_json::{Value, json};

use super::expression::Expression;
use super::schedule::KIND;
use crate::account::Ctx;
use crate::services::ecs;
use crate::services::shared::seconds;
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
        let started = start(ctx, &schedule.attrs["Target"]);
        ctx.update(KIND, id, |schedule| schedule.list_mut("_runs").push(json!({"At": at, "Started": started})));
    }
    plan(ctx, id);
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
