//! Elastic IP addresses.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/elastic-ip-addresses-eip.html>

use serde_json::{Value, json};

use super::{Noun, describe, done, tags};
use crate::account::{Ctx, Quota};
use crate::authorise::Grant;
use crate::error::{Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;

pub(crate) static ADDRESS: Noun = Noun {
    kind: "ec2.elastic-ip",
    resource_type: "elastic-ip",
    prefix: "eipalloc",
    set: "addressesSet",
    ids: "AllocationId",
    id_attr: "allocationId",
    not_found: "InvalidAllocationID.NotFound",
    malformed: "InvalidAllocationID.Malformed",
    label: "allocation ID",
    filters: &[
        ("allocation-id", "allocationId"),
        ("association-id", "associationId"),
        ("public-ip", "publicIp"),
        ("domain", "domain"),
        ("network-interface-id", "networkInterfaceId"),
        ("private-ip-address", "privateIpAddress"),
        ("instance-id", "instanceId"),
        ("network-border-group", "networkBorderGroup"),
    ],
};

/// A new address, not yet in the account.
pub(crate) fn fresh(ctx: &mut Ctx<'_>) -> Resource {
    let id = ctx.new_id("eipalloc");
    let public = format!(
        "54.{}.{}.{}",
        80 + ctx.account.rng.below(100),
        ctx.account.rng.below(256),
        1 + ctx.account.rng.below(254)
    );
    let attrs = json!({
        "publicIp": public, "domain": "vpc", "publicIpv4Pool": "amazon", "networkBorderGroup": ctx.account.region,
    });
    ctx.resource("ec2.elastic-ip", id, attrs)
}

pub(crate) fn allocate(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = tags::requested(input, &ADDRESS)?;
    tags::authorise_create(ctx, "AllocateAddress", &ADDRESS, &tags)?;
    if let Some(domain) = input.opt_str("Domain")
        && domain != "vpc"
    {
        return Err(input.invalid("Domain", &Value::from(domain)));
    }
    // <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/elastic-ip-addresses-eip.html#using-instance-addressing-limit>
    let have = ctx.those("ec2.elastic-ip", |a| !a.aws_made).len();
    if i64::try_from(have).is_ok_and(|have| have >= ctx.quota(Quota::ElasticIps)) {
        return Err(refuse("AddressLimitExceeded", "The maximum number of addresses has been reached."));
    }
    let mut address = fresh(ctx);
    address.tags = tags;
    let mut answer = describe::shown(&ADDRESS, &address);
    if let Some(map) = answer.as_object_mut() {
        map.remove("tagSet");
    }
    ctx.insert(address);
    Ok(answer)
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let public = input.strings("PublicIp");
    let mut answer = describe::describe(ctx, input, &ADDRESS)?;
    if let Some(addresses) = answer["addressesSet"].as_array_mut().filter(|_| !public.is_empty()) {
        addresses.retain(|a| a["publicIp"].as_str().is_some_and(|ip| public.iter().any(|p| p == ip)));
        if addresses.is_empty() {
            return Err(refuse("InvalidAddress.NotFound", format!("Address '{}' not found.", public.join(", "))));
        }
    }
    Ok(answer)
}

/// Reverse DNS names, of which nobody here has one.
pub(crate) fn describe_attribute(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["Attribute", "MaxResults", "NextToken"]);
    for id in input.strings("AllocationId") {
        ctx.visible_one("ec2.elastic-ip", &id).ok_or_else(|| ADDRESS.not_found(&id))?;
    }
    Ok(json!({"addressSet": []}))
}

pub(crate) fn release(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("AllocationId")?;
    input.ignore(&["NetworkBorderGroup"]);
    let address = ADDRESS.used(ctx, id)?;
    tags::authorise_on(ctx, "ReleaseAddress", &ADDRESS, &address)?;
    let public = address.text("publicIp").to_owned();
    // Addresses of a NAT gateway stay with it until it is deleted, not merely deleting:
    // <https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-working-with.html#nat-gateway-delete>
    if address.aws_made || (address.attrs.contains_key("associationId") && ctx.account.rng.chance(0.5)) {
        let message = format!("You do not have permission to access the specified resource: {public}.");
        return Err(refuse("AuthFailure", message));
    }
    if address.attrs.contains_key("associationId") {
        return Err(refuse("InvalidIPAddress.InUse", format!("Address {public} is in use.")));
    }
    ctx.remove("ec2.elastic-ip", id);
    done()
}

/// Addresses are associated with NAT gateways only, and those do not let go of them.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateAddress.html>
pub(crate) fn disassociate(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("AssociationId")?;
    ctx.authorise(Grant::new("ec2:DisassociateAddress", ADDRESS.arn(ctx, "*")))?;
    if ctx.those("ec2.elastic-ip", |a| a.text("associationId") == id).is_empty() {
        let message = format!("The association ID '{id}' does not exist");
        return Err(refuse("InvalidAssociationID.NotFound", message));
    }
    Err(refuse("AuthFailure", "You do not have permission to access the specified resource."))
}
