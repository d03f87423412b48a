//! NAT gateways, of one zone or of a whole region.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html>,
//! <https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateways-regional.html>

use std::time::Duration;

use serde_json::{Value, json};

use super::address::{self, ADDRESS};
use super::subnet::SUBNET;
use super::vpc::VPC;
use super::{Noun, describe, gateway, interface, route_table, tags, zone};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Tags, Timer};
use crate::wire::iso_millis;

pub(crate) static NAT: Noun = Noun {
    kind: "ec2.natgateway",
    resource_type: "natgateway",
    prefix: "nat",
    set: "natGatewaySet",
    ids: "NatGatewayId",
    id_attr: "natGatewayId",
    not_found: "NatGatewayNotFound",
    malformed: "NatGatewayMalformed",
    label: "NatGateway",
    filters: &[("nat-gateway-id", "natGatewayId"), ("vpc-id", "vpcId"), ("subnet-id", "subnetId"), ("state", "state")],
};

/// Typical times: to be available, to be deleted, to stay visible as deleted, to spread to another zone.
const CREATION: Duration = Duration::from_secs(105);
const DELETION: Duration = Duration::from_secs(50);
const REMEMBERED: Duration = Duration::from_secs(3600);
const SPREADING: Duration = Duration::from_secs(17 * 60);

pub(crate) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = tags::requested(input, &NAT)?;
    tags::authorise_create(ctx, "CreateNatGateway", &NAT, &tags)?;
    let token = input.opt_str("ClientToken");
    if let Some(known) = ctx.token("CreateNatGateway", token, input)?.and_then(|id| ctx.get("ec2.natgateway", &id)) {
        return Ok(json!({"natGateway": describe::shown(&NAT, &known), "clientToken": token}));
    }
    let nat = match input.opt_str("AvailabilityMode") {
        Some("regional") => regional(ctx, input, tags)?,
        None | Some("zonal") => zonal(ctx, input, tags)?,
        Some(other) => return Err(input.invalid("AvailabilityMode", &Value::from(other))),
    };
    ctx.remember("CreateNatGateway", token, input, &nat.id);
    ctx.after(CREATION, "ec2.natgateway", &nat.id, "created");
    let answer = describe::shown(&NAT, &nat);
    ctx.insert(nat);
    Ok(json!({"natGateway": answer, "clientToken": token}))
}

fn zonal(ctx: &mut Ctx<'_>, input: &Input, tags: Tags) -> Result<Resource, ApiError> {
    if input.opt_str("ConnectivityType").is_some_and(|kind| kind != "public") {
        return Err(ApiError::not_simulated("private NAT gateways"));
    }
    let subnet = SUBNET.used(ctx, input.str("SubnetId")?)?;
    let address = ADDRESS.used(ctx, input.str("AllocationId")?)?;
    tags::authorise_on(ctx, "CreateNatGateway", &SUBNET, &subnet)?;
    tags::authorise_on(ctx, "CreateNatGateway", &ADDRESS, &address)?;
    needs_internet(ctx, subnet.text("vpcId"))?;
    if address.attrs.contains_key("associationId") {
        let message = format!("Elastic IP address [{}] is already associated", address.id);
        return Err(refuse("Resource.AlreadyAssociated", message));
    }
    let id = ctx.new_id("nat");
    let mut nat = fresh(ctx, &id, subnet.text("vpcId"), tags);
    nat.set("subnetId", subnet.id.clone());
    nat.set("availabilityMode", "zonal");
    let wanted = interface::Wanted {
        owner: &id,
        subnet: &subnet.id,
        groups: &[],
        interface_type: "nat_gateway",
        description: &format!("Interface for NAT Gateway {id}"),
        requester: "amazon-aws",
    };
    let made = interface::make(ctx, &wanted)?;
    let association = ctx.new_id("eipassoc");
    let public = address.text("publicIp").to_owned();
    let entry = json!({
        "allocationId": address.id, "associationId": association, "networkInterfaceId": made.id,
        "privateIp": made.text("privateIpAddress"), "publicIp": public, "isPrimary": true, "status": "succeeded",
    });
    nat.set("natGatewayAddressSet", json!([entry]));
    ctx.update("ec2.network-interface", &made.id, |eni| {
        eni.set("association", json!({
            "allocationId": address.id, "associationId": association, "publicIp": public, "ipOwnerId": eni.text("ownerId"),
        }));
    });
    ctx.update("ec2.elastic-ip", &address.id, |a| {
        a.set("associationId", association);
        a.set("networkInterfaceId", made.id.clone());
        a.set("networkInterfaceOwnerId", made.text("ownerId"));
        a.set("privateIpAddress", made.text("privateIpAddress"));
    });
    Ok(nat)
}

fn regional(ctx: &mut Ctx<'_>, input: &Input, tags: Tags) -> Result<Resource, ApiError> {
    if input.has("SubnetId") {
        return Err(refuse("InvalidParameterCombination", "A regional NAT gateway takes no SubnetId"));
    }
    input.ignore(&["ConnectivityType"]);
    let vpc = VPC.used(ctx, input.str("VpcId")?)?;
    tags::authorise_on(ctx, "CreateNatGateway", &VPC, &vpc)?;
    needs_internet(ctx, &vpc.id)?;
    if input.has("AllocationId") {
        return Err(refuse(
            "InvalidParameterCombination",
            "A regional NAT gateway takes AvailabilityZoneAddress, not AllocationId",
        ));
    }
    let mut zones = Vec::new();
    for address in input.objects("AvailabilityZoneAddress") {
        let chosen = zone::chosen(ctx, &address)?;
        for allocation in address.strings("AllocationId") {
            let eip = ADDRESS.used(ctx, &allocation)?;
            tags::authorise_on(ctx, "CreateNatGateway", &ADDRESS, &eip)?;
            zones.push(json!({"zone": chosen.name, "allocation": allocation}));
        }
    }
    let id = ctx.new_id("nat");
    let mut nat = fresh(ctx, &id, &vpc.id, tags);
    let automatic = if zones.is_empty() { "enabled" } else { "disabled" };
    nat.set("availabilityMode", "regional");
    nat.set("autoScalingIps", automatic);
    nat.set("autoProvisionZones", automatic);
    nat.set("_zones", Value::Array(zones));
    // A table of AWS's own, with a route to the internet gateway.
    let internet = ctx.those("ec2.internet-gateway", |g| gateway::attached_to(g, &vpc.id));
    let mut table = route_table::fresh(ctx, &vpc.id, vpc.text("cidrBlock"));
    if let Some(internet) = internet.first() {
        table.list_mut("routeSet").push(json!({
            "destinationCidrBlock": "0.0.0.0/0", "gatewayId": internet.id, "origin": "CreateRoute", "state": "active",
        }));
    }
    let association = ctx.new_id("rtbassoc");
    table.set(
        "associationSet",
        json!([{
            "routeTableAssociationId": association, "routeTableId": table.id, "gatewayId": id, "main": false,
            "associationState": {"state": "associated"},
        }]),
    );
    table.aws_made = true;
    table.set("_for", id);
    nat.set("routeTableId", table.id.clone());
    ctx.insert(table);
    Ok(nat)
}

/// A public gateway needs a way out; just after the attachment AWS may not know of it yet.
fn needs_internet(ctx: &Ctx<'_>, vpc: &str) -> Result<(), ApiError> {
    if gateway::reaches_internet(ctx, vpc) {
        return Ok(());
    }
    Err(refuse("Gateway.NotAttached", format!("Network {vpc} has no Internet gateway attached")))
}

fn fresh(ctx: &Ctx<'_>, id: &str, vpc: &str, tags: Tags) -> Resource {
    let mut nat = ctx.resource(
        "ec2.natgateway",
        id,
        json!({
            "state": "pending",
            "vpcId": vpc,
            "connectivityType": "public",
            "createTime": iso_millis(ctx.now),
            "natGatewayAddressSet": [],
        }),
    );
    nat.tags = tags;
    nat
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    describe::describe(ctx, input, &NAT)
}

pub(crate) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("NatGatewayId")?;
    let nat = NAT.used(ctx, id)?;
    tags::authorise_on(ctx, "DeleteNatGateway", &NAT, &nat)?;
    // Deleting it again is no error: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNatGateway.html>
    if !matches!(nat.text("state"), "deleting" | "deleted") {
        ctx.update("ec2.natgateway", id, |nat| nat.set("state", "deleting"));
        ctx.after(DELETION, "ec2.natgateway", id, "deleted");
    }
    Ok(json!({"natGatewayId": id}))
}

pub(crate) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    let Some(nat) = ctx.get("ec2.natgateway", &timer.id) else { return };
    match (timer.event, nat.text("state")) {
        ("created", "pending") => {
            ctx.update("ec2.natgateway", &nat.id, |nat| nat.set("state", "available"));
            if nat.text("availabilityMode") == "regional" {
                first_zones(ctx, &nat);
            }
        }
        ("spread", "available") => spread(ctx, &nat),
        ("deleted", "deleting") => deleted(ctx, &nat),
        ("forgotten", "deleted") => ctx.remove("ec2.natgateway", &nat.id),
        _ => {}
    }
}

/// A regional gateway begins in the zones it was told, else in those with workloads, else in one.
fn first_zones(ctx: &mut Ctx<'_>, nat: &Resource) {
    let told = nat.items("_zones");
    if told.is_empty() {
        let mut zones = zones_with_workloads(ctx, nat.text("vpcId"));
        if zones.is_empty() {
            zones.extend(zone::all(ctx).into_iter().map(|zone| zone.name).take(1));
        }
        for zone in zones {
            let mut eip = address::fresh(ctx);
            eip.aws_made = true;
            eip.set("serviceManaged", "rnat");
            let id = eip.id.clone();
            ctx.insert(eip);
            serve(ctx, &nat.id, &zone, &id);
        }
    } else {
        for entry in told {
            let (zone, id) =
                (entry["zone"].as_str().unwrap_or_default(), entry["allocation"].as_str().unwrap_or_default());
            serve(ctx, &nat.id, zone, id);
        }
    }
}

fn serve(ctx: &mut Ctx<'_>, nat: &str, zone_name: &str, allocation: &str) {
    let association = ctx.new_id("eipassoc");
    let zone_id = zone::all(ctx).into_iter().find(|z| z.name == zone_name).map(|z| z.id);
    let Some(address) = ctx.get("ec2.elastic-ip", allocation) else { return };
    let entry = json!({
        "allocationId": allocation, "associationId": association, "publicIp": address.text("publicIp"),
        "isPrimary": true, "status": "succeeded", "availabilityZone": zone_name, "availabilityZoneId": zone_id,
    });
    ctx.update("ec2.elastic-ip", allocation, |a| {
        a.set("associationId", association);
        a.set("_for", nat);
    });
    ctx.update("ec2.natgateway", nat, |nat| nat.list_mut("natGatewayAddressSet").push(entry));
}

fn zones_with_workloads(ctx: &Ctx<'_>, vpc: &str) -> Vec<String> {
    let mut zones: Vec<String> = ctx
        .those("ec2.network-interface", |eni| eni.text("vpcId") == vpc)
        .iter()
        .map(|eni| eni.text("availabilityZone").to_owned())
        .collect();
    zones.sort();
    zones.dedup();
    zones
}

fn served(nat: &Resource) -> Vec<&str> {
    nat.items("natGatewayAddressSet").iter().filter_map(|a| a["availabilityZone"].as_str()).collect()
}

/// A workload in a zone that a regional gateway does not serve yet: it will, after a quarter of an hour or more.
pub(crate) fn workload_in(ctx: &mut Ctx<'_>, vpc: &str, zone: &str) {
    let lacking = |nat: &Resource| {
        nat.text("vpcId") == vpc && nat.text("autoProvisionZones") == "enabled" && !served(nat).contains(&zone)
    };
    for nat in ctx.those("ec2.natgateway", lacking) {
        ctx.after(SPREADING, "ec2.natgateway", &nat.id, "spread");
    }
}

fn spread(ctx: &mut Ctx<'_>, nat: &Resource) {
    for zone in zones_with_workloads(ctx, nat.text("vpcId")) {
        if !served(nat).contains(&zone.as_str()) {
            let mut eip = address::fresh(ctx);
            eip.aws_made = true;
            eip.set("serviceManaged", "rnat");
            let id = eip.id.clone();
            ctx.insert(eip);
            serve(ctx, &nat.id, &zone, &id);
        }
    }
}

/// What a gateway held becomes free only now; it stays visible as deleted for about an hour.
fn deleted(ctx: &mut Ctx<'_>, nat: &Resource) {
    interface::remove_for(ctx, &nat.id);
    for entry in nat.items("natGatewayAddressSet") {
        let allocation = entry["allocationId"].as_str().unwrap_or_default();
        if ctx.get("ec2.elastic-ip", allocation).is_some_and(|a| a.aws_made) {
            ctx.remove("ec2.elastic-ip", allocation);
        } else {
            ctx.update("ec2.elastic-ip", allocation, |a| {
                for name in
                    ["associationId", "networkInterfaceId", "networkInterfaceOwnerId", "privateIpAddress", "_for"]
                {
                    a.attrs.remove(name);
                }
            });
        }
    }
    if !nat.text("routeTableId").is_empty() {
        ctx.remove("ec2.route-table", nat.text("routeTableId"));
    }
    let at = iso_millis(ctx.now);
    ctx.update("ec2.natgateway", &nat.id, |nat| {
        nat.set("state", "deleted");
        nat.set("deleteTime", at);
        nat.set("_gone", true);
    });
    ctx.after(REMEMBERED, "ec2.natgateway", &nat.id, "forgotten");
}
