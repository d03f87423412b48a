//! Instances: the addresses under a service's name. ECS registers those of its tasks.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-discovery.html>

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::invalid;
use super::list::paged;
use super::operation::{self, Task};
use super::service::{find, permitted};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;

const KIND: &str = "servicediscovery.instance";

/// An instance comes under a service (id or ARN), or changes; `attributes` are Cloud Map's (`AWS_INSTANCE_IPV4`, …).
/// A service that is not there takes none: ECS goes on without.
pub(crate) fn register(ctx: &mut Ctx<'_>, service: &str, instance: &str, attributes: &BTreeMap<String, String>) {
    let Ok(service) = find(ctx, service) else { return };
    let id = key(&service.id, instance);
    let mut object = ctx.resource(KIND, &id, json!({"Id": instance, "Attributes": attributes, "_service": service.id}));
    // It comes and goes with the service that registered it.
    object.aws_made = true;
    ctx.insert(object);
}

/// An instance goes.
pub(crate) fn deregister(ctx: &mut Ctx<'_>, service: &str, instance: &str) {
    let service = service.rsplit('/').next().unwrap_or_default();
    ctx.remove(KIND, &key(service, instance));
}

fn key(service: &str, instance: &str) -> String {
    format!("{service}/{instance}")
}

/// What [`register`] does for ECS, for everyone: <https://docs.aws.amazon.com/cloud-map/latest/api/API_RegisterInstance.html>
pub(super) fn register_by_call(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (service, instance) = (input.string("ServiceId")?, input.string("InstanceId")?);
    let _ = input.opt("CreatorRequestId");
    let given = input.opt("Attributes").cloned().unwrap_or_default();
    if let Some(attributes) = input.object("Attributes") {
        attributes.raw();
    }
    let service = permitted(ctx, &service, "RegisterInstance")?;
    let attributes: BTreeMap<String, String> =
        serde_json::from_value(given).map_err(|_| invalid("Attributes must be texts"))?;
    let records = service.attrs.get("DnsConfig").map(|dns| dns["DnsRecords"].to_string()).unwrap_or_default();
    if records.contains("\"A\"") && !attributes.contains_key("AWS_INSTANCE_IPV4") {
        return Err(invalid("AWS_INSTANCE_IPV4 is required for the record type A"));
    }
    change_records(ctx)?;
    register(ctx, &service.id, &instance, &attributes);
    begun(ctx, "REGISTER_INSTANCE", &instance)
}

/// <https://docs.aws.amazon.com/cloud-map/latest/api/API_DeregisterInstance.html>
pub(super) fn deregister_by_call(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (service, instance) = (input.string("ServiceId")?, input.string("InstanceId")?);
    let service = permitted(ctx, &service, "DeregisterInstance")?;
    if ctx.get(KIND, &key(&service.id, &instance)).is_none() {
        return Err(refuse("InstanceNotFound", format!("Instance not found: {instance}")));
    }
    change_records(ctx)?;
    deregister(ctx, &service.id, &instance);
    begun(ctx, "DEREGISTER_INSTANCE", &instance)
}

fn change_records(ctx: &mut Ctx<'_>) -> Result<(), ApiError> {
    ctx.authorise(Grant::new("route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/*"))
}

fn begun(ctx: &mut Ctx<'_>, sort: &'static str, instance: &str) -> Outcome {
    let task = Task { sort, target: ("INSTANCE", instance), plan: Value::Null, takes: Duration::from_secs(2) };
    Ok(json!({"OperationId": operation::begin(ctx, task)}))
}

/// How many instances a service has.
pub(super) fn count(ctx: &Ctx<'_>, service: &str) -> usize {
    ctx.those(KIND, |instance| instance.text("_service") == service).len()
}

fn shown(ctx: &Ctx<'_>, instance: &Resource) -> Value {
    json!({"Id": instance.text("Id"), "Attributes": instance.attrs["Attributes"], "CreatedByAccount": ctx.account.id})
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.string("ServiceId")?;
    let service = permitted(ctx, &id, "ListInstances")?;
    let mut all = ctx.visible(KIND);
    all.retain(|instance| instance.text("_service") == service.id);
    let mut answer = paged(input, "Instances", all.iter().map(|instance| shown(ctx, instance)).collect())?;
    answer["ResourceOwner"] = ctx.account.id.clone().into();
    Ok(answer)
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (id, instance) = (input.string("ServiceId")?, input.string("InstanceId")?);
    let service = permitted(ctx, &id, "GetInstance")?;
    let found = ctx.get(KIND, &key(&service.id, &instance));
    let found = found.ok_or_else(|| refuse("InstanceNotFound", format!("Instance not found: {instance}")))?;
    Ok(json!({"Instance": shown(ctx, &found), "ResourceOwner": ctx.account.id}))
}

/// <https://docs.aws.amazon.com/cloud-map/latest/api/API_DiscoverInstances.html>
pub(super) fn discover(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (space, name) = (input.string("NamespaceName")?, input.string("ServiceName")?);
    if input.has("OptionalParameters") {
        return Err(ApiError::not_simulated("OptionalParameters of DiscoverInstances"));
    }
    let asked = input.opt("QueryParameters").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(parameters) = input.object("QueryParameters") {
        parameters.raw();
    }
    let health = input.opt_str("HealthStatus").unwrap_or("ALL");
    let most = usize::try_from(input.opt_int("MaxResults")?.unwrap_or(100)).map_err(|_| invalid("MaxResults"))?;
    let spaces = ctx.those("servicediscovery.namespace", |one| one.text("Name") == space);
    let found = spaces.first().cloned();
    let service = found.as_ref().and_then(|space| {
        let inside = |one: &Resource| one.text("NamespaceId") == space.id && one.text("Name") == name;
        ctx.those("servicediscovery.service", inside).into_iter().next()
    });
    let arn = |what: &str, id: Option<&str>| format!("{what}/{}", id.unwrap_or("*"));
    let resources = [
        arn("namespace", found.as_ref().map(|one| one.id.as_str())),
        arn("service", service.as_ref().map(|one| one.id.as_str())),
    ];
    for resource in resources {
        let grant = Grant::new("servicediscovery:DiscoverInstances", ctx.arn("servicediscovery", resource));
        let grant = grant.key("servicediscovery:NamespaceName", space.clone());
        ctx.authorise(grant.key("servicediscovery:ServiceName", name.clone()))?;
    }
    if found.is_none() {
        return Err(refuse("NamespaceNotFound", format!("No namespace exists with the name {space}.")));
    }
    let service =
        service.ok_or_else(|| refuse("ServiceNotFound", format!("No service exists with the name {name}.")))?;
    let mut all = ctx.visible(KIND);
    all.retain(|one| {
        let fits = |(key, value): (&String, &Value)| one.attrs["Attributes"].get(key) == Some(value);
        let healthy = one.attrs["Attributes"]["AWS_INIT_HEALTH_STATUS"] != "UNHEALTHY";
        let wanted = match health {
            "HEALTHY" => healthy,
            "UNHEALTHY" => !healthy,
            _ => true,
        };
        one.text("_service") == service.id && wanted && asked.iter().all(fits)
    });
    all.truncate(most);
    let shown = all.iter().map(|one| {
        let healthy = one.attrs["Attributes"]["AWS_INIT_HEALTH_STATUS"] != "UNHEALTHY";
        let status = if healthy { "HEALTHY" } else { "UNHEALTHY" };
        json!({"InstanceId": one.text("Id"), "NamespaceName": space, "ServiceName": name, "HealthStatus": status, "Attributes": one.attrs["Attributes"]})
    });
    Ok(json!({"Instances": shown.collect::<Value>(), "InstancesRevision": ctx.now.as_millisecond()}))
}
