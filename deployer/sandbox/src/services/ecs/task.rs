//! Tasks: as they are made and shown.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    TASK, active_cluster, arn, arns, authorise_in, cluster_name, daemon, failure, invalid, name_in, placement, tags,
};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::ec2::interface;
use crate::services::shared::{seconds, shown};
use crate::store::{Resource, Tags};

/// What is to be started.
pub(super) struct New<'a> {
    pub(super) cluster: &'a str,
    pub(super) definition: &'a Resource,
    /// `service:web` or `family:web`.
    pub(super) group: String,
    pub(super) started_by: String,
    pub(super) launch: Launch,
    /// `networkConfiguration`, as given.
    pub(super) network: Value,
    pub(super) overrides: Value,
    pub(super) exec: bool,
    pub(super) tags: Tags,
    /// How it is placed.
    pub(super) strategy: Vec<Value>,
    /// Beside no other of its group on one instance.
    pub(super) distinct: bool,
    /// The service and deployment it belongs to.
    pub(super) service: Option<(&'a str, &'a str)>,
    /// Target groups with ports, and registries of private DNS.
    pub(super) targets: Vec<(String, i64)>,
    pub(super) registries: Vec<Value>,
}

/// By which right a task has its place.
pub(super) enum Launch {
    Ec2,
    Providers(Vec<String>),
}

/// Makes a task on an instance with room for it.
///
/// # Errors
/// No instance has room, or the network is not as it must be.
pub(super) fn start(ctx: &mut Ctx<'_>, new: New<'_>) -> Result<Result<Arc<Resource>, placement::Nowhere>, ApiError> {
    let need = placement::need(new.definition);
    let providers = match &new.launch {
        Launch::Ec2 => Vec::new(),
        Launch::Providers(providers) => providers.clone(),
    };
    let distinct = new.distinct || new.service.is_some_and(|(service, _)| daemon::one_each(ctx, service));
    let rules = placement::Rules { providers: &providers, distinct, strategy: &new.strategy };
    let instance = match placement::choose(ctx, new.cluster, &new.group, need, rules) {
        Ok(instance) => instance,
        Err(nowhere) => return Ok(Err(nowhere)),
    };
    let id = ctx.account.rng.hex(32);
    let task_arn = arn(ctx, format!("task/{}/{id}", new.cluster));
    let mut attachments = Vec::new();
    let (mut eni, mut ip) = (String::new(), String::new());
    if need.interface {
        let made = attach(ctx, &new.network, &task_arn, instance.text("_zone"))?;
        eni.clone_from(&made.id);
        made.text("privateIpAddress").clone_into(&mut ip);
        let detail = |name: &str, value: &str| json!({"name": name, "value": value});
        attachments.push(json!({
            "id": ctx.account.rng.uuid(), "type": "ElasticNetworkInterface", "status": "ATTACHING",
            "details": [
                detail("subnetId", made.text("subnetId")), detail("networkInterfaceId", &made.id),
                detail("macAddress", made.text("macAddress")), detail("privateIPv4Address", &ip),
            ],
        }));
    }
    let containers: Vec<Value> = new.definition.items("containerDefinitions").iter().map(|container| {
        let key = ctx.account.rng.hex(8);
        json!({
            "containerArn": arn(ctx, format!("container/{}/{id}/{key}", new.cluster)),
            "taskArn": task_arn, "name": container["name"], "image": container["image"], "lastStatus": "PENDING",
            "networkInterfaces": [], "healthStatus": "UNKNOWN", "cpu": container["cpu"].as_i64().unwrap_or(0).to_string(),
        })
    }).collect();
    let mut task = ctx.resource(
        TASK,
        &id,
        json!({
            "taskArn": task_arn,
            "clusterArn": arn(ctx, format!("cluster/{}", new.cluster)),
            "taskDefinitionArn": new.definition.text("taskDefinitionArn"),
            "containerInstanceArn": instance.text("containerInstanceArn"),
            "availabilityZone": instance.text("_zone"),
            "containers": containers,
            "attachments": attachments,
            "attributes": [],
            "lastStatus": "PROVISIONING",
            "desiredStatus": "RUNNING",
            "healthStatus": "UNKNOWN",
            "connectivity": "CONNECTED",
            "group": new.group,
            "startedBy": new.started_by,
            "enableExecuteCommand": new.exec,
            "overrides": new.overrides,
            "cpu": need.cpu.to_string(),
            "memory": need.memory.to_string(),
            "createdAt": seconds(ctx.now),
            "version": 1,
            "_cluster": new.cluster,
            "_instance": instance.id,
            "_cpu": need.cpu,
            "_memory": need.memory,
            "_eni": eni,
            "_ip": ip,
            "_targets": new.targets,
            "_registries": new.registries,
        }),
    );
    match new.launch {
        Launch::Ec2 => task.set("launchType", "EC2"),
        Launch::Providers(_) => {
            task.set("launchType", "EC2");
            task.set("capacityProviderName", instance.text("capacityProviderName"));
        }
    }
    if let Some((service, deployment)) = new.service {
        task.set("_service", service);
        task.set("_deployment", deployment);
    }
    task.tags = new.tags;
    task.aws_made = true;
    ctx.insert(task.clone());
    placement::protect(ctx, &instance.id);
    super::lifecycle::begin(ctx, &id);
    Ok(Ok(Arc::new(task)))
}

/// The task's own network interface, in a subnet of the instance's zone.
fn attach(ctx: &mut Ctx<'_>, network: &Value, task: &str, zone: &str) -> Result<Resource, ApiError> {
    let network = &network["awsvpcConfiguration"];
    let texts = |name: &str| -> Vec<String> {
        network[name].as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let subnets = texts("subnets");
    let here = |subnet: &&String| ctx.get("ec2.subnet", subnet).is_some_and(|s| s.text("availabilityZone") == zone);
    let subnet = subnets.iter().find(here).or_else(|| subnets.first()).cloned();
    let subnet = subnet.ok_or_else(|| invalid("subnets can not be empty."))?;
    interface::make(
        ctx,
        &interface::Wanted {
            owner: task,
            subnet: &subnet,
            groups: &texts("securityGroups"),
            interface_type: "interface",
            description: &format!("arn:aws:ecs attachment of {}", name_in(task)),
            requester: "amazon-ecs",
        },
    )
}

pub(super) fn find(ctx: &Ctx<'_>, cluster: &str, text: &str) -> Option<Arc<Resource>> {
    ctx.get(TASK, &name_in(text)).filter(|task| task.text("_cluster") == cluster)
}

/// The ARN of the task that a request names by its id or its ARN.
pub(super) fn arn_of(ctx: &Ctx<'_>, cluster: &str, text: &str) -> String {
    arn(ctx, format!("task/{cluster}/{}", name_in(text)))
}

/// The task that a write names.
pub(super) fn named(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<Arc<Resource>, ApiError> {
    let cluster = cluster_name(input);
    let text = input.string("task")?;
    let found = find(ctx, &cluster, &text);
    let task_arn = arn_of(ctx, &cluster, &text);
    authorise_in(ctx, action, &task_arn, &cluster, found.as_ref().map(|task| &task.tags))?;
    active_cluster(ctx, &cluster)?;
    found.ok_or_else(|| invalid("The referenced task was not found."))
}

pub(super) fn view(task: &Resource, with_tags: bool) -> Value {
    let mut map = shown(task);
    map.insert("tags".into(), if with_tags { tags::shown(&task.tags) } else { json!([]) });
    Value::Object(map)
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let cluster = cluster_name(input);
    let wanted = input.strings("tasks");
    let with_tags = input.strings("include").iter().any(|what| what == "TAGS");
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for text in wanted {
        let task = find(ctx, &cluster, &text);
        let task_arn = arn_of(ctx, &cluster, &text);
        authorise_in(ctx, "DescribeTasks", &task_arn, &cluster, task.as_ref().map(|task| &task.tags))?;
        match task {
            Some(task) => found.push(view(&task, with_tags)),
            None => failures.push(failure(&task_arn)),
        }
    }
    active_cluster(ctx, &cluster)?;
    Ok(json!({"tasks": found, "failures": failures}))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let cluster = cluster_name(input);
    authorise_in(ctx, "ListTasks", "*", &cluster, None)?;
    active_cluster(ctx, &cluster)?;
    let service = input.opt_str("serviceName").map(|name| format!("{cluster}/{}", name_in(name)));
    let family = input.opt_str("family").map(str::to_owned);
    let started_by = input.opt_str("startedBy").map(str::to_owned);
    let status = input.opt_str("desiredStatus").map(str::to_owned);
    let instance = input.opt_str("containerInstance").map(name_in);
    let launch = input.opt_str("launchType").map(str::to_owned);
    // <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html#ECS-ListTasks-request-startedBy>
    let others = [&service, &family, &status, &instance, &launch];
    if started_by.is_some() && others.iter().any(|filter| filter.is_some()) {
        return Err(invalid("startedBy cannot be combined with any other filter."));
    }
    let status = status.unwrap_or_else(|| "RUNNING".to_owned());
    let all = ctx.visible(TASK).into_iter().filter(|task| {
        let group = name_in(task.text("taskDefinitionArn"));
        task.text("_cluster") == cluster
            && task.text("desiredStatus") == status
            && service.as_deref().is_none_or(|service| task.text("_service") == service)
            && family.as_deref().is_none_or(|family| group.split(':').next() == Some(family))
            && started_by.as_deref().is_none_or(|by| task.text("startedBy") == by)
            && instance.as_deref().is_none_or(|instance| name_in(task.text("containerInstanceArn")) == instance)
            && launch.as_deref().is_none_or(|launch| task.text("launchType") == launch)
    });
    let all = all.map(|task| task.attrs["taskArn"].clone()).collect();
    arns(input, "taskArns", all)
}
