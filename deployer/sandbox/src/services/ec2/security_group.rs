//! Security groups. Their rules are objects of their own, see [`super::rule`].
//! <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html>

use serde_json::{Map, Value, json};

use super::vpc::VPC;
use super::{Noun, describe, in_use, interface, rule, tags};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Tags};

pub(crate) static GROUP: Noun = Noun {
    kind: "ec2.security-group",
    resource_type: "security-group",
    prefix: "sg",
    set: "securityGroupInfo",
    ids: "GroupId",
    id_attr: "groupId",
    not_found: "InvalidGroup.NotFound",
    malformed: "InvalidGroupId.Malformed",
    label: "security group",
    filters: &[
        ("group-id", "groupId"),
        ("group-name", "groupName"),
        ("description", "groupDescription"),
        ("vpc-id", "vpcId"),
        ("owner-id", "ownerId"),
        ("ip-permission.cidr", "ipPermissions.ipRanges.cidrIp"),
        ("ip-permission.from-port", "ipPermissions.fromPort"),
        ("ip-permission.to-port", "ipPermissions.toPort"),
        ("ip-permission.protocol", "ipPermissions.ipProtocol"),
        ("ip-permission.group-id", "ipPermissions.groups.groupId"),
        ("ip-permission.prefix-list-id", "ipPermissions.prefixListIds.prefixListId"),
        ("egress.ip-permission.cidr", "ipPermissionsEgress.ipRanges.cidrIp"),
        ("egress.ip-permission.from-port", "ipPermissionsEgress.fromPort"),
        ("egress.ip-permission.to-port", "ipPermissionsEgress.toPort"),
        ("egress.ip-permission.protocol", "ipPermissionsEgress.ipProtocol"),
        ("egress.ip-permission.group-id", "ipPermissionsEgress.groups.groupId"),
        ("egress.ip-permission.prefix-list-id", "ipPermissionsEgress.prefixListIds.prefixListId"),
    ],
};

/// Puts a group into the account, with the rule that every group begins with: all may go out.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html>
fn put(ctx: &mut Ctx<'_>, vpc: &str, name: &str, description: &str, tags: Tags, aws_made: bool) -> String {
    let id = ctx.new_id("sg");
    let mut group = ctx.resource(
        "ec2.security-group",
        &id,
        json!({
            "groupName": name,
            "groupDescription": description,
            "vpcId": vpc,
            "ownerId": ctx.account.id,
            "securityGroupArn": GROUP.arn(ctx, &id),
        }),
    );
    group.tags = tags;
    group.aws_made = aws_made;
    ctx.insert(group);
    rule::put(ctx, &id, &rule::Rule::everything(true, rule::Peer::Cidr4("0.0.0.0/0".to_owned())), Tags::new(), true);
    id
}

/// The group that every VPC has from the start: its members may talk to each other.
pub(crate) fn make_default(ctx: &mut Ctx<'_>, vpc: &str) {
    let id = put(ctx, vpc, "default", "default VPC security group", Tags::new(), true);
    rule::put(ctx, &id, &rule::Rule::everything(false, rule::Peer::Group(id.clone())), Tags::new(), true);
}

pub(crate) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    // There is no default VPC that could stand in for one not named.
    let Some(vpc) = input.opt_str("VpcId") else {
        return Err(refuse("VPCIdNotSpecified", "No default VPC for this user"));
    };
    let vpc = VPC.used(ctx, vpc)?;
    let (name, description) = (input.str("GroupName")?, input.str("GroupDescription")?);
    let tags = tags::requested(input, &GROUP)?;
    tags::authorise_create(ctx, "CreateSecurityGroup", &GROUP, &tags)?;
    tags::authorise_on(ctx, "CreateSecurityGroup", &VPC, &vpc)?;
    check_words(name, description)?;
    let namesake = |g: &Resource| g.text("vpcId") == vpc.id && g.text("groupName") == name;
    if !ctx.those("ec2.security-group", namesake).is_empty() {
        let message = format!("The security group '{name}' already exists for VPC '{}'", vpc.id);
        return Err(refuse("InvalidGroup.Duplicate", message));
    }
    let id = put(ctx, &vpc.id, name, description, tags.clone(), false);
    let mut answer = json!({"groupId": id, "securityGroupArn": GROUP.arn(ctx, &id)});
    if !tags.is_empty() {
        answer["tagSet"] = tags::set(&tags);
    }
    Ok(answer)
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html>
fn check_words(name: &str, description: &str) -> Result<(), ApiError> {
    let fits = |text: &str| {
        text.len() <= 255 && text.chars().all(|c| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c))
    };
    if !fits(name) || name.starts_with("sg-") || name == "default" {
        return Err(refuse("InvalidParameterValue", format!("Value ({name}) for parameter GroupName is invalid.")));
    }
    if fits(description) {
        return Ok(());
    }
    let message = format!(
        "Value ({description}) for parameter GroupDescription is invalid. Character sets beyond ASCII are not supported."
    );
    Err(refuse("InvalidParameterValue", message))
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let names = input.strings("GroupName");
    let mut answer = describe::describe_as(ctx, input, &GROUP, |ctx, group| {
        let mut value = describe::shown(&GROUP, group);
        value["ipPermissions"] = permissions(ctx, &group.id, false);
        value["ipPermissionsEgress"] = permissions(ctx, &group.id, true);
        value
    })?;
    if let Some(groups) = answer["securityGroupInfo"].as_array_mut().filter(|_| !names.is_empty()) {
        groups.retain(|g| g["groupName"].as_str().is_some_and(|name| names.iter().any(|n| n == name)));
    }
    Ok(answer)
}

/// The rules of a group as permissions: those of one protocol and port range become one.
fn permissions(ctx: &Ctx<'_>, group: &str, egress: bool) -> Value {
    let mut merged: Vec<Map<String, Value>> = Vec::new();
    for rule in ctx.visible("ec2.security-group-rule") {
        if rule.text("groupId") != group || rule.flag("isEgress") != egress {
            continue;
        }
        let (protocol, from, to) = (rule.text("ipProtocol"), rule.number("fromPort"), rule.number("toPort"));
        let same = |p: &Map<String, Value>| {
            p["ipProtocol"] == protocol && (protocol == "-1" || (p["fromPort"] == from && p["toPort"] == to))
        };
        let index = merged.iter().position(same).unwrap_or_else(|| {
            let mut new = Map::new();
            new.insert("ipProtocol".to_owned(), protocol.into());
            if protocol != "-1" {
                new.insert("fromPort".to_owned(), from.into());
                new.insert("toPort".to_owned(), to.into());
            }
            for list in ["groups", "ipRanges", "ipv6Ranges", "prefixListIds"] {
                new.insert(list.to_owned(), json!([]));
            }
            merged.push(new);
            merged.len() - 1
        });
        let (list, entry) = rule::as_permission(&rule);
        if let Some(entries) = merged.get_mut(index).and_then(|p| p.get_mut(list)).and_then(Value::as_array_mut) {
            entries.push(entry);
        }
    }
    merged.into_iter().map(Value::Object).collect()
}

pub(crate) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("GroupId")?;
    let group = GROUP.used(ctx, id)?;
    tags::authorise_on(ctx, "DeleteSecurityGroup", &GROUP, &group)?;
    if group.text("groupName") == "default" {
        let message = format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user");
        return Err(refuse("CannotDelete", message));
    }
    // In use by an interface, or named by a rule of another group:
    // <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html>
    let named = |r: &Resource| r.text("groupId") != id && rule::referenced(r) == Some(id);
    if !interface::guarded_by(ctx, id).is_empty() || !ctx.those("ec2.security-group-rule", named).is_empty() {
        return Err(in_use(format!("resource {id} has a dependent object")));
    }
    remove(ctx, id);
    Ok(json!({"return": true, "groupId": id}))
}

/// Takes a group away with its rules.
pub(crate) fn remove(ctx: &mut Ctx<'_>, id: &str) {
    for rule in ctx.those("ec2.security-group-rule", |r| r.text("groupId") == id) {
        ctx.remove("ec2.security-group-rule", &rule.id);
    }
    ctx.remove("ec2.security-group", id);
}
