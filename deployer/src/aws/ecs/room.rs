//! Whether room can still come for tasks that ECS finds no place for. While instances are on their way, or other
//! services change, there is something to wait for; else there is a cause to name.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_autoscaling::types::{AutoScalingGroup, Instance as Member};
use aws_sdk_ecs::types::{
    CapacityProvider, ContainerInstance, ContainerInstanceStatus, DeploymentRolloutState, DesiredStatus,
    ManagedScalingStatus, Service as Sdk,
};

use super::running;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::Grant;
use wharf_on_image_push::cause::unplaced;

/// What is read to tell.
pub(super) fn grant() -> Grant {
    Grant::read(&[
        "autoscaling:DescribeAutoScalingGroups",
        "ecs:DescribeCapacityProviders",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeServices",
        "ecs:DescribeTasks",
        "ecs:ListContainerInstances",
        "ecs:ListServices",
        "ecs:ListTasks",
    ])
}

/// So long it has to look as if no room came: between the end of a task and the place of the next there is a moment.
const CERTAIN_AFTER: Duration = Duration::from_secs(4);

/// Why no room will come for the tasks of a service; none as long as some may.
pub(super) async fn never(aws: &Aws, service: &Sdk) -> Result<Option<String>, CallError> {
    let why = full_groups(aws, service).await?;
    let what = format!("no room for {}", service.service_name().unwrap_or_default());
    let standing = aws.standing(&what, why.is_some());
    Ok(why.filter(|_| standing.is_some_and(|so_long| so_long >= CERTAIN_AFTER)))
}

async fn full_groups(aws: &Aws, service: &Sdk) -> Result<Option<String>, CallError> {
    let names = service.capacity_provider_strategy().iter().map(|item| item.capacity_provider().to_owned());
    let names: Vec<String> = names.collect();
    // Where tasks go anywhere, nobody knows what else may come.
    if names.is_empty() || others_change(aws, service).await? || tasks_leave(aws).await? {
        return Ok(None);
    }
    let (providers, instances) = futures::try_join!(providers(aws, names), instances(aws))?;
    let mut whys = Vec::new();
    for provider in &providers {
        let Some(group) = group(aws, provider).await? else { continue };
        match full(provider, &group, &instances) {
            Some(why) => whys.push(why),
            None => return Ok(None),
        }
    }
    Ok((!whys.is_empty()).then(|| whys.join("; ")))
}

/// Whether other services are changing, and not for want of room: what they end leaves room.
async fn others_change(aws: &Aws, service: &Sdk) -> Result<bool, CallError> {
    let changes = |other: &Sdk| {
        let under_way =
            |one: &aws_sdk_ecs::types::Deployment| one.rollout_state() == Some(&DeploymentRolloutState::InProgress);
        other.service_name() != service.service_name()
            && unplaced(other).is_none()
            && (other.status() == Some("DRAINING") || other.deployments().iter().any(under_way))
    };
    Ok(running::services(aws).await?.iter().any(changes))
}

/// Whether tasks are on their way out, which still hold what they took.
async fn tasks_leave(aws: &Aws) -> Result<bool, CallError> {
    let cluster = &aws.scope.stack;
    let list = || aws.ecs.list_tasks().cluster(cluster).desired_status(DesiredStatus::Stopped);
    let answer = aws.call("ecs:ListTasks", cluster, || list().send()).await?;
    let arns = answer.task_arns.unwrap_or_default();
    if arns.is_empty() {
        return Ok(false);
    }
    let send = || aws.ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns.clone())).send();
    let answer = aws.call("ecs:DescribeTasks", cluster, send).await?;
    Ok(answer.tasks().iter().any(|task| task.last_status() != Some("STOPPED")))
}

/// Why a group has no room and gets none: all its instances have registered, and it does not grow.
fn full(
    provider: &CapacityProvider,
    group: &AutoScalingGroup,
    instances: &BTreeMap<String, ContainerInstance>,
) -> Option<String> {
    let (desired, max) = (group.desired_capacity().unwrap_or_default(), group.max_size().unwrap_or_default());
    let scaling = provider.auto_scaling_group_provider().and_then(|group| group.managed_scaling());
    let grows = scaling.is_some_and(|it| it.status() == Some(&ManagedScalingStatus::Enabled)) && desired < max;
    let registered = |member: &Member| instances.get(member.instance_id().unwrap_or_default());
    let settled = |member: &Member| {
        let here = registered(member).is_some_and(|one| one.status() == Some(ContainerInstanceStatus::Active.as_str()));
        here && member.lifecycle_state().is_some_and(|state| state.as_str() == "InService")
    };
    let there = i32::try_from(group.instances().len()).unwrap_or(i32::MAX);
    if grows || there < desired || !group.instances().iter().all(settled) {
        return None;
    }
    let nobodys =
        |member: &&Member| registered(member).is_some_and(|one| one.capacity_provider_name().is_none_or(str::is_empty));
    let nobodys: Vec<&str> = group.instances().iter().filter(nobodys).filter_map(|one| one.instance_id()).collect();
    if !nobodys.is_empty() {
        return Some(format!(
            "instances that registered before their capacity provider was attached take none of its tasks: terminate \
             {}, and the group launches others",
            nobodys.join(", ")
        ));
    }
    Some(format!("the group has its {max} instances (`cluster.max`), and none of them has room for the task"))
}

async fn providers(aws: &Aws, names: Vec<String>) -> Result<Vec<CapacityProvider>, CallError> {
    let on = names.join(", ");
    let send = || aws.ecs.describe_capacity_providers().set_capacity_providers(Some(names.clone())).send();
    let answer = aws.call("ecs:DescribeCapacityProviders", &on, send).await?;
    Ok(answer.capacity_providers.unwrap_or_default())
}

async fn group(aws: &Aws, provider: &CapacityProvider) -> Result<Option<AutoScalingGroup>, CallError> {
    let arn = provider.auto_scaling_group_provider().map(|group| group.auto_scaling_group_arn());
    let Some(name) = arn.and_then(|arn| arn.rsplit('/').next()) else { return Ok(None) };
    let send = || aws.autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(name).send();
    let answer = aws.call("autoscaling:DescribeAutoScalingGroups", name, send).await?;
    Ok(answer.auto_scaling_groups.unwrap_or_default().into_iter().next())
}

/// The cluster's instances, by the ids that EC2 gives them.
async fn instances(aws: &Aws) -> Result<BTreeMap<String, ContainerInstance>, CallError> {
    let cluster = &aws.scope.stack;
    let send = |token| aws.ecs.list_container_instances().cluster(cluster).set_next_token(token).send();
    let page = |page: aws_sdk_ecs::operation::list_container_instances::ListContainerInstancesOutput| {
        (page.container_instance_arns.unwrap_or_default(), page.next_token)
    };
    let arns = aws.pages("ecs:ListContainerInstances", cluster, send, page).await?;
    let mut all = BTreeMap::new();
    for arns in arns.chunks(100) {
        let describe = || aws.ecs.describe_container_instances().cluster(cluster);
        let send = || describe().set_container_instances(Some(arns.to_vec())).send();
        let answer = aws.call("ecs:DescribeContainerInstances", cluster, send).await?;
        let found = answer.container_instances.unwrap_or_default();
        all.extend(found.into_iter().filter_map(|one| Some((one.ec2_instance_id.clone()?, one))));
    }
    Ok(all)
}
