//! An ECS cluster. <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/clusters.html>
//!
//! A stack has one, which has the stack's name: so it is asked for by name, and its services with it.

use aws_sdk_ecs::types::{
    Cluster as Sdk, ClusterConfiguration, ClusterField, ClusterSetting, ClusterSettingName,
    ExecuteCommandConfiguration, ExecuteCommandLogConfiguration, ExecuteCommandLogging,
};
use serde::{Deserialize, Serialize};
use wharf_engine::{Estimate, Field, Health, Identity, Order, Outputs, Owner, Rules, Value};

use super::tagging;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::kms::key::KeyArn;
use crate::aws::logs::log_group::LogGroupName;
use crate::aws::out::{Handle, Out};
use crate::aws::shared_reads::once;
use crate::aws::tags::{self, Tags};

/// An ECS cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Container Insights: `enhanced`, `enabled` or `disabled`.
    pub container_insights: String,
    /// Encrypts what goes between one who looks into a task and the task.
    pub exec_key: Option<Out<KeyArn>>,
    /// Where such sessions are logged; none: with the task's own log.
    pub exec_log_group: Option<Out<LogGroupName>>,
    /// Whether that log group has to be an encrypted one.
    pub exec_log_encrypted: bool,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the name of a cluster.
#[derive(Debug)]
pub enum ClusterName {}
/// Marks the ARN of a cluster.
#[derive(Debug)]
pub enum ClusterArn {}

impl Handle<Cluster> {
    /// The cluster's name.
    #[must_use]
    pub fn name(&self) -> Out<ClusterName> {
        self.output("name")
    }

    /// The cluster's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<ClusterArn> {
        self.output("arn")
    }
}

impl Kind for Cluster {
    const RULES: &'static Rules = &Rules {
        kind: "ecs.cluster",
        fields: &[
            Field::new("container_insights"),
            Field::new("exec_key"),
            Field::new("exec_log_group"),
            Field::new("exec_log_encrypted"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(10),
        estimate: Estimate::seconds(5, 2, 5),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let Some(cluster) = look(aws).await? else { return Ok(Vec::new()) };
        Ok(observe(aws, query, &cluster).into_iter().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ecs:CreateCluster";
        let name = new.stack;
        let request = aws
            .ecs
            .create_cluster()
            .cluster_name(name)
            .settings(self.insights())
            .configuration(self.configuration()?)
            .set_tags(Some(tagging::to_sdk(&new.tags(&self.tags))));
        let answer = aws.call(ACTION, name, || request.clone().send()).await?;
        let made = answer.cluster.ok_or_else(|| CallError::lacks(ACTION, "cluster"))?;
        let ready = made.status() == Some("ACTIVE");
        Ok(Made { physical: name.to_owned(), outputs: ready.then(|| outputs(name, made.cluster_arn())) })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let exec = changed.any(&["exec_key", "exec_log_group", "exec_log_encrypted"]);
        let insights = changed.has("container_insights");
        if exec || insights {
            let update = aws.ecs.update_cluster().cluster(&now.physical);
            let update = update.set_settings(insights.then(|| vec![self.insights()]));
            let update = update.set_configuration(exec.then(|| self.configuration()).transpose()?);
            aws.call("ecs:UpdateCluster", &now.physical, || update.clone().send()).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, &arn(aws, &now.physical), &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.ecs.delete_cluster().cluster(&now.physical).send();
        aws.call("ecs:DeleteCluster", &now.physical, send).await?;
        Ok(Gone::Later)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &arn(aws, &now.physical), identity).await
    }

    fn grants() -> Vec<Grant> {
        const CLUSTER: &[&str] = &["arn:{partition}:ecs:{region}:{account}:cluster/{stack}"];
        const LINKED: &[&str] =
            &["arn:{partition}:iam::{account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"];
        const FOR_ECS: &[(&str, &str, &str)] = &[("StringEquals", "iam:AWSServiceName", "ecs.amazonaws.com")];
        const CHANGE: &[&str] = &["ecs:UpdateCluster", "ecs:DeleteCluster", "ecs:TagResource", "ecs:UntagResource"];
        vec![
            Grant::read(&["ecs:DescribeClusters"]),
            Grant::write(&["ecs:CreateCluster", "ecs:TagResource"], CLUSTER).when(TAGGED_WITH_THIS_STACK),
            Grant::write(CHANGE, CLUSTER).when(OF_THIS_STACK),
            // The first cluster of an account brings the service's role along.
            Grant::write(&["iam:CreateServiceLinkedRole"], LINKED).when(FOR_ECS),
        ]
    }
}

impl Cluster {
    fn insights(&self) -> ClusterSetting {
        let setting = ClusterSetting::builder().name(ClusterSettingName::ContainerInsights);
        setting.value(&self.container_insights).build()
    }

    fn configuration(&self) -> Result<ClusterConfiguration, CallError> {
        let key = self.exec_key.as_ref().map(Out::get).transpose()?.map(str::to_owned);
        let group = self.exec_log_group.as_ref().map(Out::get).transpose()?;
        let logging = if group.is_some() { ExecuteCommandLogging::Override } else { ExecuteCommandLogging::Default };
        let logs = group.map(|group| {
            let logs = ExecuteCommandLogConfiguration::builder().cloud_watch_log_group_name(group);
            logs.cloud_watch_encryption_enabled(self.exec_log_encrypted).build()
        });
        let exec = ExecuteCommandConfiguration::builder().set_kms_key_id(key).logging(logging);
        let exec = exec.set_log_configuration(logs).build();
        Ok(ClusterConfiguration::builder().execute_command_configuration(exec).build())
    }
}

/// The cluster that has the stack's name, if there is one.
pub(super) async fn look(aws: &Aws) -> Result<Option<Sdk>, CallError> {
    once(aws, "cluster", described(aws)).await
}

async fn described(aws: &Aws) -> Result<Option<Sdk>, CallError> {
    let name = &aws.scope.stack;
    let fields = [ClusterField::Tags, ClusterField::Settings, ClusterField::Configurations, ClusterField::Attachments];
    let describe = || aws.ecs.describe_clusters().clusters(name).set_include(Some(fields.to_vec()));
    let answer = aws.call("ecs:DescribeClusters", name, || describe().send()).await?;
    // A deleted cluster is shown for a while.
    let there = |cluster: &Sdk| cluster.cluster_name() == Some(name) && cluster.status() != Some("INACTIVE");
    Ok(answer.clusters.unwrap_or_default().into_iter().find(there))
}

fn observe(aws: &Aws, query: &Query<Cluster>, cluster: &Sdk) -> Option<Found<Cluster>> {
    let name = cluster.cluster_name()?;
    let all = tagging::from_sdk(cluster.tags());
    let foreign = || query.wanted.keys().next().map(|id| (id.clone(), Identity::Foreign));
    let (id, identity) = tags::read(&aws.scope.stack, &all).or_else(foreign)?;
    let exec = cluster.configuration().and_then(ClusterConfiguration::execute_command_configuration);
    let logs = exec.and_then(ExecuteCommandConfiguration::log_configuration);
    // The place counts only where sessions are sent there.
    let sent = exec.and_then(ExecuteCommandConfiguration::logging) == Some(&ExecuteCommandLogging::Override);
    let insights = cluster.settings().iter().find(|one| one.name() == Some(&ClusterSettingName::ContainerInsights));
    let inputs = Cluster {
        container_insights: insights.and_then(|setting| setting.value()).unwrap_or("disabled").to_owned(),
        exec_key: exec.and_then(ExecuteCommandConfiguration::kms_key_id).map(Out::known),
        exec_log_group: logs.filter(|_| sent).and_then(|logs| logs.cloud_watch_log_group_name()).map(Out::known),
        exec_log_encrypted: logs.is_some_and(|logs| logs.cloud_watch_encryption_enabled()),
        tags: tags::user(&all),
    };
    let health = match cluster.status() {
        Some("ACTIVE") | None => Health::Ready,
        Some("DEPROVISIONING") => Health::Deleting,
        Some("FAILED") => Health::Failed("the cluster's capacity could not be provided".to_owned()),
        Some(other) => Health::Settling(other.to_lowercase()),
    };
    Some(Found {
        id,
        physical: name.to_owned(),
        identity,
        health,
        inputs,
        outputs: outputs(name, cluster.cluster_arn()),
        blockers: Default::default(),
    })
}

fn outputs(name: &str, arn: Option<&str>) -> Outputs {
    let arn = arn.map(|arn| ("arn".to_owned(), Value::text(arn)));
    [("name".to_owned(), Value::text(name))].into_iter().chain(arn).collect()
}

fn arn(aws: &Aws, name: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:ecs:{}:{}:cluster/{name}", scope.partition, scope.region, scope.account)
}
