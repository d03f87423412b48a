//! The revisions of families: which of them stand for the stack's task definitions, and how they go.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{TaskDefinition as Sdk, TaskDefinitionField, TaskDefinitionStatus};
use futures::future::try_join_all;
use wharf_engine::Class;
use wharf_on_image_push::revision::{ROLLOUTS, split};

use crate::aws::call::{Aws, CallError};
use crate::aws::ecs::{running, tagging};
use crate::aws::tags::{self, Tags};

/// The families that the stack wants.
pub(super) type Families<'a> = BTreeSet<&'a str>;

/// A revision with its tags.
#[derive(Clone, Debug)]
pub(super) struct Revision {
    pub(super) sdk: Sdk,
    pub(super) tags: Tags,
}

impl Revision {
    pub(super) fn arn(&self) -> &str {
        self.sdk.task_definition_arn().unwrap_or_default()
    }

    fn has(&self, status: &TaskDefinitionStatus) -> bool {
        self.sdk.status() == Some(status)
    }

    /// Whether a rollout has come between: this one was made like what ran then, and another version of the same image
    /// runs now. It cannot be used any more.
    fn is_behind(&self, used: &Self) -> bool {
        let (own, used) = (self.images(), used.images());
        let rolled = self.tags.get(ROLLOUTS).map(String::as_str).unwrap_or_default();
        rolled.split(' ').any(|container| match (own.get(container), used.get(container)) {
            (Some(own), Some(used)) => {
                let ((one, version), (other, running)) = (split(own), split(used));
                one == other && version != running
            }
            _ => false,
        })
    }

    /// The images by container.
    pub(super) fn images(&self) -> BTreeMap<String, String> {
        let image = |one: &aws_sdk_ecs::types::ContainerDefinition| Some((one.name.clone()?, one.image.clone()?));
        self.sdk.container_definitions().iter().filter_map(image).collect()
    }
}

/// The revision behind an ARN, or the newest usable one of a family.
pub(super) async fn one(aws: &Aws, name: &str) -> Result<Option<Revision>, CallError> {
    Ok(described(aws, name).await?.filter(|revision| revision.has(&TaskDefinitionStatus::Active)))
}

/// The same, and of a family that nobody wants a revision that is out of use already.
pub(super) async fn one_of(aws: &Aws, name: &str, wanted: &Families<'_>) -> Result<Option<Revision>, CallError> {
    let found = described(aws, name).await?;
    let left =
        |revision: &Revision| revision.has(&TaskDefinitionStatus::Inactive) && !wanted.contains(running::family(name));
    Ok(found.filter(|revision| revision.has(&TaskDefinitionStatus::Active) || left(revision)))
}

async fn described(aws: &Aws, name: &str) -> Result<Option<Revision>, CallError> {
    let send = || aws.ecs.describe_task_definition().task_definition(name).include(TaskDefinitionField::Tags).send();
    let answer = match aws.call("ecs:DescribeTaskDefinition", name, send).await {
        Err(error) if error.class == Class::Missing => return Ok(None),
        answer => answer?,
    };
    let tags = tagging::from_sdk(answer.tags());
    Ok(answer.task_definition.map(|sdk| Revision { sdk, tags }))
}

/// The revision that a new one of its family is made after.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) revision: Revision,
    /// A service runs it. If none does, what is started next is whatever is newest then.
    pub(super) is_served: bool,
}

/// The revision that a family's service runs, even one that is out of use already; without a service the newest one. In
/// a family without any that can be used there is nothing to look for, unless a service runs one.
pub(super) async fn live(aws: &Aws, family: &str) -> Result<Option<Live>, CallError> {
    let newest = one(aws, family).await?;
    let used = running::definitions(aws).await?;
    let served = used.get(family).and_then(|arns| arns.first());
    let revision = match served {
        Some(arn) if newest.as_ref().is_none_or(|newest| arn != newest.arn()) => described(aws, arn).await?,
        _ => newest,
    };
    Ok(revision.map(|revision| Live { revision, is_served: served.is_some() }))
}

/// What stands for the stack's task definitions: of each family what services run, and the newest revision where
/// nothing runs or where it has another generation (an apply registered it and did not come to use it). A newest
/// revision of the same generation that nothing runs is a rollout's that failed or has only begun: not ours to judge;
/// nor is one that a rollout has overtaken. Of a family that nobody wants, what a run left between taking it out of use
/// and deleting it is the stack's, too.
pub(super) async fn of_stack(aws: &Aws, wanted: &Families<'_>) -> Result<Vec<Revision>, CallError> {
    let newest = async {
        let families = families(aws).await?;
        try_join_all(families.iter().map(|family| newest(aws, family, wanted))).await
    };
    let (used, newest) = futures::try_join!(running::definitions(aws), newest)?;
    let newest: Vec<Revision> = newest.into_iter().flatten().collect();
    let known = |arn: &&String| !newest.iter().any(|revision| revision.arn() == *arn);
    let others = used.values().flatten().filter(known).map(|arn| one(aws, arn));
    let mut all: Vec<Revision> = try_join_all(others).await?.into_iter().flatten().collect();
    let generation = |revision: &Revision| revision.tags.get(tags::GENERATION).cloned();
    for revision in newest {
        let family = running::family(revision.arn());
        let is_used = used.get(family).is_some_and(|arns| arns.iter().any(|arn| arn == revision.arn()));
        let mut beside = all.iter().filter(|other| running::family(other.arn()) == family);
        let wanted = |other: &Revision| generation(other) != generation(&revision) && !revision.is_behind(other);
        if is_used || beside.all(wanted) {
            all.push(revision);
        }
    }
    Ok(all)
}

async fn newest(aws: &Aws, family: &str, wanted: &Families<'_>) -> Result<Option<Revision>, CallError> {
    match one(aws, family).await? {
        None if !wanted.contains(family) => match list(aws, family, TaskDefinitionStatus::Inactive).await?.last() {
            Some(left) => one_of(aws, left, wanted).await,
            None => Ok(None),
        },
        usable => Ok(usable),
    }
}

/// Those of the stack's name, also those of which no revision is in use any more.
async fn families(aws: &Aws) -> Result<Vec<String>, CallError> {
    let prefix = format!("{}-", aws.scope.stack);
    let list = |token| aws.ecs.list_task_definition_families().family_prefix(&prefix).set_next_token(token);
    let send = |token| list(token).send();
    let page = |page: aws_sdk_ecs::operation::list_task_definition_families::ListTaskDefinitionFamiliesOutput| {
        (page.families.unwrap_or_default(), page.next_token)
    };
    aws.pages("ecs:ListTaskDefinitionFamilies", &prefix, send, page).await
}

/// Takes a revision out of use.
async fn deregister(aws: &Aws, arn: &str) -> Result<(), CallError> {
    let send = || aws.ecs.deregister_task_definition().task_definition(arn).send();
    match aws.call("ecs:DeregisterTaskDefinition", arn, send).await {
        Err(error) if error.class == Class::Missing => Ok(()),
        answer => answer.map(drop),
    }
}

/// Takes a revision out of use; unless its family stays, every other one with it, and deletes them. A family stays as
/// long as a service runs one of it, and when this run has registered a `successor` in it.
pub(super) async fn retire(
    aws: &Aws,
    going: &str,
    generation: Option<&str>,
    successor: Option<&str>,
) -> Result<(), CallError> {
    let family = running::family(going);
    let used = running::definitions(aws).await?;
    let active = list(aws, family, TaskDefinitionStatus::Active).await?;
    let stays = used.get(family).is_some_and(|arns| !arns.is_empty())
        || successor.is_some_and(|made| running::family(made) == family);
    if stays || has_successor(aws, &active, going, generation).await? {
        deregister(aws, going).await
    } else {
        clear(aws, family, &active).await
    }
}

/// Whether a newer revision has another generation. The newest of all tells nothing: a rollout registers revisions like
/// the one that ran when it began.
async fn has_successor(aws: &Aws, active: &[String], going: &str, generation: Option<&str>) -> Result<bool, CallError> {
    for arn in active.iter().filter(|arn| number(arn) > number(going)) {
        let newer = one(aws, arn).await?;
        if newer.is_some_and(|newer| newer.tags.get(tags::GENERATION).map(String::as_str) != generation) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The number of a revision in its family.
pub(super) fn number(arn: &str) -> u64 {
    arn.rsplit(':').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Takes every revision of a family out of use, and deletes them.
async fn clear(aws: &Aws, family: &str, active: &[String]) -> Result<(), CallError> {
    let mut heard = Ok(());
    for arn in active {
        match deregister(aws, arn).await {
            // Whether AWS heard it is looked up; if it did, it must not stay for want of a second call.
            Err(error) if error.class == Class::Ambiguous => heard = Err(error),
            answer => answer?,
        }
    }
    const ACTION: &str = "ecs:DeleteTaskDefinitions";
    for arns in list(aws, family, TaskDefinitionStatus::Inactive).await?.chunks(10) {
        let send = || aws.ecs.delete_task_definitions().set_task_definitions(Some(arns.to_vec())).send();
        let answer = aws.call(ACTION, family, send).await?;
        if let Some(failure) = answer.failures().first() {
            return Err(CallError::of_item(ACTION, family, failure.reason(), failure.detail()));
        }
    }
    heard
}

async fn list(aws: &Aws, family: &str, status: TaskDefinitionStatus) -> Result<Vec<String>, CallError> {
    let list = |token| aws.ecs.list_task_definitions().family_prefix(family).set_next_token(token);
    let send = |token| list(token).status(status.clone()).send();
    let page = |page: aws_sdk_ecs::operation::list_task_definitions::ListTaskDefinitionsOutput| {
        (page.task_definition_arns.unwrap_or_default(), page.next_token)
    };
    let all = aws.pages("ecs:ListTaskDefinitions", family, send, page).await?;
    // Some emulators take the family for a prefix.
    Ok(all.into_iter().filter(|arn| running::family(arn) == family).collect())
}
