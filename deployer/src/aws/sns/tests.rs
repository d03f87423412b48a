//! Topics and subscriptions live in the sandbox from their creation to their deletion.

use wharf_engine::{Class, Identity, LogicalId};

use super::subscription::Subscription;
use super::topic::{Topic, TopicArn};
use crate::aws::kind::{Kind, New, Query};
use crate::aws::policy::{Document, Statement};
use crate::aws::testing::{World, out};
use crate::aws::{Out, Tags, Text};

const ARN: &str = "arn:aws:sns:us-east-1:123456789012:shop-alarms";

fn topic() -> Topic {
    let cloudwatch = Statement::allow(["sns:Publish"]).service("cloudwatch.amazonaws.com").on(ARN);
    Topic {
        name: "shop-alarms".to_owned(),
        display_name: "Shop".to_owned(),
        policy: Some(Document::new([cloudwatch.when("StringEquals", "aws:SourceAccount", "123456789012")]).text()),
        key: None,
        tags: Tags::from([("team".to_owned(), "a".to_owned())]),
    }
}

fn subscription(topic: &Out<TopicArn>, protocol: &str, endpoint: &str) -> Subscription {
    let endpoint = Text::known(endpoint);
    Subscription { topic: topic.clone(), protocol: protocol.to_owned(), endpoint, raw: false, dead_letters: None }
}

#[tokio::test(start_paused = true)]
async fn a_topic_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let made = world.create("observability.topic", &topic()).await;
    let key = Some(world.key_for("cloudwatch.amazonaws.com").await);
    let changed = Topic { display_name: "Shop of us".to_owned(), policy: None, key, tags: Tags::new(), ..topic() };
    let made = world.update(&made, &changed).await;
    let made = world.update(&made, &topic()).await;
    world.delete::<Topic>(&made).await;
    assert!(!world.sandbox.inventory().iter().any(|one| one.kind.starts_with("sns.")));
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_somebody_else_made_under_a_wanted_name_is_foreign() {
    let world = World::calm().await;
    world.elsewhere(world.aws.sns.create_topic().name("shop-alarms").send()).await.unwrap();
    let id = LogicalId::new("observability.topic").unwrap();
    let wanted = crate::aws::erased::to_fields(&topic()).unwrap();
    world.wanted.borrow_mut().insert(id.clone(), wanted);
    assert_eq!(world.find::<Topic>(&id).await.unwrap().identity, Identity::Foreign);
    let generation = wharf_engine::Generation::from_tag("0a1b2c3d");
    let new = New { id: &id, generation: &generation, stack: "shop", token: "t" };
    let error = world.elsewhere(topic().create(&world.aws, &new)).await.unwrap_err();
    assert_eq!(error.class, Class::Exists, "{error}");
}

#[tokio::test(start_paused = true)]
async fn subscriptions_live_from_creation_to_deletion() {
    let world = World::calm().await;
    let topic = out(&world.create("observability.topic", &topic()).await, "arn");
    let queue = subscription(&topic, "sqs", "arn:aws:sqs:us-east-1:123456789012:alarms");
    let made = world.create("observability.queue", &queue).await;
    let dead = Some(Out::known("arn:aws:sqs:us-east-1:123456789012:alarms-dead"));
    let made = world.update(&made, &Subscription { raw: true, dead_letters: dead, ..queue.clone() }).await;
    let made = world.update(&made, &queue).await;
    let email = subscription(&topic, "email", "ops@example.com");
    let waiting = world.create("observability.email", &email).await;
    assert_eq!(waiting.outputs["arn"].as_text().unwrap(), "PendingConfirmation");
    // SNS lets nobody delete it; to the stack it is gone.
    world.delete::<Subscription>(&waiting).await;
    world.delete::<Subscription>(&made).await;
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_not_wanted_any_more_is_found_and_named_after_its_topic() {
    let world = World::calm().await;
    let topic = out(&world.create("observability.topic", &topic()).await, "arn");
    let function = subscription(&topic, "lambda", "arn:aws:lambda:us-east-1:123456789012:function:f");
    world.create("observability.function", &function).await;
    let query = Query::<Subscription> { wanted: Default::default(), only: None };
    let found = world.elsewhere(Subscription::find(&world.aws, &query)).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].id.as_str().starts_with("observability.topic-lambda-"), "{}", found[0].id);
}
