//! Network ACLs: every VPC has a default one that lets everything through.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html>

use serde_json::{Value, json};

use super::{Noun, describe};
use crate::account::Ctx;
use crate::error::Outcome;
use crate::input::Input;
use crate::rng::rank;

pub(crate) static ACL: Noun = Noun {
    kind: "ec2.network-acl",
    resource_type: "network-acl",
    prefix: "acl",
    set: "networkAclSet",
    ids: "NetworkAclId",
    id_attr: "networkAclId",
    not_found: "InvalidNetworkAclID.NotFound",
    malformed: "InvalidNetworkAclId.Malformed",
    label: "networkAcl ID",
    filters: &[
        ("network-acl-id", "networkAclId"),
        ("vpc-id", "vpcId"),
        ("default", "default"),
        ("owner-id", "ownerId"),
        ("association.subnet-id", "associationSet.subnetId"),
        ("association.network-acl-id", "associationSet.networkAclId"),
    ],
};

/// The default ACL of a new VPC.
pub(crate) fn make_default(ctx: &mut Ctx<'_>, vpc: &str) {
    let entry = |number: u32, action: &str, egress: bool| json!({"cidrBlock": "0.0.0.0/0", "protocol": "-1", "ruleAction": action, "ruleNumber": number, "egress": egress});
    let entries = [(100, "allow", true), (32767, "deny", true), (100, "allow", false), (32767, "deny", false)]
        .map(|(number, action, egress)| entry(number, action, egress));
    let id = ctx.new_id("acl");
    let mut acl = ctx.resource(
        "ec2.network-acl",
        id,
        json!({
            "vpcId": vpc, "ownerId": ctx.account.id, "default": true, "entrySet": entries,
        }),
    );
    acl.aws_made = true;
    ctx.insert(acl);
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    describe::describe_as(ctx, input, &ACL, |ctx, acl| {
        let mut value = describe::shown(&ACL, acl);
        // Every subnet is associated with the default ACL, as no other can be made here.
        let subnets = ctx.those("ec2.subnet", |subnet| subnet.text("vpcId") == acl.text("vpcId"));
        value["associationSet"] = subnets
            .iter()
            .map(|subnet| {
                let association = format!("aclassoc-0{:016x}", rank(ctx.account.seed, &subnet.id));
                json!({"networkAclAssociationId": association, "networkAclId": acl.id, "subnetId": subnet.id})
            })
            .collect::<Vec<Value>>()
            .into();
        value
    })
}
