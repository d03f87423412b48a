//! Security group rules: what one is, how it is written, and reading it back.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html>

use serde_json::{Value, json};

use super::security_group::GROUP;
use super::vpc::network;
use super::{Noun, describe, prefix_list};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Tags};

pub(crate) static RULE: Noun = Noun {
    kind: "ec2.security-group-rule",
    resource_type: "security-group-rule",
    prefix: "sgr",
    set: "securityGroupRuleSet",
    ids: "SecurityGroupRuleId",
    id_attr: "securityGroupRuleId",
    not_found: "InvalidSecurityGroupRuleId.NotFound",
    malformed: "InvalidSecurityGroupRuleId.Malformed",
    label: "security group rule ID",
    filters: &[("group-id", "groupId"), ("security-group-rule-id", "securityGroupRuleId")],
};

/// Who a rule lets in or out to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Cidr4(String),
    Cidr6(String),
    PrefixList(String),
    Group(String),
}

/// A rule without its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) egress: bool,
    pub(crate) protocol: String,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) peer: Peer,
    pub(crate) description: Option<String>,
}

impl Rule {
    /// All protocols and ports.
    pub(crate) fn everything(egress: bool, peer: Peer) -> Self {
        Self { egress, protocol: "-1".to_owned(), from: -1, to: -1, peer, description: None }
    }

    /// The same rule, whatever its description: AWS holds such two for duplicates.
    pub(crate) fn same(&self, other: &Self) -> bool {
        Self { description: None, ..self.clone() } == Self { description: None, ..other.clone() }
    }

    fn read(resource: &Resource) -> Self {
        let text = |name: &str| resource.attrs.get(name).and_then(Value::as_str).map(str::to_owned);
        let peer = text("cidrIpv4")
            .map(Peer::Cidr4)
            .or_else(|| text("cidrIpv6").map(Peer::Cidr6))
            .or_else(|| text("prefixListId").map(Peer::PrefixList))
            .unwrap_or_else(|| Peer::Group(referenced(resource).unwrap_or_default().to_owned()));
        Self {
            egress: resource.flag("isEgress"),
            protocol: resource.text("ipProtocol").to_owned(),
            from: resource.number("fromPort"),
            to: resource.number("toPort"),
            peer,
            description: text("description"),
        }
    }
}

/// The group that a rule names as its peer.
pub(crate) fn referenced(rule: &Resource) -> Option<&str> {
    rule.attrs.get("referencedGroupInfo")?.get("groupId")?.as_str()
}

/// Puts a rule into the account and answers it.
pub(crate) fn put(ctx: &mut Ctx<'_>, group: &str, rule: &Rule, tags: Tags, aws_made: bool) -> Resource {
    let id = ctx.new_id("sgr");
    let mut resource = ctx.resource(
        "ec2.security-group-rule",
        &id,
        json!({
            "groupId": group,
            "groupOwnerId": ctx.account.id,
            "isEgress": rule.egress,
            "securityGroupRuleArn": RULE.arn(ctx, &id),
        }),
    );
    fill(ctx, &mut resource, rule);
    resource.tags = tags;
    resource.aws_made = aws_made;
    ctx.insert(resource.clone());
    resource
}

/// Writes what a rule allows into its object.
pub(crate) fn fill(ctx: &Ctx<'_>, resource: &mut Resource, rule: &Rule) {
    for name in ["cidrIpv4", "cidrIpv6", "prefixListId", "referencedGroupInfo", "description"] {
        resource.attrs.remove(name);
    }
    resource.set("ipProtocol", rule.protocol.clone());
    resource.set("fromPort", rule.from);
    resource.set("toPort", rule.to);
    match &rule.peer {
        Peer::Cidr4(cidr) => resource.set("cidrIpv4", cidr.clone()),
        Peer::Cidr6(cidr) => resource.set("cidrIpv6", cidr.clone()),
        Peer::PrefixList(id) => resource.set("prefixListId", id.clone()),
        Peer::Group(id) => {
            let vpc = ctx.get("ec2.security-group", id).map(|g| g.text("vpcId").to_owned());
            resource.set("referencedGroupInfo", json!({"groupId": id, "userId": ctx.account.id, "vpcId": vpc}));
        }
    }
    if let Some(description) = &rule.description {
        resource.set("description", description.clone());
    }
}

/// A rule as an entry of a permission, and the list that it stands in.
pub(crate) fn as_permission(resource: &Resource) -> (&'static str, Value) {
    let rule = Rule::read(resource);
    let description = rule.description;
    match rule.peer {
        Peer::Cidr4(cidr) => ("ipRanges", json!({"cidrIp": cidr, "description": description})),
        Peer::Cidr6(cidr) => ("ipv6Ranges", json!({"cidrIpv6": cidr, "description": description})),
        Peer::PrefixList(id) => ("prefixListIds", json!({"prefixListId": id, "description": description})),
        Peer::Group(id) => {
            ("groups", json!({"groupId": id, "userId": resource.text("groupOwnerId"), "description": description}))
        }
    }
}

/// The rules of a group in one direction, as they are.
pub(crate) fn of_group(ctx: &Ctx<'_>, group: &str, egress: bool) -> Vec<(String, Rule)> {
    ctx.those("ec2.security-group-rule", |r| r.text("groupId") == group && r.flag("isEgress") == egress)
        .iter()
        .map(|r| (r.id.clone(), Rule::read(r)))
        .collect()
}

/// The rules that a request spells out, in `IpPermissions` or, in the old way, at its top.
pub(crate) fn requested(ctx: &Ctx<'_>, input: &Input, egress: bool) -> Result<Vec<Rule>, ApiError> {
    let mut rules = Vec::new();
    for permission in input.objects("IpPermissions") {
        let (protocol, from, to) = ports(&permission)?;
        let before = rules.len();
        let mut add = |peer: Peer, entry: &Input| {
            let (protocol, description) = (protocol.clone(), described(entry)?);
            rules.push(Rule { egress, protocol, from, to, peer, description });
            Ok::<_, ApiError>(())
        };
        for entry in permission.objects("IpRanges") {
            add(Peer::Cidr4(cidr4(entry.str("CidrIp")?)?), &entry)?;
        }
        for entry in permission.objects("Ipv6Ranges") {
            add(Peer::Cidr6(cidr6(entry.str("CidrIpv6")?)?), &entry)?;
        }
        for entry in permission.objects("PrefixListIds") {
            add(Peer::PrefixList(prefix(entry.str("PrefixListId")?)?), &entry)?;
        }
        for entry in permission.objects("Groups") {
            entry.ignore(&["UserId", "VpcId"]);
            let group = GROUP.used(ctx, entry.str("GroupId")?)?;
            add(Peer::Group(group.id.clone()), &entry)?;
        }
        if rules.len() == before {
            return Err(refuse(
                "MissingParameter",
                "The request must contain the parameter ipRanges, groups or prefixListIds",
            ));
        }
    }
    if let Some(cidr) = input.opt_str("CidrIp") {
        let (protocol, from, to) = ports(input)?;
        rules.push(Rule { egress, protocol, from, to, peer: Peer::Cidr4(cidr4(cidr)?), description: None });
    }
    Ok(rules)
}

/// A rule as `ModifySecurityGroupRules` gives it.
pub(crate) fn modified(ctx: &Ctx<'_>, input: &Input, egress: bool) -> Result<Rule, ApiError> {
    let (protocol, from, to) = ports(input)?;
    let peer = if let Some(cidr) = input.opt_str("CidrIpv4") {
        Peer::Cidr4(cidr4(cidr)?)
    } else if let Some(cidr) = input.opt_str("CidrIpv6") {
        Peer::Cidr6(cidr6(cidr)?)
    } else if let Some(id) = input.opt_str("PrefixListId") {
        Peer::PrefixList(prefix(id)?)
    } else {
        Peer::Group(GROUP.used(ctx, input.str("ReferencedGroupId")?)?.id.clone())
    };
    Ok(Rule { egress, protocol, from, to, peer, description: described(input)? })
}

/// Protocol and ports; some protocols have names that AWS prefers to their numbers.
fn ports(input: &Input) -> Result<(String, i64, i64), ApiError> {
    let protocol = match input.str("IpProtocol")?.to_ascii_lowercase().as_str() {
        "6" => "tcp".to_owned(),
        "17" => "udp".to_owned(),
        "1" => "icmp".to_owned(),
        "58" => "icmpv6".to_owned(),
        "all" => "-1".to_owned(),
        other => other.to_owned(),
    };
    let (from, to) = (input.opt_int("FromPort")?, input.opt_int("ToPort")?);
    match protocol.as_str() {
        "tcp" | "udp" => match (from, to) {
            (Some(from @ 0..=65535), Some(to @ 0..=65535)) if from <= to => Ok((protocol, from, to)),
            (Some(_), Some(_)) => Err(refuse(
                "InvalidParameterValue",
                "Invalid TCP/UDP port range (from port > to port, or out of range)",
            )),
            _ => Err(refuse(
                "InvalidParameterValue",
                "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
            )),
        },
        "icmp" | "icmpv6" => Ok((protocol, from.unwrap_or(-1), to.unwrap_or(-1))),
        // Whatever ports are given, all are meant.
        "-1" => Ok((protocol, -1, -1)),
        number if number.parse::<u8>().is_ok() => Ok((protocol, -1, -1)),
        other => Err(refuse(
            "InvalidPermission.Malformed",
            format!("Unsupported IP protocol \"{other}\"  - supported: [tcp, udp, icmp]"),
        )),
    }
}

fn described(input: &Input) -> Result<Option<String>, ApiError> {
    let Some(text) = input.opt_str("Description").filter(|text| !text.is_empty()) else { return Ok(None) };
    let fits =
        text.len() <= 255 && text.chars().all(|c| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c));
    if fits {
        return Ok(Some(text.to_owned()));
    }
    let message = "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*";
    Err(refuse("InvalidParameterValue", message))
}

fn cidr4(text: &str) -> Result<String, ApiError> {
    let malformed = |_| refuse("InvalidParameterValue", format!("CIDR block {text} is malformed"));
    network(text).map(|net| net.to_string()).map_err(malformed)
}

fn cidr6(text: &str) -> Result<String, ApiError> {
    let net: Result<ipnet::Ipv6Net, _> = text.parse();
    let malformed = |_| refuse("InvalidParameterValue", format!("CIDR block {text} is malformed"));
    net.map(|net| net.trunc().to_string()).map_err(malformed)
}

fn prefix(id: &str) -> Result<String, ApiError> {
    if prefix_list::exists(id) {
        return Ok(id.to_owned());
    }
    Err(refuse("InvalidPrefixListId.NotFound", format!("The prefix list ID '{id}' does not exist")))
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    describe::describe(ctx, input, &RULE)
}
