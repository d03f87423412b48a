//! A group of instances that keeps their number, and replaces them when their template changes.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-groups.html>

pub(super) mod observe;
pub(super) mod tagging;
#[cfg(test)]
pub(super) mod tests;
pub(super) mod write;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Order, Outputs, Owner, Rules};

use crate::aws::call::{Aws, CallError};
use crate::aws::ec2::launch_template::{LaunchTemplateId, LaunchTemplateVersion};
use crate::aws::ec2::subnet::SubnetId;
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::Tags;
use crate::aws::units::{Days, Seconds};

/// An Auto Scaling group, named by the stack and its logical id. All of it changes in place. It begins without an
/// instance: how many it has is a resource of its own ([`super::size::GroupSize`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoScalingGroup {
    /// How its instances are made.
    pub launch_template: Out<LaunchTemplateId>,
    /// By which version. Instances of another one are replaced, a few at a time and never too few.
    pub launch_template_version: Out<LaunchTemplateVersion>,
    /// Where they stand.
    pub subnets: Vec<Out<SubnetId>>,
    /// Who says that an instance is ill: `EC2`, `EBS`.
    pub health_checks: Vec<String>,
    /// How long a new one is not asked.
    pub health_check_grace: Seconds,
    /// How long a simple scaling is the last.
    pub cooldown: Seconds,
    /// How long a new one counts as not yet useful.
    pub warmup: Seconds,
    /// Spot instances are replaced before they are taken away.
    pub capacity_rebalance: bool,
    /// New instances are protected from scale in, as ECS's managed termination protection needs it.
    pub protect_new_instances: bool,
    /// The group's own metrics, once a minute.
    pub metrics: bool,
    /// Which instance goes first; the order counts.
    pub termination_policies: Vec<String>,
    /// No instance gets older than this; none: as old as it likes.
    pub max_instance_lifetime: Option<Days>,
    /// How instances are replaced when the template's version changes.
    pub refresh: Refresh,
    /// The user's tags, which new instances get too.
    pub tags: Tags,
}

/// How instances are replaced.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/understand-instance-refresh-default-values.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// The part of the desired number that stays in service, in percent.
    pub min_healthy: i32,
    /// The part that there may be meanwhile, in percent: over 100, new ones come before old ones go.
    pub max_healthy: i32,
    /// How long after its start a new one counts.
    pub warmup: Seconds,
}

/// The ARNs of all groups of the account.
pub(in crate::aws) async fn arns(aws: &Aws) -> Result<BTreeSet<String>, CallError> {
    let groups = write::describe(aws, None).await?;
    Ok(groups.into_iter().filter_map(|group| group.auto_scaling_group_arn).collect())
}

/// Marks the name of an Auto Scaling group.
#[derive(Debug)]
pub enum AutoScalingGroupName {}
/// Marks the ARN of an Auto Scaling group.
#[derive(Debug)]
pub enum AutoScalingGroupArn {}

impl Handle<AutoScalingGroup> {
    /// The group's name.
    #[must_use]
    pub fn name(&self) -> Out<AutoScalingGroupName> {
        self.output("name")
    }

    /// The group's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<AutoScalingGroupArn> {
        self.output("arn")
    }
}

impl Kind for AutoScalingGroup {
    const RULES: &'static Rules = &Rules {
        kind: "autoscaling.group",
        fields: &[
            Field::new("launch_template"),
            Field::new("launch_template_version"),
            Field::new("subnets").compared(Compare::Set),
            Field::new("health_checks").compared(Compare::Set),
            Field::new("health_check_grace"),
            Field::new("cooldown"),
            Field::new("warmup"),
            Field::new("capacity_rebalance"),
            Field::new("protect_new_instances"),
            Field::new("metrics"),
            Field::new("termination_policies"),
            Field::new("max_instance_lifetime"),
            // It counts at the next refresh; AWS keeps none of it.
            Field::new("refresh"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(20),
        estimate: Estimate::seconds(3, 5, 120),
    };

    /// All groups, for one that is not the stack's may have a name that it wants. In a run, what is still on its way
    /// is asked too.
    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let names = query.only_physical().map(|name| vec![name.to_owned()]);
        let groups = write::describe(aws, names).await?;
        let observed = groups.iter().filter_map(|group| Some((observe::observed(aws, query, group)?, group)));
        let mut all = Vec::new();
        for (mut found, group) in observed {
            if query.only.is_some() {
                observe::settle(aws, &mut found, group).await?;
            }
            all.push(found);
        }
        Ok(all)
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let name = new.name();
        let request = write::creation(self, aws, new)?;
        aws.call("autoscaling:CreateAutoScalingGroup", &name, || request.clone().send()).await?;
        if self.metrics {
            write::metrics(aws, &name, true).await.map_err(CallError::right_after_create)?;
        }
        Ok(Made { physical: name, outputs: None })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let name = &now.physical;
        if changed.has("tags") {
            tagging::change(aws, name, &now.inputs.tags, &self.tags).await?;
        }
        if changed.has("metrics") {
            write::metrics(aws, name, self.metrics).await?;
        }
        if changed.0.iter().any(|field| !matches!(field.as_str(), "tags" | "metrics")) {
            let request = write::modification(self, aws, name, changed)?;
            aws.call("autoscaling:UpdateAutoScalingGroup", name, || request.clone().send()).await?;
        }
        if changed.has("protect_new_instances") {
            write::protect(aws, name, self.protect_new_instances).await?;
        }
        if changed.any(&["launch_template", "launch_template_version"]) {
            write::refresh(self, aws, name).await?;
        }
        Ok(None)
    }

    /// With all its instances: those that are protected from scale in would stay, so that goes first.
    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let name = &now.physical;
        match write::protect(aws, name, false).await {
            Err(error) if error.class == Class::Missing => return Ok(Gone::Now),
            other => other?,
        }
        let send =
            || aws.autoscaling.delete_auto_scaling_group().auto_scaling_group_name(name).force_delete(true).send();
        aws.call("autoscaling:DeleteAutoScalingGroup", name, send).await?;
        Ok(Gone::Later)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity, false).await
    }

    fn grants() -> Vec<Grant> {
        const GROUP: &[&str] =
            &["arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/*"];
        const CHANGES: &[&str] = &[
            "autoscaling:CreateOrUpdateTags",
            "autoscaling:DeleteAutoScalingGroup",
            "autoscaling:DeleteTags",
            "autoscaling:DisableMetricsCollection",
            "autoscaling:EnableMetricsCollection",
            "autoscaling:SetInstanceProtection",
            "autoscaling:StartInstanceRefresh",
            "autoscaling:UpdateAutoScalingGroup",
        ];
        const READS: &[&str] = &[
            "autoscaling:DescribeAutoScalingGroups",
            "autoscaling:DescribeInstanceRefreshes",
            "autoscaling:DescribeScalingActivities",
        ];
        // Who makes a group has to be allowed to launch by its template.
        // <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-launch-template-permissions.html>
        const LAUNCHED: &[&str] = &[
            "arn:{partition}:ec2:{region}:{account}:instance/*",
            "arn:{partition}:ec2:{region}:{account}:network-interface/*",
            "arn:{partition}:ec2:{region}:{account}:volume/*",
        ];
        const USED: &[&str] = &[
            "arn:{partition}:ec2:{region}:{account}:launch-template/*",
            "arn:{partition}:ec2:{region}:{account}:security-group/*",
            "arn:{partition}:ec2:{region}:{account}:subnet/*",
        ];
        const ROLE: &[&str] = &[
            "arn:{partition}:iam::{account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
        ];
        const OURS: &[&str] = &["arn:{partition}:iam::{account}:role/wharf/{stack}/*"];
        vec![
            Grant::read(READS),
            Grant::write(&["autoscaling:CreateAutoScalingGroup"], GROUP).when(TAGGED_WITH_THIS_STACK),
            Grant::write(CHANGES, GROUP).when(OF_THIS_STACK),
            Grant::write(&["autoscaling:CreateOrUpdateTags"], GROUP).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["ec2:CreateTags", "ec2:RunInstances"], LAUNCHED).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["ec2:RunInstances"], USED).when(OF_THIS_STACK),
            Grant::write(&["ec2:RunInstances"], &["arn:{partition}:ec2:{region}::image/*"]),
            Grant::write(&["iam:PassRole"], OURS).when(&[("StringEquals", "iam:PassedToService", "ec2.amazonaws.com")]),
            Grant::write(&["iam:CreateServiceLinkedRole"], ROLE).when(&[(
                "StringEquals",
                "iam:AWSServiceName",
                "autoscaling.amazonaws.com",
            )]),
        ]
    }
}
