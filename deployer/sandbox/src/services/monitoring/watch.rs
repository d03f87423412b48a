//! Keeps the metrics of AWS's own services: what an alarm looks at is read off the account whenever something in it
//! has changed, so nobody has to publish anything, and nothing happens while nothing changes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::series::Name;
use super::{ALARM, evaluate, series, sources};
use crate::account::Ctx;
use crate::store::Timer;

/// The timer that only makes the world be looked at again.
const LOOK: &str = "look";

/// Looks at all that alarms look at.
pub(crate) fn watch(ctx: &mut Ctx<'_>) {
    let alarms = ctx.all(ALARM);
    if alarms.is_empty() {
        return;
    }
    let mut moved: BTreeSet<String> = BTreeSet::new();
    let mut seen: BTreeSet<Name> = BTreeSet::new();
    for alarm in &alarms {
        for metric in evaluate::metrics(alarm) {
            if seen.insert(metric.clone()) && observe(ctx, &metric) {
                moved.insert(metric.id());
            }
        }
    }
    if moved.is_empty() {
        return;
    }
    for alarm in &alarms {
        if evaluate::metrics(alarm).iter().any(|metric| moved.contains(&metric.id())) {
            evaluate::wake(ctx, &alarm.id);
        }
    }
}

/// Looks at what one alarm looks at.
pub(super) fn look(ctx: &mut Ctx<'_>, name: &str) {
    let Some(alarm) = ctx.get(ALARM, name) else { return };
    for metric in evaluate::metrics(&alarm) {
        observe(ctx, &metric);
    }
}

fn observe(ctx: &mut Ctx<'_>, metric: &Name) -> bool {
    let Some(reading) = sources::read(ctx, metric) else { return false };
    let moved = series::observe(ctx, metric, reading.value);
    if let Some(until) = reading.until {
        let known = ctx.get(series::METRIC, &metric.id());
        if known.is_some_and(|known| known.attrs.get("_until").and_then(Value::as_i64) != Some(until.as_second())) {
            ctx.update(series::METRIC, &metric.id(), |known| known.set("_until", until.as_second()));
            // Any timer is followed by a look at the world.
            ctx.account.store.schedule(until, Timer { kind: ALARM, id: metric.id(), event: LOOK });
        }
    }
    moved
}
