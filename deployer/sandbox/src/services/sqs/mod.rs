//! Simple Queue Service: standard queues, their messages, and the dead-letter queues behind them.
//!
//! Callers send and receive over the wire. Services put messages in by [`put_by_service`], and the poller of an event
//! source mapping takes them out by [`receive_for`], [`delete_for`] and [`visible_again`].

mod attribute;
mod batch;
mod md5;
mod message;
mod poller;
mod queue;
mod receive;
mod send;
mod service;
mod settings;
mod tags;
#[cfg(test)]
mod tests_over_the_wire;

use std::sync::Arc;

use super::{Service, not_authorised, read, read_one, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, refuse};
use crate::input::Input;
use crate::services::document;
use crate::store::Resource;
use crate::weather::Bucket;

pub(crate) use message::{Message, depth};
pub(crate) use poller::{LongPoll, delete_for, long_poll, next_visible, receive_for, receives, visible_again};
pub(crate) use service::{Sender, demand, put_as_caller, put_by_service, visibility_timeout};

pub(crate) static SERVICE: Service = Service {
    name: "sqs",
    namespace: "",
    global: false,
    operations: &[
        write("CreateQueue", queue::create),
        read_one("GetQueueUrl", queue::url),
        read_one("GetQueueAttributes", settings::get),
        write("SetQueueAttributes", settings::set),
        read("ListQueues", queue::list),
        read_one("ListDeadLetterSourceQueues", queue::list_sources),
        write("DeleteQueue", queue::delete),
        write("PurgeQueue", queue::purge),
        write("TagQueue", tags::tag),
        write("UntagQueue", tags::untag),
        read_one("ListQueueTags", tags::list),
        write("SendMessage", send::one),
        write("SendMessageBatch", send::batch),
        write("ReceiveMessage", receive::receive),
        write("DeleteMessage", receive::delete),
        write("DeleteMessageBatch", receive::delete_batch),
        write("ChangeMessageVisibility", receive::change),
        write("ChangeMessageVisibilityBatch", receive::change_batch),
    ],
    on_timer: queue::on_timer,
    // The messages of a standard queue come and go at nearly any rate; for the rest no rate is published.
    // <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
    bucket: |operation, _| match operation.name {
        name if name.contains("Message") => Bucket { name: "sqs messages", burst: 9000.0, rate: 9000.0 },
        _ => Bucket { name: "sqs", burst: 100.0, rate: 100.0 },
    },
    throttled: || shaped(403, "RequestThrottled", "RequestThrottled", "The request was throttled."),
    denied: |caller, action, resource| {
        let message = not_authorised(caller, &action.to_lowercase(), resource);
        shaped(403, "AccessDenied", "AccessDeniedException", message)
    },
};

const QUEUE: &str = "sqs.queue";
const MESSAGE: &str = "sqs.message";
/// The name of a queue that was deleted a moment ago.
const DELETED: &str = "sqs.deleted";

/// An error under the two names that SQS has for most of its errors: that of its old protocol and that of its model.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-json-faqs.html>
fn shaped(status: u16, code: &str, shape: &str, message: impl Into<String>) -> ApiError {
    ApiError::with_status(status, code, message).member("_shape", format!("com.amazonaws.sqs#{shape}"))
}

fn invalid(message: impl Into<String>) -> ApiError {
    shaped(400, "InvalidParameterValue", "InvalidParameterValueException", message)
}

fn invalid_value(value: &str, parameter: &str, reason: &str) -> ApiError {
    invalid(format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}"))
}

fn no_such_queue() -> ApiError {
    let code = "AWS.SimpleQueueService.NonExistentQueue";
    shaped(400, code, "QueueDoesNotExist", "The specified queue does not exist.")
}

/// A parameter that must be there.
fn required<'a>(input: &'a Input, name: &str) -> Result<&'a str, ApiError> {
    let missing = format!("The request must contain the parameter {name}.");
    let missing = shaped(400, "MissingParameter", "MissingRequiredParameterException", missing);
    input.opt_str(name).filter(|text| !text.is_empty()).ok_or(missing)
}

fn arn(ctx: &Ctx<'_>, name: &str) -> String {
    ctx.arn("sqs", name)
}

/// The queue's address. Callers send it back with each call; what stands before the account in it is of no account.
fn url(ctx: &Ctx<'_>, name: &str) -> String {
    format!("https://sqs.{}.amazonaws.com/{}/{name}", ctx.account.region, ctx.account.id)
}

/// The queue that a call names by its URL, once the caller may do this to it.
fn permitted(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<Arc<Resource>, ApiError> {
    permitted_for(ctx, input, action, |grant| grant)
}

fn permitted_for(
    ctx: &mut Ctx<'_>,
    input: &Input,
    action: &str,
    more: impl FnOnce(Grant) -> Grant,
) -> Result<Arc<Resource>, ApiError> {
    let url = required(input, "QueueUrl")?;
    let mut parts = url.rsplit('/');
    let (name, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if account != ctx.account.id {
        return Err(no_such_queue());
    }
    by_name(ctx, name, action, more)
}

/// The queue of that name, once the caller may do this to it: by a policy of its own, and where the queue's policy does
/// not forbid it.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-using-identity-based-policies.html>
fn by_name(
    ctx: &mut Ctx<'_>,
    name: &str,
    action: &str,
    more: impl FnOnce(Grant) -> Grant,
) -> Result<Arc<Resource>, ApiError> {
    let found = ctx.get(QUEUE, name);
    let mut grant = Grant::new(format!("sqs:{action}"), arn(ctx, name));
    if let Some(queue) = &found {
        grant = grant.resource_tags(&queue.tags);
    }
    let grant = more(grant).key("aws:SecureTransport", "true");
    if let Some(queue) = &found {
        let (caller, us) = (ctx.caller(), ctx.principal.names(ctx.account));
        let about = |kind: &str, name: &str| kind == "AWS" && (name == "*" || us.iter().any(|us| us == name));
        if document::judge(&attribute::policy(queue), about, &grant)? == Some(false) {
            return Err((ctx.denied_as)(&caller, &grant.action, &grant.resource));
        }
    }
    ctx.authorise(grant)?;
    found.ok_or_else(no_such_queue)
}

/// A queue of this account by its ARN.
fn by_arn(ctx: &Ctx<'_>, arn: &str) -> Option<Arc<Resource>> {
    let queue = ctx.get(QUEUE, arn.rsplit(':').next()?)?;
    (queue.text("QueueArn") == arn).then_some(queue)
}

/// Requests that FIFO queues alone understand.
fn standard_only(input: &Input) -> Result<(), ApiError> {
    match input.has("MessageDeduplicationId") {
        true => Err(ApiError::not_simulated("deduplication of messages, which FIFO queues do")),
        false => Ok(()),
    }
}

fn unknown_attribute(name: &str) -> ApiError {
    refuse("InvalidAttributeName", format!("Unknown Attribute {name}."))
        .member("_shape", "com.amazonaws.sqs#InvalidAttributeName")
}
