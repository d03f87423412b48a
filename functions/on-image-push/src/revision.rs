//! A revision that differs from another one in one image alone.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionFluentBuilder;
use aws_sdk_ecs::types::{ContainerDefinition, Tag, TaskDefinition};

/// The tag that names the containers whose images rollouts decide about.
pub const ROLLOUTS: &str = "wharf:rollouts";

/// A revision with its tags.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// As ECS describes it.
    pub sdk: TaskDefinition,
    /// Its tags.
    pub tags: Vec<Tag>,
}

impl Revision {
    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> &str {
        self.sdk.task_definition_arn().unwrap_or_default()
    }

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
        found.image().map(split)
    }

    /// The same with another image.
    #[must_use]
    pub fn with_image(&self, image: &str) -> Self {
        let name = self.container();
        let with = |container: &ContainerDefinition| {
            let mut container = container.clone();
            if name.is_some() && container.name() == name {
                container.image = Some(image.to_owned());
            }
            container
        };
        let mut changed = self.clone();
        changed.sdk.container_definitions = Some(self.sdk.container_definitions().iter().map(with).collect());
        changed
    }

    /// The request that registers it. Tags are not taken over by themselves, so they are sent again, like every other
    /// setting; those of AWS's own are AWS's to set.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html>
    #[must_use]
    pub fn registration(&self, ecs: &Client) -> RegisterTaskDefinitionFluentBuilder {
        let sdk = &self.sdk;
        let tags: Vec<Tag> = self.tags.iter().filter(|tag| !is_reserved(tag)).cloned().collect();
        let request = ecs
            .register_task_definition()
            .family(sdk.family().unwrap_or_default())
            .set_container_definitions(sdk.container_definitions.clone())
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
            .set_tags(Some(tags).filter(|tags| !tags.is_empty()));
        accelerated(request, sdk)
    }

    /// Whether another revision is this one but for what ECS says of each by itself.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let plain = |revision: &Self| {
            let mut sdk = revision.sdk.clone();
            (sdk.task_definition_arn, sdk.revision, sdk.status) = (None, 0, None);
            (sdk.registered_at, sdk.registered_by, sdk.deregistered_at) = (None, None, None);
            (sdk.requires_attributes, sdk.compatibilities) = (None, None);
            let mut tags = revision.tags.clone();
            tags.retain(|tag| !is_reserved(tag));
            tags.sort_by(|one, other| one.key().cmp(&other.key()));
            (sdk, tags)
        };
        plain(self) == plain(other)
    }
}

fn is_reserved(tag: &Tag) -> bool {
    tag.key().is_some_and(|key| key.to_ascii_lowercase().starts_with("aws:"))
}

#[expect(deprecated, reason = "AWS offers inference accelerators to nobody new; who has them keeps them")]
fn accelerated(
    request: RegisterTaskDefinitionFluentBuilder,
    sdk: &TaskDefinition,
) -> RegisterTaskDefinitionFluentBuilder {
    request.set_inference_accelerators(sdk.inference_accelerators.clone())
}

/// The family of a revision, from its ARN.
#[must_use]
pub fn family(revision: &str) -> &str {
    let name = revision.rsplit('/').next().unwrap_or(revision);
    name.split(':').next().unwrap_or(name)
}

/// An image's name, and its tag or digest with the mark before it.
#[must_use]
pub fn split(image: &str) -> (&str, &str) {
    let name = image.rfind('/').map_or(0, |slash| slash + 1);
    let mark = image.find('@').or_else(|| image[name..].find(':').map(|colon| name + colon));
    image.split_at(mark.unwrap_or(image.len()))
}

#[cfg(test)]
mod tests;
