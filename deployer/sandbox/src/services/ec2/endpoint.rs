//! VPC endpoints: gateways to S3 and DynamoDB, interfaces to other services.
//! <https://docs.aws.amazon.com/vpc/latest/privatelink/concepts.html>

use std::time::Duration;

use serde_json::{Value, json};

use super::route_table::TABLE;
use super::security_group::GROUP;
use super::subnet::SUBNET;
use super::vpc::VPC;
use super::{Noun, describe, done, interface, prefix_list, tags};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Timer};
use crate::wire::iso_millis;

pub(crate) static ENDPOINT: Noun = Noun {
    kind: "ec2.vpc-endpoint",
    resource_type: "vpc-endpoint",
    prefix: "vpce",
    set: "vpcEndpointSet",
    ids: "VpcEndpointId",
    id_attr: "vpcEndpointId",
    not_found: "InvalidVpcEndpointId.NotFound",
    malformed: "InvalidVpcEndpointId.Malformed",
    label: "Vpc Endpoint Id",
    filters: &[
        ("vpc-endpoint-id", "vpcEndpointId"),
        ("vpc-id", "vpcId"),
        ("service-name", "serviceName"),
        ("service-region", "serviceRegion"),
        ("vpc-endpoint-state", "state"),
        ("vpc-endpoint-type", "vpcEndpointType"),
        ("ip-address-type", "ipAddressType"),
    ],
};

/// Typical times for an interface endpoint to be available, and to be gone with its interfaces.
const CREATION: Duration = Duration::from_secs(75);
const DELETION: Duration = Duration::from_secs(60);

/// Everything allowed, as AWS writes the policy that nobody sent.
const OPEN: &str = "{\"Version\":\"2008-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}]}";

/// The services of interface endpoints that are known here.
const SERVICES: &[&str] = &[
    "ecr.api",
    "ecr.dkr",
    "ecs",
    "ecs-agent",
    "ecs-telemetry",
    "logs",
    "monitoring",
    "ssm",
    "ssmmessages",
    "ec2messages",
    "ec2",
    "secretsmanager",
    "kms",
    "sts",
    "sqs",
    "sns",
    "events",
    "lambda",
    "elasticloadbalancing",
    "autoscaling",
    "rds",
    "s3",
    "xray",
    "execute-api",
];

/// The short name of a service that is known, such as `ecr.api`.
fn known_service(ctx: &Ctx<'_>, name: &str) -> Result<String, ApiError> {
    let prefix = format!("com.amazonaws.{}.", ctx.account.region);
    let short = name.strip_prefix(&prefix).filter(|s| SERVICES.contains(s) || prefix_list::of_service(s).is_some());
    short
        .map(str::to_owned)
        .ok_or_else(|| refuse("InvalidServiceName", format!("The Vpc Endpoint Service '{name}' does not exist")))
}

pub(crate) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let vpc = VPC.used(ctx, input.str("VpcId")?)?;
    let tags = tags::requested(input, &ENDPOINT)?;
    tags::authorise_create(ctx, "CreateVpcEndpoint", &ENDPOINT, &tags)?;
    tags::authorise_on(ctx, "CreateVpcEndpoint", &VPC, &vpc)?;
    let token = input.opt_str("ClientToken");
    if let Some(known) = ctx.token("CreateVpcEndpoint", token, input)?.and_then(|id| ctx.get("ec2.vpc-endpoint", &id)) {
        return Ok(json!({"vpcEndpoint": describe::shown(&ENDPOINT, &known), "clientToken": token}));
    }
    let service = known_service(ctx, input.str("ServiceName")?)?;
    let id = ctx.new_id("vpce");
    let mut endpoint = ctx.resource(
        "ec2.vpc-endpoint",
        &id,
        json!({
            "vpcEndpointType": input.opt_str("VpcEndpointType").unwrap_or("Gateway"),
            "vpcId": vpc.id,
            "serviceName": input.str("ServiceName")?,
            "serviceRegion": ctx.account.region,
            "policyDocument": policy(input)?,
            "ownerId": ctx.account.id,
            "requesterManaged": false,
            "creationTimestamp": iso_millis(ctx.now),
            "routeTableIdSet": [],
            "subnetIdSet": [],
            "groupSet": [],
            "networkInterfaceIdSet": [],
            "dnsEntrySet": [],
            "privateDnsEnabled": false,
        }),
    );
    endpoint.tags = tags;
    match endpoint.text("vpcEndpointType").to_owned().as_str() {
        "Gateway" => gateway(ctx, input, &mut endpoint, &service)?,
        "Interface" => interface_endpoint(ctx, input, &mut endpoint, &service, &vpc)?,
        other => return Err(ApiError::not_simulated(format!("endpoints of type {other}"))),
    }
    ctx.remember("CreateVpcEndpoint", token, input, &id);
    let answer = describe::shown(&ENDPOINT, &endpoint);
    ctx.insert(endpoint);
    Ok(json!({"vpcEndpoint": answer, "clientToken": token}))
}

/// The policy as AWS gives it back: written anew, without the sender's spaces.
fn policy(input: &Input) -> Result<String, ApiError> {
    let Some(text) = input.opt_str("PolicyDocument") else { return Ok(OPEN.to_owned()) };
    let value: Result<Value, _> = serde_json::from_str(text);
    value.map(|v| v.to_string()).map_err(|_| refuse("InvalidParameter", "Policy document is not valid JSON"))
}

fn gateway(ctx: &mut Ctx<'_>, input: &Input, endpoint: &mut Resource, service: &str) -> Result<(), ApiError> {
    let Some(list) = prefix_list::of_service(service) else {
        let message = format!("The service {} has no endpoints of type Gateway", endpoint.text("serviceName"));
        return Err(refuse("InvalidParameter", message));
    };
    if input.bool_or("PrivateDnsEnabled", false)? || input.has("SubnetId") || input.has("SecurityGroupId") {
        let message = "Subnets, security groups and private DNS are for endpoints of type Interface";
        return Err(refuse("InvalidParameter", message));
    }
    for table in input.strings("RouteTableId") {
        add_route(ctx, &table, &endpoint.id, list, "CreateVpcEndpoint")?;
        endpoint.list_mut("routeTableIdSet").push(table.into());
    }
    endpoint.set("state", "available");
    Ok(())
}

fn add_route(ctx: &mut Ctx<'_>, table: &str, endpoint: &str, list: &str, action: &str) -> Result<(), ApiError> {
    let found = TABLE.used(ctx, table)?;
    tags::authorise_on(ctx, action, &TABLE, &found)?;
    if found.items("routeSet").iter().any(|r| r["destinationPrefixListId"] == list) {
        let message = format!("route table {table} already has a route with destination-prefix-list-id {list}");
        return Err(refuse("RouteAlreadyExists", message));
    }
    let route = json!({
        "destinationPrefixListId": list, "gatewayId": endpoint, "origin": "CreateRoute", "state": "active",
    });
    ctx.update("ec2.route-table", table, |t| t.list_mut("routeSet").push(route));
    Ok(())
}

fn remove_route(ctx: &mut Ctx<'_>, table: &str, endpoint: &str) {
    ctx.update("ec2.route-table", table, |t| t.list_mut("routeSet").retain(|r| r["gatewayId"] != endpoint));
}

fn interface_endpoint(
    ctx: &mut Ctx<'_>,
    input: &Input,
    endpoint: &mut Resource,
    service: &str,
    vpc: &Resource,
) -> Result<(), ApiError> {
    let private = input.bool_or("PrivateDnsEnabled", true)?;
    private_dns(ctx, endpoint, vpc, private)?;
    let mut groups = input.strings("SecurityGroupId");
    for id in &groups {
        let group = GROUP.used(ctx, id)?;
        tags::authorise_on(ctx, "CreateVpcEndpoint", &GROUP, &group)?;
    }
    if groups.is_empty() {
        let default = |g: &Resource| g.text("vpcId") == vpc.id && g.text("groupName") == "default";
        groups.extend(ctx.those("ec2.security-group", default).iter().map(|g| g.id.clone()));
    }
    set_groups(ctx, endpoint, &groups);
    for subnet in input.strings("SubnetId") {
        add_subnet(ctx, endpoint, &subnet, "CreateVpcEndpoint")?;
    }
    endpoint.set("ipAddressType", input.opt_str("IpAddressType").unwrap_or("ipv4"));
    let options = input.object("DnsOptions");
    let kind = options.as_ref().and_then(|o| o.opt_str("DnsRecordIpType")).unwrap_or("ipv4");
    endpoint.set("dnsOptions", json!({"dnsRecordIpType": kind}));
    let suffix = ctx.account.rng.hex(8);
    let host = format!("{service}.{}.vpce.amazonaws.com", ctx.account.region);
    endpoint.set(
        "dnsEntrySet",
        json!([{"dnsName": format!("{}-{suffix}.{host}", endpoint.id), "hostedZoneId": "Z7HUB22UULQXV"}]),
    );
    endpoint.set("state", "pending");
    ctx.after(CREATION, "ec2.vpc-endpoint", &endpoint.id, "created");
    Ok(())
}

/// <https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html>
fn private_dns(ctx: &Ctx<'_>, endpoint: &mut Resource, vpc: &Resource, wanted: bool) -> Result<(), ApiError> {
    if wanted && !(vpc.flag("_enableDnsSupport") && vpc.flag("_enableDnsHostnames")) {
        let message =
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true";
        return Err(refuse("InvalidParameter", format!("{message} for {}", vpc.id)));
    }
    let rival = |e: &Resource| {
        e.id != endpoint.id
            && e.text("vpcId") == vpc.id
            && e.text("serviceName") == endpoint.text("serviceName")
            && e.flag("privateDnsEnabled")
    };
    if wanted && !ctx.those("ec2.vpc-endpoint", rival).is_empty() {
        let message = "private-dns-enabled cannot be set because there is already a conflicting DNS domain in the VPC";
        return Err(refuse("InvalidParameter", format!("{message} {}", vpc.id)));
    }
    endpoint.set("privateDnsEnabled", wanted);
    Ok(())
}

fn set_groups(ctx: &Ctx<'_>, endpoint: &mut Resource, groups: &[String]) {
    let named = |id: &String| {
        let name = ctx.get("ec2.security-group", id).map(|g| g.text("groupName").to_owned());
        json!({"groupId": id, "groupName": name})
    };
    endpoint.set("groupSet", groups.iter().map(named).collect::<Vec<_>>());
}

fn add_subnet(ctx: &mut Ctx<'_>, endpoint: &mut Resource, subnet: &str, action: &str) -> Result<(), ApiError> {
    let found = SUBNET.used(ctx, subnet)?;
    tags::authorise_on(ctx, action, &SUBNET, &found)?;
    let zone_of = |id: &Value| {
        ctx.get("ec2.subnet", id.as_str().unwrap_or_default()).map(|s| s.text("availabilityZone").to_owned())
    };
    if endpoint.items("subnetIdSet").iter().any(|id| zone_of(id).as_deref() == Some(found.text("availabilityZone"))) {
        let message = format!(
            "Found another VPC endpoint subnet in the availability zone of {subnet}. VPC endpoint subnets should be in different availability zones supported by the VPC endpoint service."
        );
        return Err(refuse("DuplicateSubnetsInSameZone", message));
    }
    let groups: Vec<String> =
        endpoint.items("groupSet").iter().filter_map(|g| g["groupId"].as_str().map(str::to_owned)).collect();
    let wanted = interface::Wanted {
        owner: &endpoint.id.clone(),
        subnet,
        groups: &groups,
        interface_type: "vpc_endpoint",
        description: &format!("VPC Endpoint Interface {}", endpoint.id),
        requester: "amazon-aws",
    };
    let made = interface::make(ctx, &wanted)?;
    endpoint.list_mut("subnetIdSet").push(subnet.into());
    endpoint.list_mut("networkInterfaceIdSet").push(made.id.into());
    Ok(())
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    describe::describe(ctx, input, &ENDPOINT)
}

pub(crate) fn modify(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("VpcEndpointId")?;
    let current = ENDPOINT.used(ctx, id)?;
    tags::authorise_on(ctx, "ModifyVpcEndpoint", &ENDPOINT, &current)?;
    let mut endpoint = Resource::clone(&current);
    if input.bool_or("ResetPolicy", false)? {
        endpoint.set("policyDocument", OPEN);
    } else if input.has("PolicyDocument") {
        endpoint.set("policyDocument", policy(input)?);
    }
    for table in input.strings("RemoveRouteTableId") {
        remove_route(ctx, &table, id);
        endpoint.list_mut("routeTableIdSet").retain(|t| *t != table);
    }
    let service = known_service(ctx, endpoint.text("serviceName"))?;
    for table in input.strings("AddRouteTableId") {
        add_route(ctx, &table, id, prefix_list::of_service(&service).unwrap_or_default(), "ModifyVpcEndpoint")?;
        endpoint.list_mut("routeTableIdSet").push(table.into());
    }
    if let Some(wanted) = input.opt_bool("PrivateDnsEnabled")? {
        let vpc = VPC.used(ctx, endpoint.text("vpcId"))?;
        private_dns(ctx, &mut endpoint, &vpc, wanted)?;
    }
    modify_groups(ctx, input, &mut endpoint)?;
    for subnet in input.strings("RemoveSubnetId") {
        for eni in ctx.those("ec2.network-interface", |e| e.text("_for") == id && e.text("subnetId") == subnet) {
            ctx.remove("ec2.network-interface", &eni.id);
            endpoint.list_mut("networkInterfaceIdSet").retain(|e| *e != eni.id);
        }
        endpoint.list_mut("subnetIdSet").retain(|s| *s != subnet);
    }
    for subnet in input.strings("AddSubnetId") {
        add_subnet(ctx, &mut endpoint, &subnet, "ModifyVpcEndpoint")?;
    }
    ctx.update("ec2.vpc-endpoint", id, |e| *e = endpoint);
    done()
}

fn modify_groups(ctx: &mut Ctx<'_>, input: &Input, endpoint: &mut Resource) -> Result<(), ApiError> {
    let (added, removed) = (input.strings("AddSecurityGroupId"), input.strings("RemoveSecurityGroupId"));
    if added.is_empty() && removed.is_empty() {
        return Ok(());
    }
    let mut groups: Vec<String> =
        endpoint.items("groupSet").iter().filter_map(|g| g["groupId"].as_str().map(str::to_owned)).collect();
    groups.retain(|group| !removed.contains(group));
    for id in added {
        let group = GROUP.used(ctx, &id)?;
        tags::authorise_on(ctx, "ModifyVpcEndpoint", &GROUP, &group)?;
        if !groups.contains(&id) {
            groups.push(id);
        }
    }
    set_groups(ctx, endpoint, &groups);
    let set = endpoint.attrs.get("groupSet").cloned().unwrap_or_default();
    for eni in ctx.those("ec2.network-interface", |e| e.text("_for") == endpoint.id) {
        ctx.update("ec2.network-interface", &eni.id, |e| e.set("groupSet", set.clone()));
    }
    Ok(())
}

/// Ids that do not exist are reported in the answer, not as an error.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpcEndpoints.html>
pub(crate) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let ids = input.strings("VpcEndpointId");
    if ids.is_empty() {
        return Err(input.missing("VpcEndpointId"));
    }
    let mut failed = Vec::new();
    for id in ids {
        let endpoint = match ENDPOINT.used(ctx, &id) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                let arn = ENDPOINT.arn(ctx, &id);
                ctx.authorise(crate::authorise::Grant::new("ec2:DeleteVpcEndpoints", arn))?;
                // The code of this bulk request is not that of the others:
                // <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>
                let code = error.code.replace("EndpointId.NotFound", "Endpoint.NotFound");
                failed.push(json!({"resourceId": id, "error": {"code": code, "message": error.message}}));
                continue;
            }
        };
        tags::authorise_on(ctx, "DeleteVpcEndpoints", &ENDPOINT, &endpoint)?;
        for table in endpoint.items("routeTableIdSet") {
            remove_route(ctx, table.as_str().unwrap_or_default(), &id);
        }
        ctx.update("ec2.vpc-endpoint", &id, |e| {
            e.set("state", "deleting");
            e.set("routeTableIdSet", json!([]));
        });
        let typical = if endpoint.text("vpcEndpointType") == "Gateway" { Duration::from_secs(2) } else { DELETION };
        ctx.after(typical, "ec2.vpc-endpoint", &id, "deleted");
    }
    Ok(json!({"unsuccessful": failed}))
}

pub(crate) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    let Some(endpoint) = ctx.get("ec2.vpc-endpoint", &timer.id) else { return };
    match (timer.event, endpoint.text("state")) {
        ("created", "pending") => ctx.update("ec2.vpc-endpoint", &timer.id, |e| e.set("state", "available")),
        ("deleted", "deleting") => {
            interface::remove_for(ctx, &timer.id);
            ctx.remove("ec2.vpc-endpoint", &timer.id);
        }
        _ => {}
    }
}
