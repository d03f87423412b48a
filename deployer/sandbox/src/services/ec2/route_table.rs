//! Route tables and what they are associated with.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::subnet::SUBNET;
use super::vpc::VPC;
use super::{Noun, describe, done, in_use, route, tags};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;

pub(crate) static TABLE: Noun = Noun {
    kind: "ec2.route-table",
    resource_type: "route-table",
    prefix: "rtb",
    set: "routeTableSet",
    ids: "RouteTableId",
    id_attr: "routeTableId",
    not_found: "InvalidRouteTableID.NotFound",
    malformed: "InvalidRouteTableId.Malformed",
    label: "routeTable ID",
    filters: &[
        ("route-table-id", "routeTableId"),
        ("vpc-id", "vpcId"),
        ("owner-id", "ownerId"),
        ("association.main", "associationSet.main"),
        ("association.subnet-id", "associationSet.subnetId"),
        ("association.gateway-id", "associationSet.gatewayId"),
        ("association.route-table-id", "associationSet.routeTableId"),
        ("association.route-table-association-id", "associationSet.routeTableAssociationId"),
        ("route.destination-cidr-block", "routeSet.destinationCidrBlock"),
        ("route.destination-prefix-list-id", "routeSet.destinationPrefixListId"),
        ("route.gateway-id", "routeSet.gatewayId"),
        ("route.nat-gateway-id", "routeSet.natGatewayId"),
        ("route.origin", "routeSet.origin"),
        ("route.state", "routeSet.state"),
    ],
};

/// A table of a VPC with its local route, not yet in the account.
pub(crate) fn fresh(ctx: &mut Ctx<'_>, vpc: &str, cidr: &str) -> Resource {
    let id = ctx.new_id("rtb");
    let local = json!({
        "destinationCidrBlock": cidr, "gatewayId": "local", "origin": "CreateRouteTable", "state": "active",
    });
    ctx.resource(
        "ec2.route-table",
        id,
        json!({
            "vpcId": vpc, "ownerId": ctx.account.id, "routeSet": [local], "associationSet": [], "propagatingVgwSet": [],
        }),
    )
}

/// The main table that every VPC has from the start.
pub(crate) fn make_main(ctx: &mut Ctx<'_>, vpc: &str, cidr: &str) {
    let mut table = fresh(ctx, vpc, cidr);
    let mut association = association(ctx, &table.id);
    association["main"] = true.into();
    table.set("associationSet", json!([association]));
    table.aws_made = true;
    ctx.insert(table);
}

fn association(ctx: &mut Ctx<'_>, table: &str) -> Value {
    let id = ctx.new_id("rtbassoc");
    json!({
        "routeTableAssociationId": id, "routeTableId": table, "main": false,
        "associationState": {"state": "associated"},
    })
}

pub(crate) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let vpc = VPC.used(ctx, input.str("VpcId")?)?;
    let tags = tags::requested(input, &TABLE)?;
    tags::authorise_create(ctx, "CreateRouteTable", &TABLE, &tags)?;
    tags::authorise_on(ctx, "CreateRouteTable", &VPC, &vpc)?;
    let token = input.opt_str("ClientToken");
    if let Some(known) = ctx.token("CreateRouteTable", token, input)?.and_then(|id| ctx.get("ec2.route-table", &id)) {
        return Ok(json!({"routeTable": describe::shown(&TABLE, &known), "clientToken": token}));
    }
    // <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>
    if ctx.those("ec2.route-table", |t| t.text("vpcId") == vpc.id).len() >= 200 {
        return Err(refuse("RouteTableLimitExceeded", "The maximum number of route tables has been reached."));
    }
    let mut table = fresh(ctx, &vpc.id, vpc.text("cidrBlock"));
    table.tags = tags;
    ctx.remember("CreateRouteTable", token, input, &table.id);
    let answer = describe::shown(&TABLE, &table);
    ctx.insert(table);
    Ok(json!({"routeTable": answer, "clientToken": token}))
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    describe::describe_as(ctx, input, &TABLE, |ctx, table| {
        let mut value = describe::shown(&TABLE, table);
        for shown in value["routeSet"].as_array_mut().into_iter().flatten() {
            if route::is_blackhole(ctx, table.text("vpcId"), shown) {
                shown["state"] = "blackhole".into();
            }
        }
        value
    })
}

pub(crate) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("RouteTableId")?;
    let table = TABLE.used(ctx, id)?;
    tags::authorise_on(ctx, "DeleteRouteTable", &TABLE, &table)?;
    // The main table, and one with associations, stays: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteRouteTable.html>
    let endpoint = |e: &Resource| e.items("routeTableIdSet").iter().any(|t| t == id);
    if !table.items("associationSet").is_empty() || !ctx.those("ec2.vpc-endpoint", endpoint).is_empty() {
        return Err(in_use(format!("The routeTable '{id}' has dependencies and cannot be deleted.")));
    }
    ctx.remove("ec2.route-table", id);
    done()
}

/// The table that has an association, with the association.
fn holder(ctx: &Ctx<'_>, association: &str) -> Result<(Arc<Resource>, Value), ApiError> {
    for table in ctx.all("ec2.route-table") {
        let found = table.items("associationSet").iter().find(|a| a["routeTableAssociationId"] == association).cloned();
        if let Some(found) = found {
            return Ok((table, found));
        }
    }
    let message = format!("The association ID '{association}' does not exist");
    Err(refuse("InvalidAssociationID.NotFound", message))
}

pub(crate) fn associate(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let table = TABLE.used(ctx, input.str("RouteTableId")?)?;
    let subnet = SUBNET.used(ctx, input.str("SubnetId")?)?;
    tags::authorise_on(ctx, "AssociateRouteTable", &TABLE, &table)?;
    tags::authorise_on(ctx, "AssociateRouteTable", &SUBNET, &subnet)?;
    if table.text("vpcId") != subnet.text("vpcId") {
        let message = format!("Route table {} and subnet {} belong to different networks", table.id, subnet.id);
        return Err(refuse("InvalidParameterValue", message));
    }
    let associated = |t: &Resource| t.items("associationSet").iter().any(|a| a["subnetId"] == subnet.id);
    if !ctx.those("ec2.route-table", associated).is_empty() {
        let message =
            format!("the specified association for route table {} conflicts with an existing association", table.id);
        return Err(refuse("Resource.AlreadyAssociated", message));
    }
    let mut new = association(ctx, &table.id);
    new["subnetId"] = subnet.id.clone().into();
    let answer = json!({"associationId": new["routeTableAssociationId"], "associationState": {"state": "associated"}});
    ctx.update("ec2.route-table", &table.id, |t| t.list_mut("associationSet").push(new));
    Ok(answer)
}

pub(crate) fn disassociate(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("AssociationId")?;
    let (table, found) = holder(ctx, id)?;
    tags::authorise_on(ctx, "DisassociateRouteTable", &TABLE, &table)?;
    if found["main"] == true {
        let message = format!("cannot disassociate the main route table association {id}");
        return Err(refuse("InvalidParameterValue", message));
    }
    take_out(ctx, &table.id, id);
    done()
}

/// Moves an association, the main one too, to another table; it gets a new id.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceRouteTableAssociation.html>
pub(crate) fn replace_association(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("AssociationId")?;
    let table = TABLE.used(ctx, input.str("RouteTableId")?)?;
    let (from, mut moved) = holder(ctx, id)?;
    tags::authorise_on(ctx, "ReplaceRouteTableAssociation", &TABLE, &table)?;
    if from.text("vpcId") != table.text("vpcId") {
        let message = format!("Route table {} belongs to another network than association {id}", table.id);
        return Err(refuse("InvalidParameterValue", message));
    }
    let new = ctx.new_id("rtbassoc");
    moved["routeTableAssociationId"] = new.clone().into();
    moved["routeTableId"] = table.id.clone().into();
    take_out(ctx, &from.id, id);
    ctx.update("ec2.route-table", &table.id, |t| t.list_mut("associationSet").push(moved));
    Ok(json!({"newAssociationId": new, "associationState": {"state": "associated"}}))
}

fn take_out(ctx: &mut Ctx<'_>, table: &str, association: &str) {
    ctx.update("ec2.route-table", table, |t| {
        t.list_mut("associationSet").retain(|a| a["routeTableAssociationId"] != association);
    });
}

/// A subnet that goes takes its association along.
pub(crate) fn forget_subnet(ctx: &mut Ctx<'_>, subnet: &str) {
    for table in ctx.those("ec2.route-table", |t| t.items("associationSet").iter().any(|a| a["subnetId"] == subnet)) {
        ctx.update("ec2.route-table", &table.id, |t| t.list_mut("associationSet").retain(|a| a["subnetId"] != subnet));
    }
}
