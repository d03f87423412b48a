//! Which capacity providers a cluster has, and which it takes by itself.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutClusterCapacityProviders.html>
//!
//! A cluster has one such list, which is the stack's as a whole when the cluster is.

use aws_sdk_ecs::types::Cluster as Sdk;
use serde::{Deserialize, Serialize};
use wharf_engine::{Compare, Estimate, Field, Health, Identity, LogicalId, Order, Outputs, Rules, Value};

use super::capacity_provider::CapacityProviderName;
use super::cluster::{ClusterName, look};
use super::strategy::{self, StrategyItem};
use super::tagging;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::{self, Tags};

/// A cluster's capacity providers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterCapacityProviders {
    /// The cluster.
    pub cluster: Out<ClusterName>,
    /// All its providers.
    pub providers: Vec<Out<CapacityProviderName>>,
    /// Where tasks are placed that do not say it themselves.
    pub default_strategy: Vec<StrategyItem>,
}

impl Handle<ClusterCapacityProviders> {
    /// The cluster, once it has its providers: what a service names that uses one.
    #[must_use]
    pub fn cluster(&self) -> Out<ClusterName> {
        self.output("cluster")
    }
}

/// The logical id that a cluster's providers have where the stack does not say.
const USUAL_ID: &str = "cluster.providers";

impl Kind for ClusterCapacityProviders {
    const RULES: &'static Rules = &Rules {
        kind: "ecs.cluster-capacity-providers",
        fields: &[
            Field::new("cluster").replaces(),
            // One that a service uses stays until the service uses the other.
            Field::new("providers").compared(Compare::Set).overlaps(&[]),
            Field::new("default_strategy").compared(Compare::Set),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(10),
        estimate: Estimate::seconds(30, 30, 30),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let Some(cluster) = look(aws).await? else { return Ok(Vec::new()) };
        Ok(observe(aws, query, &cluster).into_iter().collect())
    }

    async fn create(&self, aws: &Aws, _new: &New<'_>) -> Result<Made, CallError> {
        let cluster = self.cluster.get()?;
        self.put(aws, cluster).await.map_err(CallError::right_after_create)?;
        Ok(Made { physical: cluster.to_owned(), outputs: None })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, _changed: &Changed) -> Result<Option<Outputs>, CallError> {
        self.put(aws, &now.physical).await?;
        Ok(None)
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let none = Self { providers: Vec::new(), default_strategy: Vec::new(), ..now.inputs.clone() };
        none.put(aws, &now.physical).await?;
        Ok(Gone::Later)
    }

    /// It is its cluster's.
    async fn adopt(_aws: &Aws, _now: &Found<Self>, _identity: &Tags) -> Result<(), CallError> {
        Ok(())
    }

    fn grants() -> Vec<Grant> {
        const CLUSTER: &[&str] = &["arn:{partition}:ecs:{region}:{account}:cluster/{stack}"];
        vec![
            Grant::read(&["ecs:DescribeClusters"]),
            Grant::write(&["ecs:PutClusterCapacityProviders"], CLUSTER).when(OF_THIS_STACK),
        ]
    }
}

impl ClusterCapacityProviders {
    async fn put(&self, aws: &Aws, cluster: &str) -> Result<(), CallError> {
        let providers = self.providers.iter().map(|name| Ok(name.get()?.to_owned()));
        let providers = providers.collect::<Result<Vec<_>, CallError>>()?;
        let strategy = strategy::to_sdk(&self.default_strategy)?;
        let put = aws.ecs.put_cluster_capacity_providers().cluster(cluster);
        let put = put.set_capacity_providers(Some(providers)).set_default_capacity_provider_strategy(Some(strategy));
        aws.call("ecs:PutClusterCapacityProviders", cluster, || put.clone().send()).await.map(drop)
    }
}

fn observe(
    aws: &Aws,
    query: &Query<ClusterCapacityProviders>,
    cluster: &Sdk,
) -> Option<Found<ClusterCapacityProviders>> {
    let name = cluster.cluster_name()?;
    tags::read(&aws.scope.stack, &tagging::from_sdk(cluster.tags()))?;
    let at_work = cluster.attachments_status() == Some("UPDATE_IN_PROGRESS");
    if cluster.capacity_providers().is_empty() && !at_work {
        return None;
    }
    let id = query.wanted.keys().next().cloned().or_else(|| LogicalId::new(USUAL_ID).ok())?;
    let health = match cluster.attachments_status() {
        // Without a provider left, it is going.
        Some("UPDATE_IN_PROGRESS") if cluster.capacity_providers().is_empty() => Health::Deleting,
        Some("UPDATE_IN_PROGRESS") => Health::Settling("attaching".to_owned()),
        _ => Health::Ready,
    };
    let inputs = ClusterCapacityProviders {
        cluster: Out::known(name),
        providers: cluster.capacity_providers().iter().map(Out::known).collect(),
        default_strategy: strategy::from_sdk(cluster.default_capacity_provider_strategy()),
    };
    Some(Found {
        id,
        physical: name.to_owned(),
        identity: Identity::Ours(None),
        health,
        inputs,
        outputs: Outputs::from([("cluster".to_owned(), Value::text(name))]),
        blockers: Default::default(),
    })
}
