//! A queue. <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html>
//!
//! Queues of a stack have names that begin with the stack's: SQS lists queues by that, and tells their URLs alone.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Health, Identity, Order, Outputs, Owner, Rules, Value};

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::kms::key::KeyArn;
use crate::aws::out::{Handle, Out, Text};
use crate::aws::tags::{self, Tags};
use crate::aws::units::Seconds;
use crate::aws::{policy, tag_index};

/// A queue that keeps no order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Its name, which begins with the stack's.
    pub name: String,
    /// How long a message that somebody has taken is hidden from others.
    pub visibility: Seconds,
    /// How long a message is kept: a minute to two weeks.
    pub retention: Seconds,
    /// Who may send and receive: a policy document. None is the account's own roles alone.
    pub policy: Option<Text>,
    /// Where messages go that could not be worked on.
    pub dead_letters: Option<DeadLetters>,
    /// The KMS key that messages are encrypted with; none is SQS's own, which whoever may send needs no right to.
    pub key: Option<Out<KeyArn>>,
    /// The user's tags.
    pub tags: Tags,
}

/// Where messages go that could not be worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetters {
    /// The queue that they go to.
    pub queue: Out<QueueArn>,
    /// How often a message is taken before it goes there.
    pub receives: u32,
}

/// Marks the ARN of a queue.
#[derive(Debug)]
pub enum QueueArn {}
/// Marks the URL of a queue.
#[derive(Debug)]
pub enum QueueUrl {}
/// Marks the name of a queue.
#[derive(Debug)]
pub enum QueueName {}

impl Handle<Queue> {
    /// The queue's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<QueueArn> {
        self.output("arn")
    }

    /// The queue's URL.
    #[must_use]
    pub fn url(&self) -> Out<QueueUrl> {
        self.output("url")
    }

    /// The queue's name.
    #[must_use]
    pub fn name(&self) -> Out<QueueName> {
        self.output("name")
    }
}

impl Kind for Queue {
    const RULES: &'static Rules = &Rules {
        kind: "sqs.queue",
        fields: &[
            Field::new("name").replaces(),
            Field::new("visibility"),
            Field::new("retention"),
            Field::new("policy").compared(Compare::Document),
            Field::new("dead_letters"),
            Field::new("key"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(1, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let urls = match query.only_physical() {
            Some(url) => vec![url.to_owned()],
            None => list(aws).await?,
        };
        let found = urls.iter().map(|url| observe(aws, query, url));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "sqs:CreateQueue";
        if !self.name.starts_with(&prefix(new.stack)) {
            let what = format!("queue {} would not be found again", self.name);
            return Err(CallError::invalid(what, format!("let its name begin with `{}`", prefix(new.stack))));
        }
        let mut attributes = self.attributes(|_| true)?;
        // What is empty takes something away, and there is nothing yet.
        attributes.retain(|_, value| !value.is_empty());
        let tags: HashMap<String, String> = new.tags(&self.tags).into_iter().collect();
        let create =
            aws.sqs.create_queue().queue_name(&self.name).set_attributes(Some(attributes)).set_tags(Some(tags));
        let answer = aws.call(ACTION, &self.name, || create.clone().send()).await?;
        let url = answer.queue_url.ok_or_else(|| CallError::lacks(ACTION, "QueueUrl"))?;
        Ok(Made { outputs: Some(outputs(aws, &self.name, &url)), physical: url })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let url = &now.physical;
        let attributes = self.attributes(|field| changed.has(field))?;
        if !attributes.is_empty() {
            let set = aws.sqs.set_queue_attributes().queue_url(url).set_attributes(Some(attributes));
            aws.call("sqs:SetQueueAttributes", url, || set.clone().send()).await?;
        }
        if changed.has("tags") {
            change_tags(aws, url, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.sqs.delete_queue().queue_url(&now.physical).send();
        aws.call("sqs:DeleteQueue", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        write_tags(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const OURS: &[&str] = &["arn:{partition}:sqs:{region}:{account}:{stack}-*"];
        const CHANGES: &[&str] = &["sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"];
        vec![
            Grant::read(&["sqs:GetQueueAttributes", "sqs:ListQueueTags", "sqs:ListQueues"]),
            tag_index::GRANT,
            Grant::write(&["sqs:CreateQueue", "sqs:TagQueue"], OURS).when(TAGGED_WITH_THIS_STACK),
            Grant::write(CHANGES, OURS).when(OF_THIS_STACK),
        ]
    }
}

fn prefix(stack: &str) -> String {
    format!("{stack}-")
}

fn arn(aws: &Aws, name: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:sqs:{}:{}:{name}", scope.partition, scope.region, scope.account)
}

/// A queue's name, which its URL and its ARN end in.
fn name_of(text: &str) -> &str {
    text.rsplit(['/', ':']).next().unwrap_or_default()
}

/// The URLs of the queues whose names begin with the stack's.
async fn list(aws: &Aws) -> Result<Vec<String>, CallError> {
    let list = || aws.sqs.list_queues().queue_name_prefix(prefix(&aws.scope.stack)).max_results(1000);
    let send = |token| list().set_next_token(token).send();
    aws.pages("sqs:ListQueues", "", send, |page| (page.queue_urls.unwrap_or_default(), page.next_token)).await
}

impl Queue {
    /// The attributes of these fields. An empty value takes an attribute away.
    fn attributes(&self, wants: impl Fn(&str) -> bool) -> Result<HashMap<Attribute, String>, CallError> {
        let mut attributes = HashMap::new();
        if wants("visibility") {
            attributes.insert(Attribute::VisibilityTimeout, self.visibility.0.to_string());
        }
        if wants("retention") {
            attributes.insert(Attribute::MessageRetentionPeriod, self.retention.0.to_string());
        }
        if wants("policy") {
            let policy = self.policy.as_ref().map(Out::get).transpose()?;
            attributes.insert(Attribute::Policy, policy.unwrap_or_default().to_owned());
        }
        if wants("dead_letters") {
            attributes.insert(Attribute::RedrivePolicy, self.redrive()?);
        }
        match &self.key {
            Some(key) if wants("key") => {
                attributes.insert(Attribute::KmsMasterKeyId, key.get()?.to_owned());
            }
            None if wants("key") => {
                attributes.insert(Attribute::SqsManagedSseEnabled, "true".to_owned());
            }
            _ => {}
        }
        Ok(attributes)
    }

    fn redrive(&self) -> Result<String, CallError> {
        let Some(letters) = &self.dead_letters else { return Ok(String::new()) };
        let queue = letters.queue.get()?;
        Ok(serde_json::json!({ "deadLetterTargetArn": queue, "maxReceiveCount": letters.receives }).to_string())
    }
}

/// A queue that is the stack's, or has a name that the stack wants. One that was deleted is listed for a while.
async fn observe(aws: &Aws, query: &Query<Queue>, url: &str) -> Result<Option<Found<Queue>>, CallError> {
    let name = name_of(url);
    let attributes = async {
        let get = || aws.sqs.get_queue_attributes().queue_url(url).attribute_names(Attribute::All);
        aws.call("sqs:GetQueueAttributes", name, || get().send()).await
    };
    let (attributes, all) = match futures::try_join!(attributes, list_tags(aws, query, url)) {
        Err(error) if error.class == Class::Missing => return Ok(None),
        answers => answers?,
    };
    let foreign = || query.by_name(|wanted| &wanted.name).get(name).map(|id| ((*id).clone(), Identity::Foreign));
    let Some((id, identity)) = tags::read(&aws.scope.stack, &all).or_else(foreign) else { return Ok(None) };
    let attributes = attributes.attributes.unwrap_or_default();
    let text = |name: &Attribute| attributes.get(name).filter(|text| !text.is_empty());
    let seconds = |name: &Attribute| Seconds(text(name).and_then(|text| text.parse().ok()).unwrap_or_default());
    let inputs = Queue {
        name: name.to_owned(),
        visibility: seconds(&Attribute::VisibilityTimeout),
        retention: seconds(&Attribute::MessageRetentionPeriod),
        policy: text(&Attribute::Policy).map(|policy| policy::observed(policy)).transpose()?,
        dead_letters: text(&Attribute::RedrivePolicy).and_then(|policy| dead_letters(policy)),
        key: key(text(&Attribute::KmsMasterKeyId), text(&Attribute::SqsManagedSseEnabled)),
        tags: tags::user(&all),
    };
    Ok(Some(Found {
        id,
        physical: url.to_owned(),
        identity,
        health: Health::Ready,
        inputs,
        outputs: outputs(aws, name, url),
        blockers: Default::default(),
    }))
}

/// The key of a queue; an empty one is that of a queue which is not encrypted at all, and which nobody wants.
fn key(key: Option<&String>, managed: Option<&String>) -> Option<Out<KeyArn>> {
    match (key, managed.map(String::as_str)) {
        (Some(key), _) => Some(Out::known(key)),
        (None, Some("false")) => Some(Out::known("")),
        (None, _) => None,
    }
}

/// SQS takes the number as a number or as a text, and gives it back as it was.
fn dead_letters(policy: &str) -> Option<DeadLetters> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    let receives = &policy["maxReceiveCount"];
    let receives = receives.as_u64().or_else(|| receives.as_str()?.parse().ok())?;
    let queue = Out::known(policy["deadLetterTargetArn"].as_str()?);
    Some(DeadLetters { queue, receives: u32::try_from(receives).ok()? })
}

fn outputs(aws: &Aws, name: &str, url: &str) -> Outputs {
    Outputs::from([
        ("arn".to_owned(), Value::text(arn(aws, name))),
        ("url".to_owned(), Value::text(url)),
        ("name".to_owned(), Value::text(name)),
    ])
}

async fn list_tags(aws: &Aws, query: &Query<Queue>, url: &str) -> Result<Tags, CallError> {
    let arn = arn(aws, name_of(url));
    if let Some(known) = tag_index::look(aws, query, &arn, |wanted: &Queue| &wanted.tags).await {
        return Ok(known);
    }
    let answer = aws.call("sqs:ListQueueTags", url, || aws.sqs.list_queue_tags().queue_url(url).send()).await?;
    Ok(answer.tags.unwrap_or_default().into_iter().collect())
}

async fn write_tags(aws: &Aws, url: &str, tags: &Tags) -> Result<(), CallError> {
    let send = || aws.sqs.tag_queue().queue_url(url).set_tags(Some(tags.clone().into_iter().collect())).send();
    aws.call("sqs:TagQueue", url, send).await.map(drop)
}

async fn change_tags(aws: &Aws, url: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let (set, gone) = tags::difference(now, to);
    if !set.is_empty() {
        write_tags(aws, url, &set).await?;
    }
    if !gone.is_empty() {
        let send = || aws.sqs.untag_queue().queue_url(url).set_tag_keys(Some(gone.clone())).send();
        aws.call("sqs:UntagQueue", url, send).await?;
    }
    Ok(())
}
