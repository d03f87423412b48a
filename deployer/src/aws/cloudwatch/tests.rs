//! Alarms and dashboards live in the sandbox from their creation to their deletion.

use std::collections::BTreeMap;

use wharf_engine::{Class, Identity, LogicalId};

use super::alarm::{Alarm, Comparison, Decimal, Math, Metric, Missing};
use super::composite_alarm::CompositeAlarm;
use super::dashboard::Dashboard;
use crate::aws::erased::typed;
use crate::aws::kind::{Kind, New, Query};
use crate::aws::sns::topic::{Topic, TopicArn};
use crate::aws::testing::{World, out};
use crate::aws::units::Seconds;
use crate::aws::{Out, Tags, Text};

fn metric(name: &str) -> Metric {
    Metric {
        namespace: "AWS/ApplicationELB".to_owned(),
        name: name.to_owned(),
        dimensions: BTreeMap::from([("LoadBalancer".to_owned(), Text::known("app/shop/1"))]),
        statistic: "Sum".to_owned(),
        period: Seconds(60),
    }
}

fn alarm(topic: &Out<TopicArn>) -> Alarm {
    Alarm {
        name: "shop-errors".to_owned(),
        description: "the application answers errors: look at its log".to_owned(),
        metric: Some(metric("HTTPCode_Target_5XX_Count")),
        math: None,
        comparison: Comparison::Above,
        threshold: Decimal::from(5),
        periods: 3,
        breaches: 2,
        missing: Missing::NotBreaching,
        actions_enabled: true,
        on_alarm: vec![topic.clone()],
        on_ok: vec![topic.clone()],
        on_no_data: Vec::new(),
        tags: Tags::from([("team".to_owned(), "a".to_owned())]),
    }
}

async fn topic(world: &World) -> Out<TopicArn> {
    let topic = Topic {
        name: "shop-alarms".to_owned(),
        display_name: String::new(),
        policy: None,
        key: None,
        tags: Tags::new(),
    };
    out(&world.create("observability.topic", &topic).await, "arn")
}

#[tokio::test(start_paused = true)]
async fn an_alarm_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let topic = topic(&world).await;
    let made = world.create("observability.errors", &alarm(&topic)).await;
    let tags = Alarm { tags: Tags::from([("cost".to_owned(), "x".to_owned())]), ..alarm(&topic) };
    let made = world.update(&made, &tags).await;
    let rate = Math {
        expression: "IF(requests > 20, 100 * errors / requests, 0)".to_owned(),
        label: "share of errors".to_owned(),
        metrics: BTreeMap::from([
            ("errors".to_owned(), metric("HTTPCode_Target_5XX_Count")),
            ("requests".to_owned(), metric("RequestCount")),
        ]),
    };
    let changed = Alarm {
        description: "too many errors".to_owned(),
        metric: None,
        math: Some(rate),
        comparison: Comparison::AtLeast,
        threshold: Decimal::from(2.5),
        periods: 5,
        breaches: 5,
        missing: Missing::Missing,
        actions_enabled: false,
        on_alarm: Vec::new(),
        on_no_data: vec![topic.clone()],
        ..tags
    };
    let made = world.update(&made, &changed).await;
    let slow = Metric { statistic: "p99".to_owned(), ..metric("TargetResponseTime") };
    let made = world.update(&made, &Alarm { metric: Some(slow), math: None, ..changed }).await;
    world.delete::<Alarm>(&made).await;
}

#[tokio::test(start_paused = true)]
async fn a_composite_alarm_lives_from_creation_to_deletion_and_goes_before_its_alarms() {
    let world = World::calm().await;
    let topic = topic(&world).await;
    let errors = world.create("observability.errors", &alarm(&topic)).await;
    let other = Alarm { name: "shop-maintenance".to_owned(), ..alarm(&topic) };
    let maintenance = world.create("observability.maintenance", &other).await;
    let composite = CompositeAlarm {
        name: "shop-down".to_owned(),
        description: "customers see errors".to_owned(),
        any: vec![out(&errors, "name")],
        unless: Vec::new(),
        actions_enabled: true,
        on_alarm: vec![topic.clone()],
        on_ok: Vec::new(),
        on_no_data: Vec::new(),
        tags: Tags::new(),
    };
    let made = world.create("observability.down", &composite).await;
    let changed = CompositeAlarm {
        description: "customers see errors, and nobody works on it".to_owned(),
        unless: vec![out(&maintenance, "name")],
        actions_enabled: false,
        on_alarm: Vec::new(),
        on_ok: vec![topic],
        tags: Tags::from([("team".to_owned(), "a".to_owned())]),
        ..composite
    };
    let made = world.update(&made, &changed).await;
    let found = world.find::<Alarm>(&errors.id).await.unwrap();
    let early = world.elsewhere(Alarm::delete(&world.aws, &typed(found.clone()).unwrap())).await.unwrap_err();
    assert_eq!(early.class, Class::Draining, "{early}");
    world.delete::<CompositeAlarm>(&made).await;
    world.delete::<Alarm>(&found).await;
}

#[tokio::test(start_paused = true)]
async fn a_dashboard_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let body = |text: &str| {
        Text::known(format!("{{\"widgets\": [{{\"type\": \"text\", \"properties\": {{\"markdown\": \"{text}\"}}}}]}}"))
    };
    let wanted = Dashboard {
        name: "shop".to_owned(),
        body: body("one"),
        tags: Tags::from([("team".to_owned(), "a".to_owned())]),
    };
    let made = world.create("observability.dashboard", &wanted).await;
    let made = world.update(&made, &Dashboard { body: body("two"), tags: Tags::new(), ..wanted }).await;
    world.delete::<Dashboard>(&made).await;
    assert!(world.sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_somebody_else_made_under_a_wanted_name_is_foreign() {
    let world = World::calm().await;
    let wanted = Alarm { on_alarm: Vec::new(), on_ok: Vec::new(), ..alarm(&Out::known("none")) };
    let id = LogicalId::new("observability.errors").unwrap();
    let generation = wharf_engine::Generation::from_tag("0a1b2c3d");
    let new = New { id: &id, generation: &generation, stack: "shop", token: "t" };
    world.elsewhere(wanted.create(&world.aws, &new)).await.unwrap();
    world.sandbox.edit("monitoring.alarm", "shop-errors", |_, tags| tags.clear()).unwrap();
    world.wanted.borrow_mut().insert(id.clone(), crate::aws::erased::to_fields(&wanted).unwrap());
    assert_eq!(world.find::<Alarm>(&id).await.unwrap().identity, Identity::Foreign);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_would_not_be_found_again_is_not_made() {
    let world = World::calm().await;
    let id = LogicalId::new("observability.errors").unwrap();
    let generation = wharf_engine::Generation::from_tag("0a1b2c3d");
    let new = New { id: &id, generation: &generation, stack: "shop", token: "t" };
    let elsewhere = Alarm { name: "errors".to_owned(), ..alarm(&Out::known("none")) };
    assert_eq!(elsewhere.create(&world.aws, &new).await.unwrap_err().class, Class::Invalid);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_asks_the_index_of_tags_and_whatever_that_does_not_know_itself() {
    let world = World::calm().await;
    let topic = topic(&world).await;
    let first = world.create("observability.errors", &alarm(&topic)).await;
    let other = Alarm { name: "shop-other".to_owned(), ..alarm(&topic) };
    world.create("observability.other", &other).await;
    let query = Query::<Alarm> { wanted: BTreeMap::from([(first.id.clone(), alarm(&topic))]), only: None };
    let sweep = || async {
        let before = world.sandbox.call_log().len();
        let found = Alarm::find(&world.aws.sweeping(), &query).await.unwrap();
        let asked = world.sandbox.call_log().split_off(before);
        (found.len(), asked.into_iter().map(|call| call.operation).collect::<Vec<_>>())
    };
    world.sandbox.set_policy(None);
    assert_eq!(sweep().await, (2, vec!["DescribeAlarms".to_owned(), "GetResources".to_owned()]));
    // What the index says otherwise than the stack wants it may be old: the alarm is asked itself.
    world.sandbox.edit("monitoring.alarm", "shop-errors", |_, tags| drop(tags.remove("team"))).unwrap();
    let (found, asked) = sweep().await;
    assert_eq!((found, asked.iter().filter(|operation| *operation == "ListTagsForResource").count()), (2, 1));
    // One that cannot be had spares nothing and breaks nothing.
    world.sandbox.on_call(|call| match call.operation.as_str() {
        "GetResources" => wharf_sandbox::Fate::ServerError,
        _ => wharf_sandbox::Fate::Normal,
    });
    let (found, asked) = sweep().await;
    assert_eq!((found, asked.iter().filter(|operation| *operation == "ListTagsForResource").count()), (2, 2));
}
