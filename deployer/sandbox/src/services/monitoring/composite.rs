//! Composite alarms. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html>

use std::sync::Arc;

use serde_json::json;

use super::{ALARM, COMPOSITE, alarm, rule, settings, state, tags, validation};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::Outcome;
use crate::input::Input;
use crate::store::Resource;

pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.string("AlarmName")?;
    let asked = tags::requested(input)?;
    alarm::authorise_put(ctx, "PutCompositeAlarm", COMPOSITE, &name, &asked)?;
    let mut kept = settings::shared(input)?;
    let text = input.string("AlarmRule")?;
    if text.len() > 10_240 {
        return Err(validation("The alarm rule is longer than 10240 characters"));
    }
    let parsed = rule::parse(&text).map_err(|what| validation(format!("AlarmRule is not well formed: {what}")))?;
    let named = parsed.alarms();
    if named.len() > 100 {
        return Err(validation("The alarm rule can have at most 100 alarms"));
    }
    if named.contains(&name) {
        return Err(validation(format!("The alarm rule of {name} has a cycle")));
    }
    let missing: Vec<&str> = named.iter().filter(|name| alarm::find(ctx, name).is_none()).map(String::as_str).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(validation(format!(
            "Could not save the composite alarm as alarms [{missing}] in the alarm rule do not exist"
        )));
    }
    alarm::taken(ctx, ALARM, &name)?;
    kept.insert("AlarmRule".to_owned(), text.into());
    alarm::save(ctx, COMPOSITE, &name, kept, asked);
    judge(ctx, &name);
    Ok(nothing())
}

/// The names of the alarms in its rule.
pub(super) fn children(composite: &Resource) -> Vec<String> {
    rule::parse(composite.text("AlarmRule")).map(|rule| rule.alarms()).unwrap_or_default()
}

/// The composite alarms that look at an alarm.
pub(super) fn needing(ctx: &Ctx<'_>, name: &str) -> Vec<Arc<Resource>> {
    ctx.those(COMPOSITE, |composite| children(composite).iter().any(|child| child == name))
}

/// Brings a composite alarm into the state that its rule says.
pub(super) fn judge(ctx: &mut Ctx<'_>, name: &str) {
    let Some(composite) = ctx.get(COMPOSITE, name) else { return };
    let Ok(rule) = rule::parse(composite.text("AlarmRule")) else { return };
    let state_of =
        |name: &str| alarm::find(ctx, name).map_or_else(String::new, |one| one.text("StateValue").to_owned());
    let new = if rule.holds(&state_of) { "ALARM" } else { "OK" };
    if composite.text("StateValue") != new {
        let mut alarms: Vec<String> = rule.alarms();
        alarms.retain(|name| state_of(name) == "ALARM");
        let reason = match alarms.first() {
            Some(first) => format!("{} transitioned to ALARM", super::arn(ctx, first)),
            None => format!("No alarm of the rule {} makes it true", composite.text("AlarmRule")),
        };
        state::set(ctx, name, new, &reason, Some(json!({"triggeringAlarms": alarms})));
    }
}
