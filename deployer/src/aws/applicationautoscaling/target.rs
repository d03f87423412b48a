//! A scalable target: between which numbers of tasks a service scales.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html>

use std::collections::HashMap;

use aws_sdk_applicationautoscaling::types::{ScalableTarget as Sdk, SuspendedState};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Estimate, Field, Health, Identity, Order, Outputs, Owner, Rules, Value};
use wharf_on_image_push::scaling::bound;

use super::{DIMENSION, NAMESPACE, OF_ECS, TARGETS};
use crate::aws::call::{Aws, CallError};
use crate::aws::ecs::cluster::ClusterName;
use crate::aws::ecs::rollout;
use crate::aws::ecs::service::ServiceName;
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::{self, Tags};

/// The bounds of a service's desired count. Registered once for a service; its policies go with it.
///
/// AWS moves the count of what it registers into the bounds. A service without an image stands at no task, and has to
/// stay there: its lower bound is nought until its first rollout has [raised] it.
///
/// [raised]: raise
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScalableTarget {
    /// The cluster.
    pub cluster: Out<ClusterName>,
    /// The service.
    pub service: Out<ServiceName>,
    /// The fewest tasks that scaling goes down to.
    pub min: i32,
    /// The most tasks that scaling goes up to.
    pub max: i32,
    /// Scaling stands still, in both directions and by schedule.
    pub suspended: bool,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks what a policy scales: `service/<cluster>/<service>`.
#[derive(Debug)]
pub enum ScalableResource {}

impl Handle<ScalableTarget> {
    /// What scales, as policies name it.
    #[must_use]
    pub fn resource(&self) -> Out<ScalableResource> {
        self.output("resource")
    }
}

impl Kind for ScalableTarget {
    const RULES: &'static Rules = &Rules {
        kind: "application-autoscaling.target",
        fields: &[
            Field::new("cluster").replaces(),
            Field::new("service").replaces(),
            Field::new("min"),
            Field::new("max"),
            Field::new("suspended"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(10),
        estimate: Estimate::seconds(2, 2, 2),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let only = query.only_physical().map(|resource| vec![resource.to_owned()]);
        let describe = |token| {
            let describe = aws.applicationautoscaling.describe_scalable_targets().service_namespace(NAMESPACE);
            describe.set_resource_ids(only.clone()).scalable_dimension(DIMENSION).set_next_token(token)
        };
        let page = |page: aws_sdk_applicationautoscaling::operation::describe_scalable_targets::DescribeScalableTargetsOutput| {
            (page.scalable_targets.unwrap_or_default(), page.next_token)
        };
        let all = aws.pages(DESCRIBE, "", |token| describe(token).send(), page).await?;
        // All services of a stack are in the cluster that has the stack's name.
        let prefix = format!("service/{}/", aws.scope.stack);
        let ours = all.iter().filter(|target| target.resource_id().starts_with(&prefix));
        let found = try_join_all(ours.map(|target| observe(aws, query, target))).await?;
        let mut found: Vec<Found<Self>> = found.into_iter().flatten().collect();
        for one in found.iter_mut().filter(|one| one.inputs.min == 0) {
            if let Some(wanted) = query.wanted.get(&one.id)
                && one.inputs.stands_at_nought(aws).await?
            {
                one.inputs.min = wanted.min;
            }
        }
        Ok(found)
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let resource = format!("service/{}/{}", self.cluster.get()?, self.service.get()?);
        let tags: HashMap<String, String> = new.tags(&self.tags).into_iter().collect();
        self.register(aws, &resource, Some(tags)).await?;
        Ok(Made { outputs: Some(outputs(&resource)), physical: resource })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.any(&["min", "max", "suspended"]) {
            self.register(aws, &now.physical, None).await?;
        }
        if changed.has("tags") {
            let (set, gone) = tags::difference(&now.inputs.tags, &self.tags);
            let arn = arn_of(aws, &now.physical).await?;
            if !set.is_empty() {
                write(aws, &arn, &set).await?;
            }
            if !gone.is_empty() {
                let untag = || aws.applicationautoscaling.untag_resource().resource_arn(&arn);
                let send = || untag().set_tag_keys(Some(gone.clone())).send();
                aws.call("application-autoscaling:UntagResource", &arn, send).await?;
            }
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let deregister = || aws.applicationautoscaling.deregister_scalable_target().service_namespace(NAMESPACE);
        let send = || deregister().resource_id(&now.physical).scalable_dimension(DIMENSION).send();
        aws.call("application-autoscaling:DeregisterScalableTarget", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        write(aws, &arn_of(aws, &now.physical).await?, identity).await
    }

    fn grants() -> Vec<Grant> {
        const LINKED: &[&str] = &[
            "arn:{partition}:iam::{account}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService",
        ];
        const FOR_ECS: &[(&str, &str, &str)] =
            &[("StringEquals", "iam:AWSServiceName", "ecs.application-autoscaling.amazonaws.com")];
        vec![
            Grant::read(&[
                "application-autoscaling:DescribeScalableTargets",
                "application-autoscaling:ListTagsForResource",
                "ecs:DescribeServices",
            ]),
            Grant::write(
                &["application-autoscaling:RegisterScalableTarget", "application-autoscaling:DeregisterScalableTarget"],
                TARGETS,
            )
            .when(OF_ECS),
            Grant::write(&["application-autoscaling:TagResource"], TARGETS).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["application-autoscaling:TagResource", "application-autoscaling:UntagResource"], TARGETS)
                .when(crate::aws::kind::OF_THIS_STACK),
            Grant::write(&["iam:CreateServiceLinkedRole"], LINKED).when(FOR_ECS),
        ]
    }
}

/// What a rollout needs to [`raise`] the bounds of a service.
pub(crate) fn grants_to_raise() -> [Grant; 2] {
    [
        Grant::read(&["application-autoscaling:DescribeScalableTargets"]),
        Grant::write(&["application-autoscaling:RegisterScalableTarget"], TARGETS).when(OF_ECS),
    ]
}

/// Gives a service that runs by now its lower bound, where it was registered without one.
///
/// # Errors
/// The call's.
pub async fn raise(aws: &Aws, service: &str, least: i32) -> Result<(), CallError> {
    let resource = format!("service/{}/{service}", aws.scope.stack);
    let Some(least) = one(aws, &resource).await?.and_then(|target| bound(&target, least)) else { return Ok(()) };
    let register = || aws.applicationautoscaling.register_scalable_target().service_namespace(NAMESPACE);
    let send = || register().min_capacity(least).resource_id(&resource).scalable_dimension(DIMENSION).send();
    aws.call("application-autoscaling:RegisterScalableTarget", &resource, send).await.map(drop)
}

impl ScalableTarget {
    /// Whether the service has no task, and is to have none.
    async fn stands_at_nought(&self, aws: &Aws) -> Result<bool, CallError> {
        Ok(rollout::look(aws, self.service.get()?).await?.is_some_and(|service| service.desired == 0))
    }

    /// Tags go along with the first registration only: a later one leaves them alone.
    async fn register(
        &self,
        aws: &Aws,
        resource: &str,
        tags: Option<HashMap<String, String>>,
    ) -> Result<(), CallError> {
        let still = SuspendedState::builder()
            .dynamic_scaling_in_suspended(self.suspended)
            .dynamic_scaling_out_suspended(self.suspended)
            .scheduled_scaling_suspended(self.suspended)
            .build();
        let min = if self.stands_at_nought(aws).await? { 0 } else { self.min };
        let request = aws
            .applicationautoscaling
            .register_scalable_target()
            .service_namespace(NAMESPACE)
            .resource_id(resource)
            .scalable_dimension(DIMENSION)
            .min_capacity(min)
            .max_capacity(self.max)
            .suspended_state(still)
            .set_tags(tags);
        aws.call("application-autoscaling:RegisterScalableTarget", resource, || request.clone().send()).await.map(drop)
    }
}

async fn observe(
    aws: &Aws,
    query: &Query<ScalableTarget>,
    target: &Sdk,
) -> Result<Option<Found<ScalableTarget>>, CallError> {
    let resource = target.resource_id();
    let place = resource.strip_prefix("service/").and_then(|place| place.split_once('/'));
    let (Some(arn), Some((cluster, service))) = (target.scalable_target_arn(), place) else { return Ok(None) };
    let send = || aws.applicationautoscaling.list_tags_for_resource().resource_arn(arn).send();
    let all: Tags = match aws.call("application-autoscaling:ListTagsForResource", arn, send).await {
        Err(error) if error.class == Class::Missing => return Ok(None),
        answer => answer?.tags.unwrap_or_default().into_iter().collect(),
    };
    let foreign = || {
        let named = |wanted: &ScalableTarget| wanted.service.get() == Ok(service);
        let wants = query.wanted.iter().find(|(_, wanted)| named(wanted));
        wants.map(|(id, _)| (id.clone(), Identity::Foreign))
    };
    let Some((id, identity)) = tags::read(&aws.scope.stack, &all).or_else(foreign) else { return Ok(None) };
    let still = target.suspended_state();
    let suspended = [
        still.and_then(SuspendedState::dynamic_scaling_in_suspended),
        still.and_then(SuspendedState::dynamic_scaling_out_suspended),
        still.and_then(SuspendedState::scheduled_scaling_suspended),
    ];
    let inputs = ScalableTarget {
        cluster: Out::known(cluster),
        service: Out::known(service),
        min: target.min_capacity(),
        max: target.max_capacity(),
        suspended: suspended.contains(&Some(true)),
        tags: tags::user(&all),
    };
    Ok(Some(Found {
        id,
        physical: resource.to_owned(),
        identity,
        health: Health::Ready,
        inputs,
        outputs: outputs(resource),
        blockers: Default::default(),
    }))
}

fn outputs(resource: &str) -> Outputs {
    Outputs::from([("resource".to_owned(), Value::text(resource))])
}

const DESCRIBE: &str = "application-autoscaling:DescribeScalableTargets";

async fn one(aws: &Aws, resource: &str) -> Result<Option<Sdk>, CallError> {
    let describe = || aws.applicationautoscaling.describe_scalable_targets().service_namespace(NAMESPACE);
    let send = || describe().resource_ids(resource).scalable_dimension(DIMENSION).send();
    let answer = aws.call(DESCRIBE, resource, send).await?;
    Ok(answer.scalable_targets.unwrap_or_default().into_iter().next())
}

/// AWS makes up the last part of a target's ARN, so it is asked for.
async fn arn_of(aws: &Aws, resource: &str) -> Result<String, CallError> {
    let arn = one(aws, resource).await?.and_then(|target| target.scalable_target_arn);
    arn.ok_or_else(|| CallError::lacks(DESCRIBE, "ScalableTargetARN"))
}

async fn write(aws: &Aws, arn: &str, tags: &Tags) -> Result<(), CallError> {
    let tags: HashMap<String, String> = tags.clone().into_iter().collect();
    let send = || aws.applicationautoscaling.tag_resource().resource_arn(arn).set_tags(Some(tags.clone())).send();
    aws.call("application-autoscaling:TagResource", arn, send).await.map(drop)
}
