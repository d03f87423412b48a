//! Authorising, revoking and changing security group rules.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::rule::{self, Peer, RULE, Rule};
use super::security_group::GROUP;
use super::{describe, done, tags};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;

/// Rules that a group may have in each direction.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups>
const LIMIT: usize = 60;

fn named_group(ctx: &Ctx<'_>, input: &Input) -> Result<Arc<Resource>, ApiError> {
    GROUP.used(ctx, input.str("GroupId")?)
}

pub(crate) fn authorize_ingress(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    authorize(ctx, input, false, "AuthorizeSecurityGroupIngress")
}

pub(crate) fn authorize_egress(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    authorize(ctx, input, true, "AuthorizeSecurityGroupEgress")
}

fn authorize(ctx: &mut Ctx<'_>, input: &Input, egress: bool, action: &str) -> Outcome {
    let group = named_group(ctx, input)?;
    tags::authorise_on(ctx, action, &GROUP, &group)?;
    let tags = tags::requested(input, &RULE)?;
    if !tags.is_empty() {
        let arn = RULE.arn(ctx, "*");
        ctx.authorise(Grant::new("ec2:CreateTags", arn).request_tags(&tags).key("ec2:CreateAction", action))?;
    }
    let rules = rule::requested(ctx, input, egress)?;
    if rules.is_empty() {
        return Err(input.missing("IpPermissions"));
    }
    let mut existing: Vec<Rule> = rule::of_group(ctx, &group.id, egress).into_iter().map(|(_, rule)| rule).collect();
    for rule in &rules {
        if existing.iter().any(|other| other.same(rule)) {
            let message = format!("the specified rule \"{}\" already exists", in_words(rule));
            return Err(refuse("InvalidPermission.Duplicate", message));
        }
        existing.push(rule.clone());
    }
    if existing.len() > LIMIT {
        let message = "The maximum number of rules per security group has been reached.";
        return Err(refuse("RulesPerSecurityGroupLimitExceeded", message));
    }
    let made: Vec<Value> = rules
        .iter()
        .map(|rule| {
            let made = rule::put(ctx, &group.id, rule, tags.clone(), false);
            describe::shown(&RULE, &made)
        })
        .collect();
    Ok(json!({"return": true, "securityGroupRuleSet": made}))
}

fn in_words(rule: &Rule) -> String {
    let peer = match &rule.peer {
        Peer::Cidr4(text) | Peer::Cidr6(text) | Peer::PrefixList(text) | Peer::Group(text) => text,
    };
    match rule.protocol.as_str() {
        "-1" => format!("peer: {peer}, ALL, ALLOW"),
        protocol => {
            let protocol = protocol.to_uppercase();
            format!("peer: {peer}, {protocol}, from port: {}, to port: {}, ALLOW", rule.from, rule.to)
        }
    }
}

pub(crate) fn revoke_ingress(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    revoke(ctx, input, false, "RevokeSecurityGroupIngress")
}

pub(crate) fn revoke_egress(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    revoke(ctx, input, true, "RevokeSecurityGroupEgress")
}

fn revoke(ctx: &mut Ctx<'_>, input: &Input, egress: bool, action: &str) -> Outcome {
    let group = named_group(ctx, input)?;
    tags::authorise_on(ctx, action, &GROUP, &group)?;
    let mut ids = input.strings("SecurityGroupRuleId");
    for id in &ids {
        let rule = RULE.used(ctx, id)?;
        if rule.text("groupId") != group.id || rule.flag("isEgress") != egress {
            return Err(RULE.not_found(id));
        }
    }
    let existing = rule::of_group(ctx, &group.id, egress);
    for wanted in rule::requested(ctx, input, egress)? {
        match existing.iter().find(|(_, rule)| rule.same(&wanted)) {
            Some((id, _)) => ids.push(id.clone()),
            None => {
                let message = "The specified rule does not exist in this security group.";
                return Err(refuse("InvalidPermission.NotFound", message));
            }
        }
    }
    if ids.is_empty() {
        return Err(input.missing("IpPermissions"));
    }
    let mut revoked = Vec::new();
    for id in ids {
        if let Some(rule) = ctx.get("ec2.security-group-rule", &id) {
            revoked.push(as_revoked(&rule));
            ctx.remove("ec2.security-group-rule", &id);
        }
    }
    Ok(json!({"return": true, "revokedSecurityGroupRuleSet": revoked}))
}

fn as_revoked(rule: &Resource) -> Value {
    let mut value = describe::shown(&RULE, rule);
    let referenced = rule::referenced(rule).map(str::to_owned);
    if let Some(map) = value.as_object_mut() {
        for name in ["tagSet", "securityGroupRuleArn", "groupOwnerId", "referencedGroupInfo"] {
            map.remove(name);
        }
        map.insert("referencedGroupId".to_owned(), referenced.into());
    }
    value
}

pub(crate) fn describe_ingress(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    update_descriptions(ctx, input, false, "UpdateSecurityGroupRuleDescriptionsIngress")
}

pub(crate) fn describe_egress(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    update_descriptions(ctx, input, true, "UpdateSecurityGroupRuleDescriptionsEgress")
}

fn update_descriptions(ctx: &mut Ctx<'_>, input: &Input, egress: bool, action: &str) -> Outcome {
    let group = named_group(ctx, input)?;
    tags::authorise_on(ctx, action, &GROUP, &group)?;
    let mut changes: Vec<(String, Option<String>)> = Vec::new();
    for entry in input.objects("SecurityGroupRuleDescription") {
        let id = entry.str("SecurityGroupRuleId")?;
        RULE.used(ctx, id)?;
        changes.push((id.to_owned(), entry.opt_str("Description").map(str::to_owned)));
    }
    let existing = rule::of_group(ctx, &group.id, egress);
    for wanted in rule::requested(ctx, input, egress)? {
        let found = existing.iter().find(|(_, rule)| rule.same(&wanted));
        let (id, _) = found.ok_or_else(|| {
            refuse("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
        })?;
        changes.push((id.clone(), wanted.description));
    }
    for (id, description) in changes {
        ctx.update("ec2.security-group-rule", &id, |rule| match description.filter(|text| !text.is_empty()) {
            Some(text) => rule.set("description", text),
            None => {
                rule.attrs.remove("description");
            }
        });
    }
    done()
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html>
pub(crate) fn modify(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named_group(ctx, input)?;
    tags::authorise_on(ctx, "ModifySecurityGroupRules", &GROUP, &group)?;
    for change in input.objects("SecurityGroupRule") {
        let id = change.str("SecurityGroupRuleId")?;
        let current = RULE.used(ctx, id)?;
        if current.text("groupId") != group.id {
            return Err(RULE.not_found(id));
        }
        let wanted = change.object("SecurityGroupRule").ok_or_else(|| change.missing("SecurityGroupRule"))?;
        let egress = current.flag("isEgress");
        let rule = rule::modified(ctx, &wanted, egress)?;
        let others = rule::of_group(ctx, &group.id, egress);
        if others.iter().any(|(other, existing)| other != id && existing.same(&rule)) {
            let message = format!("the specified rule \"{}\" already exists", in_words(&rule));
            return Err(refuse("InvalidPermission.Duplicate", message));
        }
        let mut changed = Resource::clone(&current);
        rule::fill(ctx, &mut changed, &rule);
        ctx.update("ec2.security-group-rule", id, |resource| *resource = changed);
    }
    done()
}
