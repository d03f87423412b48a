//! Priorities of rules: unique on their listener, and changed together.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetRulePriorities.html>

use serde_json::{Value, json};

use super::{RULE, invalid};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::shown;

/// Demands that no rule of the listener has this priority, except those that are about to get another.
pub(super) fn free(ctx: &Ctx<'_>, listener: &str, priority: i64, moving: &[String]) -> Result<(), ApiError> {
    if !(1..=50_000).contains(&priority) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{priority}' at 'priority' failed to satisfy constraint: Member must have value between 1 and 50000"
        )));
    }
    let text = priority.to_string();
    let taken = ctx.those(RULE.kind, |rule| {
        rule.text("_listener") == listener && rule.text("Priority") == text && !moving.contains(&rule.id)
    });
    match taken.is_empty() {
        true => Ok(()),
        false => Err(refuse("PriorityInUse", format!("Priority '{priority}' is currently in use"))),
    }
}

pub(super) fn set(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let mut wanted: Vec<(String, i64)> = Vec::new();
    for pair in input.objects("RulePriorities") {
        wanted.push((pair.string("RuleArn")?, pair.int("Priority")?));
    }
    if wanted.is_empty() {
        return Err(input.missing("RulePriorities"));
    }
    let moving: Vec<String> = wanted.iter().map(|(arn, _)| arn.clone()).collect();
    let mut numbers: Vec<i64> = wanted.iter().map(|(_, number)| *number).collect();
    numbers.sort_unstable();
    if numbers.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(refuse("PriorityInUse", "A priority can be given to one rule only"));
    }
    let mut answer: Vec<Value> = Vec::new();
    for (arn, number) in wanted {
        let rule = RULE.permitted(ctx, "SetRulePriorities", &arn)?;
        free(ctx, rule.text("_listener"), number, &moving)?;
        ctx.update(RULE.kind, &arn, |rule| rule.set("Priority", number.to_string()));
        answer.extend(ctx.get(RULE.kind, &arn).map(|rule| Value::Object(shown(&rule))));
    }
    Ok(json!({"Rules": answer}))
}
