//! Schedules and their group live in the sandbox from creation to deletion.

use super::group::ScheduleGroup;
use super::schedule::{Message, Schedule};
use crate::aws::iam::role::Role;
use crate::aws::policy::Document;
use crate::aws::testing::{World, out};
use crate::aws::units::{HOUR, Seconds};
use crate::aws::{Out, Tags};

fn team(name: &str) -> ScheduleGroup {
    ScheduleGroup { tags: Tags::from([("team".to_owned(), name.to_owned())]) }
}

async fn schedule(world: &World) -> Schedule {
    let group = world.create("cluster.schedules", &team("a")).await;
    let role = Role {
        name: "shop-schedules".to_owned(),
        description: String::new(),
        trust: Document::trusting("scheduler.amazonaws.com").text(),
        policies: Default::default(),
        managed: Vec::new(),
        max_session: HOUR,
        boundary: None,
        tags: Tags::new(),
    };
    let role = world.create("cluster.schedule-role", &role).await;
    let ecs = "arn:aws:ecs:us-east-1:123456789012";
    Schedule {
        group: out(&group, "name"),
        expression: "rate(1 hour)".to_owned(),
        timezone: "UTC".to_owned(),
        enabled: true,
        stays: true,
        window_minutes: None,
        description: "reports".to_owned(),
        role: out(&role, "arn"),
        message: None,
        cluster: Some(Out::known(format!("{ecs}:cluster/shop"))),
        task_definition: Some(Out::known(format!("{ecs}:task-definition/shop-report"))),
        tasks: 1,
        strategy: Vec::new(),
        launch_type: Some("EC2".to_owned()),
        subnets: vec![Out::known("subnet-0a"), Out::known("subnet-0b")],
        security_groups: vec![Out::known("sg-0a")],
        public_ip: false,
        exec: false,
        propagate_tags: true,
        retries: 3,
        max_age: Seconds(3600),
        dead_letter: None,
        key: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_of_schedules_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let made = world.create("cluster.schedules", &team("a")).await;
    let made = world.update(&made, &team("b")).await;
    world.delete::<ScheduleGroup>(&made).await;
    assert!(world.sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_schedule_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let wanted = schedule(&world).await;
    let made = world.create("services.report.schedule", &wanted).await;
    let changed = Schedule {
        expression: "cron(0 3 * * ? *)".to_owned(),
        enabled: false,
        window_minutes: Some(15),
        subnets: vec![Out::known("subnet-0b")],
        retries: 0,
        exec: true,
        propagate_tags: false,
        ..wanted
    };
    let made = world.update(&made, &changed).await;
    world.delete::<Schedule>(&made).await;
    assert!(world.sandbox.inventory().iter().all(|one| one.kind != "scheduler.schedule"));
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_sends_a_message_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let task = schedule(&world).await;
    let to = |queue: &str, text: &str| Message {
        to: format!("arn:aws:sqs:us-east-1:123456789012:{queue}").into(),
        text: text.to_owned(),
    };
    let wanted = Schedule::sending(task.group, "rate(5 minutes)", task.role, to("shop-a", r#"{"wharf-reconcile":1}"#));
    let made = world.create("reactions.reconcile", &wanted).await;
    let changed = Schedule { message: Some(to("shop-b", "{}")), retries: 0, ..wanted };
    let made = world.update(&made, &changed).await;
    world.delete::<Schedule>(&made).await;
    assert!(world.sandbox.inventory().iter().all(|one| one.kind != "scheduler.schedule"));
}
