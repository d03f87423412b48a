//! The routes in a route table.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html>

use serde_json::{Value, json};

use super::gateway::{GATEWAY, attached_to};
use super::route_table::TABLE;
use super::vpc::network;
use super::{done, tags};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;

/// Whether a route leads nowhere: its gateway is gone or hangs on the VPC no more.
pub(crate) fn is_blackhole(ctx: &Ctx<'_>, vpc: &str, route: &Value) -> bool {
    if let Some(nat) = route["natGatewayId"].as_str() {
        return ctx.get("ec2.natgateway", nat).is_none_or(|n| n.text("state") == "deleted");
    }
    match route["gatewayId"].as_str() {
        Some(id) if id.starts_with("igw-") => {
            ctx.get("ec2.internet-gateway", id).is_none_or(|gateway| !attached_to(&gateway, vpc))
        }
        _ => false,
    }
}

/// Where a request's route leads: the member that names the destination, and its value.
fn destination(input: &Input) -> Result<String, ApiError> {
    match input.opt_str("DestinationCidrBlock") {
        Some(cidr) => Ok(network(cidr)?.to_string()),
        None if input.has("DestinationIpv6CidrBlock") || input.has("DestinationPrefixListId") => {
            Err(ApiError::not_simulated("routes to IPv6 blocks or prefix lists"))
        }
        None => Err(input.missing("DestinationCidrBlock")),
    }
}

/// The gateway that a request names, when it is there and reachable from the table's VPC.
fn target(ctx: &Ctx<'_>, input: &Input, table: &Resource) -> Result<(&'static str, String), ApiError> {
    match (input.opt_str("GatewayId"), input.opt_str("NatGatewayId")) {
        (Some(id), None) if id.starts_with("igw-") => {
            let missing = || refuse("InvalidGatewayID.NotFound", format!("The gateway ID '{id}' does not exist"));
            let gateway = ctx.usable(GATEWAY.kind, id).ok_or_else(missing)?;
            if attached_to(&gateway, table.text("vpcId")) {
                return Ok(("gatewayId", id.to_owned()));
            }
            let message = format!("route table {} and network gateway {id} belong to different networks", table.id);
            Err(refuse("InvalidParameterValue", message))
        }
        (Some(id), None) => Err(ApiError::not_simulated(format!("routes to {id}"))),
        (None, Some(id)) => {
            let missing = || refuse("InvalidNatGatewayID.NotFound", format!("The natGateway ID '{id}' does not exist"));
            let nat =
                ctx.usable("ec2.natgateway", id).filter(|n| n.text("state") == "available").ok_or_else(missing)?;
            if nat.text("vpcId") == table.text("vpcId") {
                return Ok(("natGatewayId", id.to_owned()));
            }
            let message = format!("route table {} and NAT gateway {id} belong to different networks", table.id);
            Err(refuse("InvalidParameterValue", message))
        }
        (None, None) => Err(refuse("MissingParameter", "The request must contain a target for the route")),
        (Some(_), Some(_)) => Err(refuse("InvalidParameterCombination", "Exactly one target must be given")),
    }
}

fn position(table: &Resource, destination: &str) -> Option<usize> {
    table.items("routeSet").iter().position(|r| r["destinationCidrBlock"] == destination)
}

pub(crate) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let table = TABLE.used(ctx, input.str("RouteTableId")?)?;
    tags::authorise_on(ctx, "CreateRoute", &TABLE, &table)?;
    let destination = destination(input)?;
    let (member, id) = target(ctx, input, &table)?;
    if position(&table, &destination).is_some() {
        let message = format!("The route identified by {destination} already exists.");
        return Err(refuse("RouteAlreadyExists", message));
    }
    // <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>
    if table.items("routeSet").len() >= 500 {
        return Err(refuse("RouteLimitExceeded", "The maximum number of routes has been reached."));
    }
    let route = json!({"destinationCidrBlock": destination, member: id, "origin": "CreateRoute", "state": "active"});
    ctx.update("ec2.route-table", &table.id, |t| t.list_mut("routeSet").push(route));
    done()
}

pub(crate) fn replace(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let table = TABLE.used(ctx, input.str("RouteTableId")?)?;
    tags::authorise_on(ctx, "ReplaceRoute", &TABLE, &table)?;
    let destination = destination(input)?;
    let (member, id) = target(ctx, input, &table)?;
    let at = position(&table, &destination).ok_or_else(|| {
        let message =
            format!("There is no route defined for '{destination}' in the route table. Use CreateRoute instead.");
        refuse("InvalidParameterValue", message)
    })?;
    let route = json!({"destinationCidrBlock": destination, member: id, "origin": "CreateRoute", "state": "active"});
    ctx.update("ec2.route-table", &table.id, |t| {
        if let Some(slot) = t.list_mut("routeSet").get_mut(at) {
            *slot = route;
        }
    });
    done()
}

pub(crate) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let table = TABLE.used(ctx, input.str("RouteTableId")?)?;
    tags::authorise_on(ctx, "DeleteRoute", &TABLE, &table)?;
    let destination = destination(input)?;
    let at = position(&table, &destination).ok_or_else(|| {
        let message = format!("no route with destination-cidr-block {destination} in route table {}", table.id);
        refuse("InvalidRoute.NotFound", message)
    })?;
    if table.items("routeSet")[at]["gatewayId"] == "local" {
        let message = format!("cannot remove local route {destination} in route table {}", table.id);
        return Err(refuse("InvalidParameterValue", message));
    }
    ctx.update("ec2.route-table", &table.id, |t| {
        t.list_mut("routeSet").remove(at);
    });
    done()
}
