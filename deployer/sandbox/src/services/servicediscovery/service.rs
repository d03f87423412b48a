//! Services of a namespace: the name under which instances are found, and how.
//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_CreateService.html>

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::list::{filtered, paged};
use super::namespace::{self, Failed};
use super::operation::{self, Task};
use super::{instances, invalid, new_id, tags};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::shown;
use crate::store::Resource;
use crate::wire::moment;

const KIND: &str = "servicediscovery.service";

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.string("Name")?;
    let tags = tags::requested(input)?;
    let dns = input.object("DnsConfig");
    let space = input.opt_str("NamespaceId").or_else(|| dns.as_ref().and_then(|dns| dns.opt_str("NamespaceId")));
    let space = space.ok_or_else(|| input.missing("NamespaceId"))?.to_owned();
    let found = namespace::find(ctx, &space);
    let arn = ctx.arn("servicediscovery", format!("namespace/{}", space.rsplit('/').next().unwrap_or_default()));
    for resource in [arn.clone(), ctx.arn("servicediscovery", "service/*")] {
        let grant = Grant::new("servicediscovery:CreateService", resource).request_tags(&tags);
        ctx.authorise(grant.key("servicediscovery:NamespaceArn", arn.clone()))?;
    }
    let space = found?;
    if input.has("HealthCheckConfig") {
        return Err(invalid("Health checks of Route 53 cannot be used in private DNS namespaces"));
    }
    let dns = dns.map(|dns| dns_config(&dns, &space.id)).transpose()?;
    let same =
        ctx.those(KIND, |one| one.text("NamespaceId") == space.id && one.text("Name").eq_ignore_ascii_case(&name));
    let request = input.opt_str("CreatorRequestId");
    if let Some(same) = same.first() {
        let message = format!("Service already exists: {name}");
        let error = refuse("ServiceAlreadyExists", message).member("ServiceId", same.id.clone());
        return Err(error.member("CreatorRequestId", same.text("CreatorRequestId")));
    }
    let id = new_id(ctx, "srv");
    let arn = ctx.arn("servicediscovery", format!("service/{id}"));
    let mut service = ctx.resource(
        KIND,
        &id,
        json!({
            "Id": id, "Arn": arn, "ResourceOwner": ctx.account.id, "Name": name, "NamespaceId": space.id,
            "Type": if dns.is_some() { "DNS_HTTP" } else { "HTTP" },
            "CreateDate": moment(ctx.now), "CreatedByAccount": ctx.account.id,
        }),
    );
    if let Some(dns) = dns {
        service.set("DnsConfig", dns);
    }
    if let Some(check) = input.object("HealthCheckCustomConfig") {
        // Whatever is asked for, the threshold is 1:
        // <https://docs.aws.amazon.com/cloud-map/latest/api/API_HealthCheckCustomConfig.html>
        let _ = check.opt_int("FailureThreshold")?;
        service.set("HealthCheckCustomConfig", json!({"FailureThreshold": 1}));
    }
    for (name, text) in [("Description", input.opt_str("Description")), ("CreatorRequestId", request)] {
        text.into_iter().for_each(|text| service.set(name, text));
    }
    service.tags = tags;
    let answer = answer(ctx, &service);
    ctx.insert(service);
    Ok(json!({"Service": answer}))
}

fn dns_config(input: &Input, namespace: &str) -> Result<Value, ApiError> {
    let _ = input.opt_str("NamespaceId");
    let routing = input.opt_str("RoutingPolicy").unwrap_or("MULTIVALUE");
    Ok(json!({"NamespaceId": namespace, "RoutingPolicy": routing, "DnsRecords": records(input)?}))
}

fn records(input: &Input) -> Result<Value, ApiError> {
    let mut records = Vec::new();
    for record in input.objects("DnsRecords") {
        let (sort, ttl) = (record.string("Type")?, record.int("TTL")?);
        if !["A", "AAAA", "SRV", "CNAME"].contains(&sort.as_str()) {
            return Err(invalid(format!("{sort} is not a type of DNS record")));
        }
        records.push(json!({"Type": sort, "TTL": ttl}));
    }
    if records.is_empty() {
        return Err(invalid("DnsRecords must have at least one record"));
    }
    Ok(records.into())
}

/// <https://docs.aws.amazon.com/cloud-map/latest/api/API_UpdateService.html>
pub(super) fn update(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let service = named(ctx, input, "UpdateService")?;
    let change = input.object("Service").ok_or_else(|| input.missing("Service"))?;
    if change.has("HealthCheckConfig") {
        return Err(invalid("Health checks of Route 53 cannot be used in private DNS namespaces"));
    }
    let records = change.object("DnsConfig").map(|dns| records(&dns)).transpose()?;
    let types = |records: &Value| -> Vec<Value> {
        records.as_array().into_iter().flatten().map(|record| record["Type"].clone()).collect()
    };
    let now = service.attrs.get("DnsConfig").map(|dns| types(&dns["DnsRecords"])).unwrap_or_default();
    if records.as_ref().is_some_and(|records| types(records) != now) {
        return Err(invalid("The type of a DNS record cannot be changed"));
    }
    let plan = json!({"Description": change.opt_str("Description"), "DnsRecords": records});
    let target = ("SERVICE", service.id.as_str());
    let takes = Duration::from_secs(3);
    Ok(json!({"OperationId": operation::begin(ctx, Task { sort: "UPDATE_SERVICE", target, plan, takes })}))
}

/// What an update leaves out it takes away.
pub(super) fn updated(ctx: &mut Ctx<'_>, id: &str, plan: &Value) -> Failed {
    ctx.update(KIND, id, |service| {
        match &plan["Description"] {
            Value::Null => drop(service.attrs.remove("Description")),
            text => service.set("Description", text.clone()),
        }
        if !plan["DnsRecords"].is_null() {
            service.attrs["DnsConfig"]["DnsRecords"] = plan["DnsRecords"].clone();
        }
    });
    None
}

/// <https://docs.aws.amazon.com/cloud-map/latest/api/API_DeleteService.html>
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let service = named(ctx, input, "DeleteService")?;
    if instances::count(ctx, &service.id) > 0 {
        let message = "The specified service can't be deleted because it still contains instances.";
        return Err(refuse("ResourceInUse", message));
    }
    ctx.remove(KIND, &service.id);
    Ok(nothing())
}

pub(super) fn find(ctx: &Ctx<'_>, id: &str) -> Result<Arc<Resource>, ApiError> {
    let id = id.rsplit('/').next().unwrap_or_default();
    let found = ctx.get(KIND, id);
    found.ok_or_else(|| refuse("ServiceNotFound", format!("No service exists with the specified ID {id}.")))
}

/// The service that a request names by `Id` or `ServiceId`, once its caller may do the action on it.
pub(super) fn permitted(ctx: &mut Ctx<'_>, id: &str, action: &str) -> Result<Arc<Resource>, ApiError> {
    let arn = ctx.arn("servicediscovery", format!("service/{}", id.rsplit('/').next().unwrap_or_default()));
    let found = find(ctx, id);
    let grant = Grant::new(format!("servicediscovery:{action}"), arn.clone()).key("servicediscovery:ServiceArn", arn);
    ctx.authorise(match &found {
        Ok(service) => grant.resource_tags(&service.tags),
        Err(_) => grant,
    })?;
    found
}

fn named(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<Arc<Resource>, ApiError> {
    let id = input.string("Id")?;
    permitted(ctx, &id, action)
}

fn answer(ctx: &Ctx<'_>, service: &Resource) -> Map<String, Value> {
    let mut answer = shown(service);
    answer.insert("InstanceCount".to_owned(), instances::count(ctx, &service.id).into());
    answer
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let service = named(ctx, input, "GetService")?;
    Ok(json!({"Service": answer(ctx, &service)}))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let found = filtered(input, ctx.visible(KIND), |service, filter| match filter {
        "NAMESPACE_ID" => Some(service.text("NamespaceId").to_owned()),
        "RESOURCE_OWNER" => Some("SELF".to_owned()),
        _ => None,
    })?;
    let summary = |service: &Arc<Resource>| {
        let mut summary = answer(ctx, service);
        // A summary does not say whose namespace it is in, but among the DNS settings.
        summary.remove("NamespaceId");
        summary.remove("CreatorRequestId");
        Value::Object(summary)
    };
    let all = found.iter().map(summary).collect();
    paged(input, "Services", all)
}
