//! Queues: made, found, emptied and deleted.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{
    DELETED, MESSAGE, QUEUE, arn, attribute, by_name, invalid, invalid_value, message, no_such_queue, permitted,
    required, settings, shaped, tags, url as address,
};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::clock::later;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::page;
use crate::store::{Resource, Timer};

/// A name is free again so long after its queue was deleted.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html>
const FORGOTTEN: Duration = Duration::from_secs(60);

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = required(input, "QueueName")?;
    let (wanted, tags) = (settings::wanted(input)?, tags::requested(input, "tags")?);
    let arn = arn(ctx, name);
    ctx.authorise(Grant::new("sqs:CreateQueue", arn.clone()).request_tags(&tags))?;
    if !tags.is_empty() {
        // <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-abac-tagging-resource-control.html>
        ctx.authorise(Grant::new("sqs:TagQueue", arn).request_tags(&tags))?;
    }
    if name.ends_with(".fifo") {
        return Err(ApiError::not_simulated("FIFO queues"));
    }
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if name.len() > 80 || !letters {
        return Err(invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"));
    }
    if ctx.get(DELETED, name).is_some() {
        let code = "AWS.SimpleQueueService.QueueDeletedRecently";
        let message =
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.";
        return Err(shaped(400, code, "QueueDeletedRecently", message));
    }
    let mut queue = attribute::defaults(ctx, name);
    attribute::put_all(ctx, &mut queue, &wanted)?;
    match ctx.get(QUEUE, name) {
        Some(known) => same(&known, &queue, &wanted)?,
        None => {
            queue.tags = tags;
            ctx.insert(queue);
        }
    }
    Ok(json!({"QueueUrl": address(ctx, name)}))
}

/// The same queue once more is no error; another of its name is.
fn same(known: &Resource, queue: &Resource, wanted: &[(String, String)]) -> Result<(), ApiError> {
    match wanted.iter().find(|(name, _)| known.text(name) != queue.text(name)) {
        None => Ok(()),
        Some((name, _)) => {
            let message =
                format!("A queue already exists with the same name and a different value for attribute {name}");
            Err(shaped(400, "QueueAlreadyExists", "QueueNameExists", message))
        }
    }
}

pub(super) fn url(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = required(input, "QueueName")?;
    if input.opt_str("QueueOwnerAWSAccountId").is_some_and(|owner| owner != ctx.account.id) {
        return Err(ApiError::not_simulated("queues of other accounts"));
    }
    by_name(ctx, name, "GetQueueUrl", |grant| grant)?;
    ctx.visible_one(QUEUE, name).ok_or_else(no_such_queue)?;
    Ok(json!({"QueueUrl": address(ctx, name)}))
}

/// The queues that a page of a list names.
fn paged(ctx: &Ctx<'_>, input: &Input, name: &str, queues: &[Arc<Resource>]) -> Outcome {
    let urls: Vec<Value> = queues.iter().map(|queue| address(ctx, &queue.id).into()).collect();
    let size = input.opt_int("MaxResults")?;
    if let Some(size) = size.filter(|size| !(1..=1000).contains(size)) {
        return Err(invalid_value(&size.to_string(), "MaxResults", "Must be between 1 and 1000, if provided."));
    }
    let token = input.opt_str("NextToken").filter(|token| !token.is_empty());
    let page = page(urls, token, usize::try_from(size.unwrap_or(1000)).unwrap_or(1000));
    let page = page.ok_or_else(|| invalid("Invalid or expired next token."))?;
    let mut answer = nothing();
    if !page.items.is_empty() || name == "queueUrls" {
        answer[name] = page.items.into();
    }
    // Who names no size of a page gets the first and no way to a second.
    // <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html>
    if let Some(next) = page.next.filter(|_| size.is_some()) {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let prefix = input.opt_str("QueueNamePrefix").unwrap_or_default();
    let mut queues = ctx.visible(QUEUE);
    queues.retain(|queue| queue.id.starts_with(prefix));
    queues.sort_by(|a, b| a.id.cmp(&b.id));
    paged(ctx, input, "QueueUrls", &queues)
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListDeadLetterSourceQueues.html>
pub(super) fn list_sources(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let queue = permitted(ctx, input, "ListDeadLetterSourceQueues")?;
    let mut sources = ctx.visible(QUEUE);
    sources.retain(|one| attribute::redrive(one).is_some_and(|(target, _)| target == queue.text("QueueArn")));
    paged(ctx, input, "queueUrls", &sources)
}

/// Deletes a queue with the messages in it.
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let queue = permitted(ctx, input, "DeleteQueue")?;
    empty(ctx, &queue.id);
    ctx.remove(QUEUE, &queue.id);
    let deleted = ctx.resource(DELETED, &queue.id, json!({"_gone": true}));
    ctx.insert(deleted);
    let due = later(ctx.now, FORGOTTEN);
    ctx.account.store.schedule(due, Timer { kind: DELETED, id: queue.id.clone(), event: "forgotten" });
    Ok(nothing())
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    if timer.event == "forgotten" {
        ctx.remove(DELETED, &timer.id);
    }
}

fn empty(ctx: &mut Ctx<'_>, queue: &str) {
    for one in message::all(ctx, queue) {
        ctx.remove(MESSAGE, &one.id);
    }
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html>
pub(super) fn purge(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let queue = permitted(ctx, input, "PurgeQueue")?;
    let now = ctx.now.as_millisecond();
    if queue.attrs.contains_key("_purged") && now - queue.number("_purged") < 60_000 {
        let message = format!("Only one PurgeQueue operation on {} is allowed every 60 seconds.", queue.id);
        let code = "AWS.SimpleQueueService.PurgeQueueInProgress";
        return Err(shaped(403, code, "PurgeQueueInProgress", message));
    }
    empty(ctx, &queue.id);
    ctx.update(QUEUE, &queue.id, |queue| queue.set("_purged", now));
    Ok(nothing())
}
