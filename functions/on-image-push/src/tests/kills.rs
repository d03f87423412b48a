//! Killed after any call, and tried again as SQS does: the end is the same.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use wharf_sandbox::{Behaviour, Fate};

use super::stage::{HIDDEN, Stage};
use crate::record::Status;

/// Lets a message arrive, and dies once so many calls have had their effect; false when it needed no more.
async fn killed_after(stage: &Stage, calls: usize, bodies: &[Value]) -> bool {
    let (tell, told) = tokio::sync::oneshot::channel();
    let (left, tell) = (AtomicUsize::new(calls), Mutex::new(Some(tell)));
    stage.sandbox.on_call(move |_| {
        if left.fetch_sub(1, Ordering::SeqCst) == 1
            && let Some(tell) = tell.lock().unwrap().take()
        {
            let _ = tell.send(());
        }
        Fate::Normal
    });
    let died = tokio::select! {
        biased;
        _ = told => true,
        failures = stage.hear(bodies) => {
            assert_eq!(failures, 0);
            false
        }
    };
    stage.sandbox.clear_hook();
    died
}

/// Goes through all calls of the first message of a push; after each, the message comes again, then all else.
async fn at_every_call(
    stage: &Stage,
    behaviour: Option<&Behaviour>,
    check: impl AsyncFn(&Stage, &str, usize),
) -> usize {
    let digest = stage.push_quietly("web", "v2").await;
    for call in 1.. {
        let stage = stage.fork();
        if let Some(behaviour) = behaviour {
            stage.sandbox.image_behaviour(&digest, behaviour);
        }
        let event = [stage.event("web", &digest, Some("v2"), 0)];
        if !killed_after(&stage, call, &event).await {
            return call - 1;
        }
        // Its events are lost; only the message comes again.
        tokio::time::sleep(HIDDEN).await;
        stage.events();
        assert_eq!(stage.hear(&event).await, 0, "{call}");
        stage.settle().await;
        assert_eq!(stage.schedule().await, 0, "{call}");
        stage.settle().await;
        check(&stage, &digest, call).await;
        let record = stage.record("web").await;
        assert!(record.holder.is_none() && record.untold.is_empty(), "{call}: {record:#?}");
    }
    unreachable!("calls come to an end")
}

#[tokio::test(start_paused = true)]
async fn killed_after_any_call_and_tried_again_the_end_is_the_same() {
    let stage = Stage::new().await;
    let calls = at_every_call(&stage, None, async |stage, digest, call| {
        assert_eq!(stage.tasks(digest), 2, "{call}");
        assert_eq!((stage.count("RegisterTaskDefinition"), stage.count("UpdateService")), (1, 1), "{call}");
        assert_eq!(stage.rollout("web").await.status, Status::Settled, "{call}");
        let titles = stage.titles();
        assert!(titles.iter().filter(|title| title.ends_with("v2 runs")).count() == 1, "{call}: {titles:?}");
    })
    .await;
    assert!(calls >= 8, "{calls}");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_crashes_is_brought_out_once_whenever_its_look_is_killed() {
    let crash = Behaviour { exits: Some((7, 2)), ..Behaviour::default() };
    let stage = Stage::new().await;
    let calls = at_every_call(&stage, Some(&crash), async |stage, _, call| {
        assert_eq!((stage.count("RegisterTaskDefinition"), stage.count("UpdateService")), (1, 1), "{call}");
        assert_eq!(stage.rollout("web").await.status, Status::RolledBack, "{call}");
        assert!(stage.titles().contains(&"web: v2 was rolled back".to_owned()), "{call}: {:?}", stage.titles());
    })
    .await;
    assert!(calls >= 8, "{calls}");
}

#[tokio::test(start_paused = true)]
async fn a_command_is_run_once_whenever_its_look_is_killed() {
    let stage = Stage::preparing().await;
    let calls = at_every_call(&stage, None, async |stage, digest, call| {
        assert_eq!(stage.tasks(digest), 2, "{call}: {:#?} {:#?}", stage.rollout("web").await, stage.titles());
        let tasks = stage.of_kind("ecs.task");
        let commands = tasks.iter().filter(|task| task.attrs["group"] == "wharf-push:web").count();
        assert_eq!((commands, stage.count("UpdateService")), (1, 1), "{call}");
        assert_eq!(stage.count("RegisterTaskDefinition"), 1, "{call}");
    })
    .await;
    assert!(calls >= 9, "{calls}");
}
