//! A log group. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html>
//!
//! Every log group of a stack has the stack's name in its own, also those that other services write to
//! (`/aws/rds/instance/shop-…`): AWS lists log groups without tags, and this is what the list is narrowed by.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatchlogs::types::{LogGroup as Sdk, LogGroupClass};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Estimate, Field, Health, Identity, LogicalId, Order, Outputs, Owner, Rules, Value};

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::kms::key::KeyArn;
use crate::aws::out::{Handle, Out};
use crate::aws::tag_index;
use crate::aws::tags::{self, Tags};
use crate::aws::units::Days;

/// A log group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogGroup {
    /// Its name, with the stack's name in it.
    pub name: String,
    /// How long events are kept: one of AWS's numbers (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545,
    /// 731 …); none is forever.
    pub retention: Option<Days>,
    /// The key that events are encrypted with; none is one of AWS's own.
    pub key: Option<Out<KeyArn>>,
    /// `STANDARD` or `INFREQUENT_ACCESS`.
    pub class: String,
    /// An archive: AWS refuses to delete it until this is taken back.
    pub archive: bool,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the name of a log group.
#[derive(Debug)]
pub enum LogGroupName {}
/// Marks the ARN of a log group, without `:*` at its end.
#[derive(Debug)]
pub enum LogGroupArn {}

impl Handle<LogGroup> {
    /// The log group's name.
    #[must_use]
    pub fn name(&self) -> Out<LogGroupName> {
        self.output("name")
    }

    /// The log group's ARN, without `:*` at its end; policies on its events need that.
    #[must_use]
    pub fn arn(&self) -> Out<LogGroupArn> {
        self.output("arn")
    }
}

impl Kind for LogGroup {
    const RULES: &'static Rules = &Rules {
        kind: "logs.log-group",
        fields: &[
            Field::new("name").replaces(),
            Field::new("retention"),
            Field::new("key"),
            Field::new("class").replaces(),
            Field::new("archive"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(1, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let wanted = query.by_name(|group| &group.name);
        let groups = match query.only_physical() {
            Some(name) => {
                list(aws, name).await?.into_iter().filter(|group| group.log_group_name() == Some(name)).collect()
            }
            None => list(aws, &aws.scope.stack).await?,
        };
        let found = groups.iter().map(|group| observe(aws, query, group, &wanted));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let name = &self.name;
        if !name.contains(new.stack) {
            let what = format!("log group {name} would not be found again");
            return Err(CallError::invalid(what, format!("give it a name with `{}` in it", new.stack)));
        }
        let key = self.key.as_ref().map(Out::get).transpose()?.map(str::to_owned);
        let tags = new.tags(&self.tags);
        let create = || aws.logs.create_log_group().log_group_name(name).set_kms_key_id(key.clone());
        let create = || create().log_group_class(LogGroupClass::from(self.class.as_str()));
        let create = || create().set_deletion_protection_enabled(self.archive.then_some(true));
        let send = || create().set_tags(Some(tags.clone().into_iter().collect())).send();
        aws.call("logs:CreateLogGroup", name, send).await?;
        if self.retention.is_some() {
            self.keep(aws, name).await.map_err(CallError::right_after_create)?;
        }
        Ok(Made { physical: name.clone(), outputs: Some(outputs(aws, name)) })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let name = &now.physical;
        if changed.has("retention") {
            self.keep(aws, name).await?;
        }
        if changed.has("key") {
            self.encrypt(aws, name).await?;
        }
        if changed.has("archive") {
            let protect = || aws.logs.put_log_group_deletion_protection().log_group_identifier(name);
            let send = || protect().deletion_protection_enabled(self.archive).send();
            aws.call("logs:PutLogGroupDeletionProtection", name, send).await?;
        }
        if changed.has("tags") {
            self.change_tags(aws, name, &now.inputs.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.logs.delete_log_group().log_group_name(&now.physical).send();
        aws.call("logs:DeleteLogGroup", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        write_tags(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const GROUPS: &[&str] = &[
            "arn:{partition}:logs:{region}:{account}:log-group:*{stack}*",
            "arn:{partition}:logs:{region}:{account}:log-group:*{stack}*:*",
        ];
        vec![
            Grant::read(&["logs:DescribeLogGroups", "logs:ListTagsForResource"]),
            tag_index::GRANT,
            Grant::write(&["logs:CreateLogGroup", "logs:TagResource"], GROUPS).when(TAGGED_WITH_THIS_STACK),
            Grant::write(WRITES, GROUPS).when(OF_THIS_STACK),
        ]
    }
}

const WRITES: &[&str] = &[
    "logs:AssociateKmsKey",
    "logs:DeleteLogGroup",
    "logs:DeleteRetentionPolicy",
    "logs:DisassociateKmsKey",
    "logs:PutLogGroupDeletionProtection",
    "logs:PutRetentionPolicy",
    "logs:TagResource",
    "logs:UntagResource",
];

/// The log groups with this in their names.
async fn list(aws: &Aws, part: &str) -> Result<Vec<Sdk>, CallError> {
    let describe = |token| aws.logs.describe_log_groups().log_group_name_pattern(part).set_next_token(token);
    let send = |token| describe(token).limit(50).send();
    let page = |page: aws_sdk_cloudwatchlogs::operation::describe_log_groups::DescribeLogGroupsOutput| {
        (page.log_groups.unwrap_or_default(), page.next_token)
    };
    let groups = aws.pages("logs:DescribeLogGroups", "", send, page).await?;
    // Some emulators know no patterns and answer all.
    Ok(groups.into_iter().filter(|group| group.log_group_name().is_some_and(|name| name.contains(part))).collect())
}

async fn observe(
    aws: &Aws,
    query: &Query<LogGroup>,
    group: &Sdk,
    wanted: &BTreeMap<&str, &LogicalId>,
) -> Result<Option<Found<LogGroup>>, CallError> {
    let name = group.log_group_name().unwrap_or_default();
    let arn = arn(aws, name);
    let all = match tag_index::look(aws, query, &arn, |wanted: &LogGroup| &wanted.tags).await {
        Some(known) => known,
        None => {
            let send = || aws.logs.list_tags_for_resource().resource_arn(&arn).send();
            match aws.call("logs:ListTagsForResource", name, send).await {
                Err(error) if error.class == Class::Missing => return Ok(None),
                answer => answer?.tags.unwrap_or_default().into_iter().collect(),
            }
        }
    };
    let (id, identity) = match (tags::read(&aws.scope.stack, &all), wanted.get(name)) {
        (Some(ours), _) => ours,
        (None, Some(id)) => ((*id).clone(), Identity::Foreign),
        (None, None) => return Ok(None),
    };
    let archive = group.deletion_protection_enabled().unwrap_or_default();
    let inputs = LogGroup {
        name: name.to_owned(),
        retention: group.retention_in_days().map(Days),
        key: group.kms_key_id().map(Out::known),
        class: group.log_group_class().map_or("STANDARD", LogGroupClass::as_str).to_owned(),
        archive,
        tags: tags::user(&all),
    };
    let protection = format!("log group {name} has deletion protection: take it off in the stack and apply that first");
    Ok(Some(Found {
        id,
        physical: name.to_owned(),
        identity,
        health: Health::Ready,
        inputs,
        outputs: outputs(aws, name),
        blockers: archive.then_some(protection).into_iter().collect::<BTreeSet<_>>(),
    }))
}

fn arn(aws: &Aws, name: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:logs:{}:{}:log-group:{name}", scope.partition, scope.region, scope.account)
}

fn outputs(aws: &Aws, name: &str) -> Outputs {
    Outputs::from([("name".to_owned(), Value::text(name)), ("arn".to_owned(), Value::text(arn(aws, name)))])
}

impl LogGroup {
    async fn keep(&self, aws: &Aws, name: &str) -> Result<(), CallError> {
        let Some(Days(days)) = self.retention else {
            let send = || aws.logs.delete_retention_policy().log_group_name(name).send();
            return aws.call("logs:DeleteRetentionPolicy", name, send).await.map(drop);
        };
        let send = || aws.logs.put_retention_policy().log_group_name(name).retention_in_days(days).send();
        aws.call("logs:PutRetentionPolicy", name, send).await.map(drop)
    }

    async fn encrypt(&self, aws: &Aws, name: &str) -> Result<(), CallError> {
        let Some(key) = &self.key else {
            let send = || aws.logs.disassociate_kms_key().log_group_name(name).send();
            return aws.call("logs:DisassociateKmsKey", name, send).await.map(drop);
        };
        let key = key.get()?;
        let send = || aws.logs.associate_kms_key().log_group_name(name).kms_key_id(key).send();
        aws.call("logs:AssociateKmsKey", name, send).await.map(drop)
    }

    async fn change_tags(&self, aws: &Aws, name: &str, now: &Tags) -> Result<(), CallError> {
        let (set, gone) = tags::difference(now, &self.tags);
        if !set.is_empty() {
            write_tags(aws, name, &set).await?;
        }
        if !gone.is_empty() {
            let arn = arn(aws, name);
            let send = || aws.logs.untag_resource().resource_arn(&arn).set_tag_keys(Some(gone.clone())).send();
            aws.call("logs:UntagResource", name, send).await?;
        }
        Ok(())
    }
}

async fn write_tags(aws: &Aws, name: &str, tags: &Tags) -> Result<(), CallError> {
    let arn = arn(aws, name);
    let send = || aws.logs.tag_resource().resource_arn(&arn).set_tags(Some(tags.clone().into_iter().collect())).send();
    aws.call("logs:TagResource", name, send).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::World;

    fn group() -> LogGroup {
        LogGroup {
            name: "/wharf/shop/flow-logs".to_owned(),
            retention: Some(Days(30)),
            key: None,
            class: "STANDARD".to_owned(),
            archive: false,
            tags: Tags::from([("team".to_owned(), "ops".to_owned())]),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_group_lives_from_creation_to_deletion() {
        let world = World::calm().await;
        let found = world.create("network.flow-logs", &group()).await;
        let archive = LogGroup { retention: None, archive: true, tags: Tags::new(), ..group() };
        let found = world.update(&found, &archive).await;
        assert_eq!(found.blockers.len(), 1);
        let found = world.update(&found, &LogGroup { archive: false, ..archive }).await;
        world.delete::<LogGroup>(&found).await;
        assert!(world.sandbox.inventory().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_that_would_not_be_found_again_is_not_made() {
        let world = World::calm().await;
        let id = LogicalId::new("network.flow-logs").unwrap();
        let generation = wharf_engine::Generation::from_tag("0a1b2c3d");
        let new = New { id: &id, generation: &generation, stack: "shop", token: "t" };
        let elsewhere = LogGroup { name: "/other/flow-logs".to_owned(), ..group() };
        assert_eq!(elsewhere.create(&world.aws, &new).await.unwrap_err().class, Class::Invalid);
        assert!(world.sandbox.inventory().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_key_of_a_log_group_comes_and_goes() {
        let world = World::calm().await;
        let key = Some(world.key_for("logs.us-east-1.amazonaws.com").await);
        let found = world.create("network.flow-logs", &LogGroup { key: key.clone(), ..group() }).await;
        let found = world.update(&found, &group()).await;
        world.update(&found, &LogGroup { key, ..group() }).await;
    }
}
