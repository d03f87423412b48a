//! EventBridge: the default event bus, its rules, and what they send where.
//!
//! Services of this account put their events in by [`emit`]; callers do by `PutEvents`.

mod bus;
mod delivery;
mod matcher;
mod pattern;
mod put;
mod rule;
mod tags;
mod target;
mod target_check;
#[cfg(test)]
mod tests_over_the_wire;
mod transform;

use std::sync::Arc;

use serde_json::{Value, json};

use super::shared::{access_denied_exception, page, throttling_exception};
use super::{Service, read, read_one, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;
use crate::weather::Bucket;

pub(crate) use bus::{Emitted, emit, heard, stamp, tell};
pub(crate) use pattern::Pattern;

pub(crate) static SERVICE: Service = Service {
    name: "events",
    namespace: "",
    global: false,
    operations: &[
        write("PutRule", rule::put),
        read_one("DescribeRule", rule::describe),
        read("ListRules", rule::list),
        write("DeleteRule", rule::delete),
        write("EnableRule", rule::enable),
        write("DisableRule", rule::disable),
        write("PutTargets", target::put),
        write("RemoveTargets", target::remove),
        read_one("ListTargetsByRule", target::list),
        read("ListRuleNamesByTarget", target::rules_of),
        write("PutEvents", put::put),
        read("TestEventPattern", put::test_pattern),
        write("TagResource", tags::tag),
        write("UntagResource", tags::untag),
        read_one("ListTagsForResource", tags::list),
    ],
    on_timer: delivery::on_timer,
    // <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>
    bucket: |operation, _| match operation.name {
        "PutEvents" => Bucket { name: "events PutEvents", burst: 10_000.0, rate: 10_000.0 },
        _ => Bucket { name: operation.name, burst: 50.0, rate: 50.0 },
    },
    throttled: throttling_exception,
    denied: access_denied_exception,
};

const RULE: &str = "events.rule";

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("ValidationException", message)
}

fn no_such_rule(name: &str) -> ApiError {
    refuse("ResourceNotFoundException", format!("Rule {name} does not exist on EventBus default."))
}

fn too_many() -> ApiError {
    refuse("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
}

fn arn(ctx: &Ctx<'_>, name: &str) -> String {
    ctx.arn("events", format!("rule/{name}"))
}

fn bus_arn(ctx: &Ctx<'_>) -> String {
    ctx.arn("events", "event-bus/default")
}

/// Whether a bus, by name or ARN, is the one that every account has.
fn is_default(ctx: &Ctx<'_>, bus: &str) -> bool {
    bus == "default" || bus == bus_arn(ctx)
}

/// Other buses than the default one are not simulated.
fn default_bus(ctx: &Ctx<'_>, input: &Input) -> Result<(), ApiError> {
    match input.opt_str("EventBusName") {
        Some(bus) if !is_default(ctx, bus) => Err(ApiError::not_simulated(format!("the event bus {bus}"))),
        _ => Ok(()),
    }
}

/// The name of a rule or the like, as it must be.
fn well_formed(place: &str, name: &str) -> Result<(), ApiError> {
    let refused = |constraint: &str| {
        let value = format!("1 validation error detected: Value '{name}' at '{place}'");
        Err(invalid(format!("{value} failed to satisfy constraint: Member must {constraint}")))
    };
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return refused("satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+");
    }
    if name.len() > 64 {
        return refused("have length less than or equal to 64");
    }
    Ok(())
}

/// The rule that a call names under `parameter`, once the caller may do this to it.
fn permitted(ctx: &mut Ctx<'_>, input: &Input, parameter: &str, action: &str) -> Result<Arc<Resource>, ApiError> {
    default_bus(ctx, input)?;
    let name = input.string(parameter)?;
    let found = ctx.get(RULE, &name);
    demand(ctx, action, &name, found.as_deref(), |grant| grant)?;
    found.ok_or_else(|| no_such_rule(&name))
}

/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html>
fn demand(
    ctx: &mut Ctx<'_>,
    action: &str,
    name: &str,
    found: Option<&Resource>,
    more: impl FnOnce(Grant) -> Grant,
) -> Result<(), ApiError> {
    let mut grant = Grant::new(format!("events:{action}"), arn(ctx, name));
    if let Some(rule) = found {
        grant = grant.resource_tags(&rule.tags).key("events:creatorAccount", ctx.account.id.clone());
    }
    ctx.authorise(more(grant))
}

/// A page of a list under its name.
fn paged(input: &Input, name: &str, items: Vec<Value>) -> Outcome {
    let size = input.opt_int("Limit")?.unwrap_or(100);
    if !(1..=100).contains(&size) {
        return Err(input.invalid("Limit", &json!(size)));
    }
    let page = page(items, input.opt_str("NextToken"), usize::try_from(size).unwrap_or(100));
    let page = page.ok_or_else(|| invalid("Invalid NextToken."))?;
    let mut answer = json!({name: page.items});
    if let Some(next) = page.next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}
