//! Between which numbers of tasks a service scales.

use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ScalableTarget, ServiceNamespace};

use crate::aws::CallError;

/// Gives a service that runs by now its lower bound, where it was registered without one: AWS moves the count of what it
/// registers into the bounds, so what stands at no task is registered with none.
/// <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html>
pub(crate) async fn raise(client: &Client, cluster: &str, service: &str, least: i32) -> Result<(), CallError> {
    let resource = format!("service/{cluster}/{service}");
    let describe = client.describe_scalable_targets().service_namespace(ServiceNamespace::Ecs).resource_ids(&resource);
    let answer = describe.scalable_dimension(ScalableDimension::EcsServiceDesiredCount).send().await;
    let answer = answer.map_err(|error| CallError::of("application-autoscaling:DescribeScalableTargets", &error))?;
    let Some(least) = answer.scalable_targets().first().and_then(|target| bound(target, least)) else {
        return Ok(());
    };
    let register = client.register_scalable_target().service_namespace(ServiceNamespace::Ecs).resource_id(&resource);
    let register = register.scalable_dimension(ScalableDimension::EcsServiceDesiredCount).min_capacity(least);
    let registered = register.send().await;
    registered.map_err(|error| CallError::of("application-autoscaling:RegisterScalableTarget", &error)).map(drop)
}

/// The lower bound that a target lacks of which so many tasks are to run at least.
#[must_use]
pub fn bound(target: &ScalableTarget, least: i32) -> Option<i32> {
    (target.min_capacity() == 0 && least > 0).then(|| least.min(target.max_capacity()))
}
