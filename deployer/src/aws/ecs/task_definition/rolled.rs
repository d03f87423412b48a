//! What a rollout makes of a task definition: a revision that differs from the one that runs in one image alone.

use aws_sdk_ecs::types::{ContainerDefinition, Tag, TaskDefinition as Sdk, TaskDefinitionField, TaskDefinitionStatus};
use wharf_engine::Class;

use super::{ROLLOUTS, container};
use crate::aws::call::{Aws, CallError};
use crate::aws::ecs::running;

/// A revision that runs, or ran.
#[derive(Clone, Debug)]
pub struct Revision {
    sdk: Sdk,
    tags: Vec<Tag>,
}

impl Revision {
    /// The container whose image rollouts decide about; where they do about several, the first.
    #[must_use]
    pub fn container(&self) -> Option<&str> {
        let names = self.tags.iter().find(|tag| tag.key() == Some(ROLLOUTS))?.value()?;
        names.split(' ').next().filter(|name| !name.is_empty())
    }

    /// The image of that container: its repository, and its tag or digest with the mark before it.
    #[must_use]
    pub fn image(&self) -> Option<(&str, &str)> {
        let name = self.container()?;
        let found = self.sdk.container_definitions().iter().find(|one| one.name() == Some(name))?;
        found.image().map(container::split)
    }
}

/// A revision by its ARN, whether in use or not.
///
/// # Errors
/// The call's.
pub async fn revision(aws: &Aws, arn: &str) -> Result<Option<Revision>, CallError> {
    let send = || aws.ecs.describe_task_definition().task_definition(arn).include(TaskDefinitionField::Tags).send();
    match aws.call("ecs:DescribeTaskDefinition", arn, send).await {
        Err(error) if error.class == Class::Missing => Ok(None),
        answer => {
            let answer = answer?;
            let tags = answer.tags().to_vec();
            Ok(answer.task_definition.map(|sdk| Revision { sdk, tags }))
        }
    }
}

/// Registers a revision like this one, with another image; answers its ARN. Tags are not taken over by themselves, so
/// they are sent again, like every other setting.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html>
///
/// # Errors
/// The call's, or the revision has no container that rollouts decide about.
pub async fn register(aws: &Aws, like: &Revision, image: &str) -> Result<String, CallError> {
    const ACTION: &str = "ecs:RegisterTaskDefinition";
    let sdk = &like.sdk;
    let family = sdk.family().unwrap_or_default();
    let name = like.container().unwrap_or_default();
    let with = |container: &ContainerDefinition| {
        let mut container = container.clone();
        if container.name() == Some(name) {
            container.image = Some(image.to_owned());
        }
        container
    };
    let request = aws
        .ecs
        .register_task_definition()
        .family(family)
        .set_container_definitions(Some(sdk.container_definitions().iter().map(with).collect()))
        .set_task_role_arn(sdk.task_role_arn.clone())
        .set_execution_role_arn(sdk.execution_role_arn.clone())
        .set_network_mode(sdk.network_mode.clone())
        .set_volumes(sdk.volumes.clone())
        .set_placement_constraints(sdk.placement_constraints.clone())
        .set_requires_compatibilities(sdk.requires_compatibilities.clone())
        .set_cpu(sdk.cpu.clone())
        .set_memory(sdk.memory.clone())
        .set_pid_mode(sdk.pid_mode.clone())
        .set_ipc_mode(sdk.ipc_mode.clone())
        .set_proxy_configuration(sdk.proxy_configuration.clone())
        .set_ephemeral_storage(sdk.ephemeral_storage.clone())
        .set_runtime_platform(sdk.runtime_platform.clone())
        .set_enable_fault_injection(sdk.enable_fault_injection)
        .set_tags(Some(like.tags.clone()).filter(|tags| !tags.is_empty()));
    for _ in 0..3 {
        match aws.call(ACTION, family, || request.clone().send()).await {
            // One revision too many does nothing.
            Err(error) if error.class == Class::Ambiguous => {}
            answer => return arn(answer?.task_definition),
        }
    }
    arn(aws.call(ACTION, family, || request.clone().send()).await?.task_definition)
}

fn arn(made: Option<Sdk>) -> Result<String, CallError> {
    let arn = made.and_then(|made| made.task_definition_arn);
    arn.ok_or_else(|| CallError::lacks("ecs:RegisterTaskDefinition", "taskDefinitionArn"))
}

/// The revisions of the same family before this one that are in use, newest first.
///
/// # Errors
/// The call's.
pub async fn earlier(aws: &Aws, than: &str) -> Result<Vec<String>, CallError> {
    let family = running::family(than);
    let number = |arn: &str| arn.rsplit(':').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
    let list = |token| aws.ecs.list_task_definitions().family_prefix(family).set_next_token(token);
    let send = |token| list(token).status(TaskDefinitionStatus::Active).send();
    let page = |page: aws_sdk_ecs::operation::list_task_definitions::ListTaskDefinitionsOutput| {
        (page.task_definition_arns.unwrap_or_default(), page.next_token)
    };
    let mut all = aws.pages("ecs:ListTaskDefinitions", family, send, page).await?;
    all.retain(|arn| running::family(arn) == family && number(arn) < number(than));
    all.sort_by_key(|arn| std::cmp::Reverse(number(arn)));
    Ok(all)
}
