//! Sending. <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::message::{self, Draft};
use super::{attribute, batch, invalid, invalid_value, md5, permitted, required, service, shaped, standard_only};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::principal::Principal;
use crate::store::Resource;

pub(super) fn one(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let queue = permitted(ctx, input, "SendMessage")?;
    service::authorise_key(ctx, &queue, &["GenerateDataKey", "Decrypt"])?;
    let draft = draft(ctx, input)?;
    fits(&queue, &draft, "One or more parameters are invalid.")?;
    Ok(sent(ctx, &queue, draft))
}

pub(super) fn batch(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let queue = permitted(ctx, input, "SendMessage")?;
    service::authorise_key(ctx, &queue, &["GenerateDataKey", "Decrypt"])?;
    let mut drafts = Vec::new();
    for (id, entry) in batch::entries(input)? {
        drafts.push((id, draft(ctx, &entry)));
    }
    let size = drafts.iter().filter_map(|(_, draft)| draft.as_ref().ok()).map(Draft::size).sum();
    batch::within(attribute::LONGEST, size)?;
    let mut outcomes = Vec::new();
    for (id, draft) in drafts {
        let judged = draft.and_then(|draft| {
            fits(&queue, &draft, "One or more parameters cannot be validated.")?;
            Ok(draft)
        });
        outcomes.push((id, judged.map(|draft| sent(ctx, &queue, draft))));
    }
    Ok(batch::answer(outcomes))
}

/// A message as a request describes it.
fn draft(ctx: &Ctx<'_>, input: &Input) -> Result<Draft, ApiError> {
    let body = required(input, "MessageBody")?.to_owned();
    standard_only(input)?;
    if let Some(odd) = body.chars().find(|letter| !allowed(*letter)) {
        let code = "InvalidMessageContents";
        let message = format!(
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF, not #x{:X}",
            u32::from(odd)
        );
        return Err(shaped(400, code, code, message));
    }
    let delay = input.opt_int("DelaySeconds")?;
    if let Some(delay) = delay.filter(|delay| !(0..=900).contains(delay)) {
        return Err(invalid_value(&delay.to_string(), "DelaySeconds", "DelaySeconds must be >= 0 and <= 900."));
    }
    Ok(Draft {
        body,
        attributes: message::attributes(input, "MessageAttributes")?,
        trace: trace(input)?,
        group: group(input)?,
        delay,
        sender: sender(ctx),
    })
}

fn allowed(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// The one attribute that a sender gives a message for AWS to read.
fn trace(input: &Input) -> Result<Option<String>, ApiError> {
    let Some(map) = input.object("MessageSystemAttributes") else { return Ok(None) };
    if let Some(other) = map.names().iter().find(|name| *name != "AWSTraceHeader") {
        return Err(invalid(format!("Message system attribute name '{other}' is invalid.")));
    }
    let header = map.object("AWSTraceHeader");
    let value = header.map(|header| {
        header.ignore(&["DataType"]);
        header.opt_str("StringValue").unwrap_or_default().to_owned()
    });
    Ok(value)
}

/// The group by which a standard queue shares its receivers out.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html>
fn group(input: &Input) -> Result<Option<String>, ApiError> {
    let Some(group) = input.opt_str("MessageGroupId") else { return Ok(None) };
    if group.is_empty() || group.len() > 128 || !group.bytes().all(|b| b.is_ascii_graphic()) {
        let reason = "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.";
        return Err(invalid_value(group, "MessageGroupId", reason));
    }
    Ok(Some(group.to_owned()))
}

/// The unique id that stands for the caller, as `SenderId` has it.
fn sender(ctx: &Ctx<'_>) -> String {
    match ctx.principal {
        Principal::Deployer => service::unique_id(&ctx.caller()),
        Principal::Session { .. } => ctx.principal.user_id(),
    }
}

fn fits(queue: &Resource, draft: &Draft, sentence: &str) -> Result<(), ApiError> {
    let longest = attribute::number(queue, "MaximumMessageSize");
    if i64::try_from(draft.size()).unwrap_or(i64::MAX) > longest {
        return Err(invalid(format!("{sentence} Reason: Message must be shorter than {longest} bytes.")));
    }
    Ok(())
}

fn sent(ctx: &mut Ctx<'_>, queue: &Arc<Resource>, draft: Draft) -> Value {
    let mut answer = json!({"MD5OfMessageBody": md5::hex(draft.body.as_bytes())});
    if let Some(digest) = message::md5_of(&draft.attributes) {
        answer["MD5OfMessageAttributes"] = digest.into();
    }
    if let Some(trace) = &draft.trace {
        let system = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": trace}});
        if let Some(digest) = system.as_object().and_then(message::md5_of) {
            answer["MD5OfMessageSystemAttributes"] = digest.into();
        }
    }
    answer["MessageId"] = message::put(ctx, queue, draft).into();
    answer
}
