//! How many instances a group has: raised once everything that they are to join is there.
//!
//! An instance that registers with its cluster before the group's capacity provider is attached to it belongs to no
//! provider, and never gets a task by it. So a group begins empty.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/asg-capacity-providers.html>

#[cfg(test)]
mod tests;

use aws_sdk_autoscaling::types::AutoScalingGroup as Sdk;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Estimate, Field, Health, Identity, LogicalId, Order, Outputs, Owner, Rules, Value};

use super::group::{AutoScalingGroupName, observe, tagging, write};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query};
use crate::aws::out::Out;
use crate::aws::tags::{self, Tags};

/// The bounds of a group's size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSize {
    /// The group.
    pub group: Out<AutoScalingGroupName>,
    /// The fewest.
    pub min: i32,
    /// The most.
    pub max: i32,
    /// How many there are at first; afterwards that is the autoscaler's to say.
    pub desired: i32,
}

/// The logical id that a group's size has where the stack does not say.
const USUAL_ID: &str = "cluster.size";

impl Kind for GroupSize {
    const RULES: &'static Rules = &Rules {
        kind: "autoscaling.size",
        fields: &[
            Field::new("group").replaces(),
            Field::new("min"),
            Field::new("max"),
            Field::new("desired").owned_by(Owner::Autoscaler),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(20),
        estimate: Estimate::seconds(60, 60, 2),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let names = query.only_physical().map(|name| vec![name.to_owned()]);
        let mut all = Vec::new();
        for group in write::describe(aws, names).await? {
            let Some(mut found) = observe(aws, query, &group) else { continue };
            if query.only.is_some() {
                found.health = observe::filled(aws, &group).await?;
            }
            all.push(found);
        }
        Ok(all)
    }

    async fn create(&self, aws: &Aws, _new: &New<'_>) -> Result<Made, CallError> {
        let group = self.group.get()?;
        let desired = self.desired.clamp(self.min, self.max.max(self.min));
        resize(aws, group, self.min, self.max, Some(desired)).await.map_err(CallError::right_after_create)?;
        Ok(Made { physical: group.to_owned(), outputs: None })
    }

    /// The desired number, which is not ours, moves between new bounds by itself.
    async fn update(&self, aws: &Aws, now: &Found<Self>, _changed: &Changed) -> Result<Option<Outputs>, CallError> {
        resize(aws, &now.physical, self.min, self.max, None).await?;
        Ok(None)
    }

    /// To nought. Instances that are protected from scale in stay until the group goes, which ends them all.
    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        match resize(aws, &now.physical, 0, 0, Some(0)).await {
            Err(error) if error.class == Class::Missing => Ok(Gone::Now),
            sized => sized.map(|()| Gone::Now),
        }
    }

    /// It is its group's.
    async fn adopt(_aws: &Aws, _now: &Found<Self>, _identity: &Tags) -> Result<(), CallError> {
        Ok(())
    }

    fn grants() -> Vec<Grant> {
        const GROUP: &[&str] =
            &["arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/*"];
        const READS: &[&str] = &["autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeScalingActivities"];
        vec![Grant::read(READS), Grant::write(&["autoscaling:UpdateAutoScalingGroup"], GROUP).when(OF_THIS_STACK)]
    }
}

async fn resize(aws: &Aws, group: &str, min: i32, max: i32, desired: Option<i32>) -> Result<(), CallError> {
    let update = || aws.autoscaling.update_auto_scaling_group().auto_scaling_group_name(group);
    let send = || update().min_size(min).max_size(max).set_desired_capacity(desired).send();
    aws.call("autoscaling:UpdateAutoScalingGroup", group, send).await.map(drop)
}

/// The size of a group of the stack; none as long as it has room for no instance.
fn observe(aws: &Aws, query: &Query<GroupSize>, group: &Sdk) -> Option<Found<GroupSize>> {
    let name = group.auto_scaling_group_name()?;
    tags::read(&aws.scope.stack, &tagging::read(group.tags()))?;
    let leaves = group.status().is_some_and(|status| status.starts_with("Delete"));
    let max = group.max_size().filter(|most| *most > 0 && !leaves)?;
    let wanted = query.wanted.iter().find(|(_, wanted)| wanted.group.get().is_ok_and(|group| group == name));
    let id = match wanted.or_else(|| query.wanted.iter().next()) {
        Some((id, _)) => id.clone(),
        None => query.only_id().cloned().or_else(|| LogicalId::new(USUAL_ID).ok())?,
    };
    Some(Found {
        id,
        physical: name.to_owned(),
        identity: Identity::Ours(None),
        health: Health::Ready,
        inputs: GroupSize {
            group: Out::known(name),
            min: group.min_size().unwrap_or_default(),
            max,
            desired: group.desired_capacity().unwrap_or_default(),
        },
        outputs: Outputs::from([("group".to_owned(), Value::text(name))]),
        blockers: Default::default(),
    })
}
