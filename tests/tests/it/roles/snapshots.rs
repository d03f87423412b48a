//! check-snapshots: a check of databases, a cluster and volumes that all have snapshots.

use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use serde_json::{Value, json};
use wharf_check_snapshots::CheckSnapshots;
use wharf_sandbox::{Resource, Tags};
use wharf_tests::stack::in_virtual_time;

use super::{Stage, Subject, held_against, host};

const FUNCTION: &str = "shop-check-snapshots";

#[derive(Clone, Copy, Debug)]
enum Story {
    /// The first check, and another one after it.
    Twice,
}

struct Snapshots;

impl Stage {
    fn plant(&self, kind: &'static str, id: &str, attrs: Value, tags: &[(&str, &str)]) {
        let attrs = attrs.as_object().expect("attributes").clone();
        let tags: Tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let created = self.world.sandbox.now();
        self.world.sandbox.plant(Resource { kind, id: id.to_owned(), attrs, tags, aws_made: false, created });
    }

    /// What a stack has after a while: snapshots of its database and volumes, some made by somebody; a cluster too.
    fn age(&self) {
        let at = format!("{:.3}", self.world.sandbox.now());
        let ours = [("wharf:stack", "shop")];
        let snapshot = |status: &str, more: Value| {
            let mut attrs = json!({ "Status": status, "SnapshotType": "manual", "SnapshotCreateTime": at });
            attrs.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            attrs
        };
        let database = self.world.sandbox.of_kind("rds.instance").remove(0).id;
        let of_database =
            json!({ "DBSnapshotIdentifier": "by-hand", "DBInstanceIdentifier": database, "Encrypted": true });
        self.plant("rds.snapshot", "by-hand", snapshot("available", of_database), &ours);
        let cluster = json!({
            "DBClusterIdentifier": "aurora", "Engine": "aurora-postgresql", "Status": "available", "ClusterCreateTime": at,
            "BackupRetentionPeriod": 14, "StorageEncrypted": true, "LatestRestorableTime": at,
        });
        self.plant("rds.cluster", "aurora", cluster, &ours);
        let of_cluster = json!({ "DBClusterSnapshotIdentifier": "of-aurora", "DBClusterIdentifier": "aurora" });
        self.plant("rds.cluster-snapshot", "of-aurora", snapshot("available", of_cluster), &ours);
        let volumes = self.world.sandbox.of_kind("ec2.volume");
        assert!(!volumes.is_empty(), "instances have volumes");
        for (number, volume) in volumes.iter().enumerate() {
            let snapshot = json!({
                "volumeId": volume.id, "volumeSize": 30, "status": "completed", "startTime": at, "ownerId": "123456789012",
                "encrypted": true, "storageTier": "standard",
            });
            self.plant("ec2.snapshot", &format!("snap-{number:017x}"), snapshot, &[]);
        }
    }

    /// Asks for a check; what it found, or why there was none.
    async fn check(&self) -> Vec<String> {
        let asked = json!({ "wharf-check-snapshots": 1, "report": "whole" }).to_string();
        let invoke = self.session().await.aws.lambda.invoke().function_name(FUNCTION).payload(Blob::new(asked));
        let answer = invoke.send().await.expect("it is invoked");
        let report: Value = serde_json::from_slice(&answer.payload.expect("an answer").into_inner()).expect("JSON");
        let findings = report["findings"].as_array().cloned().unwrap_or_default();
        let of = |one: &Value| format!("{} {} {}", one["control"], one["resource"], one["verdict"]);
        let failed = answer.function_error.map(|error| format!("{error}: {}", report["errorType"]));
        findings.iter().map(of).chain(failed).collect()
    }
}

impl Subject for Snapshots {
    type Story = Story;
    const FUNCTION: &'static str = "check-snapshots";
    const STORIES: &'static [Story] = &[Story::Twice];

    async fn seen(stage: &Stage, _: Story) -> Vec<String> {
        let build = |environment: &wharf_shell::Environment, config: &aws_types::SdkConfig| {
            CheckSnapshots::new(config, environment).expect("it is set up")
        };
        let story = async {
            let first = stage.check().await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            [first, stage.check().await].concat()
        };
        let seen = host::during(&stage.world.sandbox, FUNCTION, build, story).await;
        let told = stage.published("shop-signals").into_iter().map(|notice| notice["title"].to_string());
        let logged = format!("logged: {}", stage.log_lines("check-snapshots") > 0);
        seen.into_iter().chain(told).chain([logged]).collect()
    }
}

#[test]
fn all_that_check_snapshots_may_do_is_needed_and_enough() {
    in_virtual_time(async {
        let stage = Stage::new(5).await;
        // The first snapshots are made in this time.
        tokio::time::sleep(Duration::from_secs(3600)).await;
        stage.world.sandbox.next_event();
        stage.age();
        held_against::<Snapshots>(&stage.now()).await;
    });
}
