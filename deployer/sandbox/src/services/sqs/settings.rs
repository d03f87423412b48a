//! Reading and changing the attributes of a queue.

use serde_json::{Map, Value, json};

use super::{QUEUE, attribute, message, no_such_queue, permitted, unknown_attribute};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::document;
use crate::store::Resource;

/// What a queue has only where somebody gave it.
const OPTIONAL: &[&str] =
    &["Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"];
/// What only FIFO queues have.
const FIFO: &[&str] = &["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"];

/// The attributes that a request carries, by name.
pub(super) fn wanted(input: &Input) -> Result<Vec<(String, String)>, ApiError> {
    let Some(map) = input.object("Attributes") else { return Ok(Vec::new()) };
    let names = map.names();
    let texts = names.into_iter().map(|name| {
        let value = map.opt_str(&name).unwrap_or_default().to_owned();
        (name, value)
    });
    let mut wanted: Vec<(String, String)> = texts.collect();
    // The key comes first, since how long its data keys are used again means something only with one.
    wanted.sort_by_key(|(name, _)| name != "KmsMasterKeyId");
    Ok(wanted)
}

pub(super) fn set(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let queue = permitted(ctx, input, "SetQueueAttributes")?;
    let mut changed = Resource::clone(&queue);
    attribute::put_all(ctx, &mut changed, &wanted(input)?)?;
    changed.set("LastModifiedTimestamp", ctx.now.as_second().to_string());
    ctx.update(QUEUE, &queue.id, |queue| *queue = changed);
    Ok(nothing())
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>
pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let queue = permitted(ctx, input, "GetQueueAttributes")?;
    let queue = ctx.visible_one(QUEUE, &queue.id).ok_or_else(no_such_queue)?;
    let names = input.strings("AttributeNames");
    let all = shown(ctx, &queue);
    let known = |name: &str| all.contains_key(name) || OPTIONAL.contains(&name) || FIFO.contains(&name);
    if let Some(unknown) = names.iter().find(|name| *name != "All" && !known(name)) {
        return Err(unknown_attribute(unknown));
    }
    let asked = |name: &String| names.iter().any(|wanted| wanted == "All" || wanted == name);
    let chosen: Map<String, Value> = all.into_iter().filter(|(name, _)| asked(name)).collect();
    Ok(if chosen.is_empty() { nothing() } else { json!({"Attributes": chosen}) })
}

/// Every attribute, also those that are counted.
fn shown(ctx: &Ctx<'_>, queue: &Resource) -> Map<String, Value> {
    let mut shown = crate::services::shared::shown(queue);
    shown.remove("PolicyPrincipals");
    if shown.contains_key("Policy") {
        shown.insert("Policy".to_owned(), document::kept(ctx, queue, "Policy").into());
    }
    let counts = message::counts(ctx, queue);
    for (name, count) in [
        ("ApproximateNumberOfMessages", counts.visible),
        ("ApproximateNumberOfMessagesDelayed", counts.delayed),
        ("ApproximateNumberOfMessagesNotVisible", counts.in_flight),
    ] {
        shown.insert(name.to_owned(), count.to_string().into());
    }
    shown
}
