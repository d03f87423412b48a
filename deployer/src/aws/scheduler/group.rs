//! A schedule group: the stack's schedules are in one, for schedules themselves take no tags.
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-group.html>

use aws_sdk_scheduler::types::{ScheduleGroupState, ScheduleGroupSummary as Sdk, Tag};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Estimate, Field, Health, Identity, Order, Outputs, Owner, Rules, Value};

use super::group_name;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::{self, Tags};

/// A schedule group. Its name is `wharf-<stack>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleGroup {
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the name of a schedule group.
#[derive(Debug)]
pub enum ScheduleGroupName {}
/// Marks the ARN of a schedule group.
#[derive(Debug)]
pub enum ScheduleGroupArn {}

impl Handle<ScheduleGroup> {
    /// The group's name.
    #[must_use]
    pub fn name(&self) -> Out<ScheduleGroupName> {
        self.output("name")
    }

    /// The group's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<ScheduleGroupArn> {
        self.output("arn")
    }
}

impl Kind for ScheduleGroup {
    const RULES: &'static Rules = &Rules {
        kind: "scheduler.group",
        fields: &[Field::new("tags").owned_by(Owner::Shared)],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(10),
        estimate: Estimate::seconds(1, 1, 12),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let name = group_name(&aws.scope.stack);
        let send = |token| aws.scheduler.list_schedule_groups().name_prefix(&name).set_next_token(token).send();
        let page = |page: aws_sdk_scheduler::operation::list_schedule_groups::ListScheduleGroupsOutput| {
            (page.schedule_groups, page.next_token)
        };
        let all = aws.pages("scheduler:ListScheduleGroups", &name, send, page).await?;
        let ours = all.iter().filter(|group| group.name() == Some(&name));
        let found = try_join_all(ours.map(|group| observe(aws, query, group))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let (name, tags) = (group_name(new.stack), to_sdk(&new.tags(&self.tags))?);
        let create = || aws.scheduler.create_schedule_group().name(&name).client_token(new.token);
        let send = || create().set_tags(Some(tags.clone())).send();
        let answer = aws.call("scheduler:CreateScheduleGroup", &name, send).await?;
        Ok(Made { outputs: Some(outputs(&name, answer.schedule_group_arn())), physical: name })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, _changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let (set, gone) = tags::difference(&now.inputs.tags, &self.tags);
        let arn = arn(aws, &now.physical);
        if !set.is_empty() {
            write(aws, &arn, &set).await?;
        }
        if !gone.is_empty() {
            let send = || aws.scheduler.untag_resource().resource_arn(&arn).set_tag_keys(Some(gone.clone())).send();
            aws.call("scheduler:UntagResource", &arn, send).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.scheduler.delete_schedule_group().name(&now.physical).send();
        aws.call("scheduler:DeleteScheduleGroup", &now.physical, send).await?;
        Ok(Gone::Later)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        write(aws, &arn(aws, &now.physical), identity).await
    }

    fn grants() -> Vec<Grant> {
        const GROUP: &[&str] = &["arn:{partition}:scheduler:{region}:{account}:schedule-group/wharf-{stack}"];
        const CREATE: &[&str] = &["scheduler:CreateScheduleGroup", "scheduler:TagResource"];
        const CHANGE: &[&str] = &["scheduler:DeleteScheduleGroup", "scheduler:TagResource", "scheduler:UntagResource"];
        vec![
            Grant::read(&["scheduler:ListScheduleGroups", "scheduler:ListTagsForResource"]),
            Grant::write(CREATE, GROUP).when(TAGGED_WITH_THIS_STACK),
            Grant::write(CHANGE, GROUP).when(OF_THIS_STACK),
        ]
    }
}

async fn observe(
    aws: &Aws,
    query: &Query<ScheduleGroup>,
    group: &Sdk,
) -> Result<Option<Found<ScheduleGroup>>, CallError> {
    let (Some(name), Some(arn)) = (group.name(), group.arn()) else { return Ok(None) };
    let send = || aws.scheduler.list_tags_for_resource().resource_arn(arn).send();
    let all: Tags = match aws.call("scheduler:ListTagsForResource", arn, send).await {
        Err(error) if error.class == Class::Missing => return Ok(None),
        answer => answer?.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect(),
    };
    let foreign = || query.wanted.keys().next().map(|id| (id.clone(), Identity::Foreign));
    let Some((id, identity)) = tags::read(&aws.scope.stack, &all).or_else(foreign) else { return Ok(None) };
    let deleting = group.state() == Some(&ScheduleGroupState::Deleting);
    Ok(Some(Found {
        id,
        physical: name.to_owned(),
        identity,
        health: if deleting { Health::Deleting } else { Health::Ready },
        inputs: ScheduleGroup { tags: tags::user(&all) },
        outputs: outputs(name, arn),
        blockers: Default::default(),
    }))
}

fn outputs(name: &str, arn: &str) -> Outputs {
    Outputs::from([("name".to_owned(), Value::text(name)), ("arn".to_owned(), Value::text(arn))])
}

fn arn(aws: &Aws, name: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:scheduler:{}:{}:schedule-group/{name}", scope.partition, scope.region, scope.account)
}

fn to_sdk(tags: &Tags) -> Result<Vec<Tag>, CallError> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().map_err(CallError::ours);
    tags.iter().map(tag).collect()
}

async fn write(aws: &Aws, arn: &str, tags: &Tags) -> Result<(), CallError> {
    let tags = to_sdk(tags)?;
    let send = || aws.scheduler.tag_resource().resource_arn(arn).set_tags(Some(tags.clone())).send();
    aws.call("scheduler:TagResource", arn, send).await.map(drop)
}
