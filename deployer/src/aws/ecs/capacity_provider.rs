//! A capacity provider: an Auto Scaling group that grows and shrinks with the tasks.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/asg-capacity-providers.html>

use aws_sdk_ecs::types::{
    AutoScalingGroupProvider, AutoScalingGroupProviderUpdate, CapacityProvider as Sdk, CapacityProviderField,
    CapacityProviderStatus, CapacityProviderUpdateStatus, ManagedDraining, ManagedScaling, ManagedScalingStatus,
    ManagedTerminationProtection,
};
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Estimate, Field, Health, Identity, Order, Outputs, Owner, Rules, Value};

use super::tagging;
use crate::aws::autoscaling::group;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::tags::{self, Tags};
use crate::aws::units::Seconds;

/// A capacity provider of an Auto Scaling group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityProvider {
    /// The ARN of the Auto Scaling group; it cannot be another one later.
    pub group: Text,
    /// Whether ECS sets the group's size by the tasks that want to run.
    pub managed_scaling: bool,
    /// The share of the group, in percent, that ECS keeps in use: 100 keeps nothing spare.
    pub target_capacity: i32,
    /// The fewest instances that come at a time.
    pub min_step: i32,
    /// The most instances that come at a time.
    pub max_step: i32,
    /// How long a new instance is not counted.
    pub instance_warmup: Seconds,
    /// Whether tasks leave an instance before it is terminated.
    pub managed_draining: bool,
    /// Whether instances that run tasks are spared when the group shrinks; the group must protect new instances.
    pub termination_protection: bool,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the name of a capacity provider.
#[derive(Debug)]
pub enum CapacityProviderName {}
/// Marks the ARN of a capacity provider.
#[derive(Debug)]
pub enum CapacityProviderArn {}

impl Handle<CapacityProvider> {
    /// The provider's name.
    #[must_use]
    pub fn name(&self) -> Out<CapacityProviderName> {
        self.output("name")
    }

    /// The provider's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<CapacityProviderArn> {
        self.output("arn")
    }
}

impl Kind for CapacityProvider {
    const RULES: &'static Rules = &Rules {
        kind: "ecs.capacity-provider",
        fields: &[
            Field::new("group").replaces(),
            Field::new("managed_scaling"),
            Field::new("target_capacity"),
            Field::new("min_step"),
            Field::new("max_step"),
            Field::new("instance_warmup"),
            Field::new("managed_draining"),
            Field::new("termination_protection"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(10),
        estimate: Estimate::seconds(3, 3, 10),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let only = query.only_physical().map(|name| vec![name.to_owned()]);
        let describe = |token| {
            let describe = aws.ecs.describe_capacity_providers().include(CapacityProviderField::Tags);
            describe.set_capacity_providers(only.clone()).set_next_token(token)
        };
        let page = |page: aws_sdk_ecs::operation::describe_capacity_providers::DescribeCapacityProvidersOutput| {
            (page.capacity_providers.unwrap_or_default(), page.next_token)
        };
        let all = aws.pages("ecs:DescribeCapacityProviders", "", |token| describe(token).send(), page).await;
        let all = match all {
            Err(error) if error.class == Class::Missing => Vec::new(),
            all => all?,
        };
        let mut found: Vec<_> = all.iter().filter_map(|provider| observe(aws, provider)).collect();
        if query.only.is_none() && !found.is_empty() {
            let groups = group::arns(aws).await?;
            // One whose group is gone was made of what is still wanted, and yet another one has to come before it goes.
            let gone = |one: &&mut Found<Self>| !one.inputs.group.get().is_ok_and(|group| groups.contains(group));
            found.iter_mut().filter(gone).for_each(|one| one.identity = Identity::Ours(None));
        }
        Ok(found)
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ecs:CreateCapacityProvider";
        let group = self.group.get()?;
        let name = name(new, group);
        let group = AutoScalingGroupProvider::builder()
            .auto_scaling_group_arn(group)
            .managed_scaling(self.scaling())
            .managed_termination_protection(self.protection())
            .managed_draining(self.draining())
            .build()
            .map_err(CallError::ours)?;
        let create = aws.ecs.create_capacity_provider().name(&name).auto_scaling_group_provider(group);
        let create = create.set_tags(Some(tagging::to_sdk(&new.tags(&self.tags))));
        let answer = aws.call(ACTION, &name, || create.clone().send()).await?;
        let made = answer.capacity_provider.ok_or_else(|| CallError::lacks(ACTION, "capacityProvider"))?;
        let ready = made.status() == Some(&CapacityProviderStatus::Active);
        Ok(Made { outputs: ready.then(|| outputs(&name, made.capacity_provider_arn())), physical: name })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.has("tags") {
            tagging::change(aws, &arn(aws, &now.physical), &now.inputs.tags, &self.tags).await?;
        }
        if changed.0.iter().all(|field| field == "tags") {
            return Ok(Some(now.outputs.clone()));
        }
        let group = AutoScalingGroupProviderUpdate::builder()
            .managed_scaling(self.scaling())
            .managed_termination_protection(self.protection())
            .managed_draining(self.draining())
            .build();
        let update = aws.ecs.update_capacity_provider().name(&now.physical).auto_scaling_group_provider(group);
        aws.call("ecs:UpdateCapacityProvider", &now.physical, || update.clone().send()).await?;
        Ok(None)
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.ecs.delete_capacity_provider().capacity_provider(&now.physical).send();
        aws.call("ecs:DeleteCapacityProvider", &now.physical, send).await?;
        Ok(Gone::Later)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &arn(aws, &now.physical), identity).await
    }

    fn grants() -> Vec<Grant> {
        const PROVIDER: &[&str] = &["arn:{partition}:ecs:{region}:{account}:capacity-provider/{stack}-*"];
        const GROUP: &[&str] = &["arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*"];
        const CHANGE: &[&str] =
            &["ecs:UpdateCapacityProvider", "ecs:DeleteCapacityProvider", "ecs:TagResource", "ecs:UntagResource"];
        vec![
            Grant::read(&["autoscaling:DescribeAutoScalingGroups", "ecs:DescribeCapacityProviders"]),
            Grant::write(&["ecs:CreateCapacityProvider", "ecs:TagResource"], PROVIDER).when(TAGGED_WITH_THIS_STACK),
            Grant::write(CHANGE, PROVIDER).when(OF_THIS_STACK),
            // ECS marks the group as its own (`AmazonECSManaged`) with the caller's permission.
            Grant::write(&["autoscaling:CreateOrUpdateTags"], GROUP),
        ]
    }
}

impl CapacityProvider {
    fn scaling(&self) -> ManagedScaling {
        let status = if self.managed_scaling { ManagedScalingStatus::Enabled } else { ManagedScalingStatus::Disabled };
        ManagedScaling::builder()
            .status(status)
            .target_capacity(self.target_capacity)
            .minimum_scaling_step_size(self.min_step)
            .maximum_scaling_step_size(self.max_step)
            .instance_warmup_period(self.instance_warmup.0)
            .build()
    }

    fn protection(&self) -> ManagedTerminationProtection {
        if self.termination_protection {
            ManagedTerminationProtection::Enabled
        } else {
            ManagedTerminationProtection::Disabled
        }
    }

    fn draining(&self) -> ManagedDraining {
        if self.managed_draining { ManagedDraining::Enabled } else { ManagedDraining::Disabled }
    }
}

/// A group that comes in the place of one of its name has another id in its ARN, and its provider another name.
fn name(new: &New<'_>, group: &str) -> String {
    let id = group.split(':').nth(6).and_then(|id| id.split('-').next()).unwrap_or_default();
    format!("{}-{}-{id}", new.name(), new.generation)
}

fn observe(aws: &Aws, provider: &Sdk) -> Option<Found<CapacityProvider>> {
    let (name, group) = (provider.name()?, provider.auto_scaling_group_provider()?);
    // A deleted provider is shown for a while.
    if provider.status() == Some(&CapacityProviderStatus::Inactive) {
        return None;
    }
    let all = tagging::from_sdk(provider.tags());
    let (id, identity) = tags::read(&aws.scope.stack, &all)?;
    let scaling = group.managed_scaling();
    let number = |number: Option<i32>, default| number.unwrap_or(default);
    let inputs = CapacityProvider {
        group: Text::known(group.auto_scaling_group_arn()),
        managed_scaling: scaling.and_then(|it| it.status()) == Some(&ManagedScalingStatus::Enabled),
        target_capacity: number(scaling.and_then(|it| it.target_capacity()), 100),
        min_step: number(scaling.and_then(|it| it.minimum_scaling_step_size()), 1),
        max_step: number(scaling.and_then(|it| it.maximum_scaling_step_size()), 10_000),
        instance_warmup: Seconds(number(scaling.and_then(|it| it.instance_warmup_period()), 300)),
        managed_draining: group.managed_draining() != Some(&ManagedDraining::Disabled),
        termination_protection: group.managed_termination_protection() == Some(&ManagedTerminationProtection::Enabled),
        tags: tags::user(&all),
    };
    let reason = || provider.update_status_reason().unwrap_or("no reason given").to_owned();
    let health = match provider.update_status() {
        Some(CapacityProviderUpdateStatus::DeleteInProgress) => Health::Deleting,
        Some(CapacityProviderUpdateStatus::UpdateInProgress | CapacityProviderUpdateStatus::CreateInProgress) => {
            Health::Settling("updating".to_owned())
        }
        Some(CapacityProviderUpdateStatus::CreateFailed) => Health::Failed(reason()),
        _ => Health::Ready,
    };
    Some(Found {
        id,
        physical: name.to_owned(),
        identity,
        health,
        inputs,
        outputs: outputs(name, provider.capacity_provider_arn()),
        blockers: Default::default(),
    })
}

fn outputs(name: &str, arn: Option<&str>) -> Outputs {
    let arn = arn.map(|arn| ("arn".to_owned(), Value::text(arn)));
    [("name".to_owned(), Value::text(name))].into_iter().chain(arn).collect()
}

fn arn(aws: &Aws, name: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:ecs:{}:{}:capacity-provider/{name}", scope.partition, scope.region, scope.account)
}
