//! When somebody is told, and of what.

use std::time::Duration;

use serde_json::json;
use wharf_events::{Severity, State};
use wharf_sandbox::{CallInfo, Fate};

use super::{DATABASE, World, hours};

/// A day passes, with a snapshot of everything in it.
async fn a_good_day(world: &World, n: u32) {
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    world.database_snapshot(DATABASE, &format!("rds:day-{n}"), hours(5), json!({}));
    for (m, volume) in super::VOLUMES.into_iter().enumerate() {
        world.volume_snapshot(volume, &format!("snap-{m:08x}{n:09x}"), hours(6), json!({}));
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_is_told_of_the_first_check_and_then_only_of_changes() {
    let world = World::good().await;
    let answer = world.check().await.unwrap();
    assert_eq!(answer["verdict"], "PASS");
    let notices = world.notices();
    assert_eq!((notices.len(), notices[0].severity, notices[0].state), (1, Severity::Info, State::Once));

    a_good_day(&world, 1).await;
    world.check().await.unwrap();
    assert_eq!(world.notices().len(), 1, "nothing has changed");

    a_good_day(&world, 2).await;
    world.set("rds.instance", DATABASE, "MultiAZ", json!(false));
    let answer = world.check().await.unwrap();
    assert_eq!((&answer["verdict"], &answer["counts"]["fail"]), (&json!("FAIL"), &json!(1)));
    let told = world.notices().remove(1);
    assert_eq!((told.severity, told.state), (Severity::Warning, State::Opened));
    assert_eq!(told.facts[0].name, format!("database.multi-az {DATABASE}"));

    a_good_day(&world, 3).await;
    world.check().await.unwrap();
    assert_eq!(world.notices().len(), 2, "it is still open, and known");

    a_good_day(&world, 4).await;
    world.set("rds.snapshot", "by-hand", "_restore", json!(["all"]));
    world.check().await.unwrap();
    let told = world.notices().remove(2);
    assert_eq!((told.severity, told.state), (Severity::Critical, State::Opened), "a public snapshot is urgent");
    assert_eq!(told.facts[0].name, format!("database.private {DATABASE}"), "what is new comes first");

    a_good_day(&world, 5).await;
    world.set("rds.instance", DATABASE, "MultiAZ", json!(true));
    world.set("rds.snapshot", "by-hand", "_restore", json!([]));
    world.check().await.unwrap();
    let notices = world.notices();
    assert_eq!((notices.len(), notices[3].state, notices[3].severity), (4, State::Closed, Severity::Info));
    assert!(notices.iter().all(|notice| notice.subject == notices[0].subject), "what closes finds what opened");
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_comes_when_nothing_was_said_for_a_week() {
    let world = World::good().await;
    world.check().await.unwrap();
    for day in 1..=6 {
        a_good_day(&world, day).await;
        world.check().await.unwrap();
        assert_eq!(world.notices().len(), 1, "day {day}");
    }
    a_good_day(&world, 7).await;
    world.check().await.unwrap();
    let notices = world.notices();
    assert_eq!((notices.len(), notices[1].state, notices[1].severity), (2, State::Once, Severity::Info));
    assert_ne!(notices[0].key, notices[1].key, "each of them is posted");
}

#[tokio::test(start_paused = true)]
async fn a_trouble_that_comes_back_is_told_again_under_another_key() {
    let world = World::good().await;
    let mut keys = Vec::new();
    for (day, multi_az) in [false, true, false].into_iter().enumerate() {
        world.set("rds.instance", DATABASE, "MultiAZ", json!(multi_az));
        world.check().await.unwrap();
        keys.push(world.notices().pop().unwrap().key);
        a_good_day(&world, u32::try_from(day).unwrap()).await;
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn killed_between_telling_and_remembering_it_tells_again_under_the_same_key() {
    let world = World::good().await;
    world.sandbox.on_call(
        |call: &CallInfo| {
            if call.operation == "PutItem" { Fate::RefuseBefore } else { Fate::Normal }
        },
    );
    assert_eq!(world.check().await.unwrap_err().kind, "Aws");
    world.sandbox.clear_hook();
    world.check().await.unwrap();
    let notices = world.notices();
    assert_eq!(notices.len(), 2);
    assert_eq!(notices[0].key, notices[1].key, "so that it is posted once");
}

#[tokio::test(start_paused = true)]
async fn two_checks_at_once_tell_under_one_key() {
    let world = World::good().await;
    let (one, other) = tokio::join!(world.check(), world.check());
    one.unwrap();
    other.unwrap();
    let notices = world.notices();
    assert!(notices.iter().all(|notice| notice.key == notices[0].key), "{notices:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_can_be_told_is_a_failure_and_not_forgotten() {
    let world = World::good().await;
    world.sandbox.on_call(
        |call: &CallInfo| {
            if call.operation == "Publish" { Fate::RefuseBefore } else { Fate::Normal }
        },
    );
    let fault = world.check().await.unwrap_err();
    assert!(fault.message.starts_with("nobody can be told"), "{fault}");
    world.sandbox.clear_hook();
    world.check().await.unwrap();
    assert_eq!(world.notices().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_has_no_time_left_fails_clearly() {
    use wharf_shell::Function as _;
    let world = World::good().await;
    let input = serde_json::from_str(wharf_check_snapshots::INPUT).unwrap();
    let invocation = wharf_shell::Invocation::new("r", "arn", None, world.now(), Duration::from_millis(5050));
    let fault = world.function().handle(input, &invocation).await.unwrap_err();
    assert_eq!(fault.kind, "TooSlow");
}
