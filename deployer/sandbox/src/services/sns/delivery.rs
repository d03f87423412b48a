//! A message on its way to a queue or a function that subscribes to its topic.
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html>

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::publish::Said;
use crate::account::Ctx;
use crate::error::ApiError;
use crate::services::deliver::{self, Fate, Parcel};
use crate::services::events::Pattern;
use crate::services::monitoring;
use crate::store::{Resource, Timer};

pub(super) const KIND: &str = "sns.delivery";
const SERVICE: &str = "sns.amazonaws.com";
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-fifo-topics.html>, of which standard topics are the faster kind.
const TYPICAL: Duration = Duration::from_millis(60);

/// Sends a message to one who subscribes, as far as that is simulated and the subscription wants it.
pub(super) fn start(ctx: &mut Ctx<'_>, topic: &Resource, subscription: &Resource, id: &str, said: &Said<'_>) {
    let protocol = subscription.text("Protocol");
    if !matches!(protocol, "sqs" | "lambda") || !wanted(subscription, said) {
        return;
    }
    let raw = subscription.text("RawMessageDelivery") == "true";
    let envelope = envelope(ctx, topic, subscription, id, said);
    let body = match protocol {
        "lambda" => record(subscription, &envelope).to_string(),
        _ if raw => said.message.to_owned(),
        _ => written(&envelope),
    };
    let redrive: Value = serde_json::from_str(subscription.text("RedrivePolicy")).unwrap_or_default();
    let letters = redrive["deadLetterTargetArn"].as_str().map(|queue| {
        let letter = if raw { said.message.to_owned() } else { written(&envelope) };
        (queue.to_owned(), letter)
    });
    let parcel = Parcel {
        kind: KIND,
        service: SERVICE,
        from: topic.text("TopicArn").to_owned(),
        to: subscription.text("Endpoint").to_owned(),
        body: Some(body),
        subject: None,
        attributes: if raw { said.attributes.clone() } else { Map::new() },
        typical: TYPICAL,
        // Services of AWS that do not answer are tried for 23 days.
        most: 100_015,
        oldest: 23 * 86_400,
        letters,
        role: None,
        task: None,
    };
    // Standard topics deliver at least once: <https://docs.aws.amazon.com/sns/latest/dg/SNSMessageDelivery.html>
    let twice = ctx.account.weather.duplicates;
    let times = if ctx.account.rng.chance(twice) { 2 } else { 1 };
    for _ in 0..times {
        deliver::send(ctx, &parcel);
    }
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    let topic = ctx.get(KIND, &timer.id).map(|parcel| parcel.text("from").to_owned()).unwrap_or_default();
    // <https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html>
    let counted: &[&str] = match deliver::arrive(ctx, KIND, &timer.id, SERVICE, letter) {
        None | Some(Fate::Delayed) => &[],
        Some(Fate::Delivered) => &["NumberOfNotificationsDelivered"],
        Some(Fate::Buried) => &["NumberOfNotificationsFailed", "NumberOfNotificationsRedrivenToDlq"],
        Some(Fate::Dropped { refused: false }) => &["NumberOfNotificationsFailed"],
        Some(Fate::Dropped { refused: true }) => {
            &["NumberOfNotificationsFailed", "NumberOfNotificationsFailedToRedriveToDlq"]
        }
    };
    let name = topic.rsplit(':').next().unwrap_or_default();
    for metric in counted {
        monitoring::publish_now(ctx, "AWS/SNS", metric, &[("TopicName", name)], 1.0);
    }
}

/// What a dead letter says of the failure. <https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html>
fn letter(_: &Resource, error: &ApiError) -> Map<String, Value> {
    let said = |kind: &str, value: &str| json!({"DataType": kind, "StringValue": value});
    Map::from_iter([
        ("ErrorCode".to_owned(), said("String", &error.code)),
        ("ErrorMessage".to_owned(), said("String", &error.message)),
    ])
}

/// Whether the subscription's filter lets a message through.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html>
fn wanted(subscription: &Resource, said: &Said<'_>) -> bool {
    let policy = subscription.text("FilterPolicy");
    if policy.is_empty() {
        return true;
    }
    let judged = match subscription.text("FilterPolicyScope") {
        "MessageBody" => serde_json::from_str(said.message).unwrap_or_default(),
        _ => {
            let value = |given: &Value| -> Value {
                let text = given["StringValue"].as_str().unwrap_or_default();
                match given["DataType"].as_str() {
                    Some("Number" | "String.Array") => serde_json::from_str(text).unwrap_or_default(),
                    _ => text.into(),
                }
            };
            said.attributes.iter().map(|(name, given)| (name.clone(), value(given))).collect()
        }
    };
    Pattern::read(policy).is_ok_and(|pattern| pattern.fits(&judged))
}

/// The members of a notification, in their order. The signature is none that could be verified.
/// <https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html>
fn envelope(
    ctx: &Ctx<'_>,
    topic: &Resource,
    subscription: &Resource,
    id: &str,
    said: &Said<'_>,
) -> Vec<(&'static str, Value)> {
    let host = format!("https://sns.{}.amazonaws.com", ctx.account.region);
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    let certificate: String = digest(&ctx.account.region).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let signature: Vec<u8> = (0..8_u8).flat_map(|n| digest(&format!("{id} {n}")).to_vec()).collect();
    let version = Some(topic.text("SignatureVersion")).filter(|version| !version.is_empty()).unwrap_or("1");
    let mut members = vec![("Type", "Notification".into()), ("MessageId", id.into())];
    members.push(("TopicArn", topic.text("TopicArn").into()));
    if let Some(subject) = said.subject {
        members.push(("Subject", subject.into()));
    }
    members.push(("Message", said.message.into()));
    members.push(("Timestamp", format!("{:.3}", ctx.now).into()));
    members.push(("SignatureVersion", version.into()));
    members.push(("Signature", STANDARD.encode(signature).into()));
    members.push(("SigningCertURL", format!("{host}/SimpleNotificationService-{certificate}.pem").into()));
    let leave = format!("{host}/?Action=Unsubscribe&SubscriptionArn={}", subscription.text("SubscriptionArn"));
    members.push(("UnsubscribeURL", leave.into()));
    if !said.attributes.is_empty() {
        let value = |given: &Value| {
            let text = given["StringValue"].as_str().or_else(|| given["BinaryValue"].as_str());
            json!({"Type": given["DataType"], "Value": text})
        };
        let shown: Map<String, Value> =
            said.attributes.iter().map(|(name, given)| (name.clone(), value(given))).collect();
        members.push(("MessageAttributes", shown.into()));
    }
    members
}

/// A notification in the layout in which queues get it.
fn written(envelope: &[(&'static str, Value)]) -> String {
    let line = |(name, value): &(&str, Value)| match value.as_object() {
        None => format!("  {} : {value}", Value::from(*name)),
        Some(map) => {
            let inner: Vec<String> =
                map.iter().map(|(name, value)| format!("    {} : {value}", Value::from(name.as_str()))).collect();
            format!("  {} : {{\n{}\n  }}", Value::from(*name), inner.join(",\n"))
        }
    };
    let lines: Vec<String> = envelope.iter().map(line).collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

/// A notification as functions get it: with a subject also where there is none, and other capitals.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>
fn record(subscription: &Resource, envelope: &[(&'static str, Value)]) -> Value {
    let mut members =
        Map::from_iter([("Subject".to_owned(), Value::Null), ("MessageAttributes".to_owned(), json!({}))]);
    for (name, value) in envelope {
        let name = match *name {
            "SigningCertURL" => "SigningCertUrl",
            "UnsubscribeURL" => "UnsubscribeUrl",
            other => other,
        };
        members.insert(name.to_owned(), value.clone());
    }
    json!({"Records": [{
        "EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription.text("SubscriptionArn"),
        "Sns": members,
    }]})
}
