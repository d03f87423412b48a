//! Private DNS namespaces.
//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_CreatePrivateDnsNamespace.html>

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::list::{filtered, paged};
use super::operation::{self, Task};
use super::{invalid, new_id, tags};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::shown;
use crate::store::Resource;
use crate::wire::moment;

const KIND: &str = "servicediscovery.namespace";
/// The hosted zone has to be made and become known everywhere.
const CREATION: Duration = Duration::from_secs(45);
const DELETION: Duration = Duration::from_secs(15);
/// What Route 53 gives a zone that asks for nothing else.
const DEFAULT_TTL: i64 = 15;

/// Why an operation failed: code and message.
pub(super) type Failed = Option<(&'static str, String)>;

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (name, vpc) = (input.string("Name")?, input.string("Vpc")?);
    let tags = tags::requested(input)?;
    ctx.authorise(Grant::new("servicediscovery:CreatePrivateDnsNamespace", "*").request_tags(&tags))?;
    through_route53(ctx, &["CreateHostedZone", "ListHostedZonesByName"], "*")?;
    through_route53(ctx, &["GetHostedZone"], "arn:aws:route53:::hostedzone/*")?;
    for action in ["ec2:DescribeVpcs", "ec2:DescribeRegions"] {
        ctx.authorise(Grant::new(action, "*"))?;
    }
    well_formed(&name)?;
    let ttl = ttl(input)?.unwrap_or(DEFAULT_TTL);
    let plan = json!({
        "Name": name,
        "Vpc": vpc,
        "Description": input.opt_str("Description"),
        "TTL": ttl,
        "CreatorRequestId": input.opt_str("CreatorRequestId"),
        "Tags": tags,
    });
    if ctx.usable("ec2.vpc", &vpc).is_none() {
        return Err(invalid(format!("The VPC ID {vpc} does not exist in {}", ctx.account.region)));
    }
    not_there(ctx, &plan)?;
    let id = new_id(ctx, "ns");
    let target = ("NAMESPACE", id.as_str());
    let operation = operation::begin(ctx, Task { sort: "CREATE_NAMESPACE", target, plan, takes: CREATION });
    Ok(json!({"OperationId": operation}))
}

/// What Cloud Map does in Route 53 it does with its caller's permissions.
/// <https://docs.aws.amazon.com/cloud-map/latest/dg/security_iam_service-with-iam.html>
fn through_route53(ctx: &mut Ctx<'_>, actions: &[&str], resource: &str) -> Result<(), ApiError> {
    actions.iter().try_for_each(|action| ctx.authorise(Grant::new(format!("route53:{action}"), resource)))
}

fn well_formed(name: &str) -> Result<(), ApiError> {
    let label = |label: &str| {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        !label.is_empty() && label.len() <= 63 && label.chars().all(plain)
    };
    if name.len() > 253 || !name.trim_end_matches('.').split('.').all(label) {
        return Err(invalid(format!("The namespace name {name} is not a valid domain name")));
    }
    Ok(())
}

fn ttl(input: &Input) -> Result<Option<i64>, ApiError> {
    let soa = input.object("Properties").and_then(|it| it.object("DnsProperties")).and_then(|it| it.object("SOA"));
    soa.map(|soa| soa.int("TTL")).transpose()
}

/// No other zone of the VPC may have the name, and a request is made once.
fn not_there(ctx: &Ctx<'_>, plan: &Value) -> Result<(), ApiError> {
    for (id, other) in operation::creations(ctx) {
        if !plan["CreatorRequestId"].is_null() && plan["CreatorRequestId"] == other["CreatorRequestId"] {
            let message = "The operation is already in progress.";
            return Err(refuse("DuplicateRequest", message).member("DuplicateOperationId", id));
        }
        if plan["Name"] == other["Name"] && plan["Vpc"] == other["Vpc"] {
            return Err(exists(&plan["Name"], ""));
        }
    }
    let same = ctx.those(KIND, |one| plan["Name"] == one.text("Name") && plan["Vpc"] == one.text("_vpc"));
    same.first().map_or(Ok(()), |one| Err(exists(&plan["Name"], &one.id)))
}

fn exists(name: &Value, id: &str) -> ApiError {
    let name = name.as_str().unwrap_or_default();
    let message = format!("The namespace {name} already exists in this VPC.");
    refuse("NamespaceAlreadyExists", message).member("NamespaceId", id)
}

/// The zone has been made.
pub(super) fn created(ctx: &mut Ctx<'_>, id: &str, plan: &Value) -> Failed {
    let vpc = plan["Vpc"].as_str().unwrap_or_default();
    if ctx.get("ec2.vpc", vpc).is_none() {
        return Some(("INVALID_INPUT", format!("The VPC ID {vpc} does not exist in region {}", ctx.account.region)));
    }
    let zone = format!("Z{}", ctx.account.rng.hex(20).to_uppercase());
    let arn = ctx.arn("servicediscovery", format!("namespace/{id}"));
    let name = plan["Name"].as_str().unwrap_or_default();
    let mut namespace = ctx.resource(
        KIND,
        id,
        json!({
            "Id": id,
            "Arn": arn,
            "ResourceOwner": ctx.account.id,
            "Name": name,
            "Type": "DNS_PRIVATE",
            "Properties": {
                "DnsProperties": {"HostedZoneId": zone, "SOA": {"TTL": plan["TTL"]}},
                "HttpProperties": {"HttpName": name},
            },
            "CreateDate": moment(ctx.now),
            "_vpc": vpc,
        }),
    );
    for optional in ["Description", "CreatorRequestId"] {
        if !plan[optional].is_null() {
            namespace.set(optional, plan[optional].clone());
        }
    }
    namespace.tags = serde_json::from_value(plan["Tags"].clone()).unwrap_or_default();
    ctx.insert(namespace);
    None
}

pub(super) fn update(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let namespace = named(ctx, input, "UpdatePrivateDnsNamespace")?;
    let _ = input.opt("UpdaterRequestId");
    let change = input.object("Namespace").ok_or_else(|| input.missing("Namespace"))?;
    let plan = json!({"Description": change.opt_str("Description"), "TTL": ttl(&change)?});
    if !plan["TTL"].is_null() {
        let zone = namespace.attrs["Properties"]["DnsProperties"]["HostedZoneId"].as_str().unwrap_or_default();
        through_route53(ctx, &["ChangeResourceRecordSets"], &format!("arn:aws:route53:::hostedzone/{zone}"))?;
    }
    let target = ("NAMESPACE", namespace.id.as_str());
    let takes = Duration::from_secs(5);
    let operation = operation::begin(ctx, Task { sort: "UPDATE_NAMESPACE", target, plan, takes });
    Ok(json!({"OperationId": operation}))
}

pub(super) fn updated(ctx: &mut Ctx<'_>, id: &str, plan: &Value) -> Failed {
    ctx.update(KIND, id, |namespace| {
        if !plan["Description"].is_null() {
            namespace.set("Description", plan["Description"].clone());
        }
        if !plan["TTL"].is_null() {
            namespace.attrs["Properties"]["DnsProperties"]["SOA"]["TTL"] = plan["TTL"].clone();
        }
    });
    None
}

/// <https://docs.aws.amazon.com/cloud-map/latest/api/API_DeleteNamespace.html>
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let namespace = named(ctx, input, "DeleteNamespace")?;
    let zone = namespace.attrs["Properties"]["DnsProperties"]["HostedZoneId"].as_str().unwrap_or_default();
    through_route53(ctx, &["DeleteHostedZone"], &format!("arn:aws:route53:::hostedzone/{zone}"))?;
    if services(ctx, &namespace.id) > 0 {
        let message = "The specified namespace can't be deleted because it still contains services.";
        return Err(refuse("ResourceInUse", message));
    }
    if let Some(open) = operation::under_way(ctx, "DELETE_NAMESPACE", &namespace.id) {
        let message = "The operation is already in progress.";
        return Err(refuse("DuplicateRequest", message).member("DuplicateOperationId", open));
    }
    let target = ("NAMESPACE", namespace.id.as_str());
    let plan = Value::Null;
    let operation = operation::begin(ctx, Task { sort: "DELETE_NAMESPACE", target, plan, takes: DELETION });
    Ok(json!({"OperationId": operation}))
}

pub(super) fn deleted(ctx: &mut Ctx<'_>, id: &str) -> Failed {
    if services(ctx, id) > 0 {
        return Some(("NAMESPACE_NOT_EMPTY", "The namespace contains services.".to_owned()));
    }
    ctx.remove(KIND, id);
    None
}

fn services(ctx: &Ctx<'_>, namespace: &str) -> usize {
    ctx.those("servicediscovery.service", |service| service.text("NamespaceId") == namespace).len()
}

pub(super) fn find(ctx: &Ctx<'_>, id: &str) -> Result<Arc<Resource>, ApiError> {
    let id = id.rsplit('/').next().unwrap_or_default();
    let found = ctx.get(KIND, id);
    found.ok_or_else(|| {
        refuse("NamespaceNotFound", format!("No namespace exists with the specified ID {id}, or it is being created."))
    })
}

fn named(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<Arc<Resource>, ApiError> {
    let id = input.str("Id")?;
    let arn = ctx.arn("servicediscovery", format!("namespace/{}", id.rsplit('/').next().unwrap_or_default()));
    let found = find(ctx, id);
    let grant = Grant::new(format!("servicediscovery:{action}"), arn);
    ctx.authorise(match &found {
        Ok(namespace) => grant.resource_tags(&namespace.tags),
        Err(_) => grant,
    })?;
    found
}

fn answer(ctx: &Ctx<'_>, namespace: &Resource) -> Value {
    let mut answer = shown(namespace);
    answer.insert("ServiceCount".to_owned(), services(ctx, &namespace.id).into());
    answer.into()
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let namespace = named(ctx, input, "GetNamespace")?;
    Ok(json!({"Namespace": answer(ctx, &namespace)}))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let found = filtered(input, ctx.visible(KIND), |namespace, filter| match filter {
        "TYPE" => Some(namespace.text("Type").to_owned()),
        "NAME" => Some(namespace.text("Name").to_owned()),
        "HTTP_NAME" => namespace.attrs["Properties"]["HttpProperties"]["HttpName"].as_str().map(str::to_owned),
        "RESOURCE_OWNER" => Some("SELF".to_owned()),
        _ => None,
    })?;
    let summary = |namespace: &Arc<Resource>| {
        let mut summary = answer(ctx, namespace);
        // Only GetNamespace tells by which request it was made.
        summary.as_object_mut().map(|members| members.remove("CreatorRequestId"));
        summary
    };
    let all = found.iter().map(summary).collect();
    paged(input, "Namespaces", all)
}
