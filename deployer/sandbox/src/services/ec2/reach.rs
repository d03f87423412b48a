//! Who reaches whom: what the rules of two interfaces' security groups let through.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html>

use std::net::Ipv4Addr;

use super::rule::{self, Peer, Rule};
use crate::account::Ctx;
use crate::store::Resource;

/// True when a connection from one interface to a TCP port of another is let out there and in here. Answers to it come
/// back by themselves.
pub(crate) fn tcp(ctx: &Ctx<'_>, from: &Resource, to: &Resource, port: i64) -> bool {
    lets(ctx, from, true, to, port) && lets(ctx, to, false, from, port)
}

/// True when a group of an interface has a rule that lets the other one through.
fn lets(ctx: &Ctx<'_>, of: &Resource, egress: bool, other: &Resource, port: i64) -> bool {
    let (address, others) = (other.text("privateIpAddress").parse::<Ipv4Addr>(), groups(other));
    let known = |peer: &Peer| match peer {
        Peer::Cidr4(range) => {
            range.parse::<ipnet::Ipv4Net>().is_ok_and(|range| address.as_ref().is_ok_and(|it| range.contains(it)))
        }
        Peer::Group(group) => others.contains(group),
        // Interfaces of the account have addresses of version 4, and are in no list of AWS's.
        Peer::Cidr6(_) | Peer::PrefixList(_) => false,
    };
    let fits = |rule: &Rule| match rule.protocol.as_str() {
        "-1" => true,
        "tcp" => (rule.from..=rule.to).contains(&port),
        _ => false,
    };
    let rules = groups(of).into_iter().flat_map(|group| rule::of_group(ctx, &group, egress));
    rules.into_iter().any(|(_, rule)| fits(&rule) && known(&rule.peer))
}

fn groups(interface: &Resource) -> Vec<String> {
    interface.items("groupSet").iter().filter_map(|group| group["groupId"].as_str().map(str::to_owned)).collect()
}
