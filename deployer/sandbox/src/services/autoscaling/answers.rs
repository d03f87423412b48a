//! What others ask of groups that have none of it: these groups scale by ECS alone.

use serde_json::json;

use super::{paged, settings, shape};
use crate::account::Ctx;
use crate::error::Outcome;
use crate::input::Input;

pub(super) fn policies(_: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["AutoScalingGroupName", "PolicyNames", "PolicyTypes", "IncludeManagedResources"]);
    paged(input, "ScalingPolicies", Vec::new())
}

pub(super) fn warm_pool(_: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["AutoScalingGroupName"]);
    paged(input, "Instances", Vec::new())
}

pub(super) fn scheduled_actions(_: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["AutoScalingGroupName", "ScheduledActionNames", "StartTime", "EndTime", "IncludeManagedResources"]);
    paged(input, "ScheduledUpdateGroupActions", Vec::new())
}

pub(super) fn notifications(_: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["AutoScalingGroupNames", "IncludeManagedResources"]);
    paged(input, "NotificationConfigurations", Vec::new())
}

pub(super) fn load_balancers(_: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["AutoScalingGroupName"]);
    paged(input, "LoadBalancers", Vec::new())
}

pub(super) fn target_groups(_: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["AutoScalingGroupName"]);
    paged(input, "LoadBalancerTargetGroups", Vec::new())
}

pub(super) fn traffic_sources(_: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["AutoScalingGroupName", "TrafficSourceType"]);
    paged(input, "TrafficSources", Vec::new())
}

pub(super) fn metric_types(_: &mut Ctx<'_>, _: &Input) -> Outcome {
    let metrics: Vec<_> = settings::METRICS.iter().map(|metric| json!({"Metric": metric})).collect();
    Ok(json!({"Metrics": metrics, "Granularities": [{"Granularity": "1Minute"}]}))
}

pub(super) fn termination_policies(_: &mut Ctx<'_>, _: &Input) -> Outcome {
    Ok(json!({"TerminationPolicyTypes": shape::policies()}))
}
