//! What the poller of an event source mapping does with a queue. Whether it may is judged by who owns the mapping.
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::message::{self, Message};
use super::{attribute, by_arn, receive};
use crate::account::Ctx;
use crate::wire::Request;

/// Receives up to `most` messages, which others do not see for the queue's visibility timeout. None where there is no
/// such queue.
pub(crate) fn receive_for(ctx: &mut Ctx<'_>, queue: &str, most: usize) -> Vec<Message> {
    let Some(queue) = by_arn(ctx, queue) else { return Vec::new() };
    receive::take(ctx, &queue, most, attribute::number(&queue, "VisibilityTimeout"))
}

/// Deletes what was dealt with, by its receipts.
pub(crate) fn delete_for(ctx: &mut Ctx<'_>, queue: &str, receipts: &[String]) {
    let Some(queue) = by_arn(ctx, queue) else { return };
    for receipt in receipts {
        // A receipt that was not given out here is not one of a poller.
        let _ = receive::delete_by(ctx, &queue, receipt);
    }
}

/// Lets others see messages again at once, as when no function was free to take them.
pub(crate) fn visible_again(ctx: &mut Ctx<'_>, queue: &str, receipts: &[String]) {
    let Some(queue) = by_arn(ctx, queue) else { return };
    for receipt in receipts {
        let _ = receive::hide(ctx, &queue, receipt, 0);
    }
}

/// When there is something to receive: now, later, or as far as is known never.
pub(crate) fn next_visible(ctx: &Ctx<'_>, queue: &str) -> Option<Timestamp> {
    let queue = by_arn(ctx, queue)?;
    message::living(ctx, &queue).iter().map(|one| message::visible_from(one)).min()
}

/// What a call waits for.
pub(crate) struct LongPoll {
    queue: String,
    /// How many seconds it waits at most.
    pub(crate) seconds: u64,
}

/// Whether a request asks a queue for messages.
pub(crate) fn receives(request: &Request) -> bool {
    request.header("x-amz-target") == Some("AmazonSQS.ReceiveMessage")
}

/// What a request for messages waits for, if it does.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>
pub(crate) fn long_poll(ctx: &Ctx<'_>, request: &Request) -> Option<LongPoll> {
    let input: Map<String, Value> = serde_json::from_slice(&request.body).ok()?;
    let name = input.get("QueueUrl")?.as_str()?.rsplit('/').next()?;
    let queue = by_arn(ctx, &super::arn(ctx, name))?;
    let own = u64::try_from(attribute::number(&queue, "ReceiveMessageWaitTimeSeconds")).unwrap_or_default();
    let seconds = input.get("WaitTimeSeconds").map_or(Some(own), Value::as_u64)?;
    (1..=20).contains(&seconds).then(|| LongPoll { queue: queue.text("QueueArn").to_owned(), seconds })
}

impl LongPoll {
    /// Whether there is something to receive.
    pub(crate) fn is_over(&self, ctx: &Ctx<'_>) -> bool {
        next_visible(ctx, &self.queue).is_some_and(|from| from <= ctx.now)
    }
}
