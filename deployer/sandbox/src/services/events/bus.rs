//! The bus: an event comes in, the rules that it fits send it on.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-what-is-how-it-works-concepts.html>

use jiff::Timestamp;
use serde_json::{Value, json};

use super::pattern::Pattern;
use super::transform::{self, Circumstances};
use super::{RULE, delivery};
use crate::account::Ctx;

/// An event, before the bus gives it its id.
#[derive(Clone, Debug)]
pub(crate) struct Emitted {
    /// Such as `aws.ecr`.
    pub(crate) source: String,
    /// Such as `ECR Image Action`.
    pub(crate) kind: String,
    /// The ARNs that it is about.
    pub(crate) resources: Vec<String>,
    /// What happened.
    pub(crate) detail: Value,
    /// When it happened.
    pub(crate) time: Timestamp,
    /// Whether the sender sends it at least once; else as best it can.
    /// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event.html>
    pub(crate) certain: bool,
}

/// Whether there is any rule, for which alone an event matters.
pub(crate) fn heard(ctx: &Ctx<'_>) -> bool {
    ctx.account.store.all(RULE).next().is_some()
}

/// Puts an event on the bus that a service sends at least once: what kind it is of, the ARN that it is about, and what
/// happened just now.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event.html>
pub(crate) fn tell(ctx: &mut Ctx<'_>, source: &str, kind: &str, about: &str, detail: Value) {
    let resources = vec![about.to_owned()];
    let (source, kind) = (source.to_owned(), kind.to_owned());
    emit(ctx, Emitted { source, kind, resources, detail, time: ctx.now, certain: true });
}

/// A moment as events have it.
pub(crate) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Puts an event on the bus. Answers its id.
pub(crate) fn emit(ctx: &mut Ctx<'_>, emitted: Emitted) -> String {
    // Where nobody listens, nothing is left to chance.
    if !heard(ctx) {
        return format!("{:032x}", ctx.account.store.version);
    }
    let id = ctx.account.rng.uuid();
    let (lost, twice) = (ctx.account.weather.lost_events, ctx.account.weather.duplicates);
    if !emitted.certain && ctx.account.rng.chance(lost) {
        return id;
    }
    let event = json!({
        "version": "0", "id": id, "detail-type": emitted.kind, "source": emitted.source, "account": ctx.account.id,
        "time": stamp(emitted.time), "region": ctx.account.region, "resources": emitted.resources,
        "detail": emitted.detail,
    });
    // Rules that changed a moment ago are not known everywhere yet.
    for rule in ctx.visible(RULE) {
        let fits = rule.text("State") == "ENABLED"
            && Pattern::read(rule.text("EventPattern")).is_ok_and(|pattern| pattern.fits(&event));
        if !fits {
            continue;
        }
        for target in rule.items("_targets") {
            // Now and then a rule fires twice for one event.
            // <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html#eb-rule-triggered-more-than-once>
            let times = if ctx.account.rng.chance(twice) { 2 } else { 1 };
            let ingested = stamp(ctx.now);
            let around = Circumstances { rule: rule.text("Arn"), name: &rule.id, ingested: &ingested };
            let payload = transform::payload(target, &event, &around);
            for _ in 0..times {
                delivery::start(ctx, &rule, target, &event, payload.clone());
            }
        }
    }
    id
}
