//! VPCs, and what AWS makes with each.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html>

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::{Noun, acl, describe, done, gateway, in_use, route_table, security_group, tags};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;

pub(crate) static VPC: Noun = Noun {
    kind: "ec2.vpc",
    resource_type: "vpc",
    prefix: "vpc",
    set: "vpcSet",
    ids: "VpcId",
    id_attr: "vpcId",
    not_found: "InvalidVpcID.NotFound",
    malformed: "InvalidVpcID.Malformed",
    label: "vpc ID",
    filters: &[
        ("vpc-id", "vpcId"),
        ("cidr", "cidrBlock"),
        ("cidr-block", "cidrBlock"),
        ("cidr-block-association.cidr-block", "cidrBlockAssociationSet.cidrBlock"),
        ("cidr-block-association.association-id", "cidrBlockAssociationSet.associationId"),
        ("dhcp-options-id", "dhcpOptionsId"),
        ("is-default", "isDefault"),
        ("isDefault", "isDefault"),
        ("owner-id", "ownerId"),
        ("state", "state"),
    ],
};

/// Reads a CIDR block. AWS makes it canonical instead of refusing host bits.
pub(crate) fn network(text: &str) -> Result<Ipv4Net, ApiError> {
    let parsed: Result<Ipv4Net, _> = text.parse();
    parsed.map(|net| net.trunc()).map_err(|_| {
        let message = format!("Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block.");
        refuse("InvalidParameterValue", message)
    })
}

pub(crate) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = tags::requested(input, &VPC)?;
    tags::authorise_create(ctx, "CreateVpc", &VPC, &tags)?;
    let net = network(input.str("CidrBlock")?)?;
    let cidr = net.to_string();
    // <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>
    if !(16..=28).contains(&net.prefix_len()) {
        return Err(refuse("InvalidVpc.Range", format!("The CIDR '{cidr}' is invalid.")));
    }
    if input.bool_or("AmazonProvidedIpv6CidrBlock", false)? {
        return Err(ApiError::not_simulated("IPv6 blocks of VPCs"));
    }
    let tenancy = input.opt_str("InstanceTenancy").unwrap_or("default").to_owned();
    // <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>
    if ctx.all("ec2.vpc").len() >= 5 {
        return Err(refuse("VpcLimitExceeded", "The maximum number of VPCs has been reached."));
    }
    let id = ctx.new_id("vpc");
    let association = ctx.new_id("vpc-cidr-assoc");
    let mut vpc = ctx.resource("ec2.vpc", &id, json!({
        "state": "pending",
        "cidrBlock": cidr,
        "dhcpOptionsId": dhcp_options(ctx),
        "instanceTenancy": tenancy,
        "isDefault": false,
        "ownerId": ctx.account.id,
        "cidrBlockAssociationSet": [{"associationId": association, "cidrBlock": cidr, "cidrBlockState": {"state": "associated"}}],
        "_enableDnsSupport": true,
        "_enableDnsHostnames": false,
        "_enableNetworkAddressUsageMetrics": false,
    }));
    vpc.tags = tags;
    let mut answer = describe::shown(&VPC, &vpc);
    // Creation answers the empty list, descriptions leave it out.
    answer["ipv6CidrBlockAssociationSet"] = json!([]);
    // The answer says pending; no reader ever sees that last.
    vpc.set("state", "available");
    ctx.insert(vpc);
    acl::make_default(ctx, &id);
    route_table::make_main(ctx, &id, &cidr);
    security_group::make_default(ctx, &id);
    Ok(json!({"vpc": answer}))
}

/// The account's default DHCP options, the same for all VPCs.
fn dhcp_options(ctx: &Ctx<'_>) -> String {
    format!("dopt-0{:016x}", crate::rng::rank(ctx.account.seed, "dhcp options"))
}

pub(crate) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("VpcId")?;
    let vpc = VPC.used(ctx, id)?;
    tags::authorise_on(ctx, "DeleteVpc", &VPC, &vpc)?;
    if has_dependencies(ctx, id) {
        return Err(in_use(format!("The vpc '{id}' has dependencies and cannot be deleted.")));
    }
    for group in ctx.those("ec2.security-group", |r| r.text("vpcId") == id) {
        security_group::remove(ctx, &group.id);
    }
    for kind in ["ec2.route-table", "ec2.network-acl"] {
        for resource in ctx.those(kind, |r| r.text("vpcId") == id) {
            ctx.remove(kind, &resource.id);
        }
    }
    ctx.remove("ec2.vpc", id);
    done()
}

/// Whether anything is left in a VPC besides what AWS made with it.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html>
fn has_dependencies(ctx: &Ctx<'_>, id: &str) -> bool {
    let inside = |r: &Resource| r.text("vpcId") == id && !r.flag("_gone");
    let main = |r: &Resource| r.items("associationSet").iter().any(|a| a["main"] == true);
    let kinds = ["ec2.subnet", "ec2.network-interface", "ec2.vpc-endpoint", "ec2.natgateway"];
    kinds.iter().any(|kind| !ctx.those(kind, inside).is_empty())
        || ctx.all("ec2.internet-gateway").iter().any(|g| gateway::attached_to(g, id))
        || !ctx.those("ec2.route-table", |r| inside(r) && !main(r)).is_empty()
        || !ctx.those("ec2.security-group", |r| inside(r) && r.text("groupName") != "default").is_empty()
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    describe::describe(ctx, input, &VPC)
}

/// Request parameter, attribute name and hidden field of what only DescribeVpcAttribute shows.
const ATTRIBUTES: &[(&str, &str, &str)] = &[
    ("EnableDnsSupport", "enableDnsSupport", "_enableDnsSupport"),
    ("EnableDnsHostnames", "enableDnsHostnames", "_enableDnsHostnames"),
    ("EnableNetworkAddressUsageMetrics", "enableNetworkAddressUsageMetrics", "_enableNetworkAddressUsageMetrics"),
];

pub(crate) fn modify_attribute(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("VpcId")?;
    let vpc = VPC.used(ctx, id)?;
    tags::authorise_on(ctx, "ModifyVpcAttribute", &VPC, &vpc)?;
    let mut changes = Vec::new();
    for (parameter, _, field) in ATTRIBUTES {
        if let Some(value) = input.object(parameter) {
            changes.push((*field, value.opt_bool("Value")?.ok_or_else(|| value.missing("Value"))?));
        }
    }
    // One attribute at a time: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcAttribute.html>
    let [(field, value)] = changes[..] else {
        return Err(refuse(
            "InvalidParameterCombination",
            "Exactly one attribute must be given: you cannot modify several VPC attributes in one request",
        ));
    };
    ctx.update("ec2.vpc", id, |vpc| vpc.set(field, value));
    done()
}

pub(crate) fn describe_attribute(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("VpcId")?;
    VPC.well_formed(id)?;
    let vpc = ctx.visible_one("ec2.vpc", id).ok_or_else(|| VPC.not_found(id))?;
    let asked = input.str("Attribute")?;
    let (_, name, field) = ATTRIBUTES
        .iter()
        .find(|(_, name, _)| *name == asked)
        .ok_or_else(|| input.invalid("Attribute", &Value::from(asked)))?;
    Ok(json!({"vpcId": id, *name: {"value": vpc.flag(field)}}))
}
