//! Rules live in the sandbox from their creation to their deletion.

use std::collections::BTreeMap;

use wharf_engine::{Class, Identity, LogicalId};

use super::rule::{Rule, Target};
use crate::aws::kind::{Kind, New};
use crate::aws::sqs::queue::Queue;
use crate::aws::testing::{World, out};
use crate::aws::units::Seconds;
use crate::aws::{Tags, Text};

async fn queue(world: &World, name: &str) -> Text {
    let queue = Queue {
        name: format!("shop-{name}"),
        visibility: Seconds(30),
        retention: Seconds(3600),
        policy: None,
        dead_letters: None,
        key: None,
        tags: Tags::new(),
    };
    out::<String>(&world.create(&format!("reactions.{name}"), &queue).await, "arn")
}

fn target(arn: &Text) -> Target {
    Target { arn: arn.clone(), retries: 185, max_age: Seconds(86_400), dead_letters: None }
}

fn rule(targets: &[(&str, &Text)]) -> Rule {
    Rule {
        name: "shop-pushes".to_owned(),
        description: "images that were pushed".to_owned(),
        pattern: r#"{"source":["aws.ecr"],"detail-type":["ECR Image Action"],"detail":{"result":["SUCCESS"]}}"#.into(),
        enabled: true,
        targets: targets.iter().map(|(id, arn)| ((*id).to_owned(), target(arn))).collect(),
        tags: Tags::from([("team".to_owned(), "a".to_owned())]),
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let (a, b) = (queue(&world, "a").await, queue(&world, "b").await);
    let made = world.create("reactions.rule", &rule(&[("a", &a), ("b", &b)])).await;
    let lasting = Target { retries: 3, max_age: Seconds(600), dead_letters: Some(b.clone()), ..target(&a) };
    let changed = Rule {
        description: "images of ours that were pushed".to_owned(),
        pattern: r#"{"source":["aws.ecr"],"detail":{"repository-name":["shop/web"]}}"#.into(),
        enabled: false,
        targets: BTreeMap::from([("a".to_owned(), lasting)]),
        tags: Tags::from([("owner".to_owned(), "b".to_owned())]),
        ..rule(&[])
    };
    let made = world.update(&made, &changed).await;
    world.delete::<Rule>(&made).await;
    assert!(!world.sandbox.inventory().iter().any(|one| one.kind.starts_with("events.")));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_could_not_be_put_is_an_error() {
    let world = World::calm().await;
    let id = LogicalId::new("reactions.rule").unwrap();
    let generation = wharf_engine::Generation::from_tag("0a1b2c3d");
    let new = New { id: &id, generation: &generation, stack: "shop", token: "t" };
    let nowhere: Text = "arn:aws:sqs:us-east-1:123456789012".into();
    let error = world.elsewhere(rule(&[("a", &nowhere)]).create(&world.aws, &new)).await.unwrap_err();
    assert_eq!(error.class, Class::Invalid, "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_somebody_else_made_under_a_wanted_name_is_foreign() {
    let world = World::calm().await;
    let put = world.aws.events.put_rule().name("shop-pushes").event_pattern(r#"{"source":["aws.ecr"]}"#);
    world.elsewhere(put.send()).await.unwrap();
    let id = LogicalId::new("reactions.rule").unwrap();
    let wanted = crate::aws::erased::to_fields(&rule(&[])).unwrap();
    world.wanted.borrow_mut().insert(id.clone(), wanted);
    assert_eq!(world.find::<Rule>(&id).await.unwrap().identity, Identity::Foreign);
}
