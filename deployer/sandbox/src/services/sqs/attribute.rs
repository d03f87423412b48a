//! The attributes of a queue: their rules, their defaults, and how they are given back.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>

use serde_json::{Value, json};

use super::{QUEUE, by_arn, invalid_value, shaped, unknown_attribute};
use crate::account::Ctx;
use crate::error::ApiError;
use crate::services::document;
use crate::store::Resource;

/// The longest message, and the longest batch of messages, in bytes. It was 256 KiB until August 2025.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub(super) const LONGEST: usize = 1_048_576;

/// An attribute that is a number: its name, its least, its most, and what it is unless said otherwise.
pub(super) const NUMBERS: &[(&str, i64, i64, i64)] = &[
    ("DelaySeconds", 0, 900, 0),
    ("MaximumMessageSize", 1024, 1_048_576, 1_048_576),
    ("MessageRetentionPeriod", 60, 1_209_600, 345_600),
    ("ReceiveMessageWaitTimeSeconds", 0, 20, 0),
    ("VisibilityTimeout", 0, 43_200, 30),
];

/// How long a data key is used again where nobody said.
const KEY_REUSE: &str = "300";

fn malformed(name: &str) -> ApiError {
    shaped(400, "InvalidAttributeValue", "InvalidAttributeValue", format!("Invalid value for the parameter {name}."))
}

/// A number of seconds or bytes that a queue has.
pub(super) fn number(queue: &Resource, name: &str) -> i64 {
    queue.text(name).parse().unwrap_or_default()
}

/// The queue's policy; null where it has none.
pub(super) fn policy(queue: &Resource) -> Value {
    serde_json::from_str(queue.text("Policy")).unwrap_or_default()
}

/// Where messages go that were received too often, and after how often.
pub(super) fn redrive(queue: &Resource) -> Option<(String, i64)> {
    let policy: Value = serde_json::from_str(queue.text("RedrivePolicy")).ok()?;
    Some((policy["deadLetterTargetArn"].as_str()?.to_owned(), policy["maxReceiveCount"].as_i64()?))
}

/// Sets one attribute, as the rules for it allow.
pub(super) fn put(ctx: &Ctx<'_>, queue: &mut Resource, name: &str, value: &str) -> Result<(), ApiError> {
    if let Some((_, least, most, _)) = NUMBERS.iter().find(|(known, ..)| *known == name) {
        let fits = value.parse().is_ok_and(|number: i64| (*least..=*most).contains(&number));
        queue.set(name, fits.then_some(value).ok_or_else(|| malformed(name))?);
        return Ok(());
    }
    match name {
        "Policy" | "RedrivePolicy" | "RedriveAllowPolicy" if value.is_empty() => {
            queue.attrs.remove(name);
        }
        "Policy" => {
            let (text, principals) = judged(ctx, value)?;
            document::keep(queue, name, text, principals);
        }
        "RedrivePolicy" => queue.set(name, redrive_policy(ctx, queue, value)?),
        "RedriveAllowPolicy" => queue.set(name, allow_policy(value)?),
        "KmsMasterKeyId" if value.is_empty() => {
            queue.attrs.remove("KmsMasterKeyId");
            queue.attrs.remove("KmsDataKeyReusePeriodSeconds");
        }
        "KmsMasterKeyId" => {
            queue.set(name, value);
            queue.set("SqsManagedSseEnabled", "false");
            if queue.text("KmsDataKeyReusePeriodSeconds").is_empty() {
                queue.set("KmsDataKeyReusePeriodSeconds", KEY_REUSE);
            }
        }
        "KmsDataKeyReusePeriodSeconds" => match value.parse() {
            Ok(60..=86_400) => queue.set(name, value),
            _ => return Err(malformed(name)),
        },
        "SqsManagedSseEnabled" if value == "true" => {
            queue.set(name, value);
            queue.attrs.remove("KmsMasterKeyId");
            queue.attrs.remove("KmsDataKeyReusePeriodSeconds");
        }
        "SqsManagedSseEnabled" if value == "false" => queue.set(name, value),
        "SqsManagedSseEnabled" => return Err(malformed(name)),
        _ => return Err(unknown_attribute(name)),
    }
    Ok(())
}

/// Sets all that a call brings.
pub(super) fn put_all(ctx: &Ctx<'_>, queue: &mut Resource, wanted: &[(String, String)]) -> Result<(), ApiError> {
    let value = |name: &str| wanted.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    if value("SqsManagedSseEnabled") == Some("true") && value("KmsMasterKeyId").is_some_and(|key| !key.is_empty()) {
        let message = "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.";
        return Err(shaped(400, "InvalidAttributeName", "InvalidAttributeName", message));
    }
    for (name, value) in wanted {
        put(ctx, queue, name, value)?;
    }
    // It is not kept, and not shown, of a queue that no key of KMS encrypts.
    if queue.text("KmsMasterKeyId").is_empty() {
        queue.attrs.remove("KmsDataKeyReusePeriodSeconds");
    }
    Ok(())
}

/// A policy that SQS takes, as it gives it back: encoded anew, with the ids of the principals in it.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-overview-of-managing-access.html>
fn judged(ctx: &Ctx<'_>, policy: &str) -> Result<(String, Vec<(String, String)>), ApiError> {
    let parsed: Value = serde_json::from_str(policy).map_err(|_| malformed("Policy"))?;
    let statements = document::statements(&parsed).ok_or_else(|| malformed("Policy"))?;
    let mut ids = Vec::new();
    for statement in statements {
        let actions = document::texts(statement, "Action");
        let ours = |action: &String| action == "*" || action.to_ascii_lowercase().starts_with("sqs:");
        let principals = document::principals(statement);
        if actions.is_empty() || !actions.iter().all(ours) || principals.is_empty() {
            return Err(malformed("Policy"));
        }
        for (kind, name) in principals {
            let id = document::principal_id(ctx, &kind, &name).ok_or_else(|| malformed("Policy"))?;
            ids.push((name, id));
        }
    }
    Ok((parsed.to_string(), ids))
}

/// The redrive policy as it is kept: with a number in it, also where it came as a text.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>
fn redrive_policy(ctx: &Ctx<'_>, queue: &Resource, value: &str) -> Result<String, ApiError> {
    let wrong = |reason: &str| invalid_value(value, "RedrivePolicy", reason);
    let parsed: Value = serde_json::from_str(value).map_err(|_| wrong("Redrive policy is not a valid JSON map."))?;
    for name in ["deadLetterTargetArn", "maxReceiveCount"] {
        if parsed.get(name).is_none() {
            return Err(wrong(&format!("Redrive policy does not contain mandatory attribute: {name}.")));
        }
    }
    let given = &parsed["maxReceiveCount"];
    let count = given.as_i64().or_else(|| given.as_str()?.parse().ok());
    let count = count.filter(|count| (1..=1000).contains(count)).ok_or_else(|| {
        wrong(&format!("Invalid value for maxReceiveCount: {given}, valid values are from 1 to 1000 both inclusive."))
    })?;
    let target = parsed["deadLetterTargetArn"].as_str().unwrap_or_default();
    let letters = by_arn(ctx, target).ok_or_else(|| wrong("Dead letter target does not exist."))?;
    if !admits(&letters, queue.text("QueueArn")) {
        return Err(wrong("Queue does not have permission to use the given dead letter target."));
    }
    Ok(json!({"deadLetterTargetArn": target, "maxReceiveCount": count}).to_string())
}

/// Whether a queue takes the dead letters of another.
fn admits(letters: &Resource, source: &str) -> bool {
    let policy: Value = serde_json::from_str(letters.text("RedriveAllowPolicy")).unwrap_or_default();
    match policy["redrivePermission"].as_str() {
        Some("denyAll") => false,
        Some("byQueue") => document::texts(&policy, "sourceQueueArns").iter().any(|arn| arn == source),
        _ => true,
    }
}

fn allow_policy(value: &str) -> Result<String, ApiError> {
    let wrong = |reason: &str| invalid_value(value, "RedriveAllowPolicy", reason);
    let parsed: Value = serde_json::from_str(value).map_err(|_| wrong("Amazon SQS couldn't parse the policy."))?;
    let sources = document::texts(&parsed, "sourceQueueArns").len();
    match (parsed["redrivePermission"].as_str(), sources) {
        (Some("allowAll" | "denyAll"), 0) | (Some("byQueue"), 1..=10) => Ok(parsed.to_string()),
        _ => Err(wrong("redrivePermission is allowAll, denyAll, or byQueue with up to 10 sourceQueueArns.")),
    }
}

/// A queue with every attribute that nobody sent.
pub(super) fn defaults(ctx: &Ctx<'_>, name: &str) -> Resource {
    let arn = super::arn(ctx, name);
    let moment = ctx.now.as_second().to_string();
    let mut queue = ctx.resource(
        QUEUE,
        name,
        json!({
            "QueueArn": arn, "CreatedTimestamp": moment, "LastModifiedTimestamp": moment,
            "SqsManagedSseEnabled": "true",
        }),
    );
    for (name, _, _, default) in NUMBERS {
        queue.set(name, default.to_string());
    }
    queue
}
