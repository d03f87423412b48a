//! What is asked of Auto Scaling.

use aws_sdk_autoscaling::operation::create_auto_scaling_group::builders::CreateAutoScalingGroupFluentBuilder as Create;
use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::DescribeAutoScalingGroupsOutput;
use aws_sdk_autoscaling::operation::update_auto_scaling_group::builders::UpdateAutoScalingGroupFluentBuilder as Update;
use aws_sdk_autoscaling::types::{
    AutoScalingGroup as Sdk, LaunchTemplateSpecification, RefreshPreferences, ScaleInProtectedInstances,
    StandbyInstances,
};

use super::{AutoScalingGroup, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, New};
use crate::aws::shared_reads::once;
use crate::aws::units::Seconds;

/// The groups of these names, or all.
pub(in crate::aws::autoscaling) async fn describe(
    aws: &Aws,
    names: Option<Vec<String>>,
) -> Result<Vec<Sdk>, CallError> {
    match names {
        Some(_) => groups(aws, names).await,
        None => once(aws, "groups", groups(aws, None)).await,
    }
}

async fn groups(aws: &Aws, names: Option<Vec<String>>) -> Result<Vec<Sdk>, CallError> {
    let on = names.iter().flatten().next().cloned().unwrap_or_default();
    let send = |token| {
        let describe = aws.autoscaling.describe_auto_scaling_groups().max_records(100);
        describe.set_auto_scaling_group_names(names.clone()).set_next_token(token).send()
    };
    let page = |page: DescribeAutoScalingGroupsOutput| (page.auto_scaling_groups.unwrap_or_default(), page.next_token);
    aws.pages("autoscaling:DescribeAutoScalingGroups", &on, send, page).await
}

fn template(wanted: &AutoScalingGroup) -> Result<LaunchTemplateSpecification, CallError> {
    let template = LaunchTemplateSpecification::builder().launch_template_id(wanted.launch_template.get()?);
    Ok(template.version(wanted.launch_template_version.get()?).build())
}

fn subnets(wanted: &AutoScalingGroup) -> Result<String, CallError> {
    let ids: Result<Vec<&str>, CallError> = wanted.subnets.iter().map(|subnet| Ok(subnet.get()?)).collect();
    Ok(ids?.join(","))
}

/// In seconds; 0 is how AWS is told that there is none.
fn lifetime(wanted: &AutoScalingGroup) -> i32 {
    const DAY: i32 = 24 * 60 * 60;
    wanted.max_instance_lifetime.map_or(0, |days| days.0 * DAY)
}

/// The request that creates it, empty, with its identity, which no instance gets.
pub(super) fn creation(wanted: &AutoScalingGroup, aws: &Aws, new: &New<'_>) -> Result<Create, CallError> {
    let name = new.name();
    let mut identity = new.tags(&wanted.tags);
    identity.retain(|key, _| !wanted.tags.contains_key(key));
    let mut tags = tagging::to_sdk(&name, &identity, false);
    tags.extend(tagging::to_sdk(&name, &wanted.tags, true));
    Ok(aws
        .autoscaling
        .create_auto_scaling_group()
        .auto_scaling_group_name(name)
        .launch_template(template(wanted)?)
        .vpc_zone_identifier(subnets(wanted)?)
        .min_size(0)
        .max_size(0)
        .desired_capacity(0)
        .health_check_type(wanted.health_checks.join(","))
        .health_check_grace_period(wanted.health_check_grace.0)
        .default_cooldown(wanted.cooldown.0)
        .default_instance_warmup(wanted.warmup.0)
        .capacity_rebalance(wanted.capacity_rebalance)
        .new_instances_protected_from_scale_in(wanted.protect_new_instances)
        .set_termination_policies(Some(wanted.termination_policies.clone()))
        .set_max_instance_lifetime(wanted.max_instance_lifetime.map(|_| lifetime(wanted)))
        .set_tags(Some(tags)))
}

/// The request that changes these fields.
pub(super) fn modification(
    wanted: &AutoScalingGroup,
    aws: &Aws,
    name: &str,
    changed: &Changed,
) -> Result<Update, CallError> {
    let seconds = |field: &str, value: Seconds| changed.has(field).then_some(value.0);
    let flag = |field: &str, value: bool| changed.has(field).then_some(value);
    let policies = changed.has("termination_policies").then(|| wanted.termination_policies.clone());
    let checks = changed.has("health_checks").then(|| wanted.health_checks.join(","));
    let template =
        changed.any(&["launch_template", "launch_template_version"]).then(|| template(wanted)).transpose()?;
    let subnets = changed.has("subnets").then(|| subnets(wanted)).transpose()?;
    Ok(aws
        .autoscaling
        .update_auto_scaling_group()
        .auto_scaling_group_name(name)
        .set_launch_template(template)
        .set_vpc_zone_identifier(subnets)
        .set_health_check_type(checks)
        .set_health_check_grace_period(seconds("health_check_grace", wanted.health_check_grace))
        .set_default_cooldown(seconds("cooldown", wanted.cooldown))
        .set_default_instance_warmup(seconds("warmup", wanted.warmup))
        .set_capacity_rebalance(flag("capacity_rebalance", wanted.capacity_rebalance))
        .set_new_instances_protected_from_scale_in(flag("protect_new_instances", wanted.protect_new_instances))
        .set_termination_policies(policies)
        .set_max_instance_lifetime(changed.has("max_instance_lifetime").then(|| lifetime(wanted))))
}

/// Turns the group's own metrics on or off, all of them.
pub(super) async fn metrics(aws: &Aws, name: &str, on: bool) -> Result<(), CallError> {
    if on {
        let enable = || aws.autoscaling.enable_metrics_collection().auto_scaling_group_name(name);
        let send = || enable().granularity("1Minute").send();
        return aws.call("autoscaling:EnableMetricsCollection", name, send).await.map(drop);
    }
    let send = || aws.autoscaling.disable_metrics_collection().auto_scaling_group_name(name).send();
    aws.call("autoscaling:DisableMetricsCollection", name, send).await.map(drop)
}

/// As many instances as one call takes.
const AT_ONCE: usize = 50;

/// Protects the instances that there are from scale in, or no longer.
pub(in crate::aws::autoscaling) async fn protect(aws: &Aws, name: &str, protected: bool) -> Result<(), CallError> {
    let groups = describe(aws, Some(vec![name.to_owned()])).await?;
    let members = groups.iter().flat_map(|group| group.instances());
    let stays = members.filter(|member| {
        let leaves = member.lifecycle_state().is_some_and(|state| state.as_str().starts_with("Terminating"));
        member.protected_from_scale_in() != Some(protected) && !leaves
    });
    let ids: Vec<String> = stays.filter_map(|member| member.instance_id().map(str::to_owned)).collect();
    for some in ids.chunks(AT_ONCE) {
        let set = || aws.autoscaling.set_instance_protection().auto_scaling_group_name(name);
        let send = || set().set_instance_ids(Some(some.to_vec())).protected_from_scale_in(protected).send();
        aws.call("autoscaling:SetInstanceProtection", name, send).await?;
    }
    Ok(())
}

/// Begins to replace the instances of another version, protected ones too: no tasks are lost, for ECS moves them away
/// from each instance before it goes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-instance-draining.html>
pub(super) async fn refresh(wanted: &AutoScalingGroup, aws: &Aws, name: &str) -> Result<(), CallError> {
    let preferences = RefreshPreferences::builder()
        .min_healthy_percentage(wanted.refresh.min_healthy)
        .max_healthy_percentage(wanted.refresh.max_healthy)
        .instance_warmup(wanted.refresh.warmup.0)
        .skip_matching(true)
        .scale_in_protected_instances(ScaleInProtectedInstances::Refresh)
        .standby_instances(StandbyInstances::Terminate)
        .build();
    let start = || aws.autoscaling.start_instance_refresh().auto_scaling_group_name(name);
    let send = || start().preferences(preferences.clone()).send();
    aws.call("autoscaling:StartInstanceRefresh", name, send).await.map(drop)
}
