//! Application Auto Scaling: how many tasks of a service there are.

pub mod policy;
pub mod target;

#[cfg(test)]
mod tests;

/// What of ECS scales.
const DIMENSION: aws_sdk_applicationautoscaling::types::ScalableDimension =
    aws_sdk_applicationautoscaling::types::ScalableDimension::EcsServiceDesiredCount;
/// Whose service it is.
const NAMESPACE: aws_sdk_applicationautoscaling::types::ServiceNamespace =
    aws_sdk_applicationautoscaling::types::ServiceNamespace::Ecs;

/// The ARNs of scalable targets.
const TARGETS: &[&str] = &["arn:{partition}:application-autoscaling:{region}:{account}:scalable-target/*"];
/// Only those of ECS services.
const OF_ECS: &[(&str, &str, &str)] = &[("StringEquals", "application-autoscaling:service-namespace", "ecs")];
