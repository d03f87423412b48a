//! Several writes, all or none.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>

use serde_json::{Value, json};

use super::invalid;
use super::item::{Write, no_capacity};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;

const ACTIONS: &[(&str, &str)] =
    &[("Put", "PutItem"), ("Update", "UpdateItem"), ("Delete", "DeleteItem"), ("ConditionCheck", "ConditionCheckItem")];

pub(crate) fn write(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    no_capacity(input)?;
    let token = input.opt_str("ClientRequestToken");
    let before = ctx
        .token("TransactWriteItems", token, input)
        .map_err(|error| refuse("IdempotentParameterMismatchException", error.message))?;
    let mut writes: Vec<Write> = Vec::new();
    for entry in input.objects("TransactItems") {
        let named: Vec<_> = ACTIONS.iter().filter(|(member, _)| entry.has(member)).collect();
        let [(member, action)] = named[..] else {
            return Err(invalid("TransactItems can only contain one of Check, Put, Update or Delete"));
        };
        let part = entry.object(member).ok_or_else(|| entry.missing(member))?;
        let write = Write::read(ctx, &part, action)?;
        if writes.iter().any(|other| other.id == write.id) {
            return Err(invalid("Transaction request cannot include multiple operations on one item"));
        }
        writes.push(write);
    }
    if !(1..=100).contains(&writes.len()) {
        return Err(invalid(
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length between 1 and 100",
        ));
    }
    if before.is_some() {
        return Ok(json!({}));
    }
    if writes.iter().any(|write| !write.may()) {
        return Err(cancelled(
            writes.iter().map(|write| if write.may() { json!({"Code": "None"}) } else { failed(write) }).collect(),
        ));
    }
    for (at, write) in writes.iter().enumerate() {
        if let Err(error) = write.perform(ctx) {
            let reason = json!({"Code": "ValidationError", "Message": error.message});
            return Err(cancelled(
                (0..writes.len()).map(|i| if i == at { reason.clone() } else { json!({"Code": "None"}) }).collect(),
            ));
        }
    }
    ctx.remember("TransactWriteItems", token, input, "done");
    Ok(json!({}))
}

fn failed(write: &Write) -> Value {
    let mut reason = json!({"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"});
    if let Some(item) = write.reason() {
        reason["Item"] = Value::Object(item.clone());
    }
    reason
}

fn cancelled(reasons: Vec<Value>) -> ApiError {
    let codes: Vec<&str> = reasons.iter().filter_map(|reason| reason["Code"].as_str()).collect();
    let message =
        format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{}]", codes.join(", "));
    refuse("TransactionCanceledException", message.clone())
        .member("Message", message)
        .member("CancellationReasons", Value::Array(reasons))
}
