//! `[network]`: the VPC, its subnets, and the way out of it.

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format::Cidr;

/// The network that everything else stands in.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// The VPC's address range, private (RFC 1918) and between /16 and /25. Each zone takes an eighth of it for its
    /// public subnet and an eighth for its private one, so that a zone can be added later without moving the others.
    pub cidr: Cidr,
    /// How many availability zones of the region to use. A database needs two.
    #[schemars(range(min = 1, max = 3))]
    pub zones: u8,
    /// How private subnets reach AWS and the internet.
    pub egress: Egress,
    /// Whether to log the traffic of the VPC to CloudWatch Logs.
    pub flow_logs: bool,
    /// How many days to keep flow logs: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or more.
    #[schemars(extend("enum" = super::LOG_DAYS))]
    pub flow_log_days: u16,
}

/// How private subnets reach AWS and the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Egress {
    /// One regional NAT gateway over all zones.
    Nat,
    /// A NAT gateway in each zone, each with its own elastic IP.
    NatZonal,
    /// No way to the internet: VPC endpoints for the AWS services that the stack uses.
    Endpoints,
    /// No NAT gateway: what needs the internet stands in the public subnets.
    Public,
}

impl Default for Network {
    fn default() -> Self {
        Self { cidr: Cidr::default(), zones: 2, egress: Egress::Nat, flow_logs: true, flow_log_days: 30 }
    }
}

/// The subnets of one zone: an eighth of the VPC each.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html>
const SUBNET_BITS: u8 = 3;

impl Network {
    /// The range of each zone's public subnet, in the order of the zones.
    #[must_use]
    pub fn public_subnets(&self) -> Vec<Ipv4Net> {
        self.blocks(0)
    }

    /// The range of each zone's private subnet, in the order of the zones.
    #[must_use]
    pub fn private_subnets(&self) -> Vec<Ipv4Net> {
        self.blocks(4)
    }

    fn blocks(&self, first: usize) -> Vec<Ipv4Net> {
        let range = self.cidr.net();
        let blocks = range.subnets(range.prefix_len() + SUBNET_BITS).into_iter().flatten();
        blocks.skip(first).take(usize::from(self.zones)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_zone_moves_no_subnet_of_the_other_two() {
        let two = Network::default();
        let three = Network { zones: 3, ..Network::default() };
        assert_eq!(two.public_subnets(), three.public_subnets()[..2]);
        assert_eq!(two.private_subnets(), three.private_subnets()[..2]);
    }

    #[test]
    fn subnets_lie_inside_the_vpc_and_apart_from_each_other() {
        let network = Network { zones: 3, cidr: "192.168.4.128/25".parse().unwrap(), ..Network::default() };
        let all: Vec<_> = network.public_subnets().into_iter().chain(network.private_subnets()).collect();
        assert_eq!(all.len(), 6);
        for (i, subnet) in all.iter().enumerate() {
            assert_eq!(subnet.prefix_len(), 28);
            assert!(network.cidr.net().contains(subnet));
            assert!(all[i + 1..].iter().all(|other| !subnet.contains(&other.network())));
        }
    }
}
