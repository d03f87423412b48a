//! Publishing, by callers and by services of AWS. <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{SUBSCRIPTION, delivery, invalid, no_such_topic, permitted_arn, topic_by_arn};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::{document, kms};
use crate::store::{Resource, Store};

const MESSAGE: &str = "sns.message";
/// The longest message: 256 KiB.
const LONGEST: usize = 262_144;

/// A message that was published to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The topic's ARN.
    pub topic: String,
    /// The subject, if it has one.
    pub subject: Option<String>,
    /// The message.
    pub message: String,
    /// When.
    pub at: Timestamp,
    /// Whom it went to: protocol and endpoint of each confirmed subscription at that moment.
    pub to: Vec<(String, String)>,
}

/// A service of AWS that publishes by itself.
pub(crate) struct Sender<'a> {
    /// Such as `cloudwatch.amazonaws.com`.
    pub(crate) service: &'static str,
    /// What it publishes about, as `aws:SourceArn`.
    pub(crate) source: &'a str,
}

pub(super) fn publish(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let arn = input.opt_str("TopicArn").or_else(|| input.opt_str("TargetArn")).unwrap_or_default();
    let topic = permitted_arn(ctx, "TopicArn", arn, "Publish", |grant| grant)?;
    let (subject, message) = (input.opt_str("Subject"), input.opt_str("Message").unwrap_or_default());
    if message.is_empty() {
        return Err(invalid("Empty message"));
    }
    if message.len() > LONGEST {
        return Err(invalid("Message too long"));
    }
    if subject.is_some_and(|subject| subject.is_empty() || subject.chars().count() > 100 || subject.contains('\n')) {
        return Err(invalid("Subject"));
    }
    if let Some(structure) = input.opt_str("MessageStructure") {
        return Err(ApiError::not_simulated(format!("MessageStructure {structure}")));
    }
    let attributes = attributes(input)?;
    authorise_key(ctx, &topic)?;
    let said = Said { subject, message, attributes };
    Ok(json!({"MessageId": keep(ctx, &topic, &said)}))
}

/// What a caller needs of the topic's own key.
fn authorise_key(ctx: &mut Ctx<'_>, topic: &Resource) -> Result<(), ApiError> {
    if let Some(key) = Some(topic.text("KmsMasterKeyId")).filter(|key| !key.is_empty() && !key.contains("alias/aws/")) {
        let key = kms::usable(ctx, key).map_err(|error| ApiError { code: "KMSNotFound".to_owned(), ..error })?;
        kms::authorise_via(ctx, &key, &["GenerateDataKey", "Decrypt"], "sns")?;
    }
    Ok(())
}

/// Whom a service acts for publishes, without a subject: by a policy of its own.
pub(crate) fn as_caller(ctx: &mut Ctx<'_>, topic: &str, message: &str) -> Result<String, ApiError> {
    let found = permitted_arn(ctx, "TopicArn", topic, "Publish", |grant| grant)?;
    authorise_key(ctx, &found)?;
    Ok(keep(ctx, &found, &Said { subject: None, message, attributes: Map::new() }))
}

/// Whether there is such a topic.
pub(crate) fn exists(ctx: &Ctx<'_>, topic: &str) -> bool {
    topic_by_arn(ctx, "TopicArn", topic).is_ok_and(|found| found.is_some())
}

/// What its publisher says about a message, as SQS keeps it.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html>
fn attributes(input: &Input) -> Result<Map<String, Value>, ApiError> {
    let mut all = Map::new();
    for given in input.objects("MessageAttributes") {
        let name = given.string("Name")?;
        let value = given.object("Value").ok_or_else(|| given.missing("Value"))?;
        let kind = value.string("DataType")?;
        let member = match kind.split('.').next() {
            Some("Binary") => "BinaryValue",
            Some("String" | "Number") => "StringValue",
            _ => {
                let reason = "The attribute type must be String, String.Array, Number or Binary";
                return Err(invalid(format!(
                    "The message attribute '{name}' has an invalid message attribute type. {reason}"
                )));
            }
        };
        let text = value.opt_str(member).filter(|text| !text.is_empty()).ok_or_else(|| {
            invalid(format!("The message attribute '{name}' must contain non-empty message attribute value"))
        })?;
        all.insert(name, json!({"DataType": kind, member: text}));
    }
    Ok(all)
}

/// A service publishes: the topic's policy must let it, and the policy of the topic's key too.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services>
pub(crate) fn by_service(
    ctx: &mut Ctx<'_>,
    topic: &str,
    sender: &Sender<'_>,
    subject: Option<&str>,
    message: &str,
) -> Result<(), ApiError> {
    let found = topic_by_arn(ctx, "TopicArn", topic)?.ok_or_else(no_such_topic)?;
    let policy: Value = serde_json::from_str(found.text("Policy")).unwrap_or_default();
    let mut grant = Grant::new("sns:Publish", topic)
        .key("aws:SourceArn", sender.source)
        .key("aws:SourceAccount", ctx.account.id.clone());
    // The policy that topics have by themselves asks for the owner, whom alarms name and EventBridge does not.
    // <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html#eb-no-events-delivered-to-topic>
    if sender.service == "cloudwatch.amazonaws.com" {
        grant = grant.key("aws:SourceOwner", ctx.account.id.clone());
    }
    let about = |kind: &str, name: &str| (kind, name) == ("Service", sender.service) || (kind, name) == ("AWS", "*");
    if document::judge(&policy, about, &grant)? != Some(true) {
        let refused = format!("{} is not authorized to perform: SNS:Publish on resource: {topic}", sender.service);
        return Err(ApiError::with_status(403, "AuthorizationError", refused));
    }
    if let Some(key) = Some(found.text("KmsMasterKeyId")).filter(|key| !key.is_empty()) {
        let unfit = || {
            let what = format!("the key of {topic} does not let {} use it", sender.service);
            ApiError::with_status(400, "KMSAccessDenied", what)
        };
        let key = kms::usable(ctx, key).map_err(|_| unfit())?;
        // EventBridge does not say there for whom it asks.
        // <https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services>
        let account = ctx.account.id.clone();
        let says = [("aws:SourceAccount", account.as_str()), ("aws:SourceArn", sender.source)];
        let says = if sender.service == "events.amazonaws.com" { &says[..0] } else { &says[..] };
        if !kms::allows_service(&key, sender.service, &["Decrypt", "GenerateDataKey"], says)? {
            return Err(unfit());
        }
    }
    keep(ctx, &found, &Said { subject, message, attributes: Map::new() });
    Ok(())
}

/// What is published.
pub(super) struct Said<'a> {
    pub(super) subject: Option<&'a str>,
    pub(super) message: &'a str,
    /// By name, `DataType` with `StringValue` or `BinaryValue`.
    pub(super) attributes: Map<String, Value>,
}

/// Remembers a message, and sends it to those who subscribe.
fn keep(ctx: &mut Ctx<'_>, topic: &Resource, said: &Said<'_>) -> String {
    let confirmed =
        ctx.those(SUBSCRIPTION, |one| one.text("TopicArn") == topic.text("TopicArn") && !one.flag("_pending"));
    let to: Vec<Value> = confirmed.iter().map(|one| json!([one.text("Protocol"), one.text("Endpoint")])).collect();
    let id = ctx.account.rng.uuid();
    // What was sent is gone; that it is remembered is for those who look.
    let kept = json!({
        "_gone": true, "topic": topic.text("TopicArn"), "subject": said.subject, "message": said.message, "to": to,
    });
    let number = ctx.account.store.all(MESSAGE).count();
    let kept = ctx.resource(MESSAGE, format!("{number:09}-{id}"), kept);
    ctx.insert(kept);
    for subscription in confirmed {
        delivery::start(ctx, topic, &subscription, &id, said);
    }
    id
}

/// Every message so far, in order.
pub(crate) fn all_published(store: &Store) -> Vec<Published> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |message: &std::sync::Arc<Resource>| Published {
        topic: message.text("topic").to_owned(),
        subject: message.attrs.get("subject").and_then(Value::as_str).map(str::to_owned),
        message: message.text("message").to_owned(),
        at: message.created,
        to: message.items("to").iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
    };
    store.all(MESSAGE).map(one).collect()
}
