//! Application load balancers, and the network interfaces that AWS makes for them.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html>

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{
    BALANCER, LISTENER, authorise_on, authorise_tags, balancer_attribute, configuration, listener, paged, tags,
};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::empty_result;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::ec2::interface::{self, Wanted};
use crate::services::iam::ensure_service_linked_role;
use crate::services::shared::shown;
use crate::store::{Resource, Timer};
use crate::wire::iso_millis;

/// Measured by operators of the deployers that wait for it.
const PROVISIONING: Duration = Duration::from_secs(132);
/// The interfaces outlive the load balancer by one to three minutes.
const INTERFACES_STAY: Duration = Duration::from_secs(120);

/// The hosted zones of the load balancers' names.
/// <https://docs.aws.amazon.com/general/latest/gr/elb.html>
const ZONES: &[(&str, &str)] = &[
    ("us-east-1", "Z35SXDOTRQ7X7K"),
    ("us-east-2", "Z3AADJGX6KTTL2"),
    ("us-west-1", "Z368ELLRRE2KJ0"),
    ("us-west-2", "Z1H1FL5HABSF5"),
    ("ca-central-1", "ZQSVJUPU6J1EY"),
    ("eu-central-1", "Z215JYRZR1TBD5"),
    ("eu-west-1", "Z32O12XQLNTSW2"),
    ("eu-west-2", "ZHURV8PSTC4K8"),
    ("eu-west-3", "Z3Q77PNBQS71R4"),
    ("eu-north-1", "Z23TAZ6LKFMNIO"),
    ("ap-southeast-1", "Z1LMS91P8CMLE5"),
    ("ap-southeast-2", "Z1GM3OXH4ZPM65"),
    ("ap-northeast-1", "Z14GRHDCWA56QT"),
];

fn zone_id(region: &str) -> Result<&'static str, ApiError> {
    let zone = ZONES.iter().find(|(name, _)| *name == region);
    zone.map(|(_, id)| *id).ok_or_else(|| ApiError::not_simulated(format!("load balancers in {region}")))
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = super::name(input, "Load balancer")?;
    if name.starts_with("internal-") {
        return Err(super::invalid(format!("Load balancer name '{name}' cannot begin with 'internal-'")));
    }
    let tags = tags::requested(input)?;
    let id = ctx.account.rng.hex(16);
    let arn = ctx.arn("elasticloadbalancing", format!("loadbalancer/app/{name}/{id}"));
    ctx.authorise(Grant::new("elasticloadbalancing:CreateLoadBalancer", &arn).request_tags(&tags))?;
    authorise_tags(ctx, "CreateLoadBalancer", &arn, &tags)?;
    only_application(input)?;
    let request = input.without(&[]);
    let scheme = input.opt_str("Scheme").unwrap_or("internet-facing").to_owned();
    if !["internet-facing", "internal"].contains(&scheme.as_str()) {
        return Err(refuse("InvalidScheme", "The requested scheme is not valid"));
    }
    let subnets = subnets(ctx, input)?;
    let vpc = subnets.first().map(|subnet| subnet.text("vpcId").to_owned()).unwrap_or_default();
    let groups = groups(ctx, input, &vpc)?;
    if let Some(known) = ctx.those(BALANCER.kind, |b| b.text("LoadBalancerName") == name).first() {
        if known.attrs.get("_request") == Some(&request) {
            return Ok(json!({"LoadBalancers": [shown(known)]}));
        }
        let message = format!("A load balancer with the same name '{name}' exists, but with different settings");
        return Err(refuse("DuplicateLoadBalancerName", message));
    }
    reachable(ctx, &scheme, &vpc)?;
    ensure_service_linked_role(ctx, "elasticloadbalancing.amazonaws.com")?;
    let number = 1_000_000_000 + ctx.account.rng.below(1_000_000_000);
    let region = &ctx.account.region;
    let internal = if scheme == "internal" { "internal-" } else { "" };
    let dns = format!("{internal}{name}-{number}.{region}.elb.amazonaws.com");
    let zone = zone_id(region)?;
    let mut balancer = ctx.resource(
        BALANCER.kind,
        &arn,
        json!({
            "LoadBalancerArn": arn,
            "DNSName": dns,
            "CanonicalHostedZoneId": zone,
            "CreatedTime": iso_millis(ctx.now),
            "LoadBalancerName": name,
            "Scheme": scheme,
            "VpcId": vpc,
            "State": {"Code": "provisioning"},
            "Type": "application",
            "AvailabilityZones": zones(&subnets),
            "SecurityGroups": groups,
            "IpAddressType": "ipv4",
            "_attributes": balancer_attribute::defaults(),
            "_request": request,
        }),
    );
    balancer.tags = tags;
    let answer = shown(&balancer);
    ctx.insert(balancer.clone());
    for subnet in &subnets {
        attach(ctx, &balancer, &subnet.id, &groups)?;
    }
    ctx.after(PROVISIONING, BALANCER.kind, &arn, "provisioned");
    Ok(json!({"LoadBalancers": [answer]}))
}

fn only_application(input: &Input) -> Result<(), ApiError> {
    let kind = input.opt_str("Type").unwrap_or("application");
    if kind != "application" {
        return Err(ApiError::not_simulated(format!("load balancers of type {kind}")));
    }
    match input.opt_str("IpAddressType").unwrap_or("ipv4") {
        "ipv4" => Ok(()),
        other => Err(ApiError::not_simulated(format!("load balancers with IpAddressType {other}"))),
    }
}

/// The subnets asked for: one per zone, in two zones at least.
fn subnets(ctx: &Ctx<'_>, input: &Input) -> Result<Vec<Arc<Resource>>, ApiError> {
    let mut ids = input.strings("Subnets");
    for mapping in input.objects("SubnetMappings") {
        ids.push(mapping.string("SubnetId")?);
    }
    let asked: BTreeSet<&String> = ids.iter().collect();
    let mut found: Vec<Arc<Resource>> = Vec::new();
    for id in asked {
        let missing = || refuse("SubnetNotFound", format!("The subnet ID '{id}' does not exist"));
        found.push(ctx.usable("ec2.subnet", id).ok_or_else(missing)?);
    }
    let vpcs: BTreeSet<&str> = found.iter().map(|subnet| subnet.text("vpcId")).collect();
    let zones: BTreeSet<&str> = found.iter().map(|subnet| subnet.text("availabilityZone")).collect();
    if vpcs.len() > 1 {
        return Err(configuration("All subnets must belong to the same VPC"));
    }
    if zones.len() < found.len() {
        return Err(configuration(
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        ));
    }
    if zones.len() < 2 {
        return Err(refuse(
            "ValidationError",
            "At least two subnets in two different Availability Zones must be specified",
        ));
    }
    Ok(found)
}

fn groups(ctx: &Ctx<'_>, input: &Input, vpc: &str) -> Result<Vec<String>, ApiError> {
    let mut ids = input.strings("SecurityGroups");
    if ids.is_empty() {
        let default = |g: &Resource| g.text("vpcId") == vpc && g.text("groupName") == "default";
        ids.extend(ctx.those("ec2.security-group", default).iter().map(|group| group.id.clone()));
    }
    ids.sort();
    ids.dedup();
    if ids.len() > 5 {
        return Err(configuration("A load balancer can have at most 5 security groups"));
    }
    for id in &ids {
        let group = ctx.usable("ec2.security-group", id).filter(|group| group.text("vpcId") == vpc);
        group.ok_or_else(|| refuse("InvalidSecurityGroup", format!("The security group '{id}' does not exist")))?;
    }
    Ok(ids)
}

fn reachable(ctx: &Ctx<'_>, scheme: &str, vpc: &str) -> Result<(), ApiError> {
    let attached = |gateway: &Resource| gateway.items("attachmentSet").iter().any(|a| a["vpcId"] == vpc);
    if scheme == "internal" || !ctx.those("ec2.internet-gateway", attached).is_empty() {
        return Ok(());
    }
    Err(refuse("InvalidSubnet", format!("VPC {vpc} has no internet gateway")))
}

fn zones(subnets: &[Arc<Resource>]) -> Value {
    let zone = |subnet: &Arc<Resource>| json!({"ZoneName": subnet.text("availabilityZone"), "SubnetId": subnet.id, "LoadBalancerAddresses": []});
    subnets.iter().map(zone).collect()
}

/// Puts a load balancer's interface into a subnet; one that faces the internet has a public address on it.
fn attach(ctx: &mut Ctx<'_>, balancer: &Resource, subnet: &str, groups: &[String]) -> Result<(), ApiError> {
    let tail = balancer.id.split_once("loadbalancer/").map_or("", |(_, tail)| tail);
    let made = interface::make(
        ctx,
        &Wanted {
            owner: &balancer.id,
            subnet,
            groups,
            interface_type: "interface",
            description: &format!("ELB {tail}"),
            requester: "amazon-elb",
        },
    )?;
    if balancer.text("Scheme") == "internet-facing" {
        let last = ctx.account.rng.below(200) + 20;
        let public = format!("54.{}.{}.{last}", ctx.account.rng.below(200) + 20, ctx.account.rng.below(250) + 1);
        ctx.update("ec2.network-interface", &made.id, |eni| {
            eni.set("association", json!({"publicIp": public, "ipOwnerId": "amazon-elb"}));
        });
    }
    Ok(())
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let names = input.strings("Names");
    let mut all = BALANCER.asked(ctx, &input.strings("LoadBalancerArns"))?;
    all.retain(|balancer| names.is_empty() || names.iter().any(|name| balancer.text("LoadBalancerName") == name));
    if all.len() < names.len() {
        let unknown = names.iter().filter(|name| !all.iter().any(|b| b.text("LoadBalancerName") == **name));
        let unknown: Vec<&str> = unknown.map(String::as_str).collect();
        return Err(refuse(BALANCER.not_found, format!("Load balancers '[{}]' not found", unknown.join(", "))));
    }
    paged(input, "LoadBalancers", all.iter().map(|balancer| Value::Object(shown(balancer))).collect())
}

/// The deletion of one that is gone succeeds.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html>
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let arn = input.string("LoadBalancerArn")?;
    BALANCER.well_formed(ctx, &arn)?;
    let found = ctx.get(BALANCER.kind, &arn);
    authorise_on(ctx, "DeleteLoadBalancer", &arn, found.as_deref())?;
    let Some(balancer) = found else { return Ok(empty_result()) };
    if balancer.attrs["_attributes"]["deletion_protection.enabled"] == "true" {
        let message = format!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled");
        return Err(refuse("OperationNotPermitted", message));
    }
    for listener in ctx.those(LISTENER.kind, |l| l.text("LoadBalancerArn") == arn) {
        listener::remove(ctx, &listener.id);
    }
    ctx.remove(BALANCER.kind, &arn);
    ctx.after(INTERFACES_STAY, BALANCER.kind, &arn, "interfaces-gone");
    Ok(empty_result())
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    match timer.event {
        "interfaces-gone" => interface::remove_for(ctx, &timer.id),
        "provisioned" => ctx.update(BALANCER.kind, &timer.id, |b| b.set("State", json!({"Code": "active"}))),
        _ => {}
    }
}

pub(super) fn set_security_groups(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let balancer = BALANCER.permitted(ctx, "SetSecurityGroups", input.str("LoadBalancerArn")?)?;
    let ids = groups(ctx, input, balancer.text("VpcId"))?;
    let set: Vec<Value> = ids
        .iter()
        .map(|id| {
            json!({"groupId": id, "groupName": ctx.get("ec2.security-group", id).map(|g| g.text("groupName").to_owned())})
        })
        .collect();
    for interface in ctx.those("ec2.network-interface", |eni| eni.text("_for") == balancer.id) {
        ctx.update("ec2.network-interface", &interface.id, |eni| eni.set("groupSet", set.clone()));
    }
    ctx.update(BALANCER.kind, &balancer.id, |b| b.set("SecurityGroups", ids.clone()));
    Ok(json!({"SecurityGroupIds": ids}))
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetSubnets.html>
pub(super) fn set_subnets(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let balancer = BALANCER.permitted(ctx, "SetSubnets", input.str("LoadBalancerArn")?)?;
    let wanted = subnets(ctx, input)?;
    if wanted.iter().any(|subnet| subnet.text("vpcId") != balancer.text("VpcId")) {
        return Err(configuration("The subnets must belong to the VPC of the load balancer"));
    }
    let groups: Vec<String> =
        balancer.items("SecurityGroups").iter().filter_map(|g| g.as_str().map(str::to_owned)).collect();
    let held = ctx.those("ec2.network-interface", |eni| eni.text("_for") == balancer.id);
    for interface in held.iter().filter(|eni| !wanted.iter().any(|subnet| subnet.id == eni.text("subnetId"))) {
        ctx.remove("ec2.network-interface", &interface.id);
    }
    for subnet in wanted.iter().filter(|subnet| !held.iter().any(|eni| eni.text("subnetId") == subnet.id)) {
        attach(ctx, &balancer, &subnet.id, &groups)?;
    }
    let zones = zones(&wanted);
    ctx.update(BALANCER.kind, &balancer.id, |b| b.set("AvailabilityZones", zones.clone()));
    Ok(json!({"AvailabilityZones": zones, "IpAddressType": "ipv4"}))
}

/// Nothing is reserved here, which Terraform asks about every load balancer.
pub(super) fn capacity(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let arn = input.string("LoadBalancerArn")?;
    BALANCER.asked(ctx, &[arn])?;
    Ok(json!({"DecreaseRequestsRemaining": 2, "CapacityReservationState": []}))
}
