//! A group as AWS tells it, in the form of the inputs.

use aws_sdk_autoscaling::types::{
    AutoScalingGroup as Sdk, Instance, InstanceRefreshStatus as Status, LaunchTemplateSpecification, LifecycleState,
    ScalingActivityStatusCode,
};
use wharf_engine::{Health, Identity, LogicalId, Outputs, Value};

use super::{AutoScalingGroup, Refresh, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Found, Query};
use crate::aws::out::Out;
use crate::aws::tags;
use crate::aws::units::{Days, Seconds};

/// A group of the stack, or one that has a name that the stack wants.
pub(super) fn observed(aws: &Aws, query: &Query<AutoScalingGroup>, group: &Sdk) -> Option<Found<AutoScalingGroup>> {
    let physical = group.auto_scaling_group_name()?;
    let all = tagging::read(group.tags());
    let (id, identity) = tags::read(&aws.scope.stack, &all).or_else(|| foreign(aws, query, physical))?;
    if !query.asks_for(&id) {
        return None;
    }
    let leaves = group.status().is_some_and(|status| status.starts_with("Delete"));
    let arn = group.auto_scaling_group_arn().unwrap_or_default();
    Some(Found {
        inputs: inputs(group, query.wanted.get(&id), tags::user(&all)),
        id,
        physical: physical.to_owned(),
        identity,
        health: if leaves { Health::Deleting } else { Health::Ready },
        outputs: Outputs::from([("name".to_owned(), Value::text(physical)), ("arn".to_owned(), Value::text(arn))]),
        blockers: Default::default(),
    })
}

fn foreign(aws: &Aws, query: &Query<AutoScalingGroup>, physical: &str) -> Option<(LogicalId, Identity)> {
    let wants = |id: &&LogicalId| format!("{}-{}", aws.scope.stack, id.as_str().replace('.', "-")) == physical;
    query.wanted.keys().find(wants).map(|id| (id.clone(), Identity::Foreign))
}

fn inputs(group: &Sdk, wanted: Option<&AutoScalingGroup>, tags: tags::Tags) -> AutoScalingGroup {
    let list = |text: Option<&str>| -> Vec<String> {
        let mut all: Vec<_> = text.unwrap_or_default().split(',').map(str::to_owned).collect();
        all.retain(|one| !one.is_empty());
        all.sort();
        all
    };
    let lifetime = group.max_instance_lifetime().filter(|seconds| *seconds > 0);
    AutoScalingGroup {
        launch_template: Out::known(of_template(group, LaunchTemplateSpecification::launch_template_id)),
        launch_template_version: Out::known(of_template(group, LaunchTemplateSpecification::version)),
        subnets: list(group.vpc_zone_identifier()).into_iter().map(Out::known).collect(),
        health_checks: list(group.health_check_type()),
        health_check_grace: Seconds(group.health_check_grace_period().unwrap_or_default()),
        cooldown: Seconds(group.default_cooldown().unwrap_or_default()),
        warmup: Seconds(group.default_instance_warmup().unwrap_or_default()),
        capacity_rebalance: group.capacity_rebalance().unwrap_or_default(),
        protect_new_instances: group.new_instances_protected_from_scale_in().unwrap_or_default(),
        metrics: !group.enabled_metrics().is_empty(),
        termination_policies: group.termination_policies().to_vec(),
        max_instance_lifetime: lifetime.map(|seconds| Days(seconds / (24 * 60 * 60))),
        refresh: wanted.map_or(AS_AWS_DOES, |wanted| wanted.refresh),
        tags,
    }
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/understand-instance-refresh-default-values.html>
const AS_AWS_DOES: Refresh = Refresh { min_healthy: 90, max_healthy: 100, warmup: Seconds(0) };

/// What the group's template says, and what the one says that some of its instances still have: a change that did not
/// come to its end is a difference, and so is a group that would launch others than it has.
fn of_template(group: &Sdk, get: fn(&LaunchTemplateSpecification) -> Option<&str>) -> String {
    let own = group.launch_template();
    let says = own.and_then(get).unwrap_or_default();
    let theirs = |member: &Instance| member.launch_template().and_then(get).unwrap_or_default().to_owned();
    let stay = group.instances().iter().filter(|member| !leaves(member));
    // An image that is resolved at each launch would never match by its number.
    let numbered = own.and_then(|own| own.version()).is_some_and(|version| !version.starts_with('$'));
    match stay.map(theirs).find(|theirs| numbered && *theirs != says) {
        Some(theirs) => format!("{says}, and {theirs} of some instances"),
        None => says.to_owned(),
    }
}

fn leaves(member: &Instance) -> bool {
    member.lifecycle_state().is_some_and(|state| state.as_str().starts_with("Terminating"))
}

/// In a run: a group is ready when it has the instances that it is to have, and replaces none of them.
pub(super) async fn settle(aws: &Aws, found: &mut Found<AutoScalingGroup>, group: &Sdk) -> Result<(), CallError> {
    if found.health == Health::Ready && found.identity != Identity::Foreign {
        found.health = filled(aws, group).await?;
        if found.health == Health::Ready
            && let Some(what) = replacing(aws, &found.physical).await?
        {
            found.health = Health::Settling(what);
        }
    }
    Ok(())
}

/// Whether a group has the instances that it is to have. Why it does not get there, its activities tell.
pub(in crate::aws::autoscaling) async fn filled(aws: &Aws, group: &Sdk) -> Result<Health, CallError> {
    let serving = |member: &&Instance| member.lifecycle_state() == Some(&LifecycleState::InService);
    let there = group.instances().iter().filter(serving).count();
    let desired = usize::try_from(group.desired_capacity().unwrap_or_default()).unwrap_or_default();
    if there >= desired {
        return Ok(Health::Ready);
    }
    let mut what = format!("{there} of {desired} instances in service");
    if let Some(why) = failure(aws, group.auto_scaling_group_name().unwrap_or_default()).await? {
        what = format!("{what}: {why}");
    }
    Ok(Health::Settling(what))
}

/// Why the last activity failed, if it did.
async fn failure(aws: &Aws, name: &str) -> Result<Option<String>, CallError> {
    let describe = || aws.autoscaling.describe_scaling_activities().auto_scaling_group_name(name).max_records(1);
    let answer = aws.call("autoscaling:DescribeScalingActivities", name, || describe().send()).await?;
    let last = answer.activities.unwrap_or_default().into_iter().next();
    let failed = last.filter(|activity| activity.status_code() == Some(&ScalingActivityStatusCode::Failed));
    Ok(failed.and_then(|activity| activity.status_message))
}

/// How far a refresh has come that is under way. One that failed has left outdated instances, which is a difference.
async fn replacing(aws: &Aws, name: &str) -> Result<Option<String>, CallError> {
    let describe = || aws.autoscaling.describe_instance_refreshes().auto_scaling_group_name(name).max_records(1);
    let answer = aws.call("autoscaling:DescribeInstanceRefreshes", name, || describe().send()).await?;
    let Some(last) = answer.instance_refreshes.unwrap_or_default().into_iter().next() else { return Ok(None) };
    let ended =
        [Status::Successful, Status::Failed, Status::Cancelled, Status::RollbackFailed, Status::RollbackSuccessful];
    if last.status().is_none_or(|status| ended.contains(status)) {
        return Ok(None);
    }
    let why = last.status_reason().map(|why| format!(": {why}")).unwrap_or_default();
    Ok(Some(format!("replacing instances, {} %{why}", last.percentage_complete().unwrap_or_default())))
}
