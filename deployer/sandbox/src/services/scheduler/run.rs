//! The moment of a schedule.

use super::delivery;
use super::expression::Expression;
use super::schedule::KIND;
use crate::account::Ctx;
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
        delivery::start(ctx, &schedule);
    }
    plan(ctx, id);
}
