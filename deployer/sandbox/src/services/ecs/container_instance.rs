//! Container instances: EC2 instances whose agent has registered.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/create-capacity.html>

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{
    INSTANCE, PROVIDER, SERVICE_KIND, TASK, active_cluster, arn, arns, authorise_in, cluster, cluster_name, daemon,
    failure, invalid, lifecycle, name_in, neighbours, placement, scheduler, tags,
};
use crate::account::Ctx;
use crate::error::Outcome;
use crate::input::Input;
use crate::services::ec2::instance_type;
use crate::services::shared::{seconds, shown};
use crate::store::{Resource, Timer};

/// An agent whose cluster is not there tries again.
const AGAIN: Duration = Duration::from_secs(30);

pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    match timer.event {
        "agent-started" => join(ctx, &timer.id),
        "instance-terminating" => drain(ctx, &timer.id),
        "instance-gone" => leave(ctx, &timer.id),
        _ => {}
    }
}

/// The value of a variable in `/etc/ecs/ecs.config`, as user data writes it.
fn config(user_data: &str, name: &str) -> Option<String> {
    let decoded = STANDARD.decode(user_data).ok().and_then(|bytes| String::from_utf8(bytes).ok())?;
    let (_, rest) = decoded.rsplit_once(&format!("{name}="))?;
    let value = rest.split(|c: char| c.is_whitespace() || "\"';".contains(c)).find(|part| !part.is_empty())?;
    Some(value.to_owned())
}

/// The agent registers with the cluster that the user data names.
fn join(ctx: &mut Ctx<'_>, id: &str) {
    let Some(machine) = ctx.get("ec2.instance", id) else { return };
    if machine.attrs["instanceState"]["name"] != "running" {
        return;
    }
    let cluster = config(machine.text("_userData"), "ECS_CLUSTER").unwrap_or_else(|| "default".to_owned());
    let allowed = machine.attrs["iamInstanceProfile"].is_object();
    if !allowed || active_cluster(ctx, &cluster).is_err() {
        ctx.after(AGAIN, INSTANCE, id, "agent-started");
        return;
    }
    let kind = machine.text("instanceType").to_owned();
    let Some(spec) = instance_type::spec(&kind) else { return };
    let key = ctx.account.rng.hex(32);
    let provider = provider_of(ctx, &machine, &cluster);
    // The agent and the operating system keep a part of the memory.
    let memory = spec.memory_mib - spec.memory_mib / 20;
    let zone = machine.attrs["placement"]["availabilityZone"].clone();
    let resource = |cpu: u32, memory: u32| {
        json!([
            {"name": "CPU", "type": "INTEGER", "integerValue": cpu, "doubleValue": 0.0, "longValue": 0},
            {"name": "MEMORY", "type": "INTEGER", "integerValue": memory, "doubleValue": 0.0, "longValue": 0},
        ])
    };
    let mut instance = ctx.resource(INSTANCE, id, json!({
        "containerInstanceArn": arn(ctx, format!("container-instance/{cluster}/{key}")),
        "ec2InstanceId": id,
        "capacityProviderName": provider,
        "version": 3,
        "versionInfo": {"agentVersion": "1.99.0", "agentHash": "00000000", "dockerVersion": "DockerVersion: 25.0.8"},
        "registeredResources": resource(spec.vcpu * 1024, memory),
        "status": "ACTIVE",
        "agentConnected": true,
        "attributes": [
            {"name": "ecs.instance-type", "value": kind},
            {"name": "ecs.availability-zone", "value": zone},
            {"name": "ecs.os-type", "value": "linux"},
            {"name": "ecs.cpu-architecture", "value": spec.arch},
            {"name": "ecs.subnet-id", "value": machine.text("subnetId")},
            {"name": "ecs.vpc-id", "value": machine.text("vpcId")},
        ],
        "registeredAt": seconds(ctx.now),
        "attachments": [],
        "_cluster": cluster,
        "_zone": zone,
        "_cpu": spec.vcpu * 1024,
        "_memory": memory,
        "_interfaces": spec.max_interfaces - 1,
        "_trunk": spec.trunking_interfaces,
    }));
    instance.aws_made = true;
    ctx.insert(instance);
    placement::protect(ctx, id);
    scheduler::wake_cluster(ctx, &cluster);
}

/// The capacity provider of a machine's group, as far as the cluster has it by now: an instance that registers earlier
/// belongs to none, and stays so.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/asg-capacity-providers.html>
fn provider_of(ctx: &Ctx<'_>, machine: &Resource, cluster: &str) -> Option<String> {
    // A group of the same name that is gone had another ARN.
    let group = ctx.get("autoscaling.group", machine.tags.get("aws:autoscaling:groupName")?)?;
    let cluster = active_cluster(ctx, cluster).ok()?;
    let gives = |provider: &Resource| {
        provider.text("status") == "ACTIVE"
            && provider.attrs["autoScalingGroupProvider"]["autoScalingGroupArn"] == group.text("AutoScalingGroupARN")
            && cluster::is_attached(&cluster, &provider.id)
    };
    ctx.those(PROVIDER, gives).first().map(|provider| provider.id.clone())
}

/// Managed draining: the instance takes no more tasks and its own move elsewhere.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-instance-draining.html>
fn drain(ctx: &mut Ctx<'_>, id: &str) {
    if let Some(instance) = ctx.get(INSTANCE, id) {
        ctx.update(INSTANCE, id, |instance| instance.set("status", "DRAINING"));
        scheduler::wake_cluster(ctx, instance.text("_cluster"));
    }
}

/// The machine is gone, and what ran on it.
fn leave(ctx: &mut Ctx<'_>, id: &str) {
    let Some(instance) = ctx.get(INSTANCE, id) else { return };
    for task in on(ctx, id) {
        lifecycle::lost(ctx, &task.id, "Host EC2 (instance) terminated.");
    }
    ctx.remove(INSTANCE, id);
    scheduler::wake_cluster(ctx, instance.text("_cluster"));
}

/// Whether a machine holds tasks that managed draining moves away before it goes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-instance-draining.html>
pub(crate) fn drains(ctx: &Ctx<'_>, id: &str) -> bool {
    let Some(instance) = ctx.get(INSTANCE, id) else { return false };
    let provider = ctx.get(PROVIDER, instance.text("capacityProviderName"));
    let managed = |p: Arc<Resource>| p.attrs["autoScalingGroupProvider"]["managedDraining"] == "ENABLED";
    provider.is_some_and(managed) && daemon::is_held(ctx, id)
}

/// The tasks on an instance that have not ended.
pub(super) fn on(ctx: &Ctx<'_>, id: &str) -> Vec<Arc<Resource>> {
    ctx.those(TASK, |task| task.text("_instance") == id && task.text("lastStatus") != "STOPPED")
}

pub(super) fn find(ctx: &Ctx<'_>, cluster: &str, text: &str) -> Option<Arc<Resource>> {
    let key = name_in(text);
    ctx.those(INSTANCE, |i| i.text("_cluster") == cluster && name_in(i.text("containerInstanceArn")) == key)
        .into_iter()
        .next()
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let cluster = cluster_name(input);
    let wanted = input.strings("containerInstances");
    let with_tags = input.strings("include").iter().any(|what| what == "TAGS");
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for text in wanted {
        let instance = find(ctx, &cluster, &text);
        let instance_arn = instance.as_ref().map_or_else(
            || arn(ctx, format!("container-instance/{cluster}/{}", name_in(&text))),
            |i| i.text("containerInstanceArn").to_owned(),
        );
        authorise_in(ctx, "DescribeContainerInstances", &instance_arn, &cluster, None)?;
        match instance {
            Some(instance) => found.push(view(ctx, &instance, with_tags)),
            None => failures.push(failure(&instance_arn)),
        }
    }
    active_cluster(ctx, &cluster)?;
    Ok(json!({"containerInstances": found, "failures": failures}))
}

fn view(ctx: &Ctx<'_>, instance: &Resource, with_tags: bool) -> Value {
    let mut map = shown(instance);
    let tasks = on(ctx, &instance.id);
    let running = tasks.iter().filter(|task| task.text("lastStatus") == "RUNNING").count();
    let free = placement::free(ctx, instance);
    let mut remaining = instance.attrs["registeredResources"].clone();
    remaining[0]["integerValue"] = free.cpu.into();
    remaining[1]["integerValue"] = free.memory.into();
    map.insert("remainingResources".into(), remaining);
    map.insert("runningTasksCount".into(), running.into());
    map.insert("pendingTasksCount".into(), (tasks.len() - running).into());
    map.insert("tags".into(), if with_tags { tags::shown(&instance.tags) } else { json!([]) });
    map.retain(|_, value| !value.is_null());
    Value::Object(map)
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let cluster = cluster_name(input);
    authorise_in(ctx, "ListContainerInstances", &arn(ctx, format!("cluster/{cluster}")), &cluster, None)?;
    active_cluster(ctx, &cluster)?;
    let status = input.opt_str("status").map(str::to_owned);
    let all = ctx.visible(INSTANCE).into_iter().filter(|i| i.text("_cluster") == cluster);
    let all = all.filter(|i| status.as_deref().is_none_or(|status| i.text("status") == status));
    let all = all.map(|i| i.attrs["containerInstanceArn"].clone()).collect();
    arns(input, "containerInstanceArns", all)
}

pub(super) fn update_state(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let cluster = cluster_name(input);
    let status = input.string("status")?;
    let wanted = input.strings("containerInstances");
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for text in wanted {
        let instance = find(ctx, &cluster, &text);
        let instance_arn = arn(ctx, format!("container-instance/{cluster}/{}", name_in(&text)));
        authorise_in(ctx, "UpdateContainerInstancesState", &instance_arn, &cluster, None)?;
        if !["ACTIVE", "DRAINING"].contains(&status.as_str()) {
            return Err(invalid("Container instance status should be one of [ACTIVE, DRAINING]"));
        }
        match instance {
            Some(instance) => {
                ctx.update(INSTANCE, &instance.id, |instance| instance.set("status", status.clone()));
                found.extend(ctx.get(INSTANCE, &instance.id).map(|i| view(ctx, &i, false)));
            }
            None => failures.push(failure(&instance_arn)),
        }
    }
    scheduler::wake_cluster(ctx, &cluster);
    Ok(json!({"containerInstances": found, "failures": failures}))
}

/// Whether a cluster knows this group's instances: for scaling.
pub(super) fn of_provider(ctx: &Ctx<'_>, provider: &str) -> Vec<Arc<Resource>> {
    ctx.those(INSTANCE, |instance| instance.text("capacityProviderName") == provider)
}

/// The services of a cluster, as far as they have to be looked at again.
pub(super) fn services_of(ctx: &Ctx<'_>, cluster: &str) -> Vec<Arc<Resource>> {
    ctx.those(SERVICE_KIND, |service| service.text("_cluster") == cluster && service.text("status") != "INACTIVE")
}

/// The group whose capacity a provider gives, and its limits.
pub(super) fn group_of(ctx: &Ctx<'_>, provider: &str) -> Option<Arc<Resource>> {
    let provider = ctx.get(PROVIDER, provider)?;
    neighbours::group(ctx, provider.attrs["autoScalingGroupProvider"]["autoScalingGroupArn"].as_str()?)
}
