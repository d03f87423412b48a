//! Subnet groups.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSubnetGroup.html>

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Noun, answer, filters, invalid, paged, tags};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::rng::rank;
use crate::services::shared::shown;
use crate::store::Resource;

pub(super) static GROUP: Noun = Noun {
    kind: "rds.subnet-group",
    resource_type: "subgrp",
    not_found: "DBSubnetGroupNotFoundFault",
    words: ("DB subnet group '", "' does not exist."),
};

fn named(input: &Input) -> Result<String, ApiError> {
    let name = input.str("DBSubnetGroupName")?.to_ascii_lowercase();
    let fine = name.len() <= 255
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b' ' | b'-'));
    if !fine || name == "default" {
        return Err(invalid(format!("The parameter DBSubnetGroupName is not a valid identifier: {name}")));
    }
    Ok(name)
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = named(input)?;
    let tags = tags::requested(input)?;
    GROUP.authorise_create(ctx, "CreateDBSubnetGroup", &name, &tags)?;
    let description = input.string("DBSubnetGroupDescription")?;
    let (vpc, subnets) = subnets(ctx, input)?;
    if ctx.get(GROUP.kind, &name).is_some() {
        return Err(refuse("DBSubnetGroupAlreadyExists", format!("The DB subnet group '{name}' already exists.")));
    }
    let mut group = ctx.resource(
        GROUP.kind,
        &name,
        json!({
            "DBSubnetGroupName": name,
            "DBSubnetGroupDescription": description,
            "VpcId": vpc,
            "SubnetGroupStatus": "Complete",
            "Subnets": subnets,
            "DBSubnetGroupArn": GROUP.arn(ctx, &name),
            "SupportedNetworkTypes": ["IPV4"],
        }),
    );
    group.tags = tags;
    let shown = shown(&group);
    ctx.insert(group);
    answer("DBSubnetGroup", shown)
}

/// The subnets asked for, of one VPC and at least two zones, with that VPC.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html>
fn subnets(ctx: &Ctx<'_>, input: &Input) -> Result<(String, Vec<Value>), ApiError> {
    let mut ids = input.strings("SubnetIds");
    ids.sort();
    ids.dedup();
    if ids.is_empty() {
        return Err(input.missing("SubnetIds"));
    }
    let found: Vec<_> = ids.iter().filter_map(|id| ctx.usable("ec2.subnet", id)).collect();
    if found.len() < ids.len() {
        let wrong: Vec<&str> =
            ids.iter().filter(|id| !found.iter().any(|s| s.id == **id)).map(String::as_str).collect();
        return Err(refuse("InvalidSubnet", format!("Some input subnets in :[{}] are invalid.", wrong.join(", "))));
    }
    let vpcs: BTreeSet<&str> = found.iter().map(|subnet| subnet.text("vpcId")).collect();
    let zones: BTreeSet<&str> = found.iter().map(|subnet| subnet.text("availabilityZone")).collect();
    let Some(vpc) = vpcs.first().filter(|_| vpcs.len() == 1) else {
        return Err(invalid("The Subnets provided are in more than one VPC: all subnets of a group must be in one"));
    };
    if zones.len() < 2 {
        return Err(refuse(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            format!(
                "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: {}. Add subnets to cover at least 2 AZs.",
                zones.into_iter().collect::<Vec<_>>().join(", ")
            ),
        ));
    }
    let mut listed: Vec<(u64, Value)> = found
        .iter()
        .map(|subnet| {
            (
                rank(ctx.account.seed, &subnet.id),
                json!({
                    "SubnetIdentifier": subnet.id,
                    "SubnetAvailabilityZone": {"Name": subnet.text("availabilityZone")},
                    "SubnetOutpost": {},
                    "SubnetStatus": "Active",
                }),
            )
        })
        .collect();
    listed.sort_by_key(|(rank, _)| *rank);
    Ok(((*vpc).to_owned(), listed.into_iter().map(|(_, subnet)| subnet).collect()))
}

/// The subnets of a group as (id, zone).
pub(super) fn places(group: &Resource) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    group
        .items("Subnets")
        .iter()
        .map(|s| (text(&s["SubnetIdentifier"]), text(&s["SubnetAvailabilityZone"]["Name"])))
        .collect()
}

pub(super) fn modify(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = named(input)?;
    let group = GROUP.permitted(ctx, "ModifyDBSubnetGroup", &name)?;
    let description =
        input.opt_str("DBSubnetGroupDescription").unwrap_or(group.text("DBSubnetGroupDescription")).to_owned();
    let (vpc, subnets) = subnets(ctx, input)?;
    if vpc != group.text("VpcId") {
        return Err(invalid("The new Subnets are not in the same Vpc as the existing subnet group"));
    }
    let kept = |subnet: &str| subnets.iter().any(|s| s["SubnetIdentifier"] == subnet);
    for instance in ctx.those("rds.instance", |i| i.text("_subnetGroup") == name) {
        let used = ctx.those("ec2.network-interface", |eni| eni.text("_for") == instance.text("DBInstanceArn"));
        let used: Vec<&str> = used.iter().map(|eni| eni.text("subnetId")).filter(|subnet| !kept(subnet)).collect();
        if !used.is_empty() {
            return Err(refuse(
                "SubnetAlreadyInUse",
                format!("Some of the subnets to be deleted are currently in use: {}", used.join(", ")),
            ));
        }
    }
    ctx.update(GROUP.kind, &name, |group| {
        group.set("DBSubnetGroupDescription", description);
        group.set("Subnets", subnets);
    });
    let group = ctx.get(GROUP.kind, &name).ok_or_else(|| GROUP.missing(&name))?;
    answer("DBSubnetGroup", shown(&group))
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = named(input)?;
    GROUP.permitted(ctx, "DeleteDBSubnetGroup", &name)?;
    let users = ctx.those("rds.instance", |instance| instance.text("_subnetGroup") == name);
    if let Some(user) = users.first() {
        return Err(refuse(
            "InvalidDBSubnetGroupStateFault",
            format!(
                "Cannot delete the subnet group '{name}' because at least one database instance: {} is still using it.",
                user.id
            ),
        ));
    }
    ctx.remove(GROUP.kind, &name);
    Ok(nothing())
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    filters(input, &[])?;
    let name = input.opt_str("DBSubnetGroupName").map(str::to_ascii_lowercase);
    let found = GROUP.asked(ctx, "DescribeDBSubnetGroups", name.as_deref())?;
    paged(input, "DBSubnetGroups", found.iter().map(|group| Value::Object(shown(group))).collect())
}
