//! What is read out of events.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::settings::{Registry, Service};

const DIGEST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

pub(crate) fn settings() -> Settings {
    let service = |service: &str, repository: &str, tags: &str| Service {
        service: service.to_owned(),
        repository: repository.to_owned(),
        tags: tags.to_owned(),
        least: 1,
        before_deploy: Vec::new(),
        timeout: None,
        periodic: false,
    };
    Settings {
        stack: "shop".to_owned(),
        table: "wharf-shop".to_owned(),
        signals: "arn:aws:sns:us-east-1:123456789012:shop-signals".to_owned(),
        cluster: "shop".to_owned(),
        registry: Registry {
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            host: "123456789012.dkr.ecr.us-east-1.amazonaws.com".to_owned(),
        },
        services: vec![service("web", "web", "v*"), service("worker", "web", "v*"), service("mail", "mail", "*")],
    }
}

fn work(value: &Value) -> Work {
    let arrivals = Arrival::in_message(&value.to_string(), Some("m-1"));
    Work::of(&arrivals[0], &settings())
}

fn event(change: impl FnOnce(&mut Value)) -> Value {
    let mut event: Value =
        serde_json::from_str(include_str!("../../../../events/samples/ecr-image-push.json")).unwrap();
    change(&mut event);
    event
}

fn looks(work: &Work) -> Vec<usize> {
    let Work::Look(looks) = work else { return Vec::new() };
    looks.iter().map(|(place, _)| *place).collect()
}

#[test]
fn a_push_is_for_every_service_of_its_repository_and_has_its_events_time_and_id() {
    let work = work(&event(|_| {}));
    assert_eq!(looks(&work), [0, 1]);
    let Work::Look(looks) = work else { panic!("a look") };
    let Trigger::Push(push) = &looks[0].1 else { panic!("a push") };
    assert_eq!((push.digest.as_str(), push.tag.as_deref()), (DIGEST, Some("v2")));
    assert_eq!(push.moment.at, "2026-01-05T09:00:00Z".parse().unwrap());
    assert_eq!(push.moment.id, "5d1a7c1e-6a54-4b0e-9a0f-3f8b1c2d4e5f");
}

#[test]
fn deletions_failures_and_storage_classes_are_no_pushes() {
    for (field, value) in [("action-type", "DELETE"), ("action-type", "UPDATE_STORAGE_CLASS"), ("result", "FAILURE")] {
        let other = event(|event| event["detail"][field] = value.into());
        assert!(matches!(work(&other), Work::Ignored(_)), "{field} {value}");
    }
    let none = event(|event| event["detail"] = Value::Null);
    assert!(matches!(work(&none), Work::Ignored(_)));
}

#[test]
fn the_repository_matches_exactly_registry_and_all() {
    for repository in ["web", "shop/web2", "Shop/web", "other/web", "shop/web/", "shop/webs", "/shop/web", ""] {
        let other = event(|event| event["detail"]["repository-name"] = repository.into());
        assert!(matches!(work(&other), Work::Ignored(_)), "{repository}");
    }
    for (field, value) in [("account", "210987654321"), ("region", "us-east-2"), ("account", ""), ("region", "")] {
        let other = event(|event| event[field] = value.into());
        assert!(matches!(work(&other), Work::Ignored(_)), "{field} {value}");
    }
}

#[test]
fn signatures_attestations_caches_and_what_counts_as_no_release_are_ignored() {
    let signature = format!("sha256-{}.sig", "0a".repeat(32));
    for tag in ["nightly", "", &signature] {
        let other = event(|event| event["detail"]["image-tag"] = tag.into());
        assert!(!matches!(work(&other), Work::Look(_)), "{tag}");
    }
    let mail = event(|event| {
        event["detail"]["repository-name"] = "shop/mail".into();
        event["detail"]["image-tag"] = signature.as_str().into();
    });
    assert!(matches!(work(&mail), Work::Ignored(_)), "even where all tags count");
    for artifact in
        ["application/vnd.buildkit.cacheconfig.v0", "text/sbom+json", "application/vnd.cncf.helm.config.v1+json"]
    {
        let other = event(|event| event["detail"]["artifact-media-type"] = artifact.into());
        assert!(matches!(work(&other), Work::Ignored(_)), "{artifact}");
    }
}

#[test]
fn without_a_tag_it_is_looked_up_whether_there_is_one() {
    let untagged = event(|event| drop(event["detail"].as_object_mut().unwrap().remove("image-tag")));
    assert!(matches!(work(&untagged), Work::Untagged(services, _) if services == [0, 1]));
}

#[test]
fn what_lacks_digest_or_time_is_ignored() {
    for digest in ["", "sha256:", "sha256:11", "md5:11111111111111111111111111111111", "latest"] {
        let other = event(|event| event["detail"]["image-digest"] = digest.into());
        assert!(matches!(work(&other), Work::Ignored(_)), "{digest}");
    }
    let timeless = event(|event| event["time"] = "yesterday".into());
    assert!(matches!(work(&timeless), Work::Ignored(_)));
}

#[test]
fn tasks_and_deployments_of_the_services_wake_a_look_and_others_do_not() {
    let stopped: Value =
        serde_json::from_str(include_str!("../../../../events/samples/ecs-task-stopped.json")).unwrap();
    assert_eq!(looks(&work(&stopped)), [0]);
    for (field, value) in [
        ("group", "family:shop-web"),
        ("group", "service:other"),
        ("lastStatus", "RUNNING"),
        ("clusterArn", "arn:aws:ecs:us-east-1:123456789012:cluster/other"),
    ] {
        let mut other = stopped.clone();
        other["detail"][field] = value.into();
        assert!(matches!(work(&other), Work::Ignored(_)), "{field} {value}");
    }
    let failed = include_str!("../../../../events/samples/ecs-deployment-failed.json");
    let mut failed: Value = serde_json::from_str(failed).unwrap();
    let Work::Look(looks) = work(&failed) else { panic!("a look") };
    assert!(
        matches!(&looks[0], (0, Trigger::Failed { deployment, .. }) if deployment == "ecs-svc/7654321098765432109")
    );
    failed["resources"] = json!(["arn:aws:ecs:us-east-1:123456789012:service/other/web"]);
    assert!(matches!(work(&failed), Work::Ignored(_)));
}

#[test]
fn the_schedule_wakes_a_look_at_every_service() {
    assert_eq!(looks(&work(&json!({"wharf-reconcile": 1}))), [0, 1, 2]);
}

#[test]
fn what_is_no_event_is_foreign() {
    for (text, foreign) in [("", true), ("null", true), ("[]", true), ("{}", true), ("{\"source\": \"aws.ecr\"", true)]
    {
        let arrivals = Arrival::in_message(text, None);
        assert_eq!(matches!(Work::of(&arrivals[0], &settings()), Work::Foreign(_)), foreign, "{text}");
    }
    assert!(matches!(work(&json!({"detail-type": "Other", "source": "me"})), Work::Ignored(_)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Whatever stands in the place of whatever part of an event: it is read, or it is not, and nothing panics.
    #[test]
    fn any_shape_of_event_is_read(place in 0_usize..16, text in ".*", kind in 0_u8..5) {
        let value = match kind {
            0 => Value::Null,
            1 => Value::String(text),
            2 => json!(text.len()),
            3 => json!([text]),
            _ => json!({ "detail-type": text }),
        };
        let names = ["id", "source", "detail-type", "account", "time", "region", "resources", "detail"];
        let details = ["result", "repository-name", "image-digest", "action-type", "image-tag", "manifest-media-type",
            "artifact-media-type", "other"];
        let changed = event(|event| match place {
            0..8 => event[names[place]] = value,
            _ => event["detail"][details[place - 8]] = value,
        });
        let _ = work(&changed);
    }
}

proptest! {
    /// Whatever bytes a message has: `PROPTEST_CASES` says how many are tried.
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for arrival in Arrival::in_message(&String::from_utf8_lossy(&bytes), Some("m")) {
            let _ = Work::of(&arrival, &settings());
        }
    }

    /// A good event with bytes in the midst of it.
    #[test]
    fn a_damaged_event_is_read(at in 0_usize..700, bytes in prop::collection::vec(any::<u8>(), 0..20), cut in any::<bool>()) {
        let mut text = event(|_| {}).to_string().into_bytes();
        let at = at.min(text.len());
        if cut {
            text.truncate(at);
        }
        text.splice(at.min(text.len())..at.min(text.len()), bytes);
        for arrival in Arrival::in_message(&String::from_utf8_lossy(&text), Some("m")) {
            let _ = Work::of(&arrival, &settings());
        }
    }
}

/// Payloads that others recorded, where they are at hand: what becomes of each is printed.
#[test]
#[expect(clippy::disallowed_macros, reason = "tests have no printer")]
fn payloads_that_others_recorded_end_somehow() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let cases = root.ancestors().map(|above| above.join("shared/cases")).find(|cases| cases.is_dir());
    let Some(cases) = cases else { return eprintln!("NOT TESTED: the recorded payloads are not at hand") };
    let mut files = Vec::new();
    let mut open = vec![cases.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        let name = file.strip_prefix(&cases).unwrap().display().to_string();
        for arrival in Arrival::in_message(&text, Some("m")) {
            let work = Work::of(&arrival, &settings());
            let became = match &work {
                Work::Look(looks) => format!("done: {} services are looked after", looks.len()),
                Work::Untagged(..) => "done: its tags are looked up".to_owned(),
                Work::Ignored(why) => format!("ignored: {why}"),
                Work::Foreign(why) => format!("failed: {why}"),
            };
            eprintln!("{name}: {became}");
            // None of them is of the stack's own registry.
            assert!(!matches!(work, Work::Untagged(..)), "{name}");
        }
    }
}
