//! Queues live in the sandbox from their creation to their deletion.

use wharf_engine::{Class, Identity, LogicalId};

use super::queue::{DeadLetters, Queue};
use crate::aws::kind::{Kind, New};
use crate::aws::policy::{Document, Statement};
use crate::aws::testing::{World, out};
use crate::aws::units::Seconds;
use crate::aws::{Tags, Text};

fn queue(name: &str) -> Queue {
    Queue {
        name: name.to_owned(),
        visibility: Seconds(180),
        retention: Seconds(4 * 24 * 60 * 60),
        policy: None,
        dead_letters: None,
        key: None,
        tags: Tags::from([("team".to_owned(), "a".to_owned())]),
    }
}

fn policy(name: &str) -> Text {
    let arn = format!("arn:aws:sqs:us-east-1:123456789012:{name}");
    let events = Statement::allow(["sqs:SendMessage"]).service("events.amazonaws.com").on(arn);
    let rule = "arn:aws:events:us-east-1:123456789012:rule/shop-pushes";
    Document::new([events.when("ArnEquals", "aws:SourceArn", rule)]).text()
}

#[tokio::test(start_paused = true)]
async fn a_queue_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let dead = world.create("reactions.dead", &queue("shop-pushes-dead")).await;
    let letters = Some(DeadLetters { queue: out(&dead, "arn"), receives: 5 });
    let made = world.create("reactions.queue", &queue("shop-pushes")).await;
    let full = Queue {
        visibility: Seconds(360),
        retention: Seconds(3600),
        policy: Some(policy("shop-pushes")),
        dead_letters: letters,
        key: Some(world.key_for("sqs.amazonaws.com").await),
        tags: Tags::new(),
        ..queue("shop-pushes")
    };
    let made = world.update(&made, &full).await;
    let made = world.update(&made, &queue("shop-pushes")).await;
    world.delete::<Queue>(&made).await;
    world.delete::<Queue>(&dead).await;
    assert!(!world.sandbox.inventory().iter().any(|one| one.kind.starts_with("sqs.")));
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_made_with_all_that_it_has() {
    let world = World::calm().await;
    let dead = world.create("reactions.dead", &queue("shop-pushes-dead")).await;
    let letters = Some(DeadLetters { queue: out(&dead, "arn"), receives: 5 });
    let full = Queue { policy: Some(policy("shop-pushes")), dead_letters: letters, ..queue("shop-pushes") };
    world.create("reactions.queue", &full).await;
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_deleted_queue_is_free_a_minute_later() {
    let world = World::calm().await;
    let made = world.create("reactions.queue", &queue("shop-pushes")).await;
    world.delete::<Queue>(&made).await;
    let id = LogicalId::new("reactions.queue").unwrap();
    let generation = wharf_engine::Generation::from_tag("0a1b2c3d");
    let new = New { id: &id, generation: &generation, stack: "shop", token: "t" };
    let refused = world.elsewhere(queue("shop-pushes").create(&world.aws, &new)).await.unwrap_err();
    assert_eq!(refused.class, Class::Draining, "{refused}");
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    world.create("reactions.queue", &queue("shop-pushes")).await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_not_encrypted_is_not_as_it_is_wanted() {
    let world = World::calm().await;
    let made = world.create("reactions.queue", &queue("shop-pushes")).await;
    let open = world.aws.sqs.set_queue_attributes().queue_url(&made.physical);
    let open = open.attributes(aws_sdk_sqs::types::QueueAttributeName::SqsManagedSseEnabled, "false");
    world.elsewhere(open.send()).await.unwrap();
    let found = world.find::<Queue>(&made.id).await.unwrap();
    world.update(&found, &queue("shop-pushes")).await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_somebody_else_made_under_a_wanted_name_is_foreign() {
    let world = World::calm().await;
    world.elsewhere(world.aws.sqs.create_queue().queue_name("shop-pushes").send()).await.unwrap();
    let id = LogicalId::new("reactions.queue").unwrap();
    let wanted = crate::aws::erased::to_fields(&queue("shop-pushes")).unwrap();
    world.wanted.borrow_mut().insert(id.clone(), wanted);
    assert_eq!(world.find::<Queue>(&id).await.unwrap().identity, Identity::Foreign);
}
