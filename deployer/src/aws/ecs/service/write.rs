//! What is sent to make and change a service.

use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_ecs::operation::create_service::builders::CreateServiceFluentBuilder;
use aws_sdk_ecs::operation::update_service::builders::UpdateServiceFluentBuilder;
use aws_sdk_ecs::types::{
    AdvancedConfiguration, AssignPublicIp, AvailabilityZoneRebalancing, AwsVpcConfiguration, CanaryConfiguration,
    DeploymentAlarms, DeploymentCircuitBreaker, DeploymentConfiguration, DeploymentStrategy, LaunchType,
    LinearConfiguration, LoadBalancer as SdkBalancer, NetworkConfiguration, PlacementStrategy, PlacementStrategyType,
    PropagateTags, SchedulingStrategy, ServiceRegistry,
};

use super::{Deployment, LoadBalancer, Registry, Service};
use crate::aws::call::{Aws, CallError};
use crate::aws::ecs::strategy;
use crate::aws::kind::{Changed, Found};
use crate::aws::out::{Out, Text};

fn known<T>(out: &Out<T>) -> Result<String, CallError> {
    Ok(out.get()?.to_owned())
}

fn all<T>(outs: &[Out<T>]) -> Result<Vec<String>, CallError> {
    outs.iter().map(known).collect()
}

impl Service {
    pub(super) fn creation(&self, aws: &Aws, count: i32) -> Result<CreateServiceFluentBuilder, CallError> {
        let strategy = strategy::to_sdk(&self.strategy)?;
        let create = aws
            .ecs
            .create_service()
            .service_name(&self.name)
            .cluster(self.cluster.get()?)
            .task_definition(self.task_definition.get()?)
            .scheduling_strategy(SchedulingStrategy::from(self.scheduling.as_str()))
            .set_launch_type(self.launch_type.as_deref().map(LaunchType::from))
            .set_capacity_provider_strategy(Some(strategy).filter(|strategy| !strategy.is_empty()))
            .deployment_configuration(self.deployment.to_sdk()?)
            .set_placement_strategy(Some(self.placement()).filter(|spread| !spread.is_empty()))
            .availability_zone_rebalancing(self.rebalancing())
            .set_health_check_grace_period_seconds(self.grace_period.map(|seconds| seconds.0))
            .set_load_balancers(Some(self.balancers(&self.target_groups)?).filter(|balancers| !balancers.is_empty()))
            .set_service_registries(Some(self.sdk_registries()?).filter(|registries| !registries.is_empty()))
            .set_network_configuration(self.network()?)
            .enable_execute_command(self.exec)
            .enable_ecs_managed_tags(self.managed_tags)
            .set_propagate_tags(Some(PropagateTags::from(self.propagate_tags.as_str())));
        // How many tasks a daemon has follows from the instances.
        Ok(if self.scheduling == "DAEMON" { create } else { create.desired_count(count) })
    }

    /// Only what changes is sent: what others own is left as it is, and what does not need a deployment begins none.
    pub(super) fn change(
        &self,
        aws: &Aws,
        now: &Found<Self>,
        changed: &Changed,
    ) -> Result<UpdateServiceFluentBuilder, CallError> {
        let mut update = aws.ecs.update_service().cluster(self.cluster.get()?).service(&now.physical);
        if changed.has("task_definition") {
            update = update.task_definition(self.task_definition.get()?);
        }
        if changed.any(&["strategy", "launch_type"]) {
            // Tasks move to other capacity only with a new deployment. Without a strategy its launch type counts again.
            let strategy = strategy::to_sdk(&self.strategy)?;
            update = update.set_capacity_provider_strategy(Some(strategy)).force_new_deployment(true);
        }
        if changed.has("deployment") {
            update = update.deployment_configuration(self.deployment.to_sdk()?);
        }
        if changed.has("spread") {
            update = update.set_placement_strategy(Some(self.placement()));
        }
        if changed.has("zone_rebalancing") {
            update = update.availability_zone_rebalancing(self.rebalancing());
        }
        if changed.has("grace_period") {
            update = update.health_check_grace_period_seconds(self.grace_period.map_or(0, |seconds| seconds.0));
        }
        if changed.any(&["target_groups", "load_balancer"]) {
            update = update.set_load_balancers(Some(self.balancers(&self.live_first(now))?));
        }
        if changed.has("registries") {
            update = update.set_service_registries(Some(self.sdk_registries()?));
        }
        if changed.any(&["subnets", "security_groups", "public_ip"]) {
            update = update.set_network_configuration(self.network()?);
        }
        if changed.has("exec") {
            update = update.enable_execute_command(self.exec);
        }
        if changed.has("propagate_tags") {
            update = update.propagate_tags(PropagateTags::from(self.propagate_tags.as_str()));
        }
        if changed.has("managed_tags") {
            update = update.enable_ecs_managed_tags(self.managed_tags);
        }
        Ok(update)
    }

    /// The target groups, the one first that is live now: which it is rollouts decide.
    fn live_first(&self, now: &Found<Self>) -> Vec<Text> {
        let mut groups = self.target_groups.clone();
        groups
            .sort_by_key(|group| now.inputs.target_groups.iter().position(|live| live == group).unwrap_or(usize::MAX));
        groups
    }

    fn placement(&self) -> Vec<PlacementStrategy> {
        let spread = |field: &String| PlacementStrategy::builder().r#type(PlacementStrategyType::Spread).field(field);
        self.spread.iter().map(|field| spread(field).build()).collect()
    }

    fn rebalancing(&self) -> AvailabilityZoneRebalancing {
        if self.zone_rebalancing { AvailabilityZoneRebalancing::Enabled } else { AvailabilityZoneRebalancing::Disabled }
    }

    fn balancers(&self, groups: &[Text]) -> Result<Vec<SdkBalancer>, CallError> {
        let (Some(balancer), Some(live)) = (&self.load_balancer, groups.first()) else { return Ok(Vec::new()) };
        let sdk = SdkBalancer::builder().target_group_arn(live.get()?).container_name(&balancer.container);
        let more = groups.get(1).map(|other| balancer.advanced(other)).transpose()?;
        Ok(vec![sdk.container_port(balancer.port).set_advanced_configuration(more).build()])
    }

    fn sdk_registries(&self) -> Result<Vec<ServiceRegistry>, CallError> {
        self.registries.iter().map(Registry::to_sdk).collect()
    }

    fn network(&self) -> Result<Option<NetworkConfiguration>, CallError> {
        if self.subnets.is_empty() {
            return Ok(None);
        }
        let public = if self.public_ip { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled };
        let vpc = AwsVpcConfiguration::builder()
            .set_subnets(Some(all(&self.subnets)?))
            .set_security_groups(Some(all(&self.security_groups)?))
            .assign_public_ip(public)
            .build()
            .map_err(CallError::ours)?;
        Ok(Some(NetworkConfiguration::builder().awsvpc_configuration(vpc).build()))
    }
}

impl LoadBalancer {
    fn advanced(&self, other: &Text) -> Result<AdvancedConfiguration, CallError> {
        Ok(AdvancedConfiguration::builder()
            .alternate_target_group_arn(other.get()?)
            .set_production_listener_rule(self.production_rule.as_ref().map(known).transpose()?)
            .set_test_listener_rule(self.test_rule.as_ref().map(known).transpose()?)
            .set_role_arn(self.role.as_ref().map(known).transpose()?)
            .build())
    }
}

impl Registry {
    fn to_sdk(&self) -> Result<ServiceRegistry, CallError> {
        let sdk = ServiceRegistry::builder().registry_arn(self.service.get()?).set_port(self.port);
        Ok(sdk.set_container_name(self.container.clone()).set_container_port(self.container_port).build())
    }
}

impl Deployment {
    fn to_sdk(&self) -> Result<DeploymentConfiguration, CallError> {
        let breaker = DeploymentCircuitBreaker::builder().enable(self.circuit_breaker).rollback(self.rollback).build();
        let alarms = DeploymentAlarms::builder()
            .set_alarm_names(Some(all(&self.alarms)?))
            .enable(!self.alarms.is_empty())
            .rollback(self.alarm_rollback)
            .build()
            .map_err(CallError::ours)?;
        let mut sdk = DeploymentConfiguration::builder()
            .strategy(DeploymentStrategy::from(self.strategy.as_str()))
            .minimum_healthy_percent(self.min_percent)
            .maximum_percent(self.max_percent)
            .deployment_circuit_breaker(breaker)
            .alarms(alarms)
            .set_bake_time_in_minutes(self.bake_minutes);
        if let Some(steps) = &self.canary {
            let canary = CanaryConfiguration::builder().canary_percent(steps.percent.into());
            sdk = sdk.canary_configuration(canary.canary_bake_time_in_minutes(steps.bake_minutes).build());
        }
        if let Some(steps) = &self.linear {
            let linear = LinearConfiguration::builder().step_percent(steps.percent.into());
            sdk = sdk.linear_configuration(linear.step_bake_time_in_minutes(steps.bake_minutes).build());
        }
        Ok(sdk.build())
    }
}

/// Whether an image is in its repository; images of other registries are taken to be.
pub(super) async fn is_there(aws: &Aws, image: &str) -> Result<bool, CallError> {
    let registry = format!("{}.dkr.ecr.", aws.scope.account);
    let Some((_, path)) = image.split_once('/').filter(|(host, _)| host.starts_with(&registry)) else {
        return Ok(true);
    };
    let id = ImageIdentifier::builder();
    let (repository, id) = match (path.split_once('@'), path.split_once(':')) {
        (Some((repository, digest)), _) => (repository, id.image_digest(digest)),
        (None, Some((repository, tag))) => (repository, id.image_tag(tag)),
        (None, None) => (path, id.image_tag("latest")),
    };
    let id = id.build();
    let send = || aws.ecr.describe_images().repository_name(repository).image_ids(id.clone()).send();
    match aws.call("ecr:DescribeImages", image, send).await {
        Ok(_) => Ok(true),
        Err(error) if error.code.as_deref() == Some("ImageNotFoundException") => Ok(false),
        Err(error) if error.class == wharf_engine::Class::Missing => Ok(false),
        Err(error) => Err(error),
    }
}

/// Lets go of tasks that protected themselves: they would keep a deleted service from going for hours.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html>
pub(super) async fn unprotect(aws: &Aws, service: &str) -> Result<(), CallError> {
    let cluster = &aws.scope.stack;
    let send = |token| aws.ecs.list_tasks().cluster(cluster).service_name(service).set_next_token(token).send();
    let page = |page: aws_sdk_ecs::operation::list_tasks::ListTasksOutput| {
        (page.task_arns.unwrap_or_default(), page.next_token)
    };
    let tasks = aws.pages("ecs:ListTasks", service, send, page).await?;
    for tasks in tasks.chunks(100) {
        let get = || aws.ecs.get_task_protection().cluster(cluster).set_tasks(Some(tasks.to_vec()));
        let answer = aws.call("ecs:GetTaskProtection", service, || get().send()).await?;
        let protected = answer.protected_tasks().iter().filter(|task| task.protection_enabled());
        let protected: Vec<String> = protected.filter_map(|task| task.task_arn().map(str::to_owned)).collect();
        for tasks in protected.chunks(10) {
            let update = || aws.ecs.update_task_protection().cluster(cluster).protection_enabled(false);
            let send = || update().set_tasks(Some(tasks.to_vec())).send();
            aws.call("ecs:UpdateTaskProtection", service, send).await?;
        }
    }
    Ok(())
}
