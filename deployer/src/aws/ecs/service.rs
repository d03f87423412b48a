//! An ECS service: so many tasks of one definition, kept running. <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html>
//!
//! A change of it is a deployment, which takes minutes and can fail. AWS then goes back to what ran before, and the
//! service looks well again: so a run remembers the deployment that its change began, and that one has to complete.

pub(super) mod cause;
pub(crate) mod first;
pub(super) mod observe;
mod write;

use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use super::cluster::ClusterName;
use super::strategy::StrategyItem;
use super::task_definition::{self, TaskDefinitionArn};
use super::{claim, room, running, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::ec2::security_group::SecurityGroupId;
use crate::aws::ec2::subnet::SubnetId;
use crate::aws::iam::role::RoleArn;
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::servicediscovery::service::DiscoveryServiceArn;
use crate::aws::tags::Tags;
use crate::aws::units::Seconds;
use crate::ledger::Claim;

/// An ECS service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name, unique in the cluster.
    pub name: String,
    /// The cluster it is in.
    pub cluster: Out<ClusterName>,
    /// What it runs.
    pub task_definition: Out<TaskDefinitionArn>,
    /// How many tasks at first; none as long as the image is not in its repository. Later autoscaling decides.
    pub desired_count: i32,
    /// `EC2` or `FARGATE`, where no strategy is given: a service changes from one to the other in place.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html>
    pub launch_type: Option<String>,
    /// On which capacity its tasks are placed.
    pub strategy: Vec<StrategyItem>,
    /// `REPLICA`, or `DAEMON` for one task on each instance.
    pub scheduling: String,
    /// How a change is brought out.
    pub deployment: Deployment,
    /// What tasks are spread over, the first first: `attribute:ecs.availability-zone`, `instanceId`.
    pub spread: Vec<String>,
    /// Tasks move when the zones are out of balance.
    pub zone_rebalancing: bool,
    /// How long the load balancer's verdict on a new task does not count.
    pub grace_period: Option<Seconds>,
    /// The ARNs of its target groups: the live one, and where traffic shifts between two, the other one. Which of
    /// them is live is for rollouts.
    pub target_groups: Vec<Text>,
    /// What of it is behind the load balancer.
    pub load_balancer: Option<LoadBalancer>,
    /// The Cloud Map services in which its tasks are found.
    pub registries: Vec<Registry>,
    /// The subnets of its tasks.
    pub subnets: Vec<Out<SubnetId>>,
    /// The security groups of its tasks.
    pub security_groups: Vec<Out<SecurityGroupId>>,
    /// Whether its tasks get public addresses.
    pub public_ip: bool,
    /// Whether one may look into its tasks.
    pub exec: bool,
    /// Where its tasks have their tags from: `SERVICE`, `TASK_DEFINITION` or `NONE`.
    pub propagate_tags: String,
    /// Whether its tasks are tagged with the names of cluster and service.
    pub managed_tags: bool,
    /// The user's tags.
    pub tags: Tags,
}

/// How a change of a service is brought out.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_definition_parameters.html>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// `ROLLING`, `BLUE_GREEN`, `LINEAR` or `CANARY`.
    pub strategy: String,
    /// The share of its tasks that run at least, in percent.
    pub min_percent: i32,
    /// The share of its tasks that run at most, in percent.
    pub max_percent: i32,
    /// A deployment whose tasks keep failing ends.
    pub circuit_breaker: bool,
    /// And what ran before comes back.
    pub rollback: bool,
    /// The names of alarms that end a deployment.
    pub alarms: Vec<Text>,
    /// And what ran before comes back then.
    pub alarm_rollback: bool,
    /// How long the old tasks stay when all traffic has moved; not for `ROLLING`.
    pub bake_minutes: Option<i32>,
    /// The first share of the traffic, of `CANARY`.
    pub canary: Option<Steps>,
    /// The equal shares of the traffic, of `LINEAR`.
    pub linear: Option<Steps>,
}

/// A share of the traffic, and how long it stays like that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// The share, in percent.
    pub percent: i32,
    /// How long.
    pub bake_minutes: i32,
}

impl Default for Deployment {
    fn default() -> Self {
        Self {
            strategy: "ROLLING".to_owned(),
            min_percent: 100,
            max_percent: 200,
            circuit_breaker: true,
            rollback: true,
            alarms: Vec::new(),
            alarm_rollback: false,
            bake_minutes: None,
            canary: None,
            linear: None,
        }
    }
}

/// What of a service is behind a load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// The container.
    pub container: String,
    /// Its port.
    pub port: i32,
    /// The ARN of the listener rule by which traffic shifts between the target groups.
    pub production_rule: Option<Text>,
    /// The ARN of the listener rule by which the new tasks are tried first.
    pub test_rule: Option<Text>,
    /// The role with which ECS shifts traffic.
    pub role: Option<Out<RoleArn>>,
}

/// A Cloud Map service in which a service's tasks are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// The Cloud Map service.
    pub service: Out<DiscoveryServiceArn>,
    /// For an `SRV` record: the container.
    pub container: Option<String>,
    /// For an `SRV` record: its port.
    pub container_port: Option<i32>,
    /// For an `SRV` record, where the port is given as such.
    pub port: Option<i32>,
}

/// Marks the name of a service.
#[derive(Debug)]
pub enum ServiceName {}
/// Marks the ARN of a service.
#[derive(Debug)]
pub enum ServiceArn {}

impl Handle<Service> {
    /// The service's name.
    #[must_use]
    pub fn name(&self) -> Out<ServiceName> {
        self.output("name")
    }

    /// The service's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<ServiceArn> {
        self.output("arn")
    }
}

impl Kind for Service {
    const RULES: &'static Rules = &Rules {
        kind: "ecs.service",
        fields: &[
            Field::new("name").replaces(),
            Field::new("cluster").replaces(),
            Field::new("task_definition"),
            Field::new("desired_count").owned_by(Owner::Autoscaler),
            Field::new("launch_type"),
            Field::new("strategy").compared(Compare::Set),
            Field::new("scheduling").replaces(),
            Field::new("deployment"),
            Field::new("spread"),
            Field::new("zone_rebalancing"),
            Field::new("grace_period"),
            Field::new("target_groups").compared(Compare::Set),
            Field::new("load_balancer"),
            Field::new("registries").compared(Compare::Set),
            Field::new("subnets").compared(Compare::Set),
            Field::new("security_groups").compared(Compare::Set),
            Field::new("public_ip"),
            Field::new("exec"),
            Field::new("propagate_tags"),
            Field::new("managed_tags"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(10),
        // A deployment can fail from its first seconds on.
        estimate: Estimate::seconds(90, 90, 60).watched_every(10),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let services = match (query.only_physical(), query.only_id().and_then(|id| query.wanted.get(id))) {
            (Some(name), _) => running::described(aws, vec![name.to_owned()]).await?,
            (None, Some(wanted)) => running::described(aws, vec![wanted.name.clone()]).await?,
            (None, None) => {
                let names: Vec<&str> = query.wanted.values().map(|wanted| wanted.name.as_str()).collect();
                running::services_and(aws, &names).await?
            }
        };
        let mut all = Vec::new();
        for service in &services {
            let Some(mut found) = observe::found(aws, query, service) else { continue };
            // A run waits for the deployment that it began; a plan takes a service as it is, for a rollout under way
            // is nothing to plan for.
            if query.only_id() == Some(&found.id) && found.health == Health::Ready {
                found.health = cause::health(aws, &found.id, service).await?;
            }
            all.push(found);
        }
        Ok(all)
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ecs:CreateService";
        let count = if self.image_is_there(aws).await? { self.desired_count } else { 0 };
        let request = self.creation(aws, count)?.client_token(new.token);
        let request = request.set_tags(Some(tagging::to_sdk(&new.tags(&self.tags))));
        let first = if count > 0 { first::image(aws, self.task_definition.get()?).await? } else { None };
        let claim = if first.is_some() { claim::claim(aws, &self.name).await? } else { None };
        let answer = match aws.call(ACTION, &self.name, || request.clone().send()).await {
            Err(error) => {
                claim::release(claim).await;
                return Err(error);
            }
            Ok(answer) => answer,
        };
        let made = answer.service.ok_or_else(|| CallError::lacks(ACTION, "service"))?;
        observe::remember(aws, new.id, &made);
        if let (Some(claim), Some(image)) = (claim, first) {
            first::note(aws, claim, image, &made).await?;
        }
        Ok(Made { physical: self.name.clone(), outputs: None })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        const ACTION: &str = "ecs:UpdateService";
        if changed.has("tags") {
            tagging::change(aws, &arn(aws, &now.physical), &now.inputs.tags, &self.tags).await?;
        }
        if changed.0.iter().all(|field| field == "tags") {
            return Ok(Some(now.outputs.clone()));
        }
        let request = self.change(aws, now, changed)?;
        let send = async || aws.call(ACTION, &now.physical, || request.clone().send()).await;
        let answer = if changed.has("task_definition") {
            let claim = claim::claim(aws, &now.physical).await?;
            let told = async {
                self.check_images(aws, now).await?;
                claim.as_ref().map_or(Ok(()), Claim::fresh)?;
                send().await
            };
            let told = told.await;
            claim::release(claim).await;
            told?
        } else {
            send().await?
        };
        let service = answer.service.ok_or_else(|| CallError::lacks(ACTION, "service"))?;
        observe::remember(aws, &now.id, &service);
        Ok(None)
    }

    /// By force, so that it need not be scaled down first; tasks that are protected from that are not any more.
    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        write::unprotect(aws, &now.physical).await?;
        let cluster = &aws.scope.stack;
        let send = || aws.ecs.delete_service().cluster(cluster).service(&now.physical).force(true).send();
        aws.call("ecs:DeleteService", &now.physical, send).await?;
        Ok(Gone::Later)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &arn(aws, &now.physical), identity).await
    }

    fn grants() -> Vec<Grant> {
        const SERVICE: &[&str] = &["arn:{partition}:ecs:{region}:{account}:service/{stack}/*"];
        const TASKS: &[&str] = &["arn:{partition}:ecs:{region}:{account}:task/{stack}/*"];
        const ROLES: &[&str] = &["arn:{partition}:iam::{account}:role/wharf/{stack}/*"];
        const TO_ECS: &[(&str, &str, &str)] = &[("StringEquals", "iam:PassedToService", "ecs.amazonaws.com")];
        const CHANGE: &[&str] = &["ecs:UpdateService", "ecs:DeleteService", "ecs:TagResource", "ecs:UntagResource"];
        const LOGS: &[&str] = &["arn:{partition}:logs:{region}:{account}:log-group:*{stack}*"];
        let own = vec![
            Grant::read(&["ecs:ListServices", "ecs:DescribeServices", "ecs:DescribeTaskDefinition"]),
            // Why a service does not settle, and whether there is an image to begin with.
            Grant::read(&["ecs:ListTasks", "ecs:DescribeTasks", "ecr:DescribeImages"]),
            Grant { resources: LOGS, ..Grant::read(&["logs:GetLogEvents"]) },
            room::grant(),
            Grant::write(&["ecs:CreateService", "ecs:TagResource"], SERVICE).when(TAGGED_WITH_THIS_STACK),
            Grant::write(CHANGE, SERVICE).when(OF_THIS_STACK),
            Grant::write(&["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"], TASKS),
            Grant::write(&["iam:PassRole"], ROLES).when(TO_ECS),
        ];
        own.into_iter().chain(claim::grants()).collect()
    }
}

impl Service {
    /// Whether every image of the account's own registry that the tasks need is there: as long as one is not, there is
    /// no task, and the first push brings the service up.
    async fn image_is_there(&self, aws: &Aws) -> Result<bool, CallError> {
        for image in task_definition::images(aws, self.task_definition.get()?).await?.values() {
            if !write::is_there(aws, image).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What runs was decided by a rollout since the new revision was made: to go on would take it back.
    async fn check_images(&self, aws: &Aws, now: &Found<Self>) -> Result<(), CallError> {
        let service = running::described(aws, vec![now.physical.clone()]).await?.into_iter().next();
        let Some(runs) = service.as_ref().and_then(|service| service.task_definition()) else { return Ok(()) };
        if task_definition::overtaken(aws, runs, self.task_definition.get()?).await? {
            let what = format!("a rollout changed the image of {} while this was applied", now.physical);
            let error = CallError::invalid(what, "apply again: it keeps the new image");
            return Err(CallError { class: Class::Invalid, ..error });
        }
        Ok(())
    }
}

fn outputs(name: &str, arn: &str) -> Outputs {
    Outputs::from([("name".to_owned(), Value::text(name)), ("arn".to_owned(), Value::text(arn))])
}

fn arn(aws: &Aws, name: &str) -> String {
    let scope = &aws.scope;
    let stack = &scope.stack;
    format!("arn:{}:ecs:{}:{}:service/{stack}/{name}", scope.partition, scope.region, scope.account)
}
