//! The size of a group: raised, changed, taken back to nought.

use std::time::Duration;

use super::*;
use crate::aws::autoscaling::group::AutoScalingGroup;
use crate::aws::autoscaling::group::tests::{group, members, place, size};
use crate::aws::ec2::launch_template::{LaunchTemplate, RootVolume};
use crate::aws::testing::World;

fn desired(found: &wharf_engine::Found) -> Option<String> {
    found.inputs.get("desired").and_then(Value::as_text)
}

#[tokio::test(start_paused = true)]
async fn a_group_begins_empty_is_raised_and_comes_down_with_it() {
    let world = World::calm().await;
    let place = place(&world).await;
    let made = world.create("cluster.group", &group(&place)).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(members(&world), [""; 0]);
    let raised = world.create("cluster.size", &size(&made)).await;
    assert_eq!(members(&world).len(), 2);
    let raised = world.update(&raised, &GroupSize { min: 3, max: 6, ..size(&made) }).await;
    assert_eq!(members(&world).len(), 3);
    world.delete::<GroupSize>(&raised).await;
    let made = world.find::<AutoScalingGroup>(&made.id).await.unwrap();
    world.delete::<AutoScalingGroup>(&made).await;
    assert_eq!(members(&world), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn how_many_there_are_is_the_autoscalers_and_its_tag_stays() {
    let world = World::calm().await;
    let place = place(&world).await;
    let made = world.create("cluster.group", &group(&place)).await;
    let raised = world.create("cluster.size", &size(&made)).await;
    let name = &made.physical;
    let set = world.aws.autoscaling.set_desired_capacity().auto_scaling_group_name(name).desired_capacity(3);
    world.elsewhere(set.send()).await.unwrap();
    let managed = Tags::from([("AmazonECSManaged".to_owned(), "true".to_owned())]);
    world.elsewhere(tagging::write(&world.aws, name, &managed, true)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let found = world.find::<GroupSize>(&raised.id).await.unwrap();
    assert_eq!(desired(&found).as_deref(), Some("3"));
    let wanted = crate::aws::erased::to_fields(&size(&made)).unwrap();
    assert_eq!(wharf_engine::diff(GroupSize::RULES, &wanted, &found), []);
    // An update of something else keeps both.
    let found = world.update(&found, &GroupSize { max: 8, ..size(&made) }).await;
    assert_eq!(desired(&found).as_deref(), Some("3"));
    let tags = world.sandbox.resource("autoscaling.group", name).unwrap().tags;
    assert_eq!(tags.get("AmazonECSManaged").map(String::as_str), Some("true"));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_gets_no_instances_says_why() {
    let world = World::calm().await;
    let mut place = place(&world).await;
    let key = world.key_for("ec2.amazonaws.com").await;
    let root = RootVolume { kms_key: Some(key), ..place.wanted.root.clone() };
    place.template = world.update(&place.template, &LaunchTemplate { root, ..place.wanted.clone() }).await;
    let made = world.create("cluster.group", &group(&place)).await;
    let id = LogicalId::new("cluster.size").unwrap();
    let generation = wharf_engine::Generation::from_tag("0a1b2c3d");
    let new = New { id: &id, generation: &generation, stack: "shop", token: "t" };
    size(&made).create(&world.aws, &new).await.unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    let query = Query { wanted: [(id.clone(), size(&made))].into(), only: Some((id, None)) };
    let found = GroupSize::find(&world.aws, &query).await.unwrap();
    let [Found { health: Health::Settling(what), .. }] = found.as_slice() else { panic!("{found:?}") };
    assert!(what.starts_with("0 of 2 instances in service: ") && what.contains("Client error on launch"), "{what}");
}
