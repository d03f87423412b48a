//! A topic. <https://docs.aws.amazon.com/sns/latest/dg/sns-create-topic.html>
//!
//! Topics of a stack have names that begin with the stack's: SNS lists topics by their ARNs alone.

use std::collections::HashMap;

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Health, Identity, Order, Outputs, Owner, Rules, Value};

use super::tagging;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::kms::key::KeyArn;
use crate::aws::out::{Handle, Out, Text};
use crate::aws::tags::{self, Tags};
use crate::aws::{policy, tag_index};

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Its name, which begins with the stack's.
    pub name: String,
    /// What emails say they are from.
    pub display_name: String,
    /// Who may publish and subscribe: a policy document. None is the account itself and nobody else.
    pub policy: Option<Text>,
    /// Encrypts what is published; its own policy must let in whoever publishes.
    pub key: Option<Out<KeyArn>>,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the ARN of a topic.
#[derive(Debug)]
pub enum TopicArn {}
/// Marks the name of a topic.
#[derive(Debug)]
pub enum TopicName {}

impl Handle<Topic> {
    /// The topic's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<TopicArn> {
        self.output("arn")
    }

    /// The topic's name.
    #[must_use]
    pub fn name(&self) -> Out<TopicName> {
        self.output("name")
    }
}

impl Kind for Topic {
    const RULES: &'static Rules = &Rules {
        kind: "sns.topic",
        fields: &[
            Field::new("name").replaces(),
            Field::new("display_name"),
            Field::new("policy").compared(Compare::Document),
            Field::new("key"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(1, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let arns = match query.only_physical() {
            Some(arn) => vec![arn.to_owned()],
            None => of_stack(aws).await?,
        };
        let found = arns.iter().map(|arn| observe(aws, query, arn));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        if !self.name.starts_with(&prefix(new.stack)) {
            let what = format!("topic {} would not be found again", self.name);
            return Err(CallError::invalid(what, format!("let its name begin with `{}`", prefix(new.stack))));
        }
        let mut attributes = HashMap::from([("DisplayName".to_owned(), self.display_name.clone())]);
        if let Some(policy) = &self.policy {
            attributes.insert("Policy".to_owned(), policy.get()?.to_owned());
        }
        if let Some(key) = &self.key {
            attributes.insert("KmsMasterKeyId".to_owned(), key.get()?.to_owned());
        }
        let tags = tagging::to_sdk(&new.tags(&self.tags))?;
        let create = aws.sns.create_topic().name(&self.name).set_attributes(Some(attributes)).set_tags(Some(tags));
        aws.call("sns:CreateTopic", &self.name, || create.clone().send()).await?;
        let arn = arn(aws, &self.name);
        Ok(Made { outputs: Some(outputs(&arn)), physical: arn })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let arn = &now.physical;
        if changed.has("display_name") {
            set(aws, arn, "DisplayName", &self.display_name).await?;
        }
        if changed.has("policy") {
            match &self.policy {
                Some(policy) => set(aws, arn, "Policy", policy.get()?).await?,
                None => set(aws, arn, "Policy", &default_policy(aws, arn)).await?,
            }
        }
        if changed.has("key") {
            let key = self.key.as_ref().map(Out::get).transpose()?;
            set(aws, arn, "KmsMasterKeyId", key.unwrap_or_default()).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, arn, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.sns.delete_topic().topic_arn(&now.physical).send();
        aws.call("sns:DeleteTopic", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const OURS: &[&str] = &["arn:{partition}:sns:{region}:{account}:{stack}-*"];
        const CHANGES: &[&str] = &["sns:DeleteTopic", "sns:SetTopicAttributes", "sns:TagResource", "sns:UntagResource"];
        vec![
            Grant::read(&["sns:GetTopicAttributes", "sns:ListTagsForResource", "sns:ListTopics"]),
            tag_index::GRANT,
            Grant::write(&["sns:CreateTopic", "sns:TagResource"], OURS).when(TAGGED_WITH_THIS_STACK),
            Grant::write(CHANGES, OURS).when(OF_THIS_STACK),
        ]
    }
}

fn prefix(stack: &str) -> String {
    format!("{stack}-")
}

pub(super) fn arn(aws: &Aws, name: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:sns:{}:{}:{name}", scope.partition, scope.region, scope.account)
}

/// The ARNs of the topics whose names begin with the stack's.
async fn of_stack(aws: &Aws) -> Result<Vec<String>, CallError> {
    let send = |token| aws.sns.list_topics().set_next_token(token).send();
    let topics = aws.pages("sns:ListTopics", "", send, |page| (page.topics.unwrap_or_default(), page.next_token));
    let prefix = arn(aws, &prefix(&aws.scope.stack));
    let arns = topics.await?.into_iter().filter_map(|topic| topic.topic_arn);
    Ok(arns.filter(|arn| arn.starts_with(&prefix)).collect())
}

async fn set(aws: &Aws, arn: &str, name: &str, value: &str) -> Result<(), CallError> {
    let set = aws.sns.set_topic_attributes().topic_arn(arn).attribute_name(name).attribute_value(value);
    aws.call("sns:SetTopicAttributes", arn, || set.clone().send()).await.map(drop)
}

/// The id of the policy that SNS gives to a topic without one.
const DEFAULT: &str = "__default_policy_ID";

/// That policy: the account may do all that a topic's policy can be about.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html>
fn default_policy(aws: &Aws, arn: &str) -> String {
    const ACTIONS: &[&str] = &[
        "SNS:GetTopicAttributes",
        "SNS:SetTopicAttributes",
        "SNS:AddPermission",
        "SNS:RemovePermission",
        "SNS:DeleteTopic",
        "SNS:Subscribe",
        "SNS:ListSubscriptionsByTopic",
        "SNS:Publish",
    ];
    serde_json::json!({
        "Version": "2008-10-17",
        "Id": DEFAULT,
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": ACTIONS,
            "Resource": arn,
            "Condition": { "StringEquals": { "AWS:SourceOwner": aws.scope.account } },
        }],
    })
    .to_string()
}

async fn observe(aws: &Aws, query: &Query<Topic>, arn: &str) -> Result<Option<Found<Topic>>, CallError> {
    let name = arn.rsplit(':').next().unwrap_or_default();
    let attributes = async {
        let send = || aws.sns.get_topic_attributes().topic_arn(arn).send();
        match aws.call("sns:GetTopicAttributes", arn, send).await {
            Err(error) if error.class == Class::Missing => Ok(None),
            answer => Ok(Some(answer?.attributes.unwrap_or_default())),
        }
    };
    let tags = tagging::list(aws, query, arn, |wanted: &Topic| &wanted.tags);
    let (Some(attributes), Some(all)) = futures::try_join!(attributes, tags)? else { return Ok(None) };
    let foreign = || {
        let wants = query.wanted.iter().find(|(_, wanted)| wanted.name == name);
        wants.map(|(id, _)| (id.clone(), Identity::Foreign))
    };
    let Some((id, identity)) = tags::read(&aws.scope.stack, &all).or_else(foreign) else { return Ok(None) };
    let text = |name: &str| attributes.get(name).filter(|text| !text.is_empty());
    let policy = text("Policy").filter(|policy| !policy.contains(DEFAULT));
    let inputs = Topic {
        name: name.to_owned(),
        display_name: text("DisplayName").cloned().unwrap_or_default(),
        policy: policy.map(|policy| policy::observed(policy)).transpose()?,
        key: text("KmsMasterKeyId").map(Out::known),
        tags: tags::user(&all),
    };
    Ok(Some(Found {
        id,
        physical: arn.to_owned(),
        identity,
        health: Health::Ready,
        inputs,
        outputs: outputs(arn),
        blockers: Default::default(),
    }))
}

fn outputs(arn: &str) -> Outputs {
    let name = arn.rsplit(':').next().unwrap_or_default();
    Outputs::from([("arn".to_owned(), Value::text(arn)), ("name".to_owned(), Value::text(name))])
}
