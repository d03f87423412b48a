//! The cluster: ECS on a group of EC2 instances, which grows and shrinks with the tasks and renews itself when its
//! template changes.

use wharf_engine::LogicalId;

use super::network::Network;
use super::{BuildError, Builder, Site};
use crate::aws::autoscaling::group::{AutoScalingGroup, Refresh};
use crate::aws::autoscaling::size::GroupSize;
use crate::aws::ec2::launch_template::{LaunchTemplate, RootVolume};
use crate::aws::ecs::capacity_provider::CapacityProvider;
use crate::aws::ecs::cluster::Cluster as EcsCluster;
use crate::aws::ecs::cluster_capacity_providers::ClusterCapacityProviders;
use crate::aws::ecs::strategy::StrategyItem;
use crate::aws::iam::instance_profile::InstanceProfile;
use crate::aws::iam::role::Role;
use crate::aws::kms::key::Key;
use crate::aws::logs::log_group::LogGroup;
use crate::aws::policy::{Document, Statement};
use crate::aws::units::{Days, HOUR, Seconds};
use crate::aws::{Handle, Tags, Text};
use crate::config::{Cluster as Wanted, Config, ContainerInsights, Egress};

/// The tag by which the instances' volumes are found for their snapshots.
pub(super) const BACKUP_TAG: &str = "wharf-backup";

/// What other modules need of the cluster.
pub(super) struct Cluster {
    pub(super) cluster: Handle<EcsCluster>,
    pub(super) providers: Handle<ClusterCapacityProviders>,
    /// How many instances there are: tasks come after them, and go before them.
    pub(super) size: Handle<GroupSize>,
    pub(super) provider: Handle<CapacityProvider>,
    pub(super) group: Handle<AutoScalingGroup>,
    /// What is typed into `wharf exec`.
    pub(super) exec_log: Handle<LogGroup>,
}

impl Cluster {
    /// Tasks go onto the group's instances, and nowhere else.
    pub(super) fn strategy(&self) -> Vec<StrategyItem> {
        vec![StrategyItem { provider: self.provider.name(), base: 0, weight: 1 }]
    }
}

/// The cluster with its instances.
pub(super) fn cluster(
    b: &mut Builder,
    config: &Config,
    site: &Site,
    wanted: &Wanted,
    network: &Network,
    key: &Handle<Key>,
) -> Result<Cluster, BuildError> {
    let stack = config.stack.name.as_str();
    if wanted.trunking && !site.trunking {
        return Err(BuildError::Trunking(site.region.clone()));
    }
    let exec_log = LogGroup {
        name: format!("/wharf/{stack}/exec"),
        retention: Some(Days(i32::from(wanted.exec_log_days))),
        key: Some(key.arn()),
        class: "STANDARD".to_owned(),
        archive: false,
        tags: b.tags(),
    };
    let exec_log = b.add("cluster.exec-log", exec_log)?;
    let cluster = EcsCluster {
        container_insights: insights(wanted).to_owned(),
        exec_key: Some(key.arn()),
        exec_log_group: Some(exec_log.name()),
        exec_log_encrypted: true,
        tags: b.tags(),
    };
    let first = insights_log(b, stack, wanted, key)?;
    let cluster = b.add_after("cluster.cluster", cluster, first)?;
    let group = instances(b, config, site, wanted, network, key, &cluster)?;
    let provider = CapacityProvider {
        group: group.arn().text(),
        managed_scaling: true,
        target_capacity: i32::from(wanted.target_percent),
        min_step: 1,
        max_step: 10_000,
        instance_warmup: Seconds(120),
        managed_draining: true,
        termination_protection: true,
        tags: b.tags(),
    };
    let provider = b.add("cluster.capacity-provider", provider)?;
    let providers = ClusterCapacityProviders {
        cluster: cluster.name(),
        providers: vec![provider.name()],
        default_strategy: vec![StrategyItem { provider: provider.name(), base: 0, weight: 1 }],
    };
    let providers = b.add("cluster.providers", providers)?;
    let bounds = (i32::from(wanted.min), i32::from(wanted.max));
    let size = GroupSize { group: group.name(), min: bounds.0, max: bounds.1, desired: bounds.0 };
    // An instance that registers before its provider is attached belongs to none.
    let size = b.add_after("cluster.size", size, [providers.logical_id().clone()])?;
    Ok(Cluster { cluster, providers, size, provider, group, exec_log })
}

/// Container Insights makes its log group itself, without the key, and leaves it behind: so it comes first.
fn insights_log(
    b: &mut Builder,
    stack: &str,
    wanted: &Wanted,
    key: &Handle<Key>,
) -> Result<Option<LogicalId>, BuildError> {
    if wanted.insights == ContainerInsights::Disabled {
        return Ok(None);
    }
    let group = LogGroup {
        name: format!("/aws/ecs/containerinsights/{stack}/performance"),
        retention: Some(Days(7)),
        key: Some(key.arn()),
        class: "STANDARD".to_owned(),
        archive: false,
        tags: b.tags(),
    };
    Ok(Some(b.add("cluster.insights-log", group)?.logical_id().clone()))
}

const fn insights(wanted: &Wanted) -> &'static str {
    match wanted.insights {
        ContainerInsights::Enhanced => "enhanced",
        ContainerInsights::Enabled => "enabled",
        ContainerInsights::Disabled => "disabled",
    }
}

/// The group, and what its instances are made from.
fn instances(
    b: &mut Builder,
    config: &Config,
    site: &Site,
    wanted: &Wanted,
    network: &Network,
    key: &Handle<Key>,
    cluster: &Handle<EcsCluster>,
) -> Result<Handle<AutoScalingGroup>, BuildError> {
    let stack = config.stack.name.as_str();
    let role = b.add("cluster.instance-role", role(stack, site, b.tags()))?;
    let profile = InstanceProfile { name: format!("{stack}-instances"), role: role.name(), tags: b.tags() };
    let profile = b.add("cluster.instance-profile", profile)?;
    let template = LaunchTemplate {
        instance_type: wanted.instance_type.clone(),
        image: LaunchTemplate::ecs_image(&wanted.instance_type),
        instance_profile: profile.arn(),
        security_groups: vec![network.tasks.id()],
        user_data: user_data(cluster),
        root: RootVolume {
            gib: i32::from(wanted.volume_gib),
            kms_key: Some(key.arn()),
            iops: 3000,
            throughput_mibs: 125,
        },
        detailed_monitoring: true,
        metadata_hops: 1,
        instance_tags: instance_tags(stack, b.tags()),
        tags: b.tags(),
    };
    let template = b.add("cluster.launch-template", template)?;
    // An instance in the public subnets has an address of its own; one in the private ones needs the way out.
    let subnets = if config.network.egress == Egress::Public { &network.public } else { &network.private };
    let group = AutoScalingGroup {
        launch_template: template.id(),
        launch_template_version: template.version(),
        subnets: subnets.iter().map(|subnet| subnet.id()).collect(),
        health_checks: vec!["EC2".to_owned()],
        health_check_grace: Seconds(120),
        cooldown: Seconds(300),
        warmup: Seconds(120),
        capacity_rebalance: false,
        // Managed termination protection needs it: ECS lifts it from an instance that has no tasks.
        protect_new_instances: true,
        metrics: true,
        termination_policies: vec!["OldestLaunchTemplate".to_owned(), "Default".to_owned()],
        max_instance_lifetime: None,
        refresh: Refresh { min_healthy: 100, max_healthy: 200, warmup: Seconds(120) },
        tags: b.tags(),
    };
    // What an instance needs before it can pull, register and log: the way out.
    b.add_after("cluster.group", group, network.ways_out.iter().cloned())
}

fn instance_tags(stack: &str, user: Tags) -> Tags {
    let mut tags = user;
    tags.insert(BACKUP_TAG.to_owned(), stack.to_owned());
    tags
}

/// Into the cluster; no credentials of the instance for the tasks.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html>
fn user_data(cluster: &Handle<EcsCluster>) -> Text {
    Text::join([
        "#!/bin/bash\ncat >> /etc/ecs/ecs.config <<'END'\nECS_CLUSTER=".into(),
        cluster.name().text(),
        "\nECS_AWSVPC_BLOCK_IMDS=true\nECS_ENGINE_TASK_CLEANUP_WAIT_DURATION=1h\nECS_IMAGE_PULL_BEHAVIOR=default\nEND\n"
            .into(),
    ])
}

/// What ECS's agent needs in this cluster, and Session Manager, which spares the instances SSH. Images, logs and
/// secrets are the business of each service's own roles.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/instance_IAM_role.html>,
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html>
fn role(stack: &str, site: &Site, tags: Tags) -> Role {
    let Site { partition, account, region, .. } = site;
    let of = |what: &str| format!("arn:{partition}:ecs:{region}:{account}:{what}");
    let cluster = of(&format!("cluster/{stack}"));
    let instances = of(&format!("container-instance/{stack}/*"));
    let agent = Document::new([
        Statement::allow(["ecs:DeregisterContainerInstance", "ecs:RegisterContainerInstance", "ecs:Submit*"])
            .on(cluster.as_str()),
        Statement::allow(["ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"])
            .on(instances.as_str())
            .when("ArnEquals", "ecs:cluster", cluster.as_str()),
        // AWS offers nothing narrower.
        Statement::allow(["ecs:DiscoverPollEndpoint"]).on("*"),
    ]);
    let sessions = Document::new([Statement::allow([
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ])
    .on("*")]);
    Role {
        name: format!("{stack}-instances"),
        description: "the instances: ECS's agent and Session Manager".to_owned(),
        trust: Document::trusting("ec2.amazonaws.com").text(),
        policies: [("agent".to_owned(), agent.text()), ("sessions".to_owned(), sessions.text())].into(),
        managed: Vec::new(),
        max_session: HOUR,
        boundary: None,
        tags,
    }
}
