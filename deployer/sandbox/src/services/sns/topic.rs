//! Topics. <https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{SUBSCRIPTION, TOPIC, entries, invalid, map_of, paged, permitted, tags};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::document;
use crate::store::Resource;

/// What a topic's policy may be about.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html#sns-valid-policy-actions>
const ACTIONS: &[&str] = &[
    "addpermission",
    "deletetopic",
    "getdataprotectionpolicy",
    "gettopicattributes",
    "listsubscriptionsbytopic",
    "listtagsforresource",
    "publish",
    "putdataprotectionpolicy",
    "removepermission",
    "settopicattributes",
    "subscribe",
];

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.str("Name")?;
    let attributes = map_of(input, "Attributes")?;
    let tags = tags::requested(input)?;
    let arn = ctx.arn("sns", name);
    ctx.authorise(Grant::new("sns:CreateTopic", arn.clone()).request_tags(&tags))?;
    if !tags.is_empty() {
        // <https://docs.aws.amazon.com/sns/latest/dg/sns-tags.html>
        ctx.authorise(Grant::new("sns:TagResource", arn.clone()).request_tags(&tags))?;
    }
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if name.len() > 256 || !letters {
        return Err(invalid("Topic Name"));
    }
    if let Some(known) = ctx.get(TOPIC, name) {
        let differs = |(attribute, value): (&String, &String)| known.text(attribute) != value;
        if attributes.iter().any(differs) {
            return Err(invalid("Attributes Reason: Topic already exists with different attributes"));
        }
        if tags.iter().any(|(key, value)| known.tags.get(key) != Some(value)) {
            return Err(invalid("Tags Reason: Topic already exists with different tags"));
        }
        return Ok(json!({"TopicArn": arn}));
    }
    let mut topic = ctx.resource(TOPIC, name, json!({"TopicArn": arn, "DisplayName": "", "_deleted": 0}));
    topic.set("Policy", default_policy(ctx, &arn));
    topic.tags = tags;
    for (attribute, value) in &attributes {
        put(ctx, &mut topic, attribute, value).map_err(|error| named(error, "Attributes Reason: "))?;
    }
    ctx.insert(topic);
    Ok(json!({"TopicArn": arn}))
}

/// What is wrong with an attribute is said in the words of the call that brought it.
fn named(error: ApiError, place: &str) -> ApiError {
    match error.message.strip_prefix("Invalid parameter: ") {
        Some(rest) => ApiError { message: format!("Invalid parameter: {place}{rest}"), ..error },
        None => error,
    }
}

/// The policy of a topic that was given none: its own account may do everything with it.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html>
fn default_policy(ctx: &Ctx<'_>, arn: &str) -> String {
    let actions = [
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    ];
    let actions: Vec<String> = actions.iter().map(|action| format!("SNS:{action}")).collect();
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": actions,
            "Resource": arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": ctx.account.id}},
        }],
    })
    .to_string()
}

/// Sets one attribute, as the rules for it allow.
/// <https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html>
fn put(ctx: &Ctx<'_>, topic: &mut Resource, name: &str, value: &str) -> Result<(), ApiError> {
    match name {
        "DisplayName" if value.chars().count() > 100 => {
            return Err(invalid("DisplayName Reason: The display name is longer than 100 characters"));
        }
        "DisplayName" => topic.set(name, value),
        "Policy" if value.is_empty() => topic.set(name, default_policy(ctx, topic.text("TopicArn"))),
        "Policy" => {
            let principals = judged(ctx, value)?;
            document::keep(topic, name, value.to_owned(), principals);
        }
        "KmsMasterKeyId" | "TracingConfig" | "SignatureVersion" if value.is_empty() => {
            topic.attrs.remove(name);
        }
        "KmsMasterKeyId" => topic.set(name, value),
        "TracingConfig" if matches!(value, "PassThrough" | "Active") => topic.set(name, value),
        "SignatureVersion" if matches!(value, "1" | "2") => topic.set(name, value),
        _ if feedback(name).is_some() => {
            let rate = feedback(name) == Some(Feedback::Rate);
            let fits = if rate { value.parse().is_ok_and(|rate: u8| rate <= 100) } else { value.starts_with("arn:") };
            if !fits && !value.is_empty() {
                return Err(invalid(format!("{name} Reason: Invalid value: {value}")));
            }
            if value.is_empty() { drop(topic.attrs.remove(name)) } else { topic.set(name, value) }
        }
        "TracingConfig" | "SignatureVersion" => return Err(invalid(format!("{name} Reason: Invalid value: {value}"))),
        "FifoTopic" | "ContentBasedDeduplication" | "DeliveryPolicy" | "ArchivePolicy" | "FifoThroughputScope" => {
            return Err(ApiError::not_simulated(format!("topic attribute {name}")));
        }
        _ => return Err(invalid("AttributeName")),
    }
    Ok(())
}

/// What an attribute says of the log of deliveries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Feedback {
    /// The role that writes it.
    Role,
    /// How many in a hundred of those that went well are written.
    Rate,
}

/// The attributes that switch on the log of deliveries, which nobody writes here.
/// <https://docs.aws.amazon.com/sns/latest/dg/topics-attrib.html>
fn feedback(name: &str) -> Option<Feedback> {
    let protocols = ["HTTP", "Firehose", "Lambda", "Application", "SQS"];
    let rest = protocols.iter().find_map(|protocol| name.strip_prefix(protocol))?;
    match rest {
        "SuccessFeedbackRoleArn" | "FailureFeedbackRoleArn" => Some(Feedback::Role),
        "SuccessFeedbackSampleRate" => Some(Feedback::Rate),
        _ => None,
    }
}

/// A policy that AWS takes, with the ids of the principals in it.
fn judged(ctx: &Ctx<'_>, policy: &str) -> Result<Vec<(String, String)>, ApiError> {
    let parsed: Value = serde_json::from_str(policy).map_err(|_| invalid("Policy failed to parse"))?;
    let statements = document::statements(&parsed).ok_or_else(|| invalid("Policy Error: null"))?;
    let mut ids = Vec::new();
    for statement in statements {
        for action in document::texts(statement, "Action") {
            let lower = action.to_ascii_lowercase();
            if !lower.strip_prefix("sns:").is_some_and(|action| ACTIONS.contains(&action)) {
                return Err(invalid("Policy statement action out of service scope!"));
            }
        }
        for (kind, name) in document::principals(statement) {
            let id = document::principal_id(ctx, &kind, &name);
            ids.push((name, id.ok_or_else(|| invalid("Policy Error: PrincipalNotFound"))?));
        }
    }
    Ok(ids)
}

pub(super) fn set(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let topic = permitted(ctx, input, "SetTopicAttributes")?;
    let mut changed = Resource::clone(&topic);
    put(ctx, &mut changed, input.str("AttributeName")?, input.opt_str("AttributeValue").unwrap_or_default())?;
    ctx.update(TOPIC, &topic.id, |topic| *topic = changed);
    Ok(nothing())
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let topic = permitted(ctx, input, "GetTopicAttributes")?;
    let of_topic = ctx.those(SUBSCRIPTION, |one| one.text("TopicArn") == topic.text("TopicArn"));
    let pending = of_topic.iter().filter(|one| one.flag("_pending")).count();
    let mut shown = BTreeMap::from([
        ("TopicArn".to_owned(), topic.text("TopicArn").to_owned()),
        ("Owner".to_owned(), ctx.account.id.clone()),
        ("DisplayName".to_owned(), topic.text("DisplayName").to_owned()),
        ("Policy".to_owned(), document::kept(ctx, &topic, "Policy")),
        ("SubscriptionsPending".to_owned(), pending.to_string()),
        ("SubscriptionsConfirmed".to_owned(), (of_topic.len() - pending).to_string()),
        ("SubscriptionsDeleted".to_owned(), topic.number("_deleted").to_string()),
        ("EffectiveDeliveryPolicy".to_owned(), delivery().to_string()),
    ]);
    for name in ["KmsMasterKeyId", "TracingConfig", "SignatureVersion"] {
        if !topic.text(name).is_empty() {
            shown.insert(name.to_owned(), topic.text(name).to_owned());
        }
    }
    for (name, value) in &topic.attrs {
        if let Some(value) = value.as_str().filter(|_| feedback(name).is_some()) {
            shown.insert(name.clone(), value.to_owned());
        }
    }
    Ok(entries(shown))
}

/// How often delivery over HTTP is tried, where nobody said otherwise.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html>
fn delivery() -> Value {
    json!({"http": {
        "defaultHealthyRetryPolicy": {
            "minDelayTarget": 20, "maxDelayTarget": 20, "numRetries": 3, "numMaxDelayRetries": 0,
            "numNoDelayRetries": 0, "numMinDelayRetries": 0, "backoffFunction": "linear",
        },
        "disableSubscriptionOverrides": false,
        "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"},
    }})
}

/// Deletes a topic with its subscriptions. One that is not there is no error.
/// <https://docs.aws.amazon.com/sns/latest/api/API_DeleteTopic.html>
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let topic = match permitted(ctx, input, "DeleteTopic") {
        Err(error) if error.code == "NotFound" => return Ok(nothing()),
        found => found?,
    };
    for subscription in ctx.those(SUBSCRIPTION, |one| one.text("TopicArn") == topic.text("TopicArn")) {
        ctx.remove(SUBSCRIPTION, &subscription.id);
    }
    ctx.remove(TOPIC, &topic.id);
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let everything = ctx.arn("sns", "*");
    ctx.authorise(Grant::new("sns:ListTopics", everything))?;
    let topics = ctx.visible(TOPIC).iter().map(|topic| json!({"TopicArn": topic.text("TopicArn")})).collect();
    paged(input, "Topics", topics)
}
