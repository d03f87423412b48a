//! Receiving, and what a receiver does with what it got.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::message::{self, Message};
use super::{MESSAGE, attribute, batch, by_arn, invalid_value, permitted, required, service, shaped};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::store::Resource;

/// The longest that a message stays with one receiver.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html>
const LONGEST: i64 = 43_200;

fn within(name: &str, value: Option<i64>, least: i64, most: i64, reason: &str) -> Result<Option<i64>, ApiError> {
    match value.filter(|value| !(least..=most).contains(value)) {
        Some(value) => Err(invalid_value(&value.to_string(), name, reason)),
        None => Ok(value),
    }
}

pub(super) fn receive(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let queue = permitted(ctx, input, "ReceiveMessage")?;
    service::authorise_key(ctx, &queue, &["Decrypt"])?;
    let number = |name: &str| input.opt_int(name);
    let reason = "Must be between 1 and 10, if provided.";
    let most = within("MaxNumberOfMessages", number("MaxNumberOfMessages")?, 1, 10, reason)?.unwrap_or(1);
    // Who waits is answered when there is something to answer, or when the time is up.
    let reason = "Must be >= 0 and <= 20, if provided.";
    within("WaitTimeSeconds", number("WaitTimeSeconds")?, 0, 20, reason)?;
    let reason = "Must be >= 0 and <= 43200, if provided.";
    let hidden = within("VisibilityTimeout", number("VisibilityTimeout")?, 0, LONGEST, reason)?;
    let hidden = hidden.unwrap_or_else(|| attribute::number(&queue, "VisibilityTimeout"));
    let mut system = input.strings("AttributeNames");
    system.extend(input.strings("MessageSystemAttributeNames"));
    let own = input.strings("MessageAttributeNames");
    let taken = take(ctx, &queue, usize::try_from(most).unwrap_or(1), hidden);
    let shown: Vec<Value> = taken.iter().map(|message| shown(message, &system, &own)).collect();
    Ok(if shown.is_empty() { nothing() } else { json!({"Messages": shown}) })
}

/// A message with what its receiver asked for.
fn shown(message: &Message, system: &[String], own: &[String]) -> Value {
    let mut shown = json!({
        "MessageId": message.id, "ReceiptHandle": message.receipt, "Body": message.body,
        "MD5OfBody": message.md5_of_body(),
    });
    let chosen = |all: &Map<String, Value>, wanted: &dyn Fn(&str) -> bool| -> Map<String, Value> {
        all.iter().filter(|(name, _)| wanted(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let said = chosen(&message.attributes, &|name| system.iter().any(|wanted| wanted == "All" || wanted == name));
    if !said.is_empty() {
        shown["Attributes"] = said.into();
    }
    let given = chosen(&message.message_attributes, &|name| own.iter().any(|wanted| asks_for(wanted, name)));
    if let Some(digest) = message::md5_of(&given) {
        shown["MD5OfMessageAttributes"] = digest.into();
        shown["MessageAttributes"] = given.into();
    }
    shown
}

/// All, a name, or what names begin with before `.*`.
fn asks_for(wanted: &str, name: &str) -> bool {
    wanted == "All"
        || wanted == "*"
        || wanted == name
        || wanted.strip_suffix(".*").is_some_and(|prefix| name.starts_with(prefix))
}

/// Takes messages out, which nobody else sees for so many seconds. Those that were received too often go to the
/// dead-letter queue instead, as they are.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>
pub(super) fn take(ctx: &mut Ctx<'_>, queue: &Resource, most: usize, hidden: i64) -> Vec<Message> {
    let now = ctx.now.as_millisecond();
    forget_old(ctx, queue);
    let mut waiting = message::living(ctx, queue);
    waiting.retain(|one| one.number("_visible") <= now);
    // Standard queues keep no order: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html>
    if !ctx.account.weather.disorder.is_zero() {
        waiting.sort_by_cached_key(|_| ctx.account.rng.next());
    }
    let letters = attribute::redrive(queue).and_then(|(arn, most)| Some((by_arn(ctx, &arn)?, most)));
    let mut taken = Vec::new();
    for one in waiting {
        if taken.len() == most {
            break;
        }
        match &letters {
            Some((letters, often)) if one.number("_received") >= *often => bury(ctx, &one, queue, letters),
            _ => taken.push(hand_out(ctx, &one, now + hidden * 1000)),
        }
    }
    taken
}

/// Messages that were not received in all the time that the queue keeps them are lost.
fn forget_old(ctx: &mut Ctx<'_>, queue: &Resource) {
    let living = message::living(ctx, queue);
    for one in message::all(ctx, &queue.id) {
        if !living.iter().any(|living| living.id == one.id) {
            ctx.remove(MESSAGE, &one.id);
        }
    }
}

fn hand_out(ctx: &mut Ctx<'_>, one: &Resource, visible: i64) -> Message {
    let (now, received) = (ctx.now.as_millisecond(), one.number("_received") + 1);
    let receipt = format!("{} {received} {}", one.text("MessageId"), ctx.account.rng.hex(96));
    let mut changed = Resource::clone(one);
    changed.set("_received", received);
    changed.set("_visible", visible);
    changed.set("_receipt", STANDARD.encode(receipt));
    if !changed.attrs.contains_key("_first") {
        changed.set("_first", now);
    }
    let message = Message::of(&changed);
    ctx.update(MESSAGE, &one.id, |one| *one = changed);
    message
}

/// Moves a message to the dead-letter queue: with its id, its body, its attributes and the count of its receipts.
fn bury(ctx: &mut Ctx<'_>, one: &Resource, queue: &Resource, letters: &Resource) {
    let mut buried = Resource::clone(one);
    buried.id = message::place(ctx, &letters.id, one.text("MessageId"));
    buried.set("_queue", letters.id.clone());
    buried.set("_visible", ctx.now.as_millisecond());
    buried.set("DeadLetterQueueSourceArn", queue.text("QueueArn"));
    ctx.remove(MESSAGE, &one.id);
    ctx.insert(buried);
}

/// The message that a receipt is of, if it is still there; an error where this is no receipt.
pub(super) fn by_receipt(ctx: &Ctx<'_>, queue: &Resource, receipt: &str) -> Result<Option<Arc<Resource>>, ApiError> {
    let code = "ReceiptHandleIsInvalid";
    let wrong =
        || shaped(400, code, code, format!("The input receipt handle \"{receipt}\" is not a valid receipt handle."));
    let decoded = STANDARD.decode(receipt).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong)?;
    let id = decoded.split(' ').next().filter(|_| decoded.split(' ').count() == 3).ok_or_else(wrong)?;
    Ok(message::all(ctx, &queue.id).into_iter().find(|one| one.text("MessageId") == id))
}

/// Deletes by a receipt. A receipt that is not the last one deletes nothing, and nobody is told; nor are they when a
/// server that keeps a copy cannot be reached, and the message comes once more.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html>
pub(super) fn delete_by(ctx: &mut Ctx<'_>, queue: &Resource, receipt: &str) -> Result<(), ApiError> {
    let found = by_receipt(ctx, queue, receipt)?;
    let kept = ctx.account.weather.duplicates;
    if let Some(one) = found.filter(|one| one.text("_receipt") == receipt)
        && !ctx.account.rng.chance(kept)
    {
        ctx.remove(MESSAGE, &one.id);
    }
    Ok(())
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let queue = permitted(ctx, input, "DeleteMessage")?;
    delete_by(ctx, &queue, required(input, "ReceiptHandle")?)?;
    Ok(nothing())
}

pub(super) fn delete_batch(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let queue = permitted(ctx, input, "DeleteMessage")?;
    let mut outcomes = Vec::new();
    for (id, entry) in batch::entries(input)? {
        let outcome = required(&entry, "ReceiptHandle").and_then(|receipt| delete_by(ctx, &queue, receipt));
        outcomes.push((id, outcome.map(|()| nothing())));
    }
    Ok(batch::answer(outcomes))
}

/// Hides a message for so many seconds from now on.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>
pub(super) fn hide(ctx: &mut Ctx<'_>, queue: &Resource, receipt: &str, seconds: i64) -> Result<(), ApiError> {
    let Some(one) = by_receipt(ctx, queue, receipt)? else {
        let reason = "Message does not exist or is not available for visibility timeout change.";
        return Err(invalid_value(receipt, "ReceiptHandle", reason));
    };
    let visible = ctx.now.as_millisecond() + seconds * 1000;
    if one.text("_receipt") == receipt {
        ctx.update(MESSAGE, &one.id, |one| one.set("_visible", visible));
    }
    Ok(())
}

fn hide_as_asked(ctx: &mut Ctx<'_>, queue: &Resource, input: &Input) -> Result<(), ApiError> {
    let receipt = required(input, "ReceiptHandle")?;
    let reason = "Must be >= 0 and <= 43200, if provided.";
    let seconds = within("VisibilityTimeout", input.opt_int("VisibilityTimeout")?, 0, LONGEST, reason)?;
    let missing = "The request must contain the parameter VisibilityTimeout.";
    let missing = || shaped(400, "MissingParameter", "MissingRequiredParameterException", missing);
    hide(ctx, queue, receipt, seconds.ok_or_else(missing)?)
}

pub(super) fn change(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let queue = permitted(ctx, input, "ChangeMessageVisibility")?;
    hide_as_asked(ctx, &queue, input)?;
    Ok(nothing())
}

pub(super) fn change_batch(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let queue = permitted(ctx, input, "ChangeMessageVisibility")?;
    let mut outcomes = Vec::new();
    for (id, entry) in batch::entries(input)? {
        let outcome = hide_as_asked(ctx, &queue, &entry);
        outcomes.push((id, outcome.map(|()| nothing())));
    }
    Ok(batch::answer(outcomes))
}
