//! Subnets.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html>

use serde_json::{Value, json};

use super::vpc::{VPC, network};
use super::{Noun, describe, done, in_use, interface, route_table, tags, zone};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;

pub(crate) static SUBNET: Noun = Noun {
    kind: "ec2.subnet",
    resource_type: "subnet",
    prefix: "subnet",
    set: "subnetSet",
    ids: "SubnetId",
    id_attr: "subnetId",
    not_found: "InvalidSubnetID.NotFound",
    malformed: "InvalidSubnetID.Malformed",
    label: "subnet ID",
    filters: &[
        ("subnet-id", "subnetId"),
        ("vpc-id", "vpcId"),
        ("availability-zone", "availabilityZone"),
        ("availabilityZone", "availabilityZone"),
        ("availability-zone-id", "availabilityZoneId"),
        ("available-ip-address-count", "availableIpAddressCount"),
        ("cidr-block", "cidrBlock"),
        ("cidr", "cidrBlock"),
        ("cidrBlock", "cidrBlock"),
        ("default-for-az", "defaultForAz"),
        ("defaultForAz", "defaultForAz"),
        ("map-public-ip-on-launch", "mapPublicIpOnLaunch"),
        ("owner-id", "ownerId"),
        ("state", "state"),
        ("subnet-arn", "subnetArn"),
    ],
};

pub(crate) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let vpc = VPC.used(ctx, input.str("VpcId")?)?;
    let tags = tags::requested(input, &SUBNET)?;
    tags::authorise_create(ctx, "CreateSubnet", &SUBNET, &tags)?;
    tags::authorise_on(ctx, "CreateSubnet", &VPC, &vpc)?;
    let cidr = network(input.str("CidrBlock")?)?;
    fits(ctx, &vpc, cidr)?;
    let zone = zone::chosen(ctx, input)?;
    let id = ctx.new_id("subnet");
    let mut subnet = ctx.resource(
        "ec2.subnet",
        &id,
        json!({
            "subnetArn": SUBNET.arn(ctx, &id),
            "vpcId": vpc.id,
            "cidrBlock": cidr.to_string(),
            "availabilityZone": zone.name,
            "availabilityZoneId": zone.id,
            "ownerId": ctx.account.id,
            "state": "available",
            "defaultForAz": false,
            "mapPublicIpOnLaunch": false,
            "mapCustomerOwnedIpOnLaunch": false,
            "assignIpv6AddressOnCreation": false,
            "ipv6CidrBlockAssociationSet": [],
            "enableDns64": false,
            "ipv6Native": false,
            "privateDnsNameOptionsOnLaunch": {
                "hostnameType": "ip-name",
                "enableResourceNameDnsARecord": false,
                "enableResourceNameDnsAAAARecord": false,
            },
            "blockPublicAccessStates": {"internetGatewayBlockMode": "off"},
        }),
    );
    subnet.tags = tags;
    let answer = shown(ctx, &subnet);
    ctx.insert(subnet);
    Ok(json!({"subnet": answer}))
}

/// A subnet lies inside its VPC, beside the others.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html>
fn fits(ctx: &Ctx<'_>, vpc: &Resource, cidr: ipnet::Ipv4Net) -> Result<(), ApiError> {
    let whole = network(vpc.text("cidrBlock"))?;
    if !(16..=28).contains(&cidr.prefix_len()) || !whole.contains(&cidr) {
        return Err(refuse("InvalidSubnet.Range", format!("The CIDR '{cidr}' is invalid.")));
    }
    for other in ctx.those("ec2.subnet", |s| s.text("vpcId") == vpc.id) {
        let taken = network(other.text("cidrBlock"))?;
        if taken.contains(&cidr) || cidr.contains(&taken) {
            return Err(refuse("InvalidSubnet.Conflict", format!("The CIDR '{cidr}' conflicts with another subnet")));
        }
    }
    Ok(())
}

/// With the addresses that are left: AWS keeps five of each subnet for itself.
fn shown(ctx: &Ctx<'_>, subnet: &Resource) -> Value {
    let mut value = describe::shown(&SUBNET, subnet);
    let size = network(subnet.text("cidrBlock")).map_or(0, |net| 1_u64 << (32 - net.prefix_len()));
    let taken = interface::in_subnet(ctx, &subnet.id).len() as u64;
    value["availableIpAddressCount"] = size.saturating_sub(5 + taken).into();
    value
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    describe::describe_as(ctx, input, &SUBNET, shown)
}

pub(crate) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("SubnetId")?;
    let subnet = SUBNET.used(ctx, id)?;
    tags::authorise_on(ctx, "DeleteSubnet", &SUBNET, &subnet)?;
    // <https://docs.aws.amazon.com/vpc/latest/userguide/subnet-deleting.html>
    if !interface::in_subnet(ctx, id).is_empty() {
        return Err(in_use(format!("The subnet '{id}' has dependencies and cannot be deleted.")));
    }
    route_table::forget_subnet(ctx, id);
    ctx.remove("ec2.subnet", id);
    done()
}

pub(crate) fn modify_attribute(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("SubnetId")?;
    let subnet = SUBNET.used(ctx, id)?;
    tags::authorise_on(ctx, "ModifySubnetAttribute", &SUBNET, &subnet)?;
    let mut changes: Vec<(&str, Value)> = Vec::new();
    if let Some(value) = input.object("MapPublicIpOnLaunch") {
        changes.push(("mapPublicIpOnLaunch", value.bool_or("Value", false)?.into()));
    }
    let mut options = subnet.attrs.get("privateDnsNameOptionsOnLaunch").cloned().unwrap_or_else(|| json!({}));
    let before = options.clone();
    if let Some(kind) = input.opt_str("PrivateDnsHostnameTypeOnLaunch") {
        options["hostnameType"] = kind.into();
    }
    if let Some(value) = input.object("EnableResourceNameDnsARecordOnLaunch") {
        options["enableResourceNameDnsARecord"] = value.bool_or("Value", false)?.into();
    }
    if options != before {
        changes.push(("privateDnsNameOptionsOnLaunch", options));
    }
    // One attribute at a time: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySubnetAttribute.html>
    if changes.len() > 1 {
        let message = "Only one attribute can be modified at a time";
        return Err(refuse("InvalidParameterCombination", message));
    }
    for (name, value) in changes {
        ctx.update("ec2.subnet", id, |subnet| subnet.set(name, value));
    }
    done()
}
