//! VPC endpoints.

use super::{subnet_of, tags, vpc};
use crate::aws::Tags;
use crate::aws::ec2::route_table::RouteTable;
use crate::aws::ec2::security_group::SecurityGroup;
use crate::aws::ec2::vpc_endpoint::{VpcEndpoint, Way};
use crate::aws::policy::{Document, Statement};
use crate::aws::testing::{World, out};

#[tokio::test(start_paused = true)]
async fn a_gateway_endpoint_does_not_show_in_the_routes_of_its_table() {
    let world = World::calm().await;
    let vpc = vpc(&world).await;
    let empty = RouteTable { vpc: out(&vpc, "id"), routes: Vec::new(), subnets: Vec::new(), tags: Tags::new() };
    let a = world.create("network.private-a", &empty).await;
    let b = world.create("network.private-b", &empty).await;
    let wanted = VpcEndpoint {
        vpc: out(&vpc, "id"),
        service: "com.amazonaws.us-east-1.s3".to_owned(),
        way: Way::Gateway,
        route_tables: vec![out(&a, "id")],
        subnets: Vec::new(),
        security_groups: Vec::new(),
        private_dns: false,
        policy: None,
        tags: Tags::new(),
    };
    let made = world.create("network.s3", &wanted).await;
    let read = Statement::allow(["s3:GetObject"]).aws("*").on("arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*");
    let changed = VpcEndpoint {
        route_tables: vec![out(&b, "id")],
        policy: Some(Document::new([read]).text()),
        tags: tags("b"),
        ..wanted.clone()
    };
    let made = world.update(&made, &changed).await;
    let made = world.update(&made, &wanted).await;
    let found = world.find::<RouteTable>(&a.id).await.unwrap();
    assert_eq!(found.inputs, a.inputs);
    world.delete::<VpcEndpoint>(&made).await;
}

#[tokio::test(start_paused = true)]
async fn an_interface_endpoint_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let vpc = vpc(&world).await;
    let a = world.create("network.private-a", &subnet_of(&vpc, "10.0.1.0/24", "us-east-1a")).await;
    let b = world.create("network.private-b", &subnet_of(&vpc, "10.0.2.0/24", "us-east-1b")).await;
    let group = SecurityGroup {
        vpc: out(&vpc, "id"),
        description: "endpoints".to_owned(),
        ingress: Vec::new(),
        egress: Vec::new(),
        tags: Tags::new(),
    };
    let one = world.create("network.endpoints", &group).await;
    let other = world.create("network.more-endpoints", &group).await;
    let wanted = VpcEndpoint {
        vpc: out(&vpc, "id"),
        service: "com.amazonaws.us-east-1.ecr.api".to_owned(),
        way: Way::Interface,
        route_tables: Vec::new(),
        subnets: vec![out(&a, "id")],
        security_groups: vec![out(&one, "id")],
        private_dns: true,
        policy: None,
        tags: Tags::new(),
    };
    let made = world.create("network.ecr-api", &wanted).await;
    let changed = VpcEndpoint {
        subnets: vec![out(&b, "id"), out(&a, "id")],
        security_groups: vec![out(&other, "id")],
        private_dns: false,
        tags: tags("b"),
        ..wanted
    };
    let made = world.update(&made, &changed).await;
    world.delete::<VpcEndpoint>(&made).await;
    world.delete::<SecurityGroup>(&one).await;
    world.delete::<SecurityGroup>(&other).await;
}
