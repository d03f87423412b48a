//! Each kind of the network lives in the sandbox from its creation to its deletion.

mod network;
mod security;
mod ways;

use wharf_engine::Found;

use super::subnet::Subnet;
use super::vpc::Vpc;
use crate::aws::Tags;
use crate::aws::testing::{World, out};

fn tags(value: &str) -> Tags {
    Tags::from([("team".to_owned(), value.to_owned())])
}

async fn vpc(world: &World) -> Found {
    let vpc = Vpc { cidr: "10.0.0.0/16".to_owned(), dns_support: true, dns_hostnames: true, tags: tags("a") };
    world.create("network.vpc", &vpc).await
}

fn subnet_of(vpc: &Found, cidr: &str, zone: &str) -> Subnet {
    Subnet { vpc: out(vpc, "id"), cidr: cidr.to_owned(), zone: zone.to_owned(), public_ips: false, tags: Tags::new() }
}
