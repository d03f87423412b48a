//! EC2 Auto Scaling: groups that keep a number of instances alive. One file per noun.

pub(crate) mod activity;
mod answers;
mod balance;
pub(crate) mod group;
mod hook;
pub(crate) mod instance;
mod launch;
mod refresh;
mod settings;
mod shape;
mod tags;
#[cfg(test)]
mod tests_over_the_wire;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::shared::page;
use super::{Service, access_denied, read, throttling, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Timer};
use crate::weather::Bucket;

pub(crate) use instance::{going as instance_going, gone as instance_gone, runs as instance_runs};

pub(crate) static SERVICE: Service = Service {
    name: "autoscaling",
    namespace: "http://autoscaling.amazonaws.com/doc/2011-01-01/",
    global: false,
    operations: &[
        write("CreateAutoScalingGroup", group::create),
        write("UpdateAutoScalingGroup", group::update),
        write("DeleteAutoScalingGroup", group::delete),
        write("SetDesiredCapacity", group::set_desired_capacity),
        write("SetInstanceProtection", instance::set_protection),
        write("SetInstanceHealth", instance::set_health),
        write("TerminateInstanceInAutoScalingGroup", instance::terminate),
        write("CreateOrUpdateTags", tags::create),
        write("DeleteTags", tags::delete),
        write("EnableMetricsCollection", settings::enable_metrics),
        write("DisableMetricsCollection", settings::disable_metrics),
        write("SuspendProcesses", settings::suspend),
        write("ResumeProcesses", settings::resume),
        write("PutLifecycleHook", hook::put),
        write("DeleteLifecycleHook", hook::delete),
        write("CompleteLifecycleAction", hook::complete),
        write("StartInstanceRefresh", refresh::start),
        write("CancelInstanceRefresh", refresh::cancel),
        read("DescribeAutoScalingGroups", group::describe),
        read("DescribeAutoScalingInstances", instance::describe),
        read("DescribeInstanceRefreshes", refresh::describe),
        read("DescribeLifecycleHooks", hook::describe),
        read("DescribeScalingActivities", activity::describe),
        read("DescribeTags", tags::describe),
        read("DescribePolicies", answers::policies),
        read("DescribeWarmPool", answers::warm_pool),
        read("DescribeScheduledActions", answers::scheduled_actions),
        read("DescribeNotificationConfigurations", answers::notifications),
        read("DescribeLoadBalancers", answers::load_balancers),
        read("DescribeLoadBalancerTargetGroups", answers::target_groups),
        read("DescribeTrafficSources", answers::traffic_sources),
        read("DescribeMetricCollectionTypes", answers::metric_types),
        read("DescribeTerminationPolicyTypes", answers::termination_policies),
    ],
    on_timer,
    // As operators have measured it; AWS publishes no figures.
    bucket: |operation, _| match operation.write {
        true => Bucket { name: "autoscaling writes", burst: 30.0, rate: 5.0 },
        false => Bucket { name: "autoscaling reads", burst: 50.0, rate: 10.0 },
    },
    throttled: throttling,
    denied: access_denied,
};

fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    match timer.kind {
        "autoscaling.group" => balance::balance(ctx, &timer.id),
        "autoscaling.instance" => instance::drained(ctx, &timer.id),
        _ => {}
    }
}

/// Lets a group look after itself soon.
pub(crate) fn look_after(ctx: &mut Ctx<'_>, group: &str, within: Duration) {
    ctx.after(within, "autoscaling.group", group, "balance");
}

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("ValidationError", message)
}

/// The group that a write names.
fn named(ctx: &Ctx<'_>, input: &Input) -> Result<Arc<Resource>, ApiError> {
    let name = input.str("AutoScalingGroupName")?;
    let message = format!("AutoScalingGroup name not found - AutoScalingGroup '{name}' not found");
    ctx.usable("autoscaling.group", name).ok_or_else(|| invalid(message))
}

/// Demands an action on a group that is there.
fn authorise(ctx: &mut Ctx<'_>, action: &str, group: &Resource) -> Result<(), ApiError> {
    let grant = Grant::new(format!("autoscaling:{action}"), group.text("AutoScalingGroupARN"));
    ctx.authorise(grant.resource_tags(&group.tags))
}

/// A page of a list, as `MaxRecords` and `NextToken` ask.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html>
fn paged(input: &Input, name: &str, items: Vec<Value>) -> Outcome {
    let size = input.opt_int("MaxRecords")?.unwrap_or(50);
    let size = usize::try_from(size).ok().filter(|size| (1..=100).contains(size));
    let size = size.ok_or_else(|| invalid("MaxRecords must be between 1 and 100"))?;
    let page = page(items, input.opt_str("NextToken").filter(|token| !token.is_empty()), size)
        .ok_or_else(|| refuse("InvalidNextToken", "The NextToken value is not valid."))?;
    let mut answer = json!({name: page.items});
    if let Some(next) = page.next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}
