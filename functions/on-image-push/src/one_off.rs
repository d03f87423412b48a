//! A task of its own for one command: as a service's tasks are, on the same capacity, in the same network.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>

use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::run_task::builders::RunTaskFluentBuilder;
use aws_sdk_ecs::types::{ContainerOverride, PropagateTags, Service, TaskOverride};

/// By this the tasks in which deployments by hand run the command before them are told from others.
pub const BY_HAND: &str = "wharf-deploy";

/// The group of the tasks that run a command before a rollout; the service's name stands behind it.
const GROUP: &str = "wharf-push:";

/// The group of the tasks that run the command before a rollout of a service, whoever decided that: of these there is
/// to be one at a time, for two commands at once could be in each other's way.
#[must_use]
pub fn group(service: &str) -> String {
    format!("{GROUP}{service}")
}

/// The service before whose rollout tasks of this group run a command, if they do.
#[must_use]
pub fn service_of(group: &str) -> Option<&str> {
    group.strip_prefix(GROUP)
}

/// A task of its own for one command.
#[derive(Clone, Debug)]
pub struct OneOff<'a> {
    /// The cluster's name.
    pub cluster: &'a str,
    /// The service that it is like.
    pub service: &'a Service,
    /// The revision that it runs.
    pub revision: &'a str,
    /// The container that gets the command.
    pub container: &'a str,
    /// The command.
    pub command: &'a [String],
    /// By this it is told from the tasks of services.
    pub started_by: &'a str,
    /// The same token starts no second task.
    pub token: &'a str,
}

impl OneOff<'_> {
    /// The request that starts it, which is the same however often it is sent.
    #[must_use]
    pub fn request(&self, ecs: &Client) -> RunTaskFluentBuilder {
        let service = self.service;
        let own = ContainerOverride::builder().name(self.container).set_command(Some(self.command.to_vec())).build();
        let strategy = service.capacity_provider_strategy().to_vec();
        // One excludes the other.
        let launch_type = service.launch_type().filter(|_| strategy.is_empty()).cloned();
        ecs.run_task()
            .cluster(self.cluster)
            .count(1)
            .started_by(self.started_by)
            .task_definition(self.revision)
            .set_network_configuration(service.network_configuration().cloned())
            .set_capacity_provider_strategy((!strategy.is_empty()).then_some(strategy))
            .set_launch_type(launch_type)
            .overrides(TaskOverride::builder().container_overrides(own).build())
            .enable_execute_command(service.enable_execute_command())
            .enable_ecs_managed_tags(true)
            .propagate_tags(PropagateTags::TaskDefinition)
            .client_token(self.token)
    }
}
