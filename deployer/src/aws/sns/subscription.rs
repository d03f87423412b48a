//! A subscription. <https://docs.aws.amazon.com/sns/latest/dg/sns-create-subscribe-endpoint-to-topic.html>
//!
//! It has no tags and no name: topic, protocol and endpoint are what it is. The subscriptions of the stack's topics are
//! the stack's, and one that it does not want any more goes. One that still waits for its confirmation counts as
//! existing where it is wanted; where it is not, SNS lets nobody delete it and drops it itself after two days.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_sns::types::Subscription as Sdk;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use wharf_engine::{Class, Estimate, Field, Health, Identity, LogicalId, Order, Outputs, Rules, Value};

use super::tagging;
use super::topic::{self, TopicArn};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::sqs::queue::QueueArn;
use crate::aws::tag_index;
use crate::aws::tags::{self, Tags};

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// What is subscribed to.
    pub topic: Out<TopicArn>,
    /// `email`, `sqs`, `lambda`, `https`.
    pub protocol: String,
    /// Who hears: an address, or the ARN of a queue or function.
    pub endpoint: Text,
    /// Only the message is delivered, without what SNS puts around it: queues and HTTPS.
    pub raw: bool,
    /// Where goes what cannot be delivered: a queue that lets the topic send to it. Without one it is lost.
    /// <https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html>
    pub dead_letters: Option<Out<QueueArn>>,
}

/// Marks the ARN of a subscription.
#[derive(Debug)]
pub enum SubscriptionArn {}

impl Handle<Subscription> {
    /// The subscription's ARN; `PendingConfirmation` until it is confirmed.
    #[must_use]
    pub fn arn(&self) -> Out<SubscriptionArn> {
        self.output("arn")
    }
}

/// The names of attributes.
const RAW: &str = "RawMessageDelivery";
const REDRIVE: &str = "RedrivePolicy";

/// What SNS shows in place of the ARN of a subscription that is not confirmed.
const PENDING: &str = "PendingConfirmation";

impl Kind for Subscription {
    const RULES: &'static Rules = &Rules {
        kind: "sns.subscription",
        fields: &[
            Field::new("topic").replaces(),
            Field::new("protocol").replaces(),
            Field::new("endpoint").replaces(),
            Field::new("raw"),
            Field::new("dead_letters"),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(1, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let send = |token| aws.sns.list_subscriptions().set_next_token(token).send();
        let all = aws
            .pages("sns:ListSubscriptions", "", send, |page| (page.subscriptions.unwrap_or_default(), page.next_token));
        let prefix = topic::arn(aws, &format!("{}-", aws.scope.stack));
        let mut all = all.await?;
        all.retain(|one| one.topic_arn().is_some_and(|arn| arn.starts_with(&prefix)));
        let topics = topics(aws, query, &all).await?;
        let found = all.iter().map(|one| observe(aws, query, &topics, one));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, _: &New<'_>) -> Result<Made, CallError> {
        let (topic, endpoint) = (self.topic.get()?, self.endpoint.get()?);
        let subscribe = aws.sns.subscribe().topic_arn(topic).protocol(&self.protocol).endpoint(endpoint);
        let subscribe = if self.raw { subscribe.attributes(RAW, "true") } else { subscribe };
        let letters = self.redrive_policy()?;
        let subscribe = if letters.is_empty() { subscribe } else { subscribe.attributes(REDRIVE, letters) };
        let answer = aws.call("sns:Subscribe", topic, || subscribe.clone().send()).await?;
        let arn = answer.subscription_arn.filter(|arn| arn.starts_with("arn:"));
        let outputs = outputs(arn.as_deref().unwrap_or(PENDING));
        Ok(Made { physical: physical(topic, &self.protocol, endpoint), outputs: Some(outputs) })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let Some(arn) = confirmed(now) else { return Ok(Some(now.outputs.clone())) };
        let attributes = [("raw", RAW, self.raw.to_string()), ("dead_letters", REDRIVE, self.redrive_policy()?)];
        for (_, name, value) in attributes.into_iter().filter(|(field, ..)| changed.has(field)) {
            let set = aws.sns.set_subscription_attributes().subscription_arn(&arn);
            let set = set.attribute_name(name).attribute_value(value);
            aws.call("sns:SetSubscriptionAttributes", &arn, || set.clone().send()).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        if let Some(arn) = confirmed(now) {
            let send = || aws.sns.unsubscribe().subscription_arn(&arn).send();
            aws.call("sns:Unsubscribe", &arn, send).await?;
        }
        Ok(Gone::Now)
    }

    /// Being what it is makes it the stack's.
    async fn adopt(_: &Aws, _: &Found<Self>, _: &Tags) -> Result<(), CallError> {
        Ok(())
    }

    fn grants() -> Vec<Grant> {
        const OURS: &[&str] = &["arn:{partition}:sns:{region}:{account}:{stack}-*"];
        const READS: &[&str] = &["sns:GetSubscriptionAttributes", "sns:ListSubscriptions", "sns:ListTagsForResource"];
        const WRITES: &[&str] = &["sns:SetSubscriptionAttributes", "sns:Subscribe", "sns:Unsubscribe"];
        vec![Grant::read(READS), tag_index::GRANT, Grant::write(WRITES, OURS).when(OF_THIS_STACK)]
    }
}

impl Subscription {
    /// As SNS takes it: empty is none.
    fn redrive_policy(&self) -> Result<String, CallError> {
        let Some(queue) = &self.dead_letters else { return Ok(String::new()) };
        Ok(json!({ "deadLetterTargetArn": queue.get()? }).to_string())
    }
}

fn physical(topic: &str, protocol: &str, endpoint: &str) -> String {
    format!("{topic}|{protocol}|{endpoint}")
}

fn outputs(arn: &str) -> Outputs {
    Outputs::from([("arn".to_owned(), Value::text(arn))])
}

/// The ARN of one that can be changed and deleted.
fn confirmed(now: &Found<Subscription>) -> Option<String> {
    now.outputs.get("arn").and_then(Value::as_text).filter(|arn| arn.starts_with("arn:"))
}

/// The stack's own among the topics of these subscriptions: logical id by ARN.
async fn topics(aws: &Aws, query: &Query<Subscription>, all: &[Sdk]) -> Result<BTreeMap<String, LogicalId>, CallError> {
    const NONE: &Tags = &Tags::new();
    let arns: BTreeSet<&str> = all.iter().filter_map(Sdk::topic_arn).collect();
    let topics = arns.into_iter().map(|arn| async move {
        let tags = tagging::list(aws, query, arn, |_: &Subscription| NONE).await?;
        let ours = tags.and_then(|tags| tags::read(&aws.scope.stack, &tags));
        Ok::<_, CallError>(ours.map(|(id, _)| (arn.to_owned(), id)))
    });
    Ok(try_join_all(topics).await?.into_iter().flatten().collect())
}

async fn observe(
    aws: &Aws,
    query: &Query<Subscription>,
    topics: &BTreeMap<String, LogicalId>,
    one: &Sdk,
) -> Result<Option<Found<Subscription>>, CallError> {
    let (Some(topic), Some(protocol), Some(endpoint)) = (one.topic_arn(), one.protocol(), one.endpoint()) else {
        return Ok(None);
    };
    let Some(of) = topics.get(topic) else { return Ok(None) };
    let arn = one.subscription_arn().unwrap_or(PENDING);
    let fits = |wanted: &&Subscription| {
        wanted.protocol == protocol
            && wanted.endpoint.get() == Ok(endpoint)
            && (wanted.topic.get() == Ok(topic) || wanted.topic.refers_to() == Some(of))
    };
    let wanted = query.wanted.iter().find(|(_, wanted)| fits(wanted));
    let id = match wanted {
        Some((id, _)) => id.clone(),
        None if arn.starts_with("arn:") => unwanted(of, protocol, endpoint)?,
        None => return Ok(None),
    };
    if !query.asks_for(&id) {
        return Ok(None);
    }
    let (raw, dead_letters) = match (protocol, wanted) {
        // A person's address has neither.
        ("email" | "email-json" | "sms", _) => (false, None),
        // Nothing is told of it yet.
        (_, Some((_, wanted))) if !arn.starts_with("arn:") => (wanted.raw, wanted.dead_letters.clone()),
        _ => attributes(aws, arn).await?,
    };
    Ok(Some(Found {
        id,
        physical: physical(topic, protocol, endpoint),
        identity: Identity::Ours(None),
        health: Health::Ready,
        inputs: Subscription {
            topic: Out::known(topic),
            protocol: protocol.to_owned(),
            endpoint: Text::known(endpoint),
            raw,
            dead_letters,
        },
        outputs: outputs(arn),
        blockers: Default::default(),
    }))
}

/// What a subscription is called that the stack does not want any more.
fn unwanted(topic: &LogicalId, protocol: &str, endpoint: &str) -> Result<LogicalId, CallError> {
    let digest = Sha256::digest(format!("{protocol}/{endpoint}").as_bytes());
    let mark: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    LogicalId::new(format!("{topic}-{protocol}-{mark}")).map_err(CallError::ours)
}

/// Whether it is raw, and where goes what cannot be delivered.
async fn attributes(aws: &Aws, arn: &str) -> Result<(bool, Option<Out<QueueArn>>), CallError> {
    let send = || aws.sns.get_subscription_attributes().subscription_arn(arn).send();
    match aws.call("sns:GetSubscriptionAttributes", arn, send).await {
        Err(error) if error.class == Class::Missing => Ok((false, None)),
        answer => {
            let attributes = answer?.attributes.unwrap_or_default();
            let raw = attributes.get(RAW).is_some_and(|raw| raw.eq_ignore_ascii_case("true"));
            let policy = attributes.get(REDRIVE).and_then(|policy| serde_json::from_str::<Json>(policy).ok());
            Ok((raw, policy.and_then(|policy| policy["deadLetterTargetArn"].as_str().map(Out::known))))
        }
    }
}
