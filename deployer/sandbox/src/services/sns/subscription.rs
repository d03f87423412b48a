//! Subscriptions. <https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html>

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{SUBSCRIPTION, TOPIC, arn_parts, entries, invalid, map_of, paged, permitted};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::clock::later;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::events::Pattern;
use crate::store::{Resource, Timer};

/// How the complaints of event patterns begin, which those of filter policies do not.
const NOT_VALID: &str = "Event pattern is not valid. Reason: ";

const PROTOCOLS: &[&str] = &["http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose"];

/// A subscription that nobody confirms goes by itself.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-delete-subscription-topic.html>
const UNCONFIRMED: Duration = Duration::from_secs(48 * 60 * 60);

pub(super) fn subscribe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let protocol = input.str("Protocol")?;
    let endpoint = input.opt_str("Endpoint").unwrap_or_default();
    let attributes = map_of(input, "Attributes")?;
    let return_arn = input.bool_or("ReturnSubscriptionArn", false)?;
    let arn = input.opt_str("TopicArn").unwrap_or_default();
    let topic = super::permitted_arn(ctx, "TopicArn", arn, "Subscribe", |grant| {
        grant.key("sns:Protocol", protocol).key("sns:Endpoint", endpoint)
    })?;
    check(protocol, endpoint)?;
    let known = ctx.those(SUBSCRIPTION, |one| {
        (one.text("TopicArn"), one.text("Protocol"), one.text("Endpoint"))
            == (topic.text("TopicArn"), protocol, endpoint)
    });
    if let Some(known) = known.first() {
        if attributes.iter().any(|(name, value)| known.text(name) != value) {
            return Err(invalid("Attributes Reason: Subscription already exists with different attributes"));
        }
        return Ok(json!({"SubscriptionArn": told(known, return_arn)}));
    }
    // Who owns these endpoints need not be asked.
    let pending = !matches!(protocol, "sqs" | "lambda" | "firehose" | "application" | "sms");
    let arn = format!("{}:{}", topic.text("TopicArn"), ctx.account.rng.uuid());
    let mut subscription = ctx.resource(
        SUBSCRIPTION,
        arn.clone(),
        json!({
            "SubscriptionArn": arn, "TopicArn": topic.text("TopicArn"), "Protocol": protocol, "Endpoint": endpoint,
            "RawMessageDelivery": "false", "_pending": pending,
        }),
    );
    for (name, value) in &attributes {
        put(&mut subscription, name, value).map_err(|error| {
            match error.message.strip_prefix("Invalid parameter: ") {
                Some(rest) => invalid(format!("Attributes Reason: {rest}")),
                None => error,
            }
        })?;
    }
    let answer = told(&subscription, return_arn);
    ctx.insert(subscription);
    if pending {
        let due = later(ctx.now, UNCONFIRMED);
        ctx.account.store.schedule(due, Timer { kind: SUBSCRIPTION, id: arn, event: "unconfirmed" });
    }
    Ok(json!({"SubscriptionArn": answer}))
}

fn check(protocol: &str, endpoint: &str) -> Result<(), ApiError> {
    if !PROTOCOLS.contains(&protocol) {
        return Err(invalid(format!("Amazon SNS does not support this protocol string: {protocol}")));
    }
    let fits = match protocol {
        "http" | "https" => endpoint.starts_with(&format!("{protocol}://")),
        "email" | "email-json" => endpoint.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && host.contains('.') && !endpoint.contains(char::is_whitespace)
        }),
        "sqs" | "lambda" | "firehose" => {
            let service = endpoint.split(':').nth(2);
            endpoint.split(':').count() >= 6 && service == Some(protocol)
        }
        "sms" | "application" => return Err(ApiError::not_simulated(format!("subscriptions over {protocol}"))),
        _ => true,
    };
    match (fits, protocol) {
        (true, _) => Ok(()),
        (false, "sqs") => Err(invalid("SQS endpoint ARN")),
        (false, "lambda") => Err(invalid("Lambda endpoint ARN")),
        (false, "email" | "email-json") => Err(invalid("Email address")),
        (false, _) => Err(invalid(format!("Endpoint must match the specified protocol: {endpoint}"))),
    }
}

/// Its ARN, which an unconfirmed one shows only to those who ask for it.
fn told(subscription: &Resource, always: bool) -> String {
    match subscription.flag("_pending") && !always {
        true => "pending confirmation".to_owned(),
        false => subscription.id.clone(),
    }
}

fn put(subscription: &mut Resource, name: &str, value: &str) -> Result<(), ApiError> {
    match name {
        "RawMessageDelivery" => {
            let lower = value.to_ascii_lowercase();
            if !matches!(lower.as_str(), "true" | "false") {
                return Err(invalid(format!("RawMessageDelivery: Invalid value [{value}]. Must be true or false.")));
            }
            if lower == "true" && !matches!(subscription.text("Protocol"), "sqs" | "http" | "https" | "firehose") {
                return Err(invalid(format!(
                    "Attributes Reason: Delivery protocol [{}] does not support raw message delivery.",
                    subscription.text("Protocol")
                )));
            }
            subscription.set(name, lower);
            Ok(())
        }
        "FilterPolicy" | "FilterPolicyScope" | "RedrivePolicy" if value.is_empty() => {
            subscription.attrs.remove(name);
            Ok(())
        }
        "FilterPolicy" => {
            // <https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html>
            let parsed: Value = serde_json::from_str(value)
                .map_err(|error| invalid(format!("FilterPolicy: failed to parse JSON. {error}")))?;
            Pattern::read(value)
                .map_err(|error| invalid(format!("FilterPolicy: {}", error.message.trim_start_matches(NOT_VALID))))?;
            subscription.set(name, parsed.to_string());
            if subscription.text("FilterPolicyScope").is_empty() {
                subscription.set("FilterPolicyScope", "MessageAttributes");
            }
            Ok(())
        }
        "FilterPolicyScope" if matches!(value, "MessageAttributes" | "MessageBody") => {
            subscription.set(name, value);
            Ok(())
        }
        "FilterPolicyScope" => Err(invalid(format!(
            "FilterPolicyScope: Invalid value [{value}]. Please use either MessageBody or MessageAttributes"
        ))),
        "RedrivePolicy" => {
            // <https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html>
            let parsed: Value = serde_json::from_str(value)
                .map_err(|error| invalid(format!("RedrivePolicy: failed to parse JSON. {error}")))?;
            let queue = parsed["deadLetterTargetArn"].as_str().unwrap_or_default();
            if queue.split(':').nth(2) != Some("sqs") || queue.split(':').count() != 6 {
                return Err(invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn"));
            }
            subscription.set(name, parsed.to_string());
            Ok(())
        }
        "DeliveryPolicy" | "SubscriptionRoleArn" | "ReplayPolicy" => {
            Err(ApiError::not_simulated(format!("subscription attribute {name}")))
        }
        _ => Err(invalid("AttributeName")),
    }
}

fn named(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<Arc<Resource>, ApiError> {
    let arn = input.opt_str("SubscriptionArn").unwrap_or_default();
    let parts = arn_parts("SubscriptionArn", arn)?;
    // Permissions on a subscription are asked for its topic.
    // <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html>
    let topic = parts[..6].join(":");
    let tags = ctx.get(TOPIC, parts[5]).map(|topic| topic.tags.clone()).unwrap_or_default();
    ctx.authorise(Grant::new(format!("sns:{action}"), topic).resource_tags(&tags))?;
    let missing = || ApiError::with_status(404, "NotFound", "Subscription does not exist");
    ctx.get(SUBSCRIPTION, arn).ok_or_else(missing)
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html>: one that is not there is no error, and one that
/// waits for its confirmation cannot go.
pub(super) fn unsubscribe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let subscription = match named(ctx, input, "Unsubscribe") {
        Err(error) if error.code == "NotFound" => return Ok(nothing()),
        found => found?,
    };
    if subscription.flag("_pending") {
        return Err(invalid("Cannot unsubscribe a subscription that is pending confirmation"));
    }
    ctx.remove(SUBSCRIPTION, &subscription.id);
    let topic = subscription.text("TopicArn").rsplit(':').next().unwrap_or_default().to_owned();
    ctx.update(TOPIC, &topic, |topic| topic.set("_deleted", topic.number("_deleted") + 1));
    Ok(nothing())
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let subscription = named(ctx, input, "GetSubscriptionAttributes")?;
    let mut shown: BTreeMap<String, String> =
        ["SubscriptionArn", "TopicArn", "Protocol", "Endpoint", "RawMessageDelivery"]
            .map(|name| (name.to_owned(), subscription.text(name).to_owned()))
            .into();
    for name in ["FilterPolicy", "FilterPolicyScope", "RedrivePolicy"] {
        if !subscription.text(name).is_empty() {
            shown.insert(name.to_owned(), subscription.text(name).to_owned());
        }
    }
    let pending = subscription.flag("_pending");
    shown.insert("Owner".to_owned(), ctx.account.id.clone());
    shown.insert("SubscriptionPrincipal".to_owned(), ctx.caller());
    shown.insert("PendingConfirmation".to_owned(), pending.to_string());
    shown.insert("ConfirmationWasAuthenticated".to_owned(), (!pending).to_string());
    Ok(entries(shown))
}

pub(super) fn set(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let subscription = named(ctx, input, "SetSubscriptionAttributes")?;
    let mut changed = Resource::clone(&subscription);
    put(&mut changed, input.str("AttributeName")?, input.opt_str("AttributeValue").unwrap_or_default())?;
    ctx.update(SUBSCRIPTION, &subscription.id, |one| *one = changed);
    Ok(nothing())
}

fn shown(ctx: &Ctx<'_>, subscription: &Resource) -> Value {
    let arn = if subscription.flag("_pending") { "PendingConfirmation" } else { &subscription.id };
    json!({
        "SubscriptionArn": arn, "Owner": ctx.account.id, "Protocol": subscription.text("Protocol"),
        "Endpoint": subscription.text("Endpoint"), "TopicArn": subscription.text("TopicArn"),
    })
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let everything = ctx.arn("sns", "*");
    ctx.authorise(Grant::new("sns:ListSubscriptions", everything))?;
    let all = ctx.visible(SUBSCRIPTION);
    paged(input, "Subscriptions", all.iter().map(|one| shown(ctx, one)).collect())
}

pub(super) fn list_by_topic(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let topic = permitted(ctx, input, "ListSubscriptionsByTopic")?;
    let all = ctx.visible(SUBSCRIPTION);
    let of_topic = all.iter().filter(|one| one.text("TopicArn") == topic.text("TopicArn"));
    paged(input, "Subscriptions", of_topic.map(|one| shown(ctx, one)).collect())
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    if timer.kind == SUBSCRIPTION && ctx.get(SUBSCRIPTION, &timer.id).is_some_and(|one| one.flag("_pending")) {
        ctx.remove(SUBSCRIPTION, &timer.id);
    }
}
