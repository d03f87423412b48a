//! The rules of security groups: how they are written, read and changed one by one.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html>

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};
use serde::{Deserialize, Serialize};

use super::security_group::SecurityGroupId;
use crate::aws::call::{Aws, CallError};
use crate::aws::out::Out;

/// One rule of a security group. What it allows is its identity; the description can change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, another protocol's number, or `-1` for all.
    pub protocol: String,
    /// The first port, or the ICMP type; -1 where the protocol has none, and for all.
    pub from: i32,
    /// The last port, or the ICMP code; -1 where the protocol has none, and for all.
    pub to: i32,
    /// The other side: where traffic may come from, or go to.
    pub peer: Peer,
    /// What the rule is for; empty when nobody said.
    pub description: String,
}

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// An IPv4 range.
    Ipv4(String),
    /// An IPv6 range.
    Ipv6(String),
    /// What is in another security group.
    Group(Out<SecurityGroupId>),
    /// What is in the same security group.
    Itself,
    /// The ranges of a prefix list.
    PrefixList(String),
}

impl Rule {
    /// One TCP port.
    #[must_use]
    pub fn tcp(port: u16, peer: Peer, description: &str) -> Self {
        let port = i32::from(port);
        Self { protocol: "tcp".to_owned(), from: port, to: port, peer, description: description.to_owned() }
    }

    /// All protocols and ports.
    #[must_use]
    pub fn all(peer: Peer, description: &str) -> Self {
        Self { protocol: "-1".to_owned(), from: -1, to: -1, peer, description: description.to_owned() }
    }

    /// True when both allow the same traffic.
    fn allows_the_same(&self, other: &Self) -> bool {
        (&self.protocol, self.from, self.to, &self.peer) == (&other.protocol, other.from, other.to, &other.peer)
    }

    /// The rule as an argument of a call about rules of `group`.
    fn permission(&self, group: &str, described: bool) -> Result<IpPermission, CallError> {
        let ports = (self.protocol != "-1").then_some((self.from, self.to));
        let permission = IpPermission::builder()
            .ip_protocol(&self.protocol)
            .set_from_port(ports.map(|(from, _)| from))
            .set_to_port(ports.map(|(_, to)| to));
        let about = Some(self.description.clone()).filter(|text| !text.is_empty() && described);
        let pair = |id: &str| UserIdGroupPair::builder().group_id(id).set_description(about.clone()).build();
        Ok(match &self.peer {
            Peer::Ipv4(range) => permission.ip_ranges(IpRange::builder().cidr_ip(range).set_description(about).build()),
            Peer::Ipv6(range) => {
                permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(range).set_description(about).build())
            }
            Peer::Group(id) => permission.user_id_group_pairs(pair(id.get()?)),
            Peer::Itself => permission.user_id_group_pairs(pair(group)),
            Peer::PrefixList(id) => {
                permission.prefix_list_ids(PrefixListId::builder().prefix_list_id(id).set_description(about).build())
            }
        }
        .build())
    }
}

/// The rules of the group `group` as an answer has them: AWS puts those of one protocol and port range together.
pub(super) fn observe(group: &str, permissions: &[IpPermission]) -> Vec<Rule> {
    let mut rules: Vec<Rule> = permissions.iter().flat_map(|permission| apart(group, permission)).collect();
    rules.sort();
    rules
}

fn apart(group: &str, permission: &IpPermission) -> Vec<Rule> {
    let peer_of = |id: &str| if id == group { Peer::Itself } else { Peer::Group(Out::known(id)) };
    let v4 = permission.ip_ranges().iter().map(|r| (r.cidr_ip().map(|c| Peer::Ipv4(c.to_owned())), r.description()));
    let v6 =
        permission.ipv6_ranges().iter().map(|r| (r.cidr_ipv6().map(|c| Peer::Ipv6(c.to_owned())), r.description()));
    let groups = permission.user_id_group_pairs().iter().map(|pair| (pair.group_id().map(peer_of), pair.description()));
    let lists = permission
        .prefix_list_ids()
        .iter()
        .map(|list| (list.prefix_list_id().map(|id| Peer::PrefixList(id.to_owned())), list.description()));
    let rule = |peer, description: Option<&str>| Rule {
        protocol: permission.ip_protocol().unwrap_or("-1").to_owned(),
        from: permission.from_port().unwrap_or(-1),
        to: permission.to_port().unwrap_or(-1),
        peer,
        description: description.unwrap_or_default().to_owned(),
    };
    let all = v4.chain(v6).chain(groups).chain(lists);
    all.filter_map(|(peer, description)| Some(rule(peer?, description))).collect()
}

/// Which way the traffic of a rule goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Ingress,
    Egress,
}

/// What a change does to rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Authorize,
    Describe,
    Revoke,
}

/// Changes a group's rules of one direction from `now` to `to`: first what is to be allowed, then what no longer is,
/// so that traffic that both allow never stops.
pub(super) async fn change(
    aws: &Aws,
    group: &str,
    direction: Direction,
    now: &[Rule],
    to: &[Rule],
) -> Result<(), CallError> {
    let is_in = |rules: &[Rule], rule: &Rule| rules.iter().any(|other| other.allows_the_same(rule));
    let new = to.iter().filter(|rule| !is_in(now, rule)).collect();
    let renamed = to.iter().filter(|rule| is_in(now, rule) && !now.contains(rule)).collect();
    let gone = now.iter().filter(|rule| !is_in(to, rule)).collect();
    put(aws, group, direction, Verb::Authorize, new).await?;
    put(aws, group, direction, Verb::Describe, renamed).await?;
    put(aws, group, direction, Verb::Revoke, gone).await
}

/// All rules in one call. AWS takes all or none: when one of them is as it should be already, because what was read
/// was stale or an earlier reply was lost, they go one by one, and those are passed over.
async fn put(aws: &Aws, group: &str, direction: Direction, verb: Verb, rules: Vec<&Rule>) -> Result<(), CallError> {
    let told = |described| rules.iter().map(|rule| rule.permission(group, described)).collect::<Result<Vec<_>, _>>();
    // A rule is revoked by what it allows: its description may have been changed since.
    let permissions = told(verb != Verb::Revoke)?;
    if permissions.is_empty() {
        return Ok(());
    }
    let done = |error: &CallError| {
        let code = error.code.as_deref();
        (verb == Verb::Authorize && code == Some("InvalidPermission.Duplicate"))
            || (verb == Verb::Revoke && code == Some("InvalidPermission.NotFound"))
    };
    match send(aws, group, direction, verb, &permissions).await {
        Err(error) if done(&error) => {}
        other => return other,
    }
    // AWS does not need the description of what it revokes, but may be told it.
    for permission in &told(true)? {
        let permission = std::slice::from_ref(permission);
        match send(aws, group, direction, verb, permission).await {
            // What is allowed already may be described otherwise.
            Err(error) if done(&error) && verb == Verb::Authorize => {
                send(aws, group, direction, Verb::Describe, permission).await?;
            }
            Err(error) if done(&error) => {}
            other => other?,
        }
    }
    Ok(())
}

async fn send(
    aws: &Aws,
    group: &str,
    direction: Direction,
    verb: Verb,
    permissions: &[IpPermission],
) -> Result<(), CallError> {
    let all = || Some(permissions.to_vec());
    let ec2 = &aws.ec2;
    match (verb, direction) {
        (Verb::Authorize, Direction::Ingress) => {
            let send = || ec2.authorize_security_group_ingress().group_id(group).set_ip_permissions(all()).send();
            aws.call("ec2:AuthorizeSecurityGroupIngress", group, send).await.map(drop)
        }
        (Verb::Authorize, Direction::Egress) => {
            let send = || ec2.authorize_security_group_egress().group_id(group).set_ip_permissions(all()).send();
            aws.call("ec2:AuthorizeSecurityGroupEgress", group, send).await.map(drop)
        }
        (Verb::Describe, Direction::Ingress) => {
            let call = ec2.update_security_group_rule_descriptions_ingress().group_id(group).set_ip_permissions(all());
            aws.call("ec2:UpdateSecurityGroupRuleDescriptionsIngress", group, || call.clone().send()).await.map(drop)
        }
        (Verb::Describe, Direction::Egress) => {
            let call = ec2.update_security_group_rule_descriptions_egress().group_id(group).set_ip_permissions(all());
            aws.call("ec2:UpdateSecurityGroupRuleDescriptionsEgress", group, || call.clone().send()).await.map(drop)
        }
        (Verb::Revoke, Direction::Ingress) => {
            let send = || ec2.revoke_security_group_ingress().group_id(group).set_ip_permissions(all()).send();
            aws.call("ec2:RevokeSecurityGroupIngress", group, send).await.map(drop)
        }
        (Verb::Revoke, Direction::Egress) => {
            let send = || ec2.revoke_security_group_egress().group_id(group).set_ip_permissions(all()).send();
            aws.call("ec2:RevokeSecurityGroupEgress", group, send).await.map(drop)
        }
    }
}
