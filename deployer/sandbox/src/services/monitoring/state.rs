//! The states of alarms and what follows from a change.

use serde_json::{Value, json};

use super::{ALARM, actions, alarm, arn, authorise, composite, emitted, evaluate, history, validation};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::wire::moment;

/// Brings an alarm into a state, with all that follows: history, actions, composite alarms.
pub(super) fn set(ctx: &mut Ctx<'_>, name: &str, state: &str, reason: &str, data: Option<Value>) {
    let Some(known) = alarm::find(ctx, name) else { return };
    let now = moment(ctx.now);
    let old = known.text("StateValue").to_owned();
    ctx.update(known.kind, name, |alarm| {
        alarm.set("StateValue", state);
        alarm.set("StateReason", reason.chars().take(1023).collect::<String>());
        match &data {
            Some(data) => alarm.set("StateReasonData", data.to_string().chars().take(4000).collect::<String>()),
            None => drop(alarm.attrs.remove("StateReasonData")),
        }
        alarm.set("StateUpdatedTimestamp", now.clone());
        if old != state {
            alarm.set("StateTransitionedTimestamp", now);
        }
    });
    if old == state {
        return;
    }
    let mut new = json!({"stateValue": state, "stateReason": reason});
    if let Some(data) = data {
        new["stateReasonData"] = data;
    }
    let change = json!({
        "version": "1.0", "newState": new,
        "oldState": {"stateValue": old, "stateReason": known.text("StateReason")},
    });
    history::note(ctx, name, known.kind, "StateUpdate", &format!("Alarm updated from {old} to {state}"), change);
    if let Some(alarm) = alarm::find(ctx, name) {
        emitted::changed(ctx, &known, &alarm);
        actions::run(ctx, &known, &alarm);
    }
    for parent in composite::needing(ctx, name) {
        composite::judge(ctx, &parent.id);
    }
}

/// Sets a state by hand, until the alarm is evaluated next.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html>
pub(super) fn set_by_hand(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.string("AlarmName")?;
    let (arn, known) = (arn(ctx, &name), alarm::find(ctx, &name));
    authorise(ctx, "SetAlarmState", &arn, known.as_deref())?;
    let state = input.string("StateValue")?;
    if !matches!(state.as_str(), "OK" | "ALARM" | "INSUFFICIENT_DATA") {
        return Err(validation(format!(
            "1 validation error detected: Value '{state}' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"
        )));
    }
    let reason = input.opt_str("StateReason").ok_or_else(|| input.missing("StateReason"))?;
    let data = match input.opt_str("StateReasonData") {
        Some(text) => Some(serde_json::from_str(text).map_err(|_| {
            refuse("InvalidFormat", "StateReasonData is no JSON").member("_shape", "InvalidFormatFault")
        })?),
        None => None,
    };
    let known = known.ok_or_else(|| ApiError::with_status(404, "ResourceNotFound", ""))?;
    set(ctx, &name, &state, reason, data);
    if known.kind == ALARM {
        evaluate::wake(ctx, &name);
    }
    Ok(nothing())
}
