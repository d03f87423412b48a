//! Simple Notification Service: topics, who subscribes to them, and what was published.

mod delivery;
mod publish;
mod subscription;
mod tags;
#[cfg(test)]
mod tests_of_deliveries;
#[cfg(test)]
mod tests_over_the_wire;
mod topic;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::shared::page;
use super::{Service, not_authorised, read_one, throttling, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Timer};
use crate::weather::Bucket;

pub use publish::Published;
pub(crate) use publish::{Sender, all_published, as_caller, by_service, exists};

pub(crate) static SERVICE: Service = Service {
    name: "sns",
    namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
    global: false,
    operations: &[
        write("CreateTopic", topic::create),
        read_one("GetTopicAttributes", topic::get),
        write("SetTopicAttributes", topic::set),
        write("DeleteTopic", topic::delete),
        read_one("ListTopics", topic::list),
        write("Subscribe", subscription::subscribe),
        write("Unsubscribe", subscription::unsubscribe),
        read_one("GetSubscriptionAttributes", subscription::get),
        write("SetSubscriptionAttributes", subscription::set),
        read_one("ListSubscriptions", subscription::list),
        read_one("ListSubscriptionsByTopic", subscription::list_by_topic),
        write("Publish", publish::publish),
        write("TagResource", tags::tag),
        write("UntagResource", tags::untag),
        read_one("ListTagsForResource", tags::list),
    ],
    on_timer: |ctx: &mut Ctx<'_>, timer: &Timer| match timer.kind {
        delivery::KIND => delivery::on_timer(ctx, timer),
        _ => subscription::on_timer(ctx, timer),
    },
    // <https://docs.aws.amazon.com/general/latest/gr/sns.html#limits_sns>
    bucket: |operation, _| match operation.name {
        "Publish" => Bucket { name: "sns Publish", burst: 9000.0, rate: 9000.0 },
        "Subscribe" | "Unsubscribe" => Bucket { name: operation.name, burst: 100.0, rate: 100.0 },
        "TagResource" | "UntagResource" | "ListTagsForResource" => Bucket { name: "sns tags", burst: 10.0, rate: 10.0 },
        _ => Bucket { name: "sns", burst: 30.0, rate: 30.0 },
    },
    throttled: throttling,
    denied: |caller, action, resource| {
        ApiError::with_status(403, "AuthorizationError", not_authorised(caller, action, resource))
    },
};

const TOPIC: &str = "sns.topic";
const SUBSCRIPTION: &str = "sns.subscription";

fn invalid(what: impl AsRef<str>) -> ApiError {
    refuse("InvalidParameter", format!("Invalid parameter: {}", what.as_ref()))
}

fn no_such_topic() -> ApiError {
    ApiError::with_status(404, "NotFound", "Topic does not exist")
}

/// The parts of an ARN, of which there are six at least.
fn arn_parts<'a>(name: &str, arn: &'a str) -> Result<Vec<&'a str>, ApiError> {
    let parts: Vec<&str> = arn.split(':').collect();
    if parts.len() < 6 {
        let count = parts.len();
        return Err(invalid(format!("{name} Reason: An ARN must have at least 6 elements, not {count}")));
    }
    Ok(parts)
}

/// A topic that a call names by its ARN, once the caller may do this to it.
fn permitted(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<Arc<Resource>, ApiError> {
    let arn = input.opt_str("TopicArn").unwrap_or_default();
    permitted_arn(ctx, "TopicArn", arn, action, |grant| grant)
}

fn permitted_arn(
    ctx: &mut Ctx<'_>,
    parameter: &str,
    arn: &str,
    action: &str,
    more: impl FnOnce(Grant) -> Grant,
) -> Result<Arc<Resource>, ApiError> {
    let found = topic_by_arn(ctx, parameter, arn)?;
    let mut grant = Grant::new(format!("sns:{action}"), arn);
    if let Some(found) = &found {
        grant = grant.resource_tags(&found.tags);
    }
    ctx.authorise(more(grant))?;
    found.ok_or_else(no_such_topic)
}

fn topic_by_arn(ctx: &Ctx<'_>, parameter: &str, arn: &str) -> Result<Option<Arc<Resource>>, ApiError> {
    let parts = arn_parts(parameter, arn)?;
    Ok(ctx.get(TOPIC, parts[5]).filter(|topic| topic.text("TopicArn") == arn))
}

/// A map as the query protocol sends it: entries of key and value.
fn map_of(input: &Input, name: &str) -> Result<BTreeMap<String, String>, ApiError> {
    let entry = |entry: &Input| Ok((entry.string("key")?, entry.opt_str("value").unwrap_or_default().to_owned()));
    input.objects(name).iter().map(entry).collect()
}

/// A map as the query protocol answers it.
fn entries(map: BTreeMap<String, String>) -> Value {
    let entries: Vec<Value> = map.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    json!({"Attributes:entry": entries})
}

/// A page of a hundred.
/// <https://docs.aws.amazon.com/sns/latest/api/API_ListTopics.html>
fn paged(input: &Input, name: &str, items: Vec<Value>) -> Outcome {
    let token = input.opt_str("NextToken").filter(|token| !token.is_empty());
    let page = page(items, token, 100).ok_or_else(|| invalid("NextToken Reason: token is not valid"))?;
    let mut answer = json!({name: page.items});
    if let Some(next) = page.next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}
