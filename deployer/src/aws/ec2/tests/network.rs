//! Subnets, gateways, routes.

use wharf_engine::{Health, LogicalId};

use super::{subnet_of, tags, vpc};
use crate::aws::Tags;
use crate::aws::ec2::elastic_ip::ElasticIp;
use crate::aws::ec2::internet_gateway::InternetGateway;
use crate::aws::ec2::nat_gateway::{NatGateway, Place};
use crate::aws::ec2::route_table::{Route, RouteTable, Target};
use crate::aws::ec2::subnet::Subnet;
use crate::aws::ec2::vpc::Vpc;
use crate::aws::testing::{World, out};

#[tokio::test(start_paused = true)]
async fn a_vpc_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let made = vpc(&world).await;
    let changed = Vpc { cidr: "10.0.0.0/16".to_owned(), dns_support: false, dns_hostnames: false, tags: tags("b") };
    let made = world.update(&made, &changed).await;
    world.delete::<Vpc>(&made).await;
    assert!(world.sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_subnet_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let vpc = vpc(&world).await;
    let wanted = Subnet { public_ips: true, ..subnet_of(&vpc, "10.0.1.0/24", "us-east-1a") };
    let made = world.create("network.public-a", &wanted).await;
    let made = world.update(&made, &Subnet { public_ips: false, tags: tags("b"), ..wanted }).await;
    world.delete::<Subnet>(&made).await;
}

#[tokio::test(start_paused = true)]
async fn an_internet_gateway_is_attached_and_detached_with_it() {
    let world = World::calm().await;
    let vpc = vpc(&world).await;
    let wanted = InternetGateway { vpc: out(&vpc, "id"), tags: Tags::new() };
    let made = world.create("network.internet-gateway", &wanted).await;
    let made = world.update(&made, &InternetGateway { tags: tags("b"), ..wanted }).await;
    world.delete::<InternetGateway>(&made).await;
    world.delete::<Vpc>(&vpc).await;
    assert!(world.sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_zonal_nat_gateway_leaves_its_address_behind() {
    let world = World::calm().await;
    let vpc = vpc(&world).await;
    let gateway = InternetGateway { vpc: out(&vpc, "id"), tags: Tags::new() };
    world.create("network.internet-gateway", &gateway).await;
    let subnet = world.create("network.public-a", &subnet_of(&vpc, "10.0.1.0/24", "us-east-1a")).await;
    let address = world.create("network.address-a", &ElasticIp { tags: Tags::new() }).await;
    let place = Place::Zonal { subnet: out(&subnet, "id"), allocation: out(&address, "allocation_id") };
    let wanted = NatGateway { place, tags: Tags::new() };
    let made = world.create("network.nat-a", &wanted).await;
    let made = world.update(&made, &NatGateway { tags: tags("b"), ..wanted }).await;
    world.delete::<NatGateway>(&made).await;
    let address = world.update(&address, &ElasticIp { tags: tags("b") }).await;
    world.delete::<ElasticIp>(&address).await;
    world.delete::<Subnet>(&subnet).await;
}

#[tokio::test(start_paused = true)]
async fn a_regional_nat_gateway_needs_no_subnet_and_no_address() {
    let world = World::calm().await;
    let vpc = vpc(&world).await;
    let gateway = InternetGateway { vpc: out(&vpc, "id"), tags: Tags::new() };
    world.create("network.internet-gateway", &gateway).await;
    let wanted = NatGateway { place: Place::Regional { vpc: out(&vpc, "id") }, tags: Tags::new() };
    let made = world.create("network.nat", &wanted).await;
    world.delete::<NatGateway>(&made).await;
}

#[tokio::test(start_paused = true)]
async fn the_lists_of_a_route_table_are_exclusive() {
    let world = World::calm().await;
    let vpc = vpc(&world).await;
    let gateway = InternetGateway { vpc: out(&vpc, "id"), tags: Tags::new() };
    let gateway = world.create("network.internet-gateway", &gateway).await;
    let nat = NatGateway { place: Place::Regional { vpc: out(&vpc, "id") }, tags: Tags::new() };
    let nat = world.create("network.nat", &nat).await;
    let a = world.create("network.public-a", &subnet_of(&vpc, "10.0.1.0/24", "us-east-1a")).await;
    let b = world.create("network.public-b", &subnet_of(&vpc, "10.0.2.0/24", "us-east-1b")).await;
    let to_internet =
        |range: &str| Route { destination: range.to_owned(), target: Target::InternetGateway(out(&gateway, "id")) };
    let wanted = RouteTable {
        vpc: out(&vpc, "id"),
        routes: vec![to_internet("0.0.0.0/0"), to_internet("198.51.100.0/24")],
        subnets: vec![out(&a, "id"), out(&b, "id")],
        tags: Tags::new(),
    };
    let made = world.create("network.public", &wanted).await;
    let through_nat = Route { destination: "0.0.0.0/0".to_owned(), target: Target::NatGateway(out(&nat, "id")) };
    let changed = RouteTable {
        routes: vec![through_nat, to_internet("203.0.113.0/24")],
        subnets: vec![out(&b, "id")],
        tags: tags("b"),
        ..wanted
    };
    let made = world.update(&made, &changed).await;
    world.delete::<RouteTable>(&made).await;
    world.delete::<Subnet>(&a).await;
    world.delete::<Subnet>(&b).await;
}

#[tokio::test(start_paused = true)]
async fn a_subnet_moves_from_one_route_table_to_another() {
    let world = World::calm().await;
    let vpc = vpc(&world).await;
    let subnet = world.create("network.private-a", &subnet_of(&vpc, "10.0.1.0/24", "us-east-1a")).await;
    let table = |subnets| RouteTable { vpc: out(&vpc, "id"), routes: Vec::new(), subnets, tags: Tags::new() };
    let old = world.create("network.private", &table(vec![out(&subnet, "id")])).await;
    let new = world.create("network.private-only-a", &table(vec![out(&subnet, "id")])).await;
    // What was read before the move still names it here.
    world.update(&old, &table(Vec::new())).await;
    let new = world.find::<RouteTable>(&new.id).await.unwrap();
    world.delete::<RouteTable>(&new).await;
}

#[tokio::test(start_paused = true)]
async fn an_internet_gateway_that_is_not_attached_is_seen_so() {
    let world = World::calm().await;
    let vpc = vpc(&world).await;
    let wanted = InternetGateway { vpc: out(&vpc, "id"), tags: Tags::new() };
    let made = world.create("network.internet-gateway", &wanted).await;
    let physical = made.physical.clone();
    let id = vpc.physical.clone();
    world.aws.ec2.detach_internet_gateway().internet_gateway_id(&physical).vpc_id(&id).send().await.unwrap();
    let id = LogicalId::new("network.internet-gateway").unwrap();
    let found = world.find::<InternetGateway>(&id).await.unwrap();
    assert_eq!(found.health, Health::Ready);
    assert_eq!(found.inputs.get("vpc").and_then(wharf_engine::Value::as_text).as_deref(), Some(""));
    world.delete::<InternetGateway>(&found).await;
}
