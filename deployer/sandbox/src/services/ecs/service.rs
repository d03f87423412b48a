//! Services: created, changed, shown, deleted.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html>

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::service_settings::{self as settings, key, no_service};
use super::{
    DEPLOYMENT, SERVICE_KIND, active_cluster, arn, arns, authorise_in, client, cluster_name, daemon, definition,
    deployment, failure, invalid, lifecycle, scheduler, tags,
};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::iam;
use crate::services::shared::{seconds, shown};
use crate::store::Resource;

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (cluster, name) = (cluster_name(input), input.string("serviceName")?);
    let id = key(&cluster, &name);
    let service_arn = arn(ctx, format!("service/{id}"));
    let tags = tags::requested(input)?;
    let grant =
        Grant::new("ecs:CreateService", &service_arn).key("ecs:cluster", arn(ctx, format!("cluster/{cluster}")));
    ctx.authorise(grant.request_tags(&tags))?;
    tags::authorise_new(ctx, "CreateService", &service_arn, &tags)?;
    let home = active_cluster(ctx, &cluster)?;
    if name.len() > 255 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
        return Err(invalid("Invalid service name."));
    }
    let definition = definition::usable(ctx, input.str("taskDefinition")?)?;
    let _ = input.opt_str("clientToken");
    if input.object("deploymentController").is_some_and(|c| c.opt_str("type").is_some_and(|t| t != "ECS")) {
        return Err(ApiError::not_simulated("deployment controllers other than ECS"));
    }
    let mut service = blank(ctx, &id, &service_arn, &cluster, &name);
    service.set("taskDefinition", definition.text("taskDefinitionArn"));
    daemon::strategy(&mut service, input)?;
    settings::capacity(&mut service, input, &home)?;
    settings::apply(ctx, &mut service, input, &definition)?;
    service.tags = tags;
    match ctx.get(SERVICE_KIND, &id) {
        Some(there) if there.text("status") == "ACTIVE" => {
            let _ = input.raw();
            return match settings::same(&there, &service) {
                true => Ok(json!({"service": view(ctx, &there, true)})),
                false => Err(settings::not_idempotent()),
            };
        }
        Some(there) if there.text("status") == "DRAINING" => {
            return Err(invalid("Unable to Start a service that is still Draining."));
        }
        _ => {}
    }
    iam::ensure_service_linked_role(ctx, "ecs.amazonaws.com")?;
    ctx.insert(service);
    deployment::begin(ctx, &id);
    scheduler::wake(ctx, &id);
    let service = found(ctx, &id)?;
    Ok(json!({"service": view(ctx, &service, true)}))
}

fn blank(ctx: &Ctx<'_>, id: &str, service_arn: &str, cluster: &str, name: &str) -> Resource {
    ctx.resource(SERVICE_KIND, id, json!({
        "serviceArn": service_arn,
        "serviceName": name,
        "clusterArn": arn(ctx, format!("cluster/{cluster}")),
        "status": "ACTIVE",
        "loadBalancers": [],
        "serviceRegistries": [],
        "placementConstraints": [],
        "placementStrategy": [],
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "enableECSManagedTags": false,
        "enableExecuteCommand": false,
        "propagateTags": "NONE",
        "availabilityZoneRebalancing": "DISABLED",
        "roleArn": format!("arn:aws:iam::{}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS", ctx.account.id),
        "createdAt": seconds(ctx.now),
        "createdBy": ctx.caller(),
        "events": [],
        "_cluster": cluster,
    }))
}

fn found(ctx: &Ctx<'_>, id: &str) -> Result<Arc<Resource>, ApiError> {
    ctx.get(SERVICE_KIND, id).ok_or_else(no_service)
}

/// The service that a write names.
fn own(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<Arc<Resource>, ApiError> {
    let cluster = cluster_name(input);
    let id = key(&cluster, input.str("service")?);
    let there = ctx.get(SERVICE_KIND, &id);
    authorise_in(ctx, action, &arn(ctx, format!("service/{id}")), &cluster, there.as_ref().map(|s| &s.tags))?;
    active_cluster(ctx, &cluster)?;
    there.filter(|service| service.text("status") != "INACTIVE").ok_or_else(no_service)
}

pub(super) fn update(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let there = own(ctx, input, "UpdateService")?;
    if there.text("status") != "ACTIVE" {
        return Err(crate::error::refuse("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    let mut service = Resource::clone(&there);
    let definition = match input.opt_str("taskDefinition") {
        Some(text) => definition::usable(ctx, text)?,
        None => {
            definition::find(ctx, there.text("taskDefinition")).ok_or_else(|| client("TaskDefinition not found."))?
        }
    };
    service.set("taskDefinition", definition.text("taskDefinitionArn"));
    if let Some(count) = input.opt_int("desiredCount")? {
        if daemon::is_daemon(&service) {
            return Err(invalid("The daemon scheduling strategy does not support a desired count."));
        }
        service.set("desiredCount", count);
    }
    if input.has("capacityProviderStrategy") {
        // An empty strategy is none, not the cluster's: the launch type counts again.
        // <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html>
        let mut home = Resource::clone(&*active_cluster(ctx, there.text("_cluster"))?);
        home.attrs.remove("defaultCapacityProviderStrategy");
        service.attrs.retain(|name, _| !matches!(name.as_str(), "launchType" | "capacityProviderStrategy"));
        settings::capacity(&mut service, input, &home)?;
    }
    settings::apply(ctx, &mut service, input, &definition)?;
    let force = input.bool_or("forceNewDeployment", false)?;
    let (from, to) = (&there.attrs, &service.attrs);
    let renewing = [
        "taskDefinition",
        "networkConfiguration",
        "loadBalancers",
        "serviceRegistries",
        "capacityProviderStrategy",
        "enableExecuteCommand",
    ];
    let renewed = force || renewing.iter().any(|name| from.get(*name) != to.get(*name));
    let id = service.id.clone();
    ctx.insert(service);
    if renewed {
        deployment::begin(ctx, &id);
    }
    scheduler::wake(ctx, &id);
    let service = found(ctx, &id)?;
    Ok(json!({"service": view(ctx, &service, true)}))
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let there = own(ctx, input, "DeleteService")?;
    let force = input.bool_or("force", false)?;
    if !force && !daemon::is_daemon(&there) && there.number("desiredCount") > 0 {
        return Err(invalid("The service cannot be stopped while it is scaled above 0."));
    }
    ctx.update(SERVICE_KIND, &there.id, |service| {
        service.set("status", "DRAINING");
        service.set("desiredCount", 0);
    });
    scheduler::wake(ctx, &there.id);
    let service = found(ctx, &there.id)?;
    Ok(json!({"service": view(ctx, &service, false)}))
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let cluster = cluster_name(input);
    let wanted = input.strings("services");
    let with_tags = input.strings("include").iter().any(|what| what == "TAGS");
    if wanted.is_empty() {
        authorise_in(ctx, "DescribeServices", "*", &cluster, None)?;
        return Err(invalid("Services cannot be empty."));
    }
    if wanted.len() > 10 {
        authorise_in(ctx, "DescribeServices", "*", &cluster, None)?;
        return Err(invalid("Services cannot have more than 10 elements."));
    }
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for text in wanted {
        let id = key(&cluster, &text);
        let service_arn = arn(ctx, format!("service/{id}"));
        let there = ctx.visible_one(SERVICE_KIND, &id);
        authorise_in(ctx, "DescribeServices", &service_arn, &cluster, there.as_ref().map(|s| &s.tags))?;
        match there {
            Some(service) => services.push(view(ctx, &service, with_tags)),
            None => failures.push(failure(&service_arn)),
        }
    }
    if ctx.get(super::CLUSTER, &cluster).is_none() {
        return Err(crate::error::refuse("ClusterNotFoundException", "Cluster not found."));
    }
    Ok(json!({"services": services, "failures": failures}))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let cluster = cluster_name(input);
    active_cluster(ctx, &cluster)?;
    let launch = input.opt_str("launchType").map(str::to_owned);
    let _ = input.opt_str("schedulingStrategy");
    let all = ctx.visible(SERVICE_KIND).into_iter().filter(|s| {
        s.text("_cluster") == cluster
            && s.text("status") != "INACTIVE"
            && launch.as_deref().is_none_or(|launch| s.text("launchType") == launch)
    });
    let all = all.map(|service| service.attrs["serviceArn"].clone()).collect();
    arns(input, "serviceArns", all)
}

/// A service as AWS shows it: with its counts, deployments and events.
pub(super) fn view(ctx: &Ctx<'_>, service: &Resource, with_tags: bool) -> Value {
    let mut map: Map<String, Value> = shown(service);
    let tasks = lifecycle::of_service(ctx, &service.id);
    let count = |status: &[&str]| {
        tasks.iter().filter(|t| status.contains(&t.text("lastStatus")) && t.text("desiredStatus") == "RUNNING").count()
    };
    map.insert("runningCount".into(), count(&["RUNNING"]).into());
    map.insert("pendingCount".into(), count(&["PROVISIONING", "PENDING", "ACTIVATING"]).into());
    let mut deployments = ctx.those(DEPLOYMENT, |d| d.text("_service") == service.id);
    deployments.sort_by_key(|d| std::cmp::Reverse(d.number("_order")));
    let current = deployments.iter().find(|d| d.text("rolloutState") == "IN_PROGRESS");
    if let Some(current) = current.or(deployments.first()) {
        map.insert("currentServiceDeployment".into(), current.text("_deploymentArn").into());
    }
    map.insert("currentServiceRevisions".into(), deployments.iter().map(|d| json!({
        "arn": d.text("_revisionArn"), "requestedTaskCount": d.number("desiredCount"),
        "runningTaskCount": deployment::running(ctx, &d.id), "pendingTaskCount": deployment::pending(ctx, &d.id),
    })).collect());
    map.insert("deployments".into(), deployments.iter().map(|d| deployment::view(ctx, d)).collect());
    map.insert("tags".into(), if with_tags { tags::shown(&service.tags) } else { json!([]) });
    Value::Object(map)
}

/// Application Auto Scaling moves the count of a service (`service/shop/web`) into these bounds.
pub(crate) fn scale_into(ctx: &mut Ctx<'_>, resource: &str, least: i64, most: i64) {
    let Some(id) = resource.strip_prefix("service/").map(str::to_owned) else { return };
    let Some(service) = ctx.get(SERVICE_KIND, &id).filter(|service| service.text("status") == "ACTIVE") else { return };
    let count = service.number("desiredCount").clamp(least, most.max(least));
    if count != service.number("desiredCount") {
        ctx.update(SERVICE_KIND, &id, |service| service.set("desiredCount", count));
        scheduler::wake(ctx, &id);
    }
}

/// Adds a sentence to what has happened, the newest first.
pub(super) fn tell(ctx: &mut Ctx<'_>, id: &str, words: &str) {
    let (event, at) = (ctx.account.rng.uuid(), seconds(ctx.now));
    ctx.update(SERVICE_KIND, id, |service| {
        let message = format!("(service {}) {words}", service.text("serviceName"));
        // The same sentence again and again is said once.
        if service.items("events").first().is_some_and(|last| last["message"] == message.as_str()) {
            return;
        }
        let events = service.list_mut("events");
        events.insert(0, json!({"id": event, "createdAt": at, "message": message}));
        events.truncate(100);
    });
}
