//! A load balancer and all that belongs to it live in the sandbox from their creation to their deletion.

use super::listener::{DefaultAction, Listener, TLS_POLICY, Tls};
use super::listener_rule::ListenerRule;
use super::load_balancer::{DesyncMitigation, LoadBalancer, Logs};
use super::target_group::{Algorithm, HealthCheck, Protocol, TargetGroup, TargetGroupArn, Version};
use crate::aws::ec2::internet_gateway::InternetGateway;
use crate::aws::ec2::security_group::SecurityGroup;
use crate::aws::ec2::subnet::Subnet;
use crate::aws::ec2::vpc::{Vpc, VpcId};
use crate::aws::testing::{World, out};
use crate::aws::units::Seconds;
use crate::aws::{Out, Tags};

fn tags(team: &str) -> Tags {
    Tags::from([("team".to_owned(), team.to_owned())])
}

/// A VPC that the internet reaches, with three subnets and two security groups.
struct Place {
    world: World,
    vpc: Out<VpcId>,
    wanted: LoadBalancer,
    other: LoadBalancer,
}

async fn place() -> Place {
    let world = World::calm().await;
    let vpc = Vpc { cidr: "10.0.0.0/16".to_owned(), dns_support: true, dns_hostnames: true, tags: Tags::new() };
    let made = world.create("network.vpc", &vpc).await;
    let vpc: Out<VpcId> = out(&made, "id");
    world.create("network.gateway", &InternetGateway { vpc: vpc.clone(), tags: Tags::new() }).await;
    let mut subnets = Vec::new();
    for (number, zone) in ["a", "b", "c"].iter().enumerate() {
        let subnet = Subnet {
            vpc: vpc.clone(),
            cidr: format!("10.0.{number}.0/24"),
            zone: format!("us-east-1{zone}"),
            public_ips: false,
            tags: Tags::new(),
        };
        let made = world.create(&format!("network.subnet-{zone}"), &subnet).await;
        subnets.push(out(&made, "id"));
    }
    let mut groups = Vec::new();
    for name in ["one", "two"] {
        let group = SecurityGroup {
            vpc: vpc.clone(),
            description: name.to_owned(),
            ingress: Vec::new(),
            egress: Vec::new(),
            tags: Tags::new(),
        };
        groups.push(out(&world.create(&format!("edge.group-{name}"), &group).await, "id"));
    }
    let wanted = LoadBalancer {
        vpc: vpc.clone(),
        subnets: subnets[..2].to_vec(),
        security_groups: groups[..1].to_vec(),
        internet_facing: true,
        deletion_protection: true,
        idle_timeout: Seconds(60),
        keep_alive: Seconds(3600),
        http2: true,
        drop_invalid_headers: true,
        preserve_host: false,
        desync_mitigation: DesyncMitigation::Strictest,
        zonal_shift: true,
        access_logs: None,
        tags: tags("a"),
    };
    let other = LoadBalancer {
        subnets: subnets[1..].to_vec(),
        security_groups: groups,
        deletion_protection: false,
        idle_timeout: Seconds(120),
        keep_alive: Seconds(600),
        http2: false,
        drop_invalid_headers: false,
        preserve_host: true,
        desync_mitigation: DesyncMitigation::Defensive,
        zonal_shift: false,
        access_logs: Some(Logs { bucket: "logs".to_owned(), prefix: "shop".to_owned() }),
        tags: tags("b"),
        ..wanted.clone()
    };
    Place { world, vpc, wanted, other }
}

fn targets(vpc: &Out<VpcId>) -> TargetGroup {
    TargetGroup {
        vpc: vpc.clone(),
        port: 8000,
        protocol: Protocol::Http,
        version: Version::Http1,
        health: HealthCheck {
            path: "/healthz".to_owned(),
            codes: "200-399".to_owned(),
            interval: Seconds(10),
            timeout: Seconds(5),
            healthy: 2,
            unhealthy: 3,
        },
        draining: Seconds(15),
        slow_start: Seconds(30),
        algorithm: Algorithm::RoundRobin,
        sticky: None,
        tags: tags("a"),
    }
}

fn http(balancer: &wharf_engine::Found) -> Listener {
    Listener {
        load_balancer: out(balancer, "arn"),
        port: 80,
        tls: None,
        more_certificates: Vec::new(),
        default: DefaultAction::ToHttps,
        target_groups: Vec::new(),
        weights: Vec::new(),
        tags: tags("a"),
    }
}

fn rule(listener: &wharf_engine::Found, groups: Vec<Out<TargetGroupArn>>, weights: Vec<u16>) -> ListenerRule {
    ListenerRule {
        listener: out(listener, "arn"),
        priority: 10,
        hosts: vec!["shop.example.com".to_owned()],
        paths: Vec::new(),
        sources: vec!["203.0.113.0/24".to_owned()],
        methods: Vec::new(),
        target_groups: groups,
        weights,
        tags: tags("a"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_balancer_lives_from_creation_to_deletion() {
    let place = place().await;
    let made = place.world.create("edge.load-balancer", &place.wanted).await;
    let other = LoadBalancer { deletion_protection: true, ..place.other.clone() };
    let made = place.world.update(&made, &other).await;
    // Whoever may delete it lifts AWS's own protection.
    place.world.delete::<LoadBalancer>(&made).await;
    let left = place.world.sandbox.inventory();
    assert!(left.iter().all(|resource| !resource.kind.starts_with("elasticloadbalancing.")));
}

#[tokio::test(start_paused = true)]
async fn a_target_group_lives_from_creation_to_deletion() {
    let place = place().await;
    let made = place.world.create("services.web.target-group", &targets(&place.vpc)).await;
    let changed = TargetGroup {
        health: HealthCheck { path: "/".to_owned(), interval: Seconds(20), ..targets(&place.vpc).health },
        draining: Seconds(5),
        slow_start: Seconds(0),
        algorithm: Algorithm::LeastOutstandingRequests,
        sticky: Some(Seconds(600)),
        tags: tags("b"),
        ..targets(&place.vpc)
    };
    let made = place.world.update(&made, &changed).await;
    place.world.delete::<TargetGroup>(&made).await;
}

#[tokio::test(start_paused = true)]
async fn listeners_and_rules_live_from_creation_to_deletion() {
    let place = place().await;
    let world = &place.world;
    let balancer = world.create("edge.load-balancer", &place.other).await;
    let blue = world.create("services.web.target-group", &targets(&place.vpc)).await;
    let green = world.create("services.web.alternate-target-group", &targets(&place.vpc)).await;
    let listener = world.create("edge.http", &http(&balancer)).await;
    let not_found = DefaultAction::NotFound { body: "nothing here".to_owned() };
    let listener = world.update(&listener, &Listener { default: not_found, port: 8080, ..http(&balancer) }).await;
    let forward =
        Listener { default: DefaultAction::Forward, target_groups: vec![out(&blue, "arn")], ..http(&balancer) };
    let listener = world.update(&listener, &forward).await;
    let made = world.create("services.web.rule", &rule(&listener, vec![out(&blue, "arn")], vec![100])).await;
    let changed = ListenerRule {
        priority: 20,
        hosts: Vec::new(),
        paths: vec!["/api/*".to_owned()],
        methods: vec!["GET".to_owned()],
        sources: Vec::new(),
        target_groups: vec![out(&blue, "arn"), out(&green, "arn")],
        tags: tags("b"),
        ..rule(&listener, Vec::new(), vec![100])
    };
    let made = world.update(&made, &changed).await;
    world.delete::<ListenerRule>(&made).await;
    world.delete::<Listener>(&listener).await;
    for group in [&blue, &green] {
        world.delete::<TargetGroup>(group).await;
    }
    world.delete::<LoadBalancer>(&balancer).await;
}

#[tokio::test(start_paused = true)]
async fn weights_that_a_rollout_set_are_neither_drift_nor_written_over() {
    let place = place().await;
    let world = &place.world;
    let balancer = world.create("edge.load-balancer", &place.other).await;
    let blue = world.create("services.web.target-group", &targets(&place.vpc)).await;
    let green = world.create("services.web.alternate-target-group", &targets(&place.vpc)).await;
    let listener = world.create("edge.http", &http(&balancer)).await;
    let wanted = rule(&listener, vec![out(&blue, "arn"), out(&green, "arn")], vec![100, 0]);
    let made = world.create("services.web.rule", &wanted).await;
    let live = |arn: &str| if arn == green.physical { 100 } else { 0 };
    let weights = |resource: &wharf_sandbox::Resource| {
        let groups = resource.items("Actions")[0]["ForwardConfig"]["TargetGroups"].as_array().cloned().unwrap();
        groups.iter().all(|group| group["Weight"] == live(group["TargetGroupArn"].as_str().unwrap()))
    };
    world
        .sandbox
        .edit("elasticloadbalancing.rule", &made.physical, |attrs, _| {
            let groups = attrs["Actions"][0]["ForwardConfig"]["TargetGroups"].as_array_mut().unwrap();
            for group in groups {
                group["Weight"] = live(group["TargetGroupArn"].as_str().unwrap()).into();
            }
        })
        .unwrap();
    let found = world.find::<ListenerRule>(&made.id).await.unwrap();
    let fields = crate::aws::erased::to_fields(&wanted).unwrap();
    assert!(wharf_engine::diff(found.rules, &fields, &found).is_empty());
    world.update(&found, &ListenerRule { hosts: vec!["www.example.com".to_owned()], ..wanted }).await;
    assert!(weights(&world.sandbox.resource("elasticloadbalancing.rule", &made.physical).unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_listener_shows_a_certificate_and_more() {
    let place = place().await;
    let world = &place.world;
    let balancer = world.create("edge.load-balancer", &place.other).await;
    let mut certificates = Vec::new();
    for name in ["one", "two"] {
        let wanted = crate::aws::acm::certificate::Certificate {
            domain: format!("{name}.example.com"),
            alternative_names: Vec::new(),
            tags: Tags::new(),
        };
        let made = world.create(&format!("edge.certificate-{name}"), &wanted).await;
        let issue = |attrs: &mut serde_json::Map<String, serde_json::Value>, _: &mut Tags| {
            attrs.insert("Status".to_owned(), "ISSUED".into());
        };
        world.sandbox.edit("acm.certificate", &made.physical, issue).unwrap();
        certificates.push(Out::known(made.physical.as_str()));
    }
    let tls = |n: usize| Some(Tls { policy: TLS_POLICY.to_owned(), certificate: certificates[n].clone() });
    let not_found = DefaultAction::NotFound { body: String::new() };
    let wanted = Listener {
        port: 443,
        tls: tls(0),
        more_certificates: vec![certificates[1].clone()],
        default: not_found,
        ..http(&balancer)
    };
    let made = world.create("edge.https", &wanted).await;
    let changed = Listener { tls: tls(1), more_certificates: vec![certificates[0].clone()], ..wanted };
    let made = world.update(&made, &Listener { more_certificates: Vec::new(), ..changed }).await;
    world.delete::<Listener>(&made).await;
}
