//! The services: for each its log group, its roles, its task definition, the way from the load balancer to it, and the
//! ECS service that keeps its tasks running; for a periodic task its schedule.

mod discovery;
mod periodic;
mod roles;
mod routing;
mod scaling;
mod task;

use std::collections::BTreeMap;

use wharf_engine::LogicalId;

pub(super) use self::roles::arns as role_arns;
pub(super) use self::routing::Route;
use super::cluster::Cluster;
use super::edge::Edge;
use super::network::Network;
use super::observability::Observability;
use super::variables::Variables;
use super::{BuildError, Builder, Site};
use crate::aws::cloudwatch::alarm::AlarmName;
use crate::aws::ecr::repository::Repository;
use crate::aws::ecs::service::{Deployment, LoadBalancer, Registry, Service as EcsService, Steps};
use crate::aws::ecs::task_definition::TaskDefinition;
use crate::aws::kms::key::Key;
use crate::aws::logs::log_group::LogGroup;
use crate::aws::scheduler::group::ScheduleGroup;
use crate::aws::units::{Days, Seconds};
use crate::aws::{Handle, Out, Text};
use crate::config::{Config, Deploy, Service};

/// What the services stand on.
pub(super) struct Ground<'a> {
    pub(super) config: &'a Config,
    pub(super) site: &'a Site,
    pub(super) key: &'a Handle<Key>,
    pub(super) network: &'a Network,
    pub(super) cluster: &'a Cluster,
    pub(super) edge: Option<&'a Edge>,
    pub(super) repositories: &'a BTreeMap<String, Handle<Repository>>,
    pub(super) variables: &'a Variables,
    pub(super) schedules: Option<&'a Handle<ScheduleGroup>>,
}

/// One service, and what it stands on.
struct One<'a> {
    ground: &'a Ground<'a>,
    name: &'a str,
    wanted: &'a Service,
    repository: &'a Handle<Repository>,
}

/// All services and periodic tasks; answers what each service's tasks write, by its name.
pub(super) fn services(
    b: &mut Builder,
    ground: &Ground<'_>,
    mut observability: Option<&mut Observability>,
) -> Result<BTreeMap<String, Handle<LogGroup>>, BuildError> {
    let config = ground.config;
    let namespace = discovery::namespace(b, ground)?;
    let priorities = routing::priorities(config);
    let mut logs = BTreeMap::new();
    for (name, wanted) in &config.services {
        // Each service that the file names has its repository.
        let Some(repository) = ground.repositories.get(wanted.repository_or(name)) else { continue };
        let one = One { ground, name, wanted, repository };
        let log = b.add(&one.id("log-group"), one.log_group(b))?;
        let execution = b.add(&one.id("execution-role"), one.execution_role(b, &log))?;
        let task_role = b.add(&one.id("task-role"), one.task_role(b))?;
        let task = b.add(&one.id("task-definition"), one.task_definition(b, &log, &execution, &task_role))?;
        if let Some(group) = ground.schedules
            && wanted.is_periodic()
        {
            one.schedule(b, group, &task, [&execution, &task_role])?;
            continue;
        }
        let route = match ground.edge.filter(|_| wanted.port.is_some()) {
            Some(edge) => Some(one.route(b, edge, priorities.get(name.as_str()).copied().unwrap_or(1))?),
            None => None,
        };
        let found = namespace.as_ref().filter(|_| config.is_discovered(name));
        let registry = found.map(|namespace| one.discovery(b, namespace)).transpose()?;
        let stops = match observability.as_deref_mut() {
            Some(observability) => observability.service(b, config, ground.edge, name, wanted, route.as_ref())?,
            None => Vec::new(),
        };
        let instances = ground.cluster.size.logical_id().clone();
        let after = route.iter().flat_map(Route::rules).chain([instances]).collect::<Vec<LogicalId>>();
        let service = one.service(b, &task, route.as_ref(), registry, stops);
        let service = b.add_after(&one.id("service"), service, after)?;
        one.scale(b, &service, route.as_ref())?;
        logs.insert(name.clone(), log);
    }
    Ok(logs)
}

impl One<'_> {
    fn id(&self, noun: &str) -> String {
        format!("services.{}.{noun}", self.name)
    }

    fn stack(&self) -> &str {
        self.ground.config.stack.name.as_str()
    }

    fn log_group(&self, b: &Builder) -> LogGroup {
        LogGroup {
            name: log_group_name(self.stack(), self.name),
            retention: Some(Days(i32::from(self.wanted.log_days))),
            key: Some(self.ground.key.arn()),
            class: "STANDARD".to_owned(),
            archive: false,
            tags: b.tags(),
        }
    }

    /// Two zones, no task without its successor, back to the old version when the new one fails.
    fn service(
        &self,
        b: &Builder,
        task: &Handle<TaskDefinition>,
        route: Option<&Route>,
        registry: Option<Registry>,
        stops: Vec<Out<AlarmName>>,
    ) -> EcsService {
        let Ground { cluster, network, .. } = self.ground;
        EcsService {
            name: self.name.to_owned(),
            // By what attaches its capacity to it.
            cluster: cluster.providers.cluster(),
            task_definition: task.arn(),
            desired_count: i32::from(self.wanted.tasks.min),
            launch_type: None,
            strategy: cluster.strategy(),
            scheduling: "REPLICA".to_owned(),
            deployment: self.deployment(stops),
            spread: ["attribute:ecs.availability-zone", "instanceId"].map(str::to_owned).into(),
            zone_rebalancing: self.wanted.deploy == Deploy::Rolling && self.wanted.rollout.max_percent > 100,
            grace_period: route.map(|_| Seconds(i32::from(self.wanted.grace_seconds))),
            target_groups: route.into_iter().flat_map(Route::groups).map(|group| group.arn().text()).collect(),
            load_balancer: route.map(|route| self.balanced(route)),
            registries: registry.into_iter().collect(),
            subnets: network.private.iter().map(|subnet| subnet.id()).collect(),
            security_groups: vec![network.tasks.id()],
            public_ip: false,
            exec: self.wanted.exec,
            propagate_tags: "SERVICE".to_owned(),
            managed_tags: true,
            tags: b.tags(),
        }
    }

    fn balanced(&self, route: &Route) -> LoadBalancer {
        LoadBalancer {
            container: self.name.to_owned(),
            port: self.wanted.port.map_or(0, i32::from),
            production_rule: route.other.as_ref().map(|_| route.rule.arn().text()),
            test_rule: None,
            role: route.other.as_ref().map(|other| other.role.arn()),
        }
    }

    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html>
    fn deployment(&self, stops: Vec<Out<AlarmName>>) -> Deployment {
        let (deploy, rollout) = (self.wanted.deploy, &self.wanted.rollout);
        let steps = |percent: u8| Steps { percent: i32::from(percent), bake_minutes: i32::from(rollout.step_minutes) };
        let alarms: Vec<Text> = stops.iter().filter(|_| rollout.alarms).map(Out::text).collect();
        Deployment {
            strategy: strategy(deploy).to_owned(),
            min_percent: i32::from(rollout.min_percent),
            max_percent: i32::from(rollout.max_percent),
            circuit_breaker: true,
            rollback: rollout.rollback,
            alarm_rollback: rollout.rollback && !alarms.is_empty(),
            alarms,
            bake_minutes: deploy.doubles().then(|| i32::from(rollout.bake_minutes)),
            canary: (deploy == Deploy::Canary).then(|| steps(rollout.canary_percent)),
            linear: (deploy == Deploy::Linear).then(|| steps(rollout.step_percent)),
        }
    }
}

const fn strategy(deploy: Deploy) -> &'static str {
    match deploy {
        Deploy::Rolling => "ROLLING",
        Deploy::BlueGreen => "BLUE_GREEN",
        Deploy::Canary => "CANARY",
        Deploy::Linear => "LINEAR",
    }
}

/// The name of a service's log group.
pub(crate) fn log_group_name(stack: &str, service: &str) -> String {
    format!("/wharf/{stack}/{service}")
}
