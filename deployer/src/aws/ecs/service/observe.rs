//! A service as AWS has it, in the shape of the inputs.

use aws_sdk_ecs::types::{
    AssignPublicIp, AvailabilityZoneRebalancing, DeploymentConfiguration, LoadBalancer as SdkBalancer,
    PlacementStrategyType, PropagateTags, SchedulingStrategy, Service as Sdk, ServiceRegistry,
};
use wharf_engine::{Health, Identity, LogicalId};

use super::{Deployment, LoadBalancer, Registry, Service, Steps, outputs};
use crate::aws::call::Aws;
use crate::aws::ecs::{strategy, tagging};
use crate::aws::kind::{Found, Query};
use crate::aws::out::{Out, Text};
use crate::aws::tags;
use crate::aws::units::Seconds;

/// Remembers the deployment that a change began.
pub(in crate::aws::ecs) fn remember(aws: &Aws, id: &LogicalId, service: &Sdk) {
    let begun = service.deployments().iter().find(|one| one.status() == Some("PRIMARY"));
    if let Some(deployment) = begun {
        let at = deployment.created_at().map_or(0, aws_smithy_types::DateTime::secs);
        aws.note(id, format!("{} {at}", deployment.id().unwrap_or_default()));
    }
}

pub(super) fn found(aws: &Aws, query: &Query<Service>, service: &Sdk) -> Option<Found<Service>> {
    let (name, arn) = (service.service_name()?, service.service_arn()?);
    let all = tagging::from_sdk(service.tags());
    let foreign = || {
        let wants = query.wanted.iter().find(|(_, wanted)| wanted.name == name);
        wants.map(|(id, _)| (id.clone(), Identity::Foreign))
    };
    let (id, identity) = tags::read(&aws.scope.stack, &all).or_else(foreign)?;
    let health = if service.status() == Some("DRAINING") { Health::Deleting } else { Health::Ready };
    Some(Found {
        id,
        physical: name.to_owned(),
        identity,
        health,
        inputs: inputs(service, name, tags::user(&all)),
        outputs: outputs(name, arn),
        blockers: Default::default(),
    })
}

fn inputs(service: &Sdk, name: &str, tags: tags::Tags) -> Service {
    let vpc = service.network_configuration().and_then(|network| network.awsvpc_configuration());
    let sorted = |items: &[String]| {
        let mut items = items.to_vec();
        items.sort();
        items
    };
    let cluster = service.cluster_arn().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
    let spread = service.placement_strategy().iter();
    let spread = spread.filter(|one| one.r#type() == Some(&PlacementStrategyType::Spread));
    let strategy = strategy::from_sdk(service.capacity_provider_strategy());
    // AWS names a launch type beside a strategy too, where it follows from it.
    let launch_type = service.launch_type().filter(|_| strategy.is_empty()).map(|launch| launch.as_str().to_owned());
    let balancer = service.load_balancers().first();
    Service {
        name: name.to_owned(),
        cluster: Out::known(cluster),
        task_definition: Out::known(service.task_definition().unwrap_or_default()),
        desired_count: service.desired_count(),
        launch_type,
        strategy,
        scheduling: service.scheduling_strategy().map_or("REPLICA", SchedulingStrategy::as_str).to_owned(),
        deployment: service.deployment_configuration().map(deployment).unwrap_or_default(),
        spread: spread.map(|one| one.field().unwrap_or_default().to_owned()).collect(),
        zone_rebalancing: service.availability_zone_rebalancing() == Some(&AvailabilityZoneRebalancing::Enabled),
        // None and nought are the same to AWS.
        grace_period: service.health_check_grace_period_seconds().filter(|seconds| *seconds > 0).map(Seconds),
        target_groups: balancer.map(target_groups).unwrap_or_default(),
        load_balancer: balancer.map(load_balancer),
        registries: service.service_registries().iter().map(registry).collect(),
        subnets: vpc.map(|vpc| sorted(vpc.subnets())).unwrap_or_default().into_iter().map(Out::known).collect(),
        security_groups: vpc
            .map(|vpc| sorted(vpc.security_groups()))
            .unwrap_or_default()
            .into_iter()
            .map(Out::known)
            .collect(),
        public_ip: vpc.and_then(|vpc| vpc.assign_public_ip()) == Some(&AssignPublicIp::Enabled),
        exec: service.enable_execute_command(),
        propagate_tags: service.propagate_tags().map_or("NONE", PropagateTags::as_str).to_owned(),
        managed_tags: service.enable_ecs_managed_tags(),
        tags,
    }
}

fn target_groups(balancer: &SdkBalancer) -> Vec<Text> {
    let other = balancer.advanced_configuration().and_then(|more| more.alternate_target_group_arn());
    balancer.target_group_arn().into_iter().chain(other).map(Text::known).collect()
}

fn load_balancer(balancer: &SdkBalancer) -> LoadBalancer {
    let more = balancer.advanced_configuration();
    LoadBalancer {
        container: balancer.container_name().unwrap_or_default().to_owned(),
        port: balancer.container_port().unwrap_or_default(),
        production_rule: more.and_then(|more| more.production_listener_rule()).map(Text::known),
        test_rule: more.and_then(|more| more.test_listener_rule()).map(Text::known),
        role: more.and_then(|more| more.role_arn()).map(Out::known),
    }
}

fn registry(registry: &ServiceRegistry) -> Registry {
    Registry {
        service: Out::known(registry.registry_arn().unwrap_or_default()),
        container: registry.container_name().map(str::to_owned),
        container_port: registry.container_port(),
        port: registry.port(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a percentage; one that is not whole differs from any wanted one")]
fn whole(percent: Option<f64>) -> i32 {
    percent.filter(|percent| percent.fract() == 0.0).map_or(-1, |percent| percent as i32)
}

fn deployment(sdk: &DeploymentConfiguration) -> Deployment {
    let usual = Deployment::default();
    let strategy = sdk.strategy().map_or("ROLLING", |strategy| strategy.as_str());
    let breaker = sdk.deployment_circuit_breaker();
    let alarms = sdk.alarms().filter(|alarms| alarms.enable());
    Deployment {
        strategy: strategy.to_owned(),
        min_percent: sdk.minimum_healthy_percent().unwrap_or(usual.min_percent),
        max_percent: sdk.maximum_percent().unwrap_or(usual.max_percent),
        circuit_breaker: breaker.is_some_and(|breaker| breaker.enable()),
        rollback: breaker.is_some_and(|breaker| breaker.rollback()),
        alarms: alarms.into_iter().flat_map(|alarms| alarms.alarm_names()).map(Text::known).collect(),
        alarm_rollback: alarms.is_some_and(|alarms| alarms.rollback()),
        bake_minutes: sdk.bake_time_in_minutes().filter(|_| strategy != "ROLLING"),
        canary: sdk.canary_configuration().filter(|_| strategy == "CANARY").map(|steps| Steps {
            percent: whole(steps.canary_percent()),
            bake_minutes: steps.canary_bake_time_in_minutes().unwrap_or_default(),
        }),
        linear: sdk.linear_configuration().filter(|_| strategy == "LINEAR").map(|steps| Steps {
            percent: whole(steps.step_percent()),
            bake_minutes: steps.step_bake_time_in_minutes().unwrap_or_default(),
        }),
    }
}
