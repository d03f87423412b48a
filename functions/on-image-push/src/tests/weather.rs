//! AWS on a bad day, a deadline that is near, others who change the service at the same time.

use std::time::Duration;

use serde_json::json;
use wharf_sandbox::Weather;

use super::account::json_call;
use super::stage::{HIDDEN, Stage, TIMEOUT};
use crate::record::{Holder, Record, Status};

#[tokio::test(start_paused = true)]
async fn it_returns_in_time_however_slow_aws_is_and_the_message_comes_back() {
    let stage = Stage::new().await;
    let digest = stage.push_quietly("web", "v2").await;
    for (seconds, latency) in [(60, 5), (30, 5), (10, 4), (4, 1), (3, 1), (2, 1)] {
        let stage = stage.fork();
        let event = [stage.event("web", &digest, Some("v2"), 0)];
        stage.sandbox.set_weather(Weather { latency: Duration::from_secs(latency), ..Weather::calm() });
        let left = Duration::from_secs(seconds);
        let failures = stage.hear_by(&stage.function, &event, left).await;
        if seconds < 30 {
            assert_eq!(failures, 1, "{seconds}");
        }
        stage.sandbox.set_weather(Weather::calm());
        tokio::time::sleep(HIDDEN).await;
        assert_eq!(stage.hear(&event).await, 0, "{seconds}");
        stage.settle().await;
        assert_eq!((stage.tasks(&digest), stage.count("UpdateService")), (2, 1), "{seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn in_typical_weather_pushes_come_out() {
    let calm = Stage::new().await;
    for round in 0..5 {
        let stage = calm.fork();
        let typical = Weather { lost_replies: 0.05, throttles: 0.05, server_errors: 0.02, ..Weather::typical() };
        let digest = stage.push_quietly("web", "v2").await;
        // Another round has another fate.
        tokio::time::sleep(Duration::from_secs(round)).await;
        for _ in 0..round {
            json_call(&stage.sandbox, "ecs", "DescribeClusters", json!({"clusters": ["shop"]})).await;
        }
        stage.sandbox.set_weather(typical);
        let event = [stage.event("web", &digest, Some("v2"), 0)];
        while stage.hear(&event).await > 0 {
            tokio::time::sleep(HIDDEN).await;
        }
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_secs(60)).await;
            let events = stage.events();
            for batch in events.chunks(10) {
                stage.hear(batch).await;
            }
            stage.schedule().await;
        }
        assert_eq!(stage.tasks(&digest), 2, "{round}");
        assert_eq!(stage.rollout("web").await.status, Status::Settled, "{round}");
    }
}

/// A record that somebody holds.
async fn held(stage: &Stage, command: &str) -> Record {
    let mut record = Record::new("web");
    record.version = 1;
    record.holder = Some(Holder {
        run: "theirs".to_owned(),
        who: "ann@laptop".to_owned(),
        command: command.to_owned(),
        since: "now".to_owned(),
    });
    assert!(stage.function.ledger.write(&record).await.unwrap());
    record
}

#[tokio::test(start_paused = true)]
async fn a_push_waits_for_an_apply_and_follows_it() {
    let stage = Stage::new().await.fork();
    let digest = stage.push_quietly("web", "v2").await;
    let mut record = held(&stage, "apply").await;
    let event = [stage.event("web", &digest, Some("v2"), 0)];
    let ((), failures) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert_eq!(stage.count("UpdateService"), 0);
            (record.version, record.holder) = (2, None);
            assert!(stage.function.ledger.write(&record).await.unwrap());
        },
        stage.hear(&event)
    );
    assert_eq!((failures, stage.count("UpdateService")), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_push_during_a_deploy_that_lives_goes_back_to_the_queue_and_comes_out_after_it() {
    let stage = Stage::new().await.fork();
    let digest = stage.push_quietly("web", "v2").await;
    let mut record = held(&stage, "deploy").await;
    let event = [stage.event("web", &digest, Some("v2"), 0)];
    let renewing = async {
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_secs(8)).await;
            record.version += 1;
            assert!(stage.function.ledger.write(&record).await.unwrap());
        }
        record
    };
    let (mut record, failures) = tokio::join!(renewing, stage.hear(&event));
    assert_eq!((failures, stage.count("UpdateService")), (1, 0));
    (record.version, record.holder) = (record.version + 1, None);
    assert!(stage.function.ledger.write(&record).await.unwrap());
    assert_eq!(stage.hear(&event).await, 0);
    stage.settle().await;
    assert_eq!(stage.tasks(&digest), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dead_deploy_is_taken_over_from_without_comparing_clocks() {
    let stage = Stage::new().await;
    let digest = stage.push_quietly("web", "v2").await;
    for seconds in [60, 20] {
        let stage = stage.fork();
        held(&stage, "deploy").await;
        let event = [stage.event("web", &digest, Some("v2"), 0)];
        // With less time than a lease, it takes more than one try; what was seen of the record stays in the process.
        let mut tries = 0;
        while stage.hear_by(&stage.function, &event, Duration::from_secs(seconds)).await > 0 {
            tokio::time::sleep(HIDDEN).await;
            tries += 1;
        }
        assert_eq!(tries, usize::from(seconds < TIMEOUT.as_secs()));
        stage.settle().await;
        assert_eq!((stage.tasks(&digest), stage.count("UpdateService")), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_from_before_a_deploy_does_not_undo_it() {
    let stage = Stage::new().await.fork();
    let second = stage.push_quietly("web", "v2").await;
    let late = stage.event("web", &second, Some("v2"), 0);
    let third = stage.push("web", "v3").await;
    stage.settle().await;
    assert_eq!(stage.hear(&[late]).await, 0);
    stage.settle().await;
    assert_eq!((stage.tasks(&third), stage.tasks(&second)), (2, 0));
}
