//! Targets of rules. <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html>

use serde_json::{Value, json};

use super::{RULE, default_bus, paged, permitted, target_check, too_many};
use crate::account::Ctx;
use crate::error::Outcome;
use crate::input::Input;

/// So many targets has a rule. <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html>
const MOST: usize = 5;

/// Adds targets, or replaces those of the same ids. Each may fail by itself: too many calls at a time are answered
/// with success and a list of what failed.
pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let rule = permitted(ctx, input, "Rule", "PutTargets")?;
    let mut targets = rule.items("_targets").to_vec();
    let mut failed = Vec::new();
    let wanted = input.objects("Targets");
    if wanted.is_empty() {
        return Err(input.missing("Targets"));
    }
    for (i, given) in wanted.iter().enumerate() {
        let target = target_check::read(ctx, given, i + 1)?;
        if contended(ctx) {
            failed.push(failure(&target["Id"]));
            continue;
        }
        match targets.iter_mut().find(|known| known["Id"] == target["Id"]) {
            Some(known) => *known = target,
            None => targets.push(target),
        }
    }
    if targets.len() > MOST {
        return Err(too_many());
    }
    ctx.update(RULE, &rule.id, |rule| rule.set("_targets", targets));
    Ok(outcome(failed))
}

/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RemoveTargets.html>
pub(super) fn remove(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let _ = input.opt_bool("Force")?;
    let rule = permitted(ctx, input, "Rule", "RemoveTargets")?;
    let mut targets = rule.items("_targets").to_vec();
    let mut failed = Vec::new();
    for id in input.strings("Ids") {
        if contended(ctx) {
            failed.push(failure(&json!(id)));
        } else {
            targets.retain(|target| target["Id"] != id.as_str());
        }
    }
    ctx.update(RULE, &rule.id, |rule| rule.set("_targets", targets));
    Ok(outcome(failed))
}

/// Whether this one fails because others are at work at the same time.
fn contended(ctx: &mut Ctx<'_>) -> bool {
    let share = ctx.account.weather.throttles;
    ctx.account.rng.chance(share)
}

fn failure(id: &Value) -> Value {
    json!({
        "TargetId": id, "ErrorCode": "ConcurrentModificationException",
        "ErrorMessage": "Too many requests are being made at the same time for this rule.",
    })
}

fn outcome(failed: Vec<Value>) -> Value {
    json!({"FailedEntryCount": failed.len(), "FailedEntries": failed})
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let rule = permitted(ctx, input, "Rule", "ListTargetsByRule")?;
    let seen = ctx.visible_one(RULE, &rule.id);
    paged(input, "Targets", seen.map(|rule| rule.items("_targets").to_vec()).unwrap_or_default())
}

/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRuleNamesByTarget.html>
pub(super) fn rules_of(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    default_bus(ctx, input)?;
    let arn = input.string("TargetArn")?;
    let mut rules = ctx.visible(RULE);
    rules.retain(|rule| rule.items("_targets").iter().any(|target| target["Arn"] == arn.as_str()));
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    paged(input, "RuleNames", rules.iter().map(|rule| rule.id.clone().into()).collect())
}
