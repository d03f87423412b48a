//! A rule on the account's own event bus, with its targets.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rules.html>
//!
//! Rules of a stack have names that begin with the stack's: EventBridge lists rules by that, not by tags.

use std::collections::BTreeMap;

use aws_sdk_eventbridge::types::{DeadLetterConfig, RetryPolicy, Rule as Sdk, RuleState, Tag, Target as SdkTarget};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Health, Identity, Order, Outputs, Owner, Rules, Value};

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::tag_index;
use crate::aws::tags::{self, Tags};
use crate::aws::units::Seconds;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name, which begins with the stack's.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Which events: a pattern, as JSON.
    pub pattern: Text,
    /// Whether it works.
    pub enabled: bool,
    /// Who gets them, by the names that the targets have in the rule; nobody else does.
    pub targets: BTreeMap<String, Target>,
    /// The user's tags.
    pub tags: Tags,
}

/// Who gets a rule's events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The ARN of a queue, topic or function, whose own policy lets the rule in.
    pub arn: Text,
    /// How often an event that could not be handed over is tried again: up to 185 times.
    pub retries: i32,
    /// How long it is tried again: up to a day.
    pub max_age: Seconds,
    /// The ARN of the queue that gets what could not be handed over at all.
    pub dead_letters: Option<Text>,
}

/// Marks the ARN of a rule.
#[derive(Debug)]
pub enum RuleArn {}

impl Handle<Rule> {
    /// The rule's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<RuleArn> {
        self.output("arn")
    }
}

impl Kind for Rule {
    const RULES: &'static Rules = &Rules {
        kind: "events.rule",
        fields: &[
            Field::new("name").replaces(),
            Field::new("description"),
            Field::new("pattern").compared(Compare::Document),
            Field::new("enabled"),
            Field::new("targets"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(1, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let prefix = match query.only_physical() {
            Some(name) => name.to_owned(),
            None => prefix(&aws.scope.stack),
        };
        let send = |token| aws.events.list_rules().name_prefix(&prefix).set_next_token(token).send();
        let rules =
            aws.pages("events:ListRules", "", send, |page| (page.rules.unwrap_or_default(), page.next_token)).await?;
        let found = rules.iter().map(|rule| observe(aws, query, rule));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        if !self.name.starts_with(&prefix(new.stack)) {
            let what = format!("rule {} would not be found again", self.name);
            return Err(CallError::invalid(what, format!("let its name begin with `{}`", prefix(new.stack))));
        }
        self.put(aws, Some(&new.tags(&self.tags))).await?;
        let targets = self.targets.iter().collect();
        put_targets(aws, &self.name, targets).await.map_err(CallError::right_after_create)?;
        Ok(Made { physical: self.name.clone(), outputs: Some(outputs(aws, &self.name)) })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let name = &now.physical;
        if changed.has("targets") {
            let new = self.targets.iter().filter(|(id, target)| now.inputs.targets.get(*id) != Some(*target));
            put_targets(aws, name, new.collect()).await?;
            let gone = now.inputs.targets.keys().filter(|id| !self.targets.contains_key(*id));
            remove_targets(aws, name, gone.cloned().collect()).await?;
        }
        if changed.any(&["description", "pattern", "enabled"]) {
            self.put(aws, None).await?;
        }
        if changed.has("tags") {
            change_tags(aws, name, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    /// EventBridge deletes no rule that still has targets.
    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let name = &now.physical;
        remove_targets(aws, name, now.inputs.targets.keys().cloned().collect()).await?;
        aws.call("events:DeleteRule", name, || aws.events.delete_rule().name(name).send()).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        write_tags(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const RULES: &[&str] = &["arn:{partition}:events:{region}:{account}:rule/{stack}-*"];
        const READS: &[&str] = &["events:ListRules", "events:ListTagsForResource", "events:ListTargetsByRule"];
        const CHANGES: &[&str] = &[
            "events:DeleteRule",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:TagResource",
            "events:UntagResource",
        ];
        vec![
            Grant::read(READS),
            tag_index::GRANT,
            Grant::write(&["events:PutRule", "events:TagResource"], RULES).when(TAGGED_WITH_THIS_STACK),
            Grant::write(CHANGES, RULES).when(OF_THIS_STACK),
        ]
    }
}

impl Rule {
    /// Writes the whole rule but its targets; tags only when it is new: an existing one takes none this way.
    async fn put(&self, aws: &Aws, tags: Option<&Tags>) -> Result<(), CallError> {
        let state = if self.enabled { RuleState::Enabled } else { RuleState::Disabled };
        let put = aws
            .events
            .put_rule()
            .name(&self.name)
            .description(&self.description)
            .event_pattern(self.pattern.get()?)
            .state(state)
            .set_tags(tags.map(to_sdk).transpose()?);
        aws.call("events:PutRule", &self.name, || put.clone().send()).await.map(drop)
    }
}

impl Target {
    fn to_sdk(&self, id: &str) -> Result<SdkTarget, CallError> {
        let retry = RetryPolicy::builder()
            .maximum_retry_attempts(self.retries)
            .maximum_event_age_in_seconds(self.max_age.0)
            .build();
        let letters = self.dead_letters.as_ref().map(Out::get).transpose()?;
        let target = SdkTarget::builder().id(id).arn(self.arn.get()?).retry_policy(retry);
        let target = target.set_dead_letter_config(letters.map(|arn| DeadLetterConfig::builder().arn(arn).build()));
        target.build().map_err(CallError::ours)
    }

    fn observed(target: &SdkTarget) -> Self {
        let retry = target.retry_policy();
        Self {
            arn: Text::known(target.arn()),
            retries: retry.and_then(RetryPolicy::maximum_retry_attempts).unwrap_or(185),
            max_age: Seconds(retry.and_then(RetryPolicy::maximum_event_age_in_seconds).unwrap_or(86_400)),
            dead_letters: target.dead_letter_config().and_then(DeadLetterConfig::arn).map(Text::known),
        }
    }
}

fn prefix(stack: &str) -> String {
    format!("{stack}-")
}

fn arn(aws: &Aws, name: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:events:{}:{}:rule/{name}", scope.partition, scope.region, scope.account)
}

fn outputs(aws: &Aws, name: &str) -> Outputs {
    Outputs::from([("arn".to_owned(), Value::text(arn(aws, name)))])
}

/// EventBridge answers with success and a list of what failed.
async fn put_targets(aws: &Aws, rule: &str, targets: Vec<(&String, &Target)>) -> Result<(), CallError> {
    const ACTION: &str = "events:PutTargets";
    if targets.is_empty() {
        return Ok(());
    }
    let targets = targets.into_iter().map(|(id, target)| target.to_sdk(id)).collect::<Result<Vec<_>, _>>()?;
    let put = aws.events.put_targets().rule(rule).set_targets(Some(targets));
    let answer = aws.call(ACTION, rule, || put.clone().send()).await?;
    match answer.failed_entries().first() {
        Some(failed) => Err(CallError::of_item(ACTION, rule, failed.error_code(), failed.error_message())),
        None => Ok(()),
    }
}

async fn remove_targets(aws: &Aws, rule: &str, ids: Vec<String>) -> Result<(), CallError> {
    const ACTION: &str = "events:RemoveTargets";
    if ids.is_empty() {
        return Ok(());
    }
    let remove = aws.events.remove_targets().rule(rule).set_ids(Some(ids));
    let answer = aws.call(ACTION, rule, || remove.clone().send()).await?;
    match answer.failed_entries().first() {
        Some(failed) => Err(CallError::of_item(ACTION, rule, failed.error_code(), failed.error_message())),
        None => Ok(()),
    }
}

async fn observe(aws: &Aws, query: &Query<Rule>, rule: &Sdk) -> Result<Option<Found<Rule>>, CallError> {
    let Some(name) = rule.name() else { return Ok(None) };
    let (targets, all) = match futures::try_join!(list_targets(aws, name), list_tags(aws, query, name)) {
        Err(error) if error.class == Class::Missing => return Ok(None),
        answers => answers?,
    };
    let foreign = || query.by_name(|wanted| &wanted.name).get(name).map(|id| ((*id).clone(), Identity::Foreign));
    let Some((id, identity)) = tags::read(&aws.scope.stack, &all).or_else(foreign) else { return Ok(None) };
    let inputs = Rule {
        name: name.to_owned(),
        description: rule.description().unwrap_or_default().to_owned(),
        pattern: Text::known(rule.event_pattern().unwrap_or_default()),
        enabled: rule.state() != Some(&RuleState::Disabled),
        targets: targets.iter().map(|target| (target.id().to_owned(), Target::observed(target))).collect(),
        tags: tags::user(&all),
    };
    Ok(Some(Found {
        id,
        physical: name.to_owned(),
        identity,
        health: Health::Ready,
        inputs,
        outputs: outputs(aws, name),
        blockers: Default::default(),
    }))
}

async fn list_targets(aws: &Aws, rule: &str) -> Result<Vec<SdkTarget>, CallError> {
    let send = |token| aws.events.list_targets_by_rule().rule(rule).set_next_token(token).send();
    let page = |page: aws_sdk_eventbridge::operation::list_targets_by_rule::ListTargetsByRuleOutput| {
        (page.targets.unwrap_or_default(), page.next_token)
    };
    aws.pages("events:ListTargetsByRule", rule, send, page).await
}

async fn list_tags(aws: &Aws, query: &Query<Rule>, name: &str) -> Result<Tags, CallError> {
    let arn = arn(aws, name);
    if let Some(known) = tag_index::look(aws, query, &arn, |wanted: &Rule| &wanted.tags).await {
        return Ok(known);
    }
    let send = || aws.events.list_tags_for_resource().resource_arn(&arn).send();
    let answer = aws.call("events:ListTagsForResource", name, send).await?;
    Ok(answer.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
}

fn to_sdk(tags: &Tags) -> Result<Vec<Tag>, CallError> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().map_err(CallError::ours);
    tags.iter().map(tag).collect()
}

async fn write_tags(aws: &Aws, name: &str, tags: &Tags) -> Result<(), CallError> {
    let (arn, tags) = (arn(aws, name), to_sdk(tags)?);
    let send = || aws.events.tag_resource().resource_arn(&arn).set_tags(Some(tags.clone())).send();
    aws.call("events:TagResource", name, send).await.map(drop)
}

async fn change_tags(aws: &Aws, name: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let (set, gone) = tags::difference(now, to);
    if !set.is_empty() {
        write_tags(aws, name, &set).await?;
    }
    if !gone.is_empty() {
        let arn = arn(aws, name);
        let send = || aws.events.untag_resource().resource_arn(&arn).set_tag_keys(Some(gone.clone())).send();
        aws.call("events:UntagResource", name, send).await?;
    }
    Ok(())
}
