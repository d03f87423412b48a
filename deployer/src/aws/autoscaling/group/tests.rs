//! Groups, with what they launch by.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_engine::Value;
use wharf_sandbox::{Sandbox, Weather};

use super::*;
use crate::aws::autoscaling::size::GroupSize;
use crate::aws::call::CallError;
use crate::aws::ec2::launch_template::{LaunchTemplate, RootVolume};
use crate::aws::ec2::security_group::SecurityGroup;
use crate::aws::ec2::subnet::Subnet;
use crate::aws::ec2::vpc::Vpc;
use crate::aws::iam::instance_profile::InstanceProfile;
use crate::aws::iam::role::Role;
use crate::aws::policy::Document;
use crate::aws::testing::{World, out};
use crate::aws::units::HOUR;

type Made = wharf_engine::Found;

fn tags(value: &str) -> Tags {
    Tags::from([("team".to_owned(), value.to_owned())])
}

/// All that a group stands on.
pub(in crate::aws::autoscaling) struct Place {
    subnets: [Made; 2],
    pub(in crate::aws::autoscaling) template: Made,
    pub(in crate::aws::autoscaling) wanted: LaunchTemplate,
}

pub(in crate::aws::autoscaling) async fn place(world: &World) -> Place {
    let cidr = "10.0.0.0/16".to_owned();
    let vpc = Vpc { cidr, dns_support: true, dns_hostnames: true, tags: Tags::new() };
    let vpc = world.create("network.vpc", &vpc).await;
    let subnet = |cidr: &str, zone: &str| Subnet {
        vpc: out(&vpc, "id"),
        cidr: cidr.to_owned(),
        zone: zone.to_owned(),
        public_ips: false,
        tags: Tags::new(),
    };
    let a = world.create("network.private-a", &subnet("10.0.1.0/24", "us-east-1a")).await;
    let b = world.create("network.private-b", &subnet("10.0.2.0/24", "us-east-1b")).await;
    let group = SecurityGroup {
        vpc: out(&vpc, "id"),
        description: "instances".to_owned(),
        ingress: Vec::new(),
        egress: Vec::new(),
        tags: Tags::new(),
    };
    let group = world.create("network.instances", &group).await;
    let role = Role {
        name: "shop-instances".to_owned(),
        description: String::new(),
        trust: Document::trusting("ec2.amazonaws.com").text(),
        policies: BTreeMap::new(),
        managed: Vec::new(),
        max_session: HOUR,
        boundary: None,
        tags: Tags::new(),
    };
    let role = world.create("cluster.instance-role", &role).await;
    let profile = InstanceProfile { name: "shop-instances".to_owned(), role: out(&role, "name"), tags: Tags::new() };
    let profile = world.create("cluster.instance-profile", &profile).await;
    let wanted = LaunchTemplate {
        instance_type: "m7g.large".to_owned(),
        image: LaunchTemplate::ecs_image("m7g.large"),
        instance_profile: out(&profile, "arn"),
        security_groups: vec![out(&group, "id")],
        user_data: "#!/bin/bash\n".into(),
        root: RootVolume { gib: 30, kms_key: None, iops: 3000, throughput_mibs: 125 },
        metadata_hops: 1,
        detailed_monitoring: true,
        instance_tags: tags("a"),
        tags: Tags::new(),
    };
    let template = world.create("cluster.launch-template", &wanted).await;
    Place { subnets: [a, b], template, wanted }
}

pub(in crate::aws::autoscaling) fn group(place: &Place) -> AutoScalingGroup {
    AutoScalingGroup {
        launch_template: out(&place.template, "id"),
        launch_template_version: out(&place.template, "version"),
        subnets: place.subnets.iter().map(|subnet| out(subnet, "id")).collect(),
        health_checks: vec!["EC2".to_owned()],
        health_check_grace: Seconds(120),
        cooldown: Seconds(300),
        warmup: Seconds(60),
        capacity_rebalance: false,
        protect_new_instances: true,
        metrics: true,
        termination_policies: vec!["OldestLaunchTemplate".to_owned(), "Default".to_owned()],
        max_instance_lifetime: None,
        refresh: Refresh { min_healthy: 100, max_healthy: 200, warmup: Seconds(60) },
        tags: tags("a"),
    }
}

pub(in crate::aws::autoscaling) fn size(group: &Made) -> GroupSize {
    GroupSize { group: out(group, "name"), min: 2, max: 4, desired: 2 }
}

/// A group with two instances, as it is then.
async fn filled(world: &World, place: &Place) -> Made {
    let made = world.create("cluster.group", &group(place)).await;
    world.create("cluster.size", &size(&made)).await;
    world.find::<AutoScalingGroup>(&made.id).await.unwrap()
}

pub(in crate::aws::autoscaling) fn members(world: &World) -> Vec<String> {
    let all = world.sandbox.resources();
    let mut ids: Vec<String> = all.iter().filter(|r| r.kind == "autoscaling.instance").map(|r| r.id.clone()).collect();
    ids.sort();
    ids
}

#[tokio::test(start_paused = true)]
async fn a_group_lives_from_creation_to_deletion_with_its_instances() {
    let world = World::calm().await;
    let place = place(&world).await;
    let wanted = group(&place);
    let made = filled(&world, &place).await;
    assert_eq!(members(&world).len(), 2);
    let changed = AutoScalingGroup {
        subnets: vec![out(&place.subnets[0], "id")],
        health_checks: vec!["EBS".to_owned(), "EC2".to_owned()],
        health_check_grace: Seconds(60),
        cooldown: Seconds(60),
        warmup: Seconds(30),
        capacity_rebalance: true,
        protect_new_instances: false,
        metrics: false,
        termination_policies: vec!["OldestInstance".to_owned()],
        max_instance_lifetime: Some(Days(30)),
        tags: tags("b"),
        ..wanted.clone()
    };
    let made = world.update(&made, &changed).await;
    let made = world.update(&made, &wanted).await;
    world.delete::<AutoScalingGroup>(&made).await;
    world.delete::<LaunchTemplate>(&place.template).await;
    for subnet in &place.subnets {
        world.delete::<Subnet>(subnet).await;
    }
    let left = world.sandbox.inventory();
    assert!(left.iter().all(|r| !r.kind.starts_with("autoscaling.") && r.kind != "ec2.instance"), "{left:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_version_of_the_template_replaces_every_instance_the_protected_ones_too() {
    let world = World::calm().await;
    let mut place = place(&world).await;
    let made = filled(&world, &place).await;
    let before = members(&world);
    let larger = LaunchTemplate { instance_type: "m7g.xlarge".to_owned(), ..place.wanted.clone() };
    place.template = world.update(&place.template, &larger).await;
    let made = world.update(&made, &group(&place)).await;
    let after = members(&world);
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|id| !before.contains(id)));
    let types = world.sandbox.resources().into_iter().filter(|r| after.contains(&r.id) && r.kind == "ec2.instance");
    assert!(types.into_iter().all(|instance| instance.text("instanceType") == "m7g.xlarge"));
    world.delete::<AutoScalingGroup>(&made).await;
}

#[tokio::test(start_paused = true)]
async fn a_replacement_that_was_cut_short_shows_as_a_difference() {
    let world = World::calm().await;
    let mut place = place(&world).await;
    let made = filled(&world, &place).await;
    let larger = LaunchTemplate { instance_type: "m7g.xlarge".to_owned(), ..place.wanted.clone() };
    place.template = world.update(&place.template, &larger).await;
    // The group was changed, and then whoever did that was gone.
    let version = place.template.outputs.get("version").and_then(Value::as_text).unwrap();
    let found = launching(&world, &made, version).await;
    assert_eq!(differing(&found, &place), ["launch_template_version"]);
    world.update(&found, &group(&place)).await;
}

#[tokio::test(start_paused = true)]
async fn a_group_that_would_launch_others_than_it_has_shows_as_a_difference() {
    let world = World::calm().await;
    let place = place(&world).await;
    let made = filled(&world, &place).await;
    let before = members(&world);
    let larger = LaunchTemplate { instance_type: "m7g.xlarge".to_owned(), ..place.wanted.clone() };
    let version = world.update(&place.template, &larger).await.outputs["version"].as_text().unwrap();
    let found = launching(&world, &made, version).await;
    assert_eq!(differing(&found, &place), ["launch_template_version"]);
    let found = world.update(&found, &group(&place)).await;
    assert_eq!(differing(&found, &place), Vec::<String>::new());
    assert_eq!(members(&world), before);
}

/// The group once somebody has said that it launches this version of its template.
async fn launching(world: &World, made: &Made, version: String) -> Made {
    let edited = world.sandbox.edit("autoscaling.group", &made.physical, |group, _| {
        group["LaunchTemplate"]["Version"] = version.into();
    });
    edited.unwrap();
    world.find::<AutoScalingGroup>(&made.id).await.unwrap()
}

/// The fields in which a group is not as this place wants it.
fn differing(found: &Made, place: &Place) -> Vec<String> {
    let wanted = crate::aws::erased::to_fields(&group(place)).unwrap();
    let changes = wharf_engine::diff(AutoScalingGroup::RULES, &wanted, found);
    changes.into_iter().map(|change| change.field).collect()
}

#[tokio::test(start_paused = true)]
async fn instances_get_the_users_tags_and_none_of_the_groups_identity() {
    let world = World::calm().await;
    let place = place(&world).await;
    filled(&world, &place).await;
    let all = world.sandbox.resources();
    for instance in all.iter().filter(|r| r.kind == "ec2.instance") {
        let get = |key: &str| instance.tags.get(key).map(String::as_str);
        assert_eq!((get("team"), get("wharf:stack"), get("wharf:id")), (Some("a"), Some("shop"), None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_ec2_does_not_know_yet_is_waited_for() {
    let weather = Weather { stale_reads: Duration::from_millis(1), ..Weather::calm() };
    let world = World::of(Sandbox::builder().seed(1).weather(weather).build()).await;
    let place = place(&world).await;
    let id = wharf_engine::LogicalId::new("cluster.group").unwrap();
    let generation = wharf_engine::Generation::from_tag("0a1b2c3d");
    let new = New { id: &id, generation: &generation, stack: "shop", token: "t" };
    let refused: Result<_, CallError> = group(&place).create(&world.aws, &new).await;
    assert_eq!(refused.unwrap_err().class, Class::NotYetVisible);
}
