//! Security groups and flow logs.

use super::{tags, vpc};
use crate::aws::Tags;
use crate::aws::ec2::default_security_group::DefaultSecurityGroup;
use crate::aws::ec2::flow_log::{FORMAT, FlowLog, Interval, Traffic};
use crate::aws::ec2::rules::{Peer, Rule};
use crate::aws::ec2::security_group::SecurityGroup;
use crate::aws::ec2::vpc::Vpc;
use crate::aws::testing::{World, out};

fn everywhere() -> Peer {
    Peer::Ipv4("0.0.0.0/0".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_security_group_has_the_rules_that_are_wanted_and_no_others() {
    let world = World::calm().await;
    let vpc = vpc(&world).await;
    let group = |description: &str| SecurityGroup {
        vpc: out(&vpc, "id"),
        description: description.to_owned(),
        ingress: Vec::new(),
        egress: Vec::new(),
        tags: Tags::new(),
    };
    let balancer = world.create("network.balancer", &group("the load balancer")).await;
    let from_balancer = Peer::Group(out(&balancer, "id"));
    let wanted = SecurityGroup {
        ingress: vec![
            Rule::tcp(8000, from_balancer.clone(), "web"),
            Rule::tcp(8025, from_balancer.clone(), "mail"),
            Rule::all(Peer::Itself, "each other"),
        ],
        egress: vec![Rule::all(everywhere(), "")],
        ..group("the tasks")
    };
    let made = world.create("network.tasks", &wanted).await;
    let ranges = Rule { from: 1000, to: 2000, ..Rule::tcp(0, Peer::Ipv4("10.0.0.0/16".to_owned()), "inside") };
    let changed = SecurityGroup {
        // One stays, one is described anew, one goes, two come.
        ingress: vec![
            ranges,
            Rule::tcp(8025, from_balancer.clone(), "the mail catcher"),
            Rule::tcp(8000, from_balancer, "web"),
            Rule::tcp(443, Peer::Ipv6("2001:db8::/32".to_owned()), "an office"),
        ],
        egress: vec![Rule::tcp(443, everywhere(), "AWS")],
        tags: tags("b"),
        ..wanted
    };
    let made = world.update(&made, &changed).await;
    world.delete::<SecurityGroup>(&made).await;
    world.delete::<SecurityGroup>(&balancer).await;
}

#[tokio::test(start_paused = true)]
async fn rules_that_are_there_already_do_not_stop_the_others() {
    let world = World::calm().await;
    let vpc = vpc(&world).await;
    let wanted = SecurityGroup {
        vpc: out(&vpc, "id"),
        description: "the tasks".to_owned(),
        ingress: Vec::new(),
        egress: Vec::new(),
        tags: Tags::new(),
    };
    let empty = world.create("network.tasks", &wanted).await;
    let one = SecurityGroup { ingress: vec![Rule::tcp(8000, everywhere(), "")], ..wanted.clone() };
    let with_one = world.update(&empty, &one).await;
    let two = SecurityGroup {
        ingress: vec![Rule::tcp(8000, everywhere(), ""), Rule::tcp(8025, everywhere(), "")],
        ..wanted.clone()
    };
    // What was read last does not have the first rule yet.
    let with_two = world.update(&empty, &two).await;
    world.update(&with_two, &wanted).await;
    // Nor does it know that the first one is gone again.
    world.update(&with_one, &SecurityGroup { tags: tags("b"), ..wanted }).await;
}

#[tokio::test(start_paused = true)]
async fn a_default_group_is_emptied_and_let_go() {
    let world = World::calm().await;
    let vpc = vpc(&world).await;
    let wanted =
        DefaultSecurityGroup { vpc: out(&vpc, "id"), ingress: Vec::new(), egress: Vec::new(), tags: Tags::new() };
    let made = world.create("network.default-group", &wanted).await;
    let open = DefaultSecurityGroup { egress: vec![Rule::all(everywhere(), "")], tags: tags("b"), ..wanted.clone() };
    let made = world.update(&made, &open).await;
    let made = world.update(&made, &wanted).await;
    world.delete::<DefaultSecurityGroup>(&made).await;
    world.delete::<Vpc>(&vpc).await;
    assert!(world.sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_flow_log_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let vpc = vpc(&world).await;
    let wanted = FlowLog {
        vpc: out(&vpc, "id"),
        log_group: "/shop/network/flow".into(),
        role: "arn:aws:iam::123456789012:role/wharf/shop/shop-network-flow-log".into(),
        traffic: Traffic::Rejected,
        format: FORMAT.to_owned(),
        interval: Interval::OneMinute,
        tags: Tags::new(),
    };
    let made = world.create("network.flow-log", &wanted).await;
    let made = world.update(&made, &FlowLog { tags: tags("b"), ..wanted }).await;
    world.delete::<FlowLog>(&made).await;
}
