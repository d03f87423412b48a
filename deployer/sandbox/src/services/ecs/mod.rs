//! Elastic Container Service on EC2: clusters, task definitions, services, tasks, and the rollouts that replace them.

mod alarm;
mod attribute;
mod behaviour;
mod cluster;
mod container_instance;
mod daemon;
mod definition;
mod definition_check;
mod deployment;
mod emitted;
mod lifecycle;
mod neighbours;
mod placement;
mod protection;
mod provider;
mod reads;
mod scheduler;
mod service;
mod service_settings;
mod settings;
mod shift;
#[cfg(test)]
mod stage;
mod tags;
mod task;
mod task_run;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_events;
#[cfg(test)]
mod tests_of_placement;
#[cfg(test)]
mod tests_of_protection;
#[cfg(test)]
mod tests_of_rollouts;
#[cfg(test)]
mod tests_over_the_wire;

use std::sync::Arc;

pub use behaviour::Behaviour;

use super::shared::{access_denied_exception, page};
use super::{Operation, Service, read, read_one, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Timer};
use crate::weather::Bucket;

use serde_json::{Value, json};

pub(crate) use behaviour::put as put_behaviour;
pub(crate) use container_instance::drains;
pub(crate) use service::scale_into;
pub(crate) use task_run::run_for;

pub(crate) static SERVICE: Service = Service {
    name: "ecs",
    namespace: "",
    global: false,
    operations: &[
        write("CreateCluster", cluster::create),
        write("UpdateCluster", cluster::update),
        write("UpdateClusterSettings", cluster::update_settings),
        write("PutClusterCapacityProviders", cluster::put_providers),
        write("DeleteCluster", cluster::delete),
        read_one("DescribeClusters", cluster::describe),
        read("ListClusters", cluster::list),
        write("CreateCapacityProvider", provider::create),
        write("UpdateCapacityProvider", provider::update),
        write("DeleteCapacityProvider", provider::delete),
        read_one("DescribeCapacityProviders", provider::describe),
        write("PutAccountSetting", settings::put),
        write("PutAccountSettingDefault", settings::put),
        read("ListAccountSettings", settings::list),
        write("PutAttributes", attribute::put),
        write("DeleteAttributes", attribute::delete),
        read_one("ListAttributes", attribute::list),
        read_one("DescribeContainerInstances", container_instance::describe),
        read_one("ListContainerInstances", container_instance::list),
        write("UpdateContainerInstancesState", container_instance::update_state),
        write("RegisterTaskDefinition", definition::register),
        read("DescribeTaskDefinition", definition::describe),
        read("ListTaskDefinitions", definition::list),
        read("ListTaskDefinitionFamilies", definition::families),
        write("DeregisterTaskDefinition", definition::deregister),
        write("DeleteTaskDefinitions", definition::delete),
        write("CreateService", service::create),
        write("UpdateService", service::update),
        write("DeleteService", service::delete),
        read_one("DescribeServices", service::describe),
        read("ListServices", service::list),
        read_one("ListServiceDeployments", reads::list_deployments),
        read_one("DescribeServiceDeployments", reads::describe_deployments),
        read_one("DescribeServiceRevisions", reads::describe_revisions),
        write("StopServiceDeployment", deployment::stop),
        write("RunTask", task_run::run),
        write("StopTask", task_run::stop),
        read_one("DescribeTasks", task::describe),
        read_one("ListTasks", task::list),
        write("UpdateTaskProtection", protection::update),
        read_one("GetTaskProtection", protection::get),
        write("ExecuteCommand", task_run::execute),
        write("TagResource", tags::tag),
        write("UntagResource", tags::untag),
        read_one("ListTagsForResource", tags::list),
    ],
    on_timer,
    bucket,
    throttled: || refuse("ThrottlingException", "Rate exceeded"),
    denied: access_denied_exception,
};

const CLUSTER: &str = "ecs.cluster";
const PROVIDER: &str = "ecs.capacity-provider";
/// Their ids are those of the EC2 instances.
const INSTANCE: &str = "ecs.container-instance";
/// Their ids are `family:revision`.
const DEFINITION: &str = "ecs.task-definition";
/// Their ids are `cluster/name`.
const SERVICE_KIND: &str = "ecs.service";
const TASK: &str = "ecs.task";
/// What a service runs or ran: an element of its `deployments`.
const DEPLOYMENT: &str = "ecs.deployment";

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>
fn bucket(operation: &Operation, _: &Input) -> Bucket {
    let cluster_writes = [
        "CreateCluster",
        "UpdateCluster",
        "UpdateClusterSettings",
        "PutClusterCapacityProviders",
        "DeleteCluster",
        "DeregisterTaskDefinition",
        "RegisterTaskDefinition",
        "DeleteTaskDefinitions",
    ];
    match operation.name {
        "CreateCapacityProvider" | "UpdateCapacityProvider" | "DeleteCapacityProvider" => {
            Bucket { name: "ecs capacity providers", burst: 10.0, rate: 1.0 }
        }
        "RegisterTaskDefinition" => Bucket { name: "ecs RegisterTaskDefinition", burst: 20.0, rate: 1.0 },
        name if cluster_writes.contains(&name) => Bucket { name: "ecs cluster writes", burst: 20.0, rate: 1.0 },
        "CreateService" | "UpdateService" | "DeleteService" => {
            Bucket { name: "ecs service writes", burst: 50.0, rate: 5.0 }
        }
        _ if operation.write => Bucket { name: "ecs task writes", burst: 100.0, rate: 20.0 },
        _ => Bucket { name: "ecs reads", burst: 100.0, rate: 20.0 },
    }
}

fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    match (timer.kind, timer.event) {
        (CLUSTER, _) => cluster::on_timer(ctx, timer),
        (PROVIDER, _) => provider::on_timer(ctx, timer),
        (INSTANCE, _) => container_instance::on_timer(ctx, timer),
        (TASK, _) => lifecycle::on_timer(ctx, timer),
        (SERVICE_KIND, _) => scheduler::on_timer(ctx, timer),
        (DEFINITION, "deleted") => ctx.remove(DEFINITION, &timer.id),
        _ => {}
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("InvalidParameterException", message)
}

fn client(message: impl Into<String>) -> ApiError {
    refuse("ClientException", message)
}

/// The last part of an ARN, or the name itself.
fn name_in(text: &str) -> String {
    text.rsplit('/').next().unwrap_or(text).to_owned()
}

fn arn(ctx: &Ctx<'_>, path: impl AsRef<str>) -> String {
    ctx.arn("ecs", path)
}

/// The cluster that a request means: by name or ARN, `default` when it names none.
fn cluster_name(input: &Input) -> String {
    name_in(input.opt_str("cluster").unwrap_or("default"))
}

fn active_cluster(ctx: &Ctx<'_>, name: &str) -> Result<Arc<Resource>, ApiError> {
    let found = ctx.get(CLUSTER, name).filter(|cluster| cluster.text("status") == "ACTIVE");
    found.ok_or_else(|| refuse("ClusterNotFoundException", "Cluster not found."))
}

/// Demands an action on something in a cluster.
fn authorise_in(
    ctx: &mut Ctx<'_>,
    action: &str,
    resource: &str,
    cluster: &str,
    tags: Option<&crate::store::Tags>,
) -> Result<(), ApiError> {
    let mut grant =
        Grant::new(format!("ecs:{action}"), resource).key("ecs:cluster", arn(ctx, format!("cluster/{cluster}")));
    if let Some(tags) = tags {
        grant = grant.resource_tags(tags);
    }
    ctx.authorise(grant)
}

/// A page of ARNs, as the list operations answer them.
fn arns(input: &Input, name: &str, arns: Vec<Value>) -> Outcome {
    let size = input.opt_int("maxResults")?.unwrap_or(100).clamp(1, 100);
    let token = input.opt_str("nextToken");
    let page = page(arns, token, usize::try_from(size).unwrap_or(100)).ok_or_else(|| invalid("Invalid token"))?;
    let mut answer = json!({name: page.items});
    if let Some(next) = page.next {
        answer["nextToken"] = next.into();
    }
    Ok(answer)
}

/// What describe operations say of what they did not find.
fn failure(arn: &str) -> Value {
    json!({"arn": arn, "reason": "MISSING"})
}
