//! Internet gateways.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html>

use serde_json::json;

use super::vpc::VPC;
use super::{Noun, describe, done, in_use, tags};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;

pub(crate) static GATEWAY: Noun = Noun {
    kind: "ec2.internet-gateway",
    resource_type: "internet-gateway",
    prefix: "igw",
    set: "internetGatewaySet",
    ids: "InternetGatewayId",
    id_attr: "internetGatewayId",
    not_found: "InvalidInternetGatewayID.NotFound",
    malformed: "InvalidInternetGatewayId.Malformed",
    label: "internetGateway ID",
    filters: &[
        ("internet-gateway-id", "internetGatewayId"),
        ("attachment.vpc-id", "attachmentSet.vpcId"),
        ("attachment.state", "attachmentSet.state"),
        ("owner-id", "ownerId"),
    ],
};

/// Whether the gateway hangs on the VPC.
pub(crate) fn attached_to(gateway: &Resource, vpc: &str) -> bool {
    gateway.items("attachmentSet").iter().any(|a| a["vpcId"] == vpc)
}

/// Whether readers see an internet gateway on the VPC; just after the attachment they may not.
pub(crate) fn reaches_internet(ctx: &Ctx<'_>, vpc: &str) -> bool {
    ctx.visible("ec2.internet-gateway").iter().any(|gateway| attached_to(gateway, vpc))
}

pub(crate) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = tags::requested(input, &GATEWAY)?;
    tags::authorise_create(ctx, "CreateInternetGateway", &GATEWAY, &tags)?;
    // <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>
    if ctx.all("ec2.internet-gateway").len() >= 5 {
        let message = "The maximum number of internet gateways has been reached.";
        return Err(refuse("InternetGatewayLimitExceeded", message));
    }
    let id = ctx.new_id("igw");
    let attrs = json!({"attachmentSet": [], "ownerId": ctx.account.id});
    let mut gateway = ctx.resource("ec2.internet-gateway", id, attrs);
    gateway.tags = tags;
    let answer = describe::shown(&GATEWAY, &gateway);
    ctx.insert(gateway);
    Ok(json!({"internetGateway": answer}))
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    describe::describe(ctx, input, &GATEWAY)
}

pub(crate) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("InternetGatewayId")?;
    let gateway = GATEWAY.used(ctx, id)?;
    tags::authorise_on(ctx, "DeleteInternetGateway", &GATEWAY, &gateway)?;
    if !gateway.items("attachmentSet").is_empty() {
        return Err(in_use(format!("The internetGateway '{id}' has dependencies and cannot be deleted.")));
    }
    ctx.remove("ec2.internet-gateway", id);
    done()
}

pub(crate) fn attach(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("InternetGatewayId")?;
    let gateway = GATEWAY.used(ctx, id)?;
    let vpc = VPC.used(ctx, input.str("VpcId")?)?;
    tags::authorise_on(ctx, "AttachInternetGateway", &GATEWAY, &gateway)?;
    tags::authorise_on(ctx, "AttachInternetGateway", &VPC, &vpc)?;
    if let Some(attachment) = gateway.items("attachmentSet").first() {
        let at = attachment["vpcId"].as_str().unwrap_or_default();
        return Err(refuse("Resource.AlreadyAssociated", format!("resource {id} is already attached to network {at}")));
    }
    if ctx.all("ec2.internet-gateway").iter().any(|g| attached_to(g, &vpc.id)) {
        let message = format!("Network {} already has an internet gateway attached", vpc.id);
        return Err(refuse("InvalidParameterValue", message));
    }
    let attachment = json!([{"state": "available", "vpcId": vpc.id}]);
    ctx.update("ec2.internet-gateway", id, |g| g.set("attachmentSet", attachment));
    done()
}

pub(crate) fn detach(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("InternetGatewayId")?;
    let gateway = GATEWAY.used(ctx, id)?;
    let vpc = VPC.used(ctx, input.str("VpcId")?)?;
    tags::authorise_on(ctx, "DetachInternetGateway", &GATEWAY, &gateway)?;
    tags::authorise_on(ctx, "DetachInternetGateway", &VPC, &vpc)?;
    if !attached_to(&gateway, &vpc.id) {
        return Err(refuse("Gateway.NotAttached", format!("resource {id} is not attached to network {}", vpc.id)));
    }
    no_public_addresses(ctx, &vpc)?;
    ctx.update("ec2.internet-gateway", id, |g| g.set("attachmentSet", json!([])));
    done()
}

/// <https://docs.aws.amazon.com/vpc/latest/userguide/delete-igw.html>
fn no_public_addresses(ctx: &Ctx<'_>, vpc: &Resource) -> Result<(), ApiError> {
    let mapped = |r: &Resource| r.text("vpcId") == vpc.id && r.attrs.contains_key("association");
    let regional = |r: &Resource| {
        r.text("vpcId") == vpc.id && r.text("availabilityMode") == "regional" && r.text("state") != "deleted"
    };
    let interfaces = ctx.those("ec2.network-interface", mapped);
    if interfaces.is_empty() && ctx.those("ec2.natgateway", regional).is_empty() {
        return Ok(());
    }
    let message =
        "has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.";
    Err(in_use(format!("Network {} {message}", vpc.id)))
}
