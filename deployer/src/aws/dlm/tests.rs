//! A lifecycle policy lives in the sandbox from its creation to its deletion, and does what it says.

use std::time::Duration;

use super::policy::Policy;
use crate::aws::Tags;
use crate::aws::iam::role::Role;
use crate::aws::policy::Document;
use crate::aws::testing::{World, out};

fn role() -> Role {
    Role {
        name: "shop-protection-role".to_owned(),
        trust: Document::trusting("dlm.amazonaws.com").text(),
        description: String::new(),
        policies: Default::default(),
        managed: Vec::new(),
        max_session: crate::aws::units::HOUR,
        boundary: None,
        tags: Tags::new(),
    }
}

async fn policy(world: &World) -> Policy {
    let role = world.create("protection.role", &role()).await;
    Policy {
        description: "volumes of shop".to_owned(),
        enabled: true,
        role: out(&role, "arn"),
        target_tags: Tags::from([("wharf:stack".to_owned(), "shop".to_owned())]),
        schedule: "daily".to_owned(),
        every_hours: 24,
        at: "03:00".to_owned(),
        keep: 14,
        copy_tags: true,
        tags_to_add: Tags::from([("by".to_owned(), "dlm".to_owned())]),
        more: Vec::new(),
        tags: Tags::from([("team".to_owned(), "a".to_owned())]),
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let wanted = policy(&world).await;
    let made = world.create("protection.volumes", &wanted).await;
    let changed = Policy {
        description: "volumes".to_owned(),
        enabled: false,
        target_tags: Tags::from([("backup".to_owned(), "yes".to_owned())]),
        schedule: "often".to_owned(),
        every_hours: 12,
        at: "04:30".to_owned(),
        keep: 7,
        copy_tags: false,
        tags_to_add: Tags::new(),
        tags: Tags::from([("cost".to_owned(), "x".to_owned())]),
        ..wanted
    };
    let made = world.update(&made, &changed).await;
    world.delete::<Policy>(&made).await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_somebody_gave_more_to_do_does_its_own_again() {
    let world = World::calm().await;
    let wanted = policy(&world).await;
    let made = world.create("protection.volumes", &wanted).await;
    let edit = |attrs: &mut serde_json::Map<String, serde_json::Value>, _: &mut Tags| {
        let schedules = attrs["PolicyDetails"]["Schedules"].as_array_mut().unwrap();
        let mut further = schedules[0].clone();
        further["Name"] = "often".into();
        schedules[0]["ShareRules"] = serde_json::json!([{ "TargetAccounts": ["210987654321"] }]);
        schedules.push(further);
    };
    world.sandbox.edit("dlm.policy", &made.physical, edit).unwrap();
    let found = world.find::<Policy>(&made.id).await.unwrap();
    let more = ["schedule often", "shares"].map(wharf_engine::Value::text);
    assert_eq!(found.inputs["more"], wharf_engine::Value::List(more.into()));
    world.update(&found, &wanted).await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_in_error_is_enabled_again() {
    let world = World::calm().await;
    let wanted = policy(&world).await;
    let made = world.create("protection.volumes", &wanted).await;
    let fault = |attrs: &mut serde_json::Map<String, serde_json::Value>, _: &mut Tags| {
        attrs.insert("State".to_owned(), "ERROR".into());
    };
    world.sandbox.edit("dlm.policy", &made.physical, fault).unwrap();
    let found = world.find::<Policy>(&made.id).await.unwrap();
    world.update(&found, &wanted).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
}
