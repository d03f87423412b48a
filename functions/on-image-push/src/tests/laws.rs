//! What holds for pushes: one deployment each, in the order of their own times, of images and nothing else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use wharf_events::Severity;
use wharf_sandbox::{Behaviour, Fate};

use super::stage::{Stage, TIMEOUT};
use crate::record::Status;

fn crash() -> Behaviour {
    Behaviour { exits: Some((7, 2)), prints: vec!["no such table: orders".to_owned()], ..Behaviour::default() }
}

/// Asserts how often revisions were registered and services updated since the stage was forked.
#[track_caller]
fn written(stage: &Stage, registered: usize, updated: usize) {
    assert_eq!((stage.count("RegisterTaskDefinition"), stage.count("UpdateService")), (registered, updated));
}

#[tokio::test(start_paused = true)]
async fn the_same_event_a_hundred_times_is_one_revision_and_one_update() {
    let stage = Stage::new().await.fork();
    let digest = stage.push_quietly("web", "v2").await;
    let event = stage.event("web", &digest, Some("v2"), 0);
    for round in 0..10 {
        let copies = vec![event.clone(); 10];
        assert_eq!(stage.hear(&copies).await, 0);
        if round == 5 {
            stage.settle().await;
        }
    }
    stage.settle().await;
    written(&stage, 1, 1);
    assert_eq!((stage.tasks(&digest), stage.rollout("web").await.status), (2, Status::Settled));
    assert_eq!(stage.titles(), ["web: v2 is on its way", "web: v2 runs"]);
}

#[tokio::test(start_paused = true)]
async fn two_copies_at_once_in_two_processes_are_one_deployment() {
    let stage = Stage::new().await;
    let digest = stage.push_quietly("web", "v2").await;
    // The second begins at every moment of the first.
    for milliseconds in (0..200).step_by(7) {
        let stage = stage.fork();
        let (event, other) = ([stage.event("web", &digest, Some("v2"), 0)], stage.another());
        let (one, two) = tokio::join!(stage.hear(&event), async {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            stage.hear_by(&other, &event, TIMEOUT).await
        });
        assert_eq!((one, two), (0, 0), "{milliseconds}");
        written(&stage, 1, 1);
        stage.settle().await;
        assert_eq!(stage.tasks(&digest), 2, "{milliseconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn three_tags_of_one_digest_are_one_deployment() {
    let stage = Stage::new().await.fork();
    let digest = stage.push_quietly("web", "v2").await;
    let tags = ["v2", "v2.0", "v2.0.0"];
    let events: Vec<Value> =
        tags.iter().zip(0..).map(|(tag, second)| stage.event("web", &digest, Some(tag), second)).collect();
    assert_eq!(stage.hear(&events[1..]).await, 0);
    assert_eq!(stage.hear(&events[..1]).await, 0);
    stage.settle().await;
    assert_eq!(stage.hear(&events).await, 0);
    written(&stage, 1, 1);
    assert_eq!(stage.tasks(&digest), 2);
}

#[tokio::test(start_paused = true)]
async fn of_three_pushes_in_any_order_of_arrival_the_newest_runs() {
    let stage = Stage::new().await;
    let mut events = Vec::new();
    for (tag, second) in [("v2", 0), ("v3", 10), ("v4", 20)] {
        let digest = stage.push_quietly("web", tag).await;
        events.push((stage.event("web", &digest, Some(tag), second), digest));
    }
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let stage = stage.fork();
        for place in order {
            assert_eq!(stage.hear(&[events[place].0.clone()]).await, 0);
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        stage.settle().await;
        assert_eq!(stage.tasks(&events[2].1), 2, "{order:?}");
        assert_eq!(stage.rollout("web").await.status, Status::Settled, "{order:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_event_for_an_old_digest_deploys_it_and_an_earlier_one_does_not() {
    let stage = Stage::new().await.fork();
    let second = stage.push("web", "v2").await;
    stage.settle().await;
    let third = stage.push("web", "v3").await;
    stage.settle().await;
    // The same digest is tagged anew: its image keeps the time of its first push.
    let late = stage.event("web", &second, Some("v2-late"), -3000);
    assert_eq!(stage.hear(&[late]).await, 0);
    stage.settle().await;
    assert_eq!(stage.tasks(&third), 2);
    let back = stage.event("web", &second, Some("v2-again"), 0);
    assert_eq!(stage.hear(&[back]).await, 0);
    stage.settle().await;
    assert_eq!((stage.tasks(&second), stage.tasks(&third)), (2, 0));
    let rollout = stage.rollout("web").await;
    assert_eq!((rollout.status, rollout.tag.as_deref()), (Status::Settled, Some("v2-again")));
    written(&stage, 3, 3);
}

#[tokio::test(start_paused = true)]
async fn an_index_is_pinned_and_what_is_pushed_beside_it_is_ignored() {
    let stage = Stage::new().await.fork();
    let image = |name: &str, layer: &str, subject: Option<&str>| {
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 1},
            "layers": [{"mediaType": layer, "size": 1}], "annotations": {"name": name},
        });
        if let Some(subject) = subject {
            manifest["subject"] = json!({"digest": subject, "mediaType": "application/vnd.oci.image.index.v1+json"});
        }
        manifest
    };
    const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    let arm = stage.put("web", &image("arm64", LAYER, None), None).await;
    let amd = stage.put("web", &image("amd64", LAYER, None), None).await;
    let proof = stage.put("web", &image("attestation", "application/vnd.in-toto+json", None), None).await;
    let entry = |digest: &str, os: &str| json!({"digest": digest, "mediaType": "application/vnd.oci.image.manifest.v1+json", "platform": {"os": os}});
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry(&arm, "linux"), entry(&amd, "linux"), entry(&proof, "unknown")],
    });
    let index = stage.put("web", &index, Some("v2")).await;
    let signature = format!("sha256-{}.sig", index.trim_start_matches("sha256:"));
    let signed = stage
        .put("web", &image("signature", "application/vnd.dev.cosign.simplesigning.v1+json", None), Some(&signature))
        .await;
    let about = stage.put("web", &image("sbom", LAYER, Some(&index)), Some("v2-sbom")).await;
    let mut cache = image("cache", "application/vnd.docker.image.rootfs.diff.tar.gzip", None);
    cache["config"]["mediaType"] = "application/vnd.buildkit.cacheconfig.v0".into();
    let cache = stage.put("web", &cache, Some("v2-cache")).await;
    let beside = [
        stage.event("web", &arm, None, 1),
        stage.event("web", &amd, None, 2),
        stage.event("web", &proof, None, 3),
        stage.event("web", &signed, Some(&signature), 4),
        stage.event("web", &about, Some("v2-sbom"), 5),
        stage.event("web", &cache, Some("v2-cache"), 6),
        stage.event("web", "sha256:0000000000000000000000000000000000000000000000000000000000000000", Some("v3"), 7),
    ];
    assert_eq!(stage.hear(&beside).await, 0);
    written(&stage, 0, 0);
    // A tag may be missing: whether there is one that counts is looked up.
    assert_eq!(stage.hear(&[stage.event("web", &index, None, 0)]).await, 0);
    assert_eq!(stage.hear(&beside).await, 0);
    written(&stage, 1, 1);
    let services = stage.of_kind("ecs.service");
    let web = services.iter().find(|one| one.attrs["serviceName"] == "web").unwrap();
    let revision = web.attrs["taskDefinition"].as_str().unwrap();
    let revisions = stage.of_kind("ecs.task-definition");
    let revision = revisions.iter().find(|one| one.attrs["taskDefinitionArn"] == revision).unwrap();
    let image = revision.attrs["containerDefinitions"][0]["image"].as_str().unwrap();
    assert_eq!(image, format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web@{index}"));
    assert_eq!(stage.rollout("web").await.tag.as_deref(), Some("v2"));
}

#[tokio::test(start_paused = true)]
async fn an_image_for_one_processor_with_a_tag_of_its_own_gives_way_to_its_index_in_either_order() {
    let stage = Stage::new().await;
    let child = stage.push_quietly("web", "v2-arm64").await;
    let entry = json!({"digest": child, "mediaType": "application/vnd.oci.image.manifest.v1+json", "platform": {"os": "linux"}});
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry],
    });
    let index = stage.put("web", &index, Some("v2")).await;
    let of_child = stage.event("web", &child, Some("v2-arm64"), -2);
    let of_index = stage.event("web", &index, Some("v2"), 0);
    for (events, updates) in [([&of_child, &of_index], 2), ([&of_index, &of_child], 1)] {
        let stage = stage.fork();
        for event in events {
            assert_eq!(stage.hear(std::slice::from_ref(event)).await, 0);
        }
        stage.settle().await;
        assert_eq!((stage.tasks(&index), stage.tasks(&child)), (2, 0));
        written(&stage, updates, updates);
    }
}

#[tokio::test(start_paused = true)]
async fn deletions_failures_storage_classes_and_other_repositories_write_nothing() {
    let stage = Stage::new().await.fork();
    let digest = stage.push_quietly("web", "v2").await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut event = stage.event("web", &digest, Some("v2"), 0);
        change(&mut event);
        event
    };
    let events = [
        with(&|event| event["detail"]["action-type"] = "DELETE".into()),
        with(&|event| event["detail"]["result"] = "FAILURE".into()),
        with(&|event| event["detail"]["action-type"] = "UPDATE_STORAGE_CLASS".into()),
        with(&|event| event["detail"]["repository-name"] = "web".into()),
        with(&|event| event["detail"]["repository-name"] = "shop/webs".into()),
        with(&|event| event["account"] = "210987654321".into()),
        with(&|event| event["region"] = "us-east-2".into()),
        with(&|event| event["detail"]["image-tag"] = "nightly".into()),
    ];
    let before = stage.sandbox.calls();
    assert_eq!(stage.hear(&events).await, 0);
    assert_eq!(stage.sandbox.calls(), before, "nothing is even asked");
}

#[tokio::test(start_paused = true)]
async fn a_roll_back_is_a_failure_by_its_deployment_not_retried_by_a_replay_and_retried_by_a_new_push() {
    let stage = Stage::new().await.fork();
    let digest = stage.push_quietly("web", "v2").await;
    stage.sandbox.image_behaviour(&digest, &crash());
    let event = stage.event("web", &digest, Some("v2"), 0);
    let sibling = stage.event("web", &digest, Some("v2.0"), 1);
    assert_eq!(stage.hear(std::slice::from_ref(&event)).await, 0);
    let deployment = stage.rollout("web").await.deployment.unwrap();
    stage.settle().await;
    let rollout = stage.rollout("web").await;
    assert_eq!((rollout.status, rollout.deployment.as_deref()), (Status::RolledBack, Some(deployment.as_str())));
    let notice = stage.notices().pop().unwrap();
    assert_eq!((notice.severity, notice.title.as_str()), (Severity::Warning, "web: v2 was rolled back"));
    assert!(notice.text.contains("exit code 7") && notice.text.contains("no such table: orders"), "{}", notice.text);
    assert!(notice.facts.iter().any(|fact| fact.value == deployment), "{:?}", notice.facts);

    assert_eq!(stage.hear(&[event, sibling]).await, 0);
    stage.settle().await;
    written(&stage, 1, 1);
    let again = stage.event("web", &digest, Some("v2"), 0);
    assert_eq!(stage.hear(&[again]).await, 0);
    stage.settle().await;
    written(&stage, 2, 2);
    assert_eq!(stage.rollout("web").await.status, Status::RolledBack);
    assert_eq!(stage.titles().iter().filter(|title| title.contains("rolled back")).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_first_deployment_ever_that_fails_leaves_no_task_and_a_notice_and_the_next_comes_up() {
    let stage = Stage::first_day().await.fork();
    let digest = stage.push_quietly("web", "v1").await;
    stage.sandbox.image_behaviour(&digest, &crash());
    assert_eq!(stage.hear(&[stage.event("web", &digest, Some("v1"), 0)]).await, 0);
    assert_eq!(stage.desired("web"), 2);
    stage.settle().await;
    assert_eq!((stage.desired("web"), stage.tasks(&digest)), (0, 0));
    assert_eq!(stage.rollout("web").await.status, Status::Failed);
    let notice = stage.notices().pop().unwrap();
    assert_eq!((notice.severity, notice.title.as_str()), (Severity::Critical, "web: v1 failed"));
    assert!(notice.text.contains("exit code 7"), "{}", notice.text);
    let next = stage.push("web", "v2").await;
    stage.settle().await;
    assert_eq!((stage.desired("web"), stage.tasks(&next)), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn one_service_that_fails_holds_up_no_other() {
    let stage = Stage::new().await.fork();
    let bad = stage.push_quietly("web", "v2").await;
    let good = stage.push_quietly("worker", "v2").await;
    // The record of `web` cannot be read.
    let item = json!({"pk": {"S": "rollout"}, "sk": {"S": "web"}, "version": {"N": "1"}, "record": {"S": "{"}});
    super::account::json_call(&stage.sandbox, "dynamodb", "PutItem", json!({"TableName": "wharf-shop", "Item": item}))
        .await;
    let events =
        [stage.event("web", &bad, Some("v2"), 0), json!("no event"), stage.event("worker", &good, Some("v2"), 0)];
    assert_eq!(stage.hear(&events).await, 2);
    assert_eq!(stage.schedule().await, 1, "what could not be done comes back");
    stage
        .sandbox
        .remove(
            "dynamodb.item",
            &stage.of_kind("dynamodb.item").iter().find(|item| item.id.contains("web")).unwrap().id,
        )
        .unwrap();
    stage.settle().await;
    assert_eq!((stage.tasks(&good), stage.tasks(&bad)), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_push_whose_event_never_came_is_found_by_the_schedule_and_an_older_image_is_not() {
    let stage = Stage::new().await.fork();
    assert_eq!(stage.schedule().await, 0);
    written(&stage, 0, 0);
    let second = stage.push("web", "v2").await;
    stage.settle().await;
    let third = stage.push_quietly("web", "v3").await;
    stage.push_quietly("web", "nightly").await;
    assert_eq!(stage.schedule().await, 0);
    stage.settle().await;
    assert_eq!((stage.tasks(&third), stage.tasks(&second)), (2, 0));
    written(&stage, 2, 2);
    // Somebody deletes the newest; what is left was decided about.
    let id = format!("shop/web@{third}");
    stage.sandbox.remove("ecr.image", &id).unwrap();
    assert_eq!(stage.schedule().await, 0);
    written(&stage, 2, 2);
}

#[tokio::test(start_paused = true)]
async fn what_runs_at_the_start_is_left_as_it_is_by_the_schedule() {
    let stage = Stage::new().await.fork();
    for _ in 0..3 {
        assert_eq!(stage.schedule().await, 0);
        stage.settle().await;
    }
    written(&stage, 0, 0);
    assert!(stage.notices().is_empty(), "{:?}", stage.titles());
}

/// What was called, and when.
type Calls = Arc<Mutex<Vec<(String, Instant)>>>;

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_macros, reason = "tests have no printer")]
async fn from_the_push_to_the_update_are_at_most_eight_calls_and_five_round_trips() {
    let stage = Stage::new().await.fork();
    let digest = stage.push_quietly("web", "v2").await;
    let calls = Calls::default();
    let heard = Arc::clone(&calls);
    stage.sandbox.on_call(move |call| {
        heard.lock().unwrap().push((call.operation.clone(), Instant::now()));
        Fate::Normal
    });
    assert_eq!(stage.hear(&[stage.event("web", &digest, Some("v2"), 0)]).await, 0);
    stage.sandbox.clear_hook();
    let calls = calls.lock().unwrap().clone();
    let update = calls.iter().position(|(operation, _)| operation == "UpdateService").expect("it was updated");
    // What is sent at one moment goes there and back together.
    let mut moments: Vec<Instant> = calls[..=update].iter().map(|(_, at)| *at).collect();
    moments.dedup();
    eprintln!("push -> UpdateService: {} calls in {} round trips", update + 1, moments.len());
    assert!(update < 8 && moments.len() <= 5, "{calls:#?}");
    stage.settle().await;
    assert_eq!(stage.tasks(&digest), 2);
}
