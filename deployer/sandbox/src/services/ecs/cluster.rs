//! Clusters and the capacity providers attached to them.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Cluster.html>

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    CLUSTER, INSTANCE, PROVIDER, SERVICE_KIND, TASK, active_cluster, arn, arns, cluster_name, failure, invalid,
    name_in, tags,
};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::shown;
use crate::services::{iam, logs};
use crate::store::{Resource, Timer};

/// Attaching a capacity provider sets up its scaling.
const ATTACHING: Duration = Duration::from_secs(30);

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.opt_str("clusterName").unwrap_or("default").to_owned();
    let tags = tags::requested(input)?;
    let cluster_arn = arn(ctx, format!("cluster/{name}"));
    ctx.authorise(Grant::new("ecs:CreateCluster", &cluster_arn).request_tags(&tags))?;
    tags::authorise_new(ctx, "CreateCluster", &cluster_arn, &tags)?;
    well_named(&name)?;
    // Creating an existing one again answers it as it is.
    if let Some(there) = ctx.get(CLUSTER, &name).filter(|cluster| cluster.text("status") == "ACTIVE") {
        let _ = input.raw();
        return Ok(json!({"cluster": view(ctx, &there, &["SETTINGS", "TAGS", "CONFIGURATIONS", "ATTACHMENTS"])}));
    }
    let mut cluster = ctx.resource(
        CLUSTER,
        &name,
        json!({
            "clusterArn": cluster_arn,
            "clusterName": name,
            "status": "ACTIVE",
            "settings": settings(ctx, input)?,
            "capacityProviders": [],
            "defaultCapacityProviderStrategy": [],
            "_attachments": [],
        }),
    );
    cluster.tags = tags;
    if let Some(configuration) = configuration(input)? {
        cluster.set("configuration", configuration);
    }
    iam::ensure_service_linked_role(ctx, "ecs.amazonaws.com")?;
    ctx.insert(cluster);
    if input.has("capacityProviders") || input.has("defaultCapacityProviderStrategy") {
        attach(ctx, input, &name)?;
    }
    insights(ctx, &name);
    let cluster = active_cluster(ctx, &name)?;
    Ok(json!({"cluster": view(ctx, &cluster, &["SETTINGS", "TAGS", "CONFIGURATIONS", "ATTACHMENTS"])}))
}

fn well_named(name: &str) -> Result<(), ApiError> {
    let fits =
        !name.is_empty() && name.len() <= 255 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if fits { Ok(()) } else { Err(invalid("Invalid cluster name: use letters, numbers, hyphens and underscores")) }
}

/// `containerInsights`; what a cluster does not say is the account's setting.
fn settings(ctx: &Ctx<'_>, input: &Input) -> Result<Value, ApiError> {
    let mut insights = super::settings::value(ctx, "containerInsights");
    for setting in input.objects("settings") {
        let (name, value) = (setting.string("name")?, setting.string("value")?);
        if name != "containerInsights" || !["enabled", "disabled", "enhanced"].contains(&value.as_str()) {
            return Err(invalid(format!("Invalid cluster setting {name}: {value}")));
        }
        insights = value;
    }
    Ok(json!([{"name": "containerInsights", "value": insights}]))
}

/// How `ExecuteCommand` is logged. <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html>
fn configuration(input: &Input) -> Result<Option<Value>, ApiError> {
    let Some(configuration) = input.object("configuration") else { return Ok(None) };
    let Some(exec) = configuration.object("executeCommandConfiguration") else { return Ok(Some(configuration.raw())) };
    let logging = exec.opt_str("logging").unwrap_or("DEFAULT");
    if logging == "OVERRIDE" && !exec.has("logConfiguration") {
        return Err(invalid("logConfiguration must be specified when logging is OVERRIDE"));
    }
    if logging != "OVERRIDE" && exec.has("logConfiguration") {
        return Err(invalid("logConfiguration must not be specified when logging is not OVERRIDE"));
    }
    Ok(Some(configuration.raw()))
}

/// Container Insights writes to a log group that it makes by itself and leaves behind.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/ContainerInsights.html>
fn insights(ctx: &mut Ctx<'_>, cluster: &str) {
    let on = ctx.get(CLUSTER, cluster).is_some_and(|c| c.items("settings").iter().any(|s| s["value"] != "disabled"));
    if on {
        ctx.after(Duration::from_secs(60), CLUSTER, cluster, "insights");
    }
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    match timer.event {
        "insights" if ctx.get(CLUSTER, &timer.id).is_some_and(|c| c.text("status") == "ACTIVE") => {
            logs::made_by_aws(ctx, &format!("/aws/ecs/containerinsights/{}/performance", timer.id));
        }
        "attached" => ctx.update(CLUSTER, &timer.id, |cluster| {
            cluster.attrs.remove("attachmentsStatus");
            for attachment in cluster.list_mut("_attachments") {
                attachment["status"] = "CREATED".into();
            }
        }),
        "forgotten" => ctx.remove(CLUSTER, &timer.id),
        _ => {}
    }
}

fn own(ctx: &mut Ctx<'_>, action: &str, name: &str) -> Result<std::sync::Arc<Resource>, ApiError> {
    let found = active_cluster(ctx, name);
    let mut grant = Grant::new(format!("ecs:{action}"), arn(ctx, format!("cluster/{name}")));
    if let Ok(found) = &found {
        grant = grant.resource_tags(&found.tags);
    }
    ctx.authorise(grant)?;
    found
}

pub(super) fn update(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = cluster_name(input);
    own(ctx, "UpdateCluster", &name)?;
    if input.has("settings") {
        let settings = settings(ctx, input)?;
        ctx.update(CLUSTER, &name, |cluster| cluster.set("settings", settings));
    }
    if let Some(configuration) = configuration(input)? {
        ctx.update(CLUSTER, &name, |cluster| cluster.set("configuration", configuration));
    }
    insights(ctx, &name);
    let cluster = active_cluster(ctx, &name)?;
    Ok(json!({"cluster": view(ctx, &cluster, &["SETTINGS", "TAGS", "CONFIGURATIONS"])}))
}

pub(super) fn update_settings(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = cluster_name(input);
    own(ctx, "UpdateClusterSettings", &name)?;
    let settings = settings(ctx, input)?;
    ctx.update(CLUSTER, &name, |cluster| cluster.set("settings", settings));
    insights(ctx, &name);
    let cluster = active_cluster(ctx, &name)?;
    Ok(json!({"cluster": view(ctx, &cluster, &["SETTINGS", "TAGS"])}))
}

pub(super) fn put_providers(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = cluster_name(input);
    own(ctx, "PutClusterCapacityProviders", &name)?;
    attach(ctx, input, &name)?;
    let cluster = active_cluster(ctx, &name)?;
    Ok(json!({"cluster": view(ctx, &cluster, &["SETTINGS", "TAGS", "ATTACHMENTS"])}))
}

/// Providers that every account has.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html>
const OF_AWS: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

fn attach(ctx: &mut Ctx<'_>, input: &Input, name: &str) -> Result<(), ApiError> {
    let cluster = active_cluster(ctx, name)?;
    if cluster.text("attachmentsStatus") == "UPDATE_IN_PROGRESS" {
        return Err(refuse("UpdateInProgressException", "The specified cluster is in a busy state. Try again later."));
    }
    let providers: Vec<String> = input.strings("capacityProviders").iter().map(|p| name_in(p)).collect();
    for provider in providers.iter().filter(|provider| !OF_AWS.contains(&provider.as_str())) {
        if !ctx
            .get(PROVIDER, provider)
            .is_some_and(|p| p.text("status") == "ACTIVE" && p.text("updateStatus") != "DELETE_IN_PROGRESS")
        {
            return Err(invalid(format!(
                "The specified capacity provider '{provider}' was not found. Specify a valid name or ARN and try again."
            )));
        }
    }
    let strategy = strategy(input, "defaultCapacityProviderStrategy", &providers)?;
    for going in cluster
        .items("capacityProviders")
        .iter()
        .filter_map(Value::as_str)
        .filter(|p| !providers.contains(&(*p).to_owned()))
    {
        let uses = |s: &Resource| {
            s.id.starts_with(&format!("{name}/"))
                && s.text("status") == "ACTIVE"
                && s.items("capacityProviderStrategy").iter().any(|i| i["capacityProvider"] == going)
        };
        if !ctx.those(SERVICE_KIND, uses).is_empty() {
            return Err(refuse(
                "ResourceInUseException",
                "The specified capacity provider is in use and cannot be removed.",
            ));
        }
    }
    let changed =
        cluster.items("capacityProviders").iter().filter_map(Value::as_str).ne(providers.iter().map(String::as_str));
    let attachments: Vec<Value> = providers
        .iter()
        .map(|provider| {
            let id = crate::rng::rank(ctx.account.seed, &format!("{name}/{provider}"));
            let status = if is_attached(&cluster, provider) { "CREATED" } else { "CREATING" };
            json!({
                "id": format!("{id:016x}"), "type": "managed_draining", "status": status,
                "details": [{"name": "capacityProviderName", "value": provider}],
            })
        })
        .collect();
    ctx.update(CLUSTER, name, |cluster| {
        cluster.set("capacityProviders", providers.clone());
        cluster.set("defaultCapacityProviderStrategy", strategy);
        cluster.set("_attachments", attachments);
        if changed {
            cluster.set("attachmentsStatus", "UPDATE_IN_PROGRESS");
        }
    });
    if changed {
        ctx.after(ATTACHING, CLUSTER, name, "attached");
    }
    for provider in providers {
        super::provider::attached(ctx, &provider, name);
    }
    Ok(())
}

/// Whether a cluster has a provider, and is done with attaching it.
pub(super) fn is_attached(cluster: &Resource, provider: &str) -> bool {
    let of = |attachment: &Value| attachment["details"][0]["value"] == provider && attachment["status"] == "CREATED";
    cluster.items("_attachments").iter().any(of)
}

/// A capacity provider strategy, with the defaults that AWS shows.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html>
pub(super) fn strategy(input: &Input, member: &str, attached: &[String]) -> Result<Value, ApiError> {
    let mut items = Vec::new();
    for item in input.objects(member) {
        let provider = name_in(item.str("capacityProvider")?);
        if !attached.contains(&provider) {
            return Err(invalid(format!(
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider {provider} with the cluster and try again."
            )));
        }
        let (weight, base) = (item.opt_int("weight")?.unwrap_or(0), item.opt_int("base")?.unwrap_or(0));
        items.push(json!({"capacityProvider": provider, "weight": weight, "base": base}));
    }
    if !items.is_empty() && items.iter().all(|item| item["weight"] == 0) {
        return Err(invalid(
            "The specified capacity provider strategy must contain at least one capacity provider with a weight greater than 0.",
        ));
    }
    Ok(Value::Array(items))
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = cluster_name(input);
    let cluster = own(ctx, "DeleteCluster", &name)?;
    let inside = |kind: &'static str| ctx.those(kind, |r| r.text("_cluster") == name && !r.flag("_gone"));
    if inside(SERVICE_KIND).iter().any(|service| service.text("status") != "INACTIVE") {
        return Err(refuse(
            "ClusterContainsServicesException",
            "The Cluster cannot be deleted while Services are active.",
        ));
    }
    if inside(TASK).iter().any(|task| task.text("lastStatus") != "STOPPED") {
        return Err(refuse("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active."));
    }
    if !inside(INSTANCE).is_empty() {
        let message = "The Cluster cannot be deleted while Container Instances are active or draining.";
        return Err(refuse("ClusterContainsContainerInstancesException", message));
    }
    if cluster.text("attachmentsStatus") == "UPDATE_IN_PROGRESS" {
        return Err(refuse("UpdateInProgressException", "The specified cluster is in a busy state. Try again later."));
    }
    ctx.update(CLUSTER, &name, |cluster| {
        cluster.set("status", "INACTIVE");
        cluster.set("_gone", true);
        cluster.tags.clear();
    });
    // <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html>: discoverable for a while
    ctx.after(Duration::from_secs(3600), CLUSTER, &name, "forgotten");
    let cluster = ctx.get(CLUSTER, &name).map(|cluster| view(ctx, &cluster, &["SETTINGS"]));
    Ok(json!({"cluster": cluster}))
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let mut names: Vec<String> = input.strings("clusters");
    if names.is_empty() {
        names.push("default".to_owned());
    }
    let include = input.strings("include");
    let include: Vec<&str> = include.iter().map(String::as_str).collect();
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        let name = name_in(&name);
        let cluster_arn = arn(ctx, format!("cluster/{name}"));
        let found = ctx.get(CLUSTER, &name);
        let mut grant = Grant::new("ecs:DescribeClusters", &cluster_arn);
        if let Some(found) = &found {
            grant = grant.resource_tags(&found.tags);
        }
        ctx.authorise(grant)?;
        match found {
            Some(cluster) => clusters.push(view(ctx, &cluster, &include)),
            None => failures.push(failure(&cluster_arn)),
        }
    }
    Ok(json!({"clusters": clusters, "failures": failures}))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let active = ctx.visible(CLUSTER).into_iter().filter(|cluster| cluster.text("status") == "ACTIVE");
    let all = active.map(|cluster| cluster.attrs["clusterArn"].clone()).collect();
    arns(input, "clusterArns", all)
}

/// A cluster as AWS shows it, with what is asked for besides.
fn view(ctx: &Ctx<'_>, cluster: &Resource, include: &[&str]) -> Value {
    let of = |kind: &'static str, test: &dyn Fn(&Resource) -> bool| {
        ctx.those(kind, |r| r.text("_cluster") == cluster.id && !r.flag("_gone") && test(r)).len()
    };
    let mut map: Map<String, Value> = shown(cluster);
    map.insert("registeredContainerInstancesCount".into(), of(INSTANCE, &|_| true).into());
    map.insert("runningTasksCount".into(), of(TASK, &|t| t.text("lastStatus") == "RUNNING").into());
    map.insert("pendingTasksCount".into(), of(TASK, &|t| t.text("lastStatus") == "PENDING").into());
    map.insert("activeServicesCount".into(), of(SERVICE_KIND, &|s| s.text("status") == "ACTIVE").into());
    let statistics = if include.contains(&"STATISTICS") { statistics(ctx, &cluster.id) } else { json!([]) };
    map.insert("statistics".into(), statistics);
    if !include.contains(&"SETTINGS") {
        map.insert("settings".into(), json!([]));
    }
    map.insert("tags".into(), if include.contains(&"TAGS") { tags::shown(&cluster.tags) } else { json!([]) });
    if !include.contains(&"CONFIGURATIONS") {
        map.remove("configuration");
    }
    if include.contains(&"ATTACHMENTS") {
        map.insert("attachments".into(), cluster.attrs.get("_attachments").cloned().unwrap_or_default());
    } else {
        map.remove("attachmentsStatus");
    }
    Value::Object(map)
}

/// Counts by launch type; nothing here runs on Fargate.
fn statistics(ctx: &Ctx<'_>, cluster: &str) -> Value {
    let count = |kind: &'static str, name: &str, status: &str| {
        ctx.those(kind, |r| r.text("_cluster") == cluster && r.text(name) == status).len().to_string()
    };
    let nothing = || "0".to_owned();
    let counts = [
        ("runningEC2TasksCount", count(TASK, "lastStatus", "RUNNING")),
        ("runningFargateTasksCount", nothing()),
        ("pendingEC2TasksCount", count(TASK, "lastStatus", "PENDING")),
        ("pendingFargateTasksCount", nothing()),
        ("activeEC2ServiceCount", count(SERVICE_KIND, "status", "ACTIVE")),
        ("activeFargateServiceCount", nothing()),
        ("drainingEC2ServiceCount", count(SERVICE_KIND, "status", "DRAINING")),
        ("drainingFargateServiceCount", nothing()),
    ];
    counts.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}
