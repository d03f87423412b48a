//! Checks of simulated accounts.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod of_memory;
mod of_notices;
mod of_points;
mod of_reading;
mod of_reports;

use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wharf_sandbox::{REGION, Resource, Sandbox, Tags, Weather};
use wharf_shell::{Environment, Fault, Function as _, Invocation, variable as shared};

use wharf_check_snapshots::{
    CheckSnapshots, Clients, Demands, Finding, INPUT, Report, Scope, Tag, Verdict, read, variable,
};

const TABLE: &str = "wharf-shop";
const DATABASE: &str = "shop-database";
const POLICY: &str = "policy-0123456789abcdef0";
const VOLUMES: [&str; 2] = ["vol-0000000000000000a", "vol-0000000000000000b"];

/// An account whose backups are all as they should be, until a test spoils something.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) demands: Demands,
    pub(crate) key: String,
    topic: String,
}

impl World {
    /// A database with a snapshot of each of the last three days and one that somebody made, two volumes with three
    /// each, a policy with its role, and a key.
    pub(crate) async fn good() -> Self {
        let sandbox = Sandbox::builder().seed(7).weather(Weather::calm()).build();
        let config = config(&sandbox);
        let key = aws_sdk_kms::Client::new(&config).create_key().send().await.unwrap();
        let key = key.key_metadata().and_then(|key| key.arn()).unwrap().to_owned();
        role(&config).await;
        table(&config).await;
        let topic = aws_sdk_sns::Client::new(&config).create_topic().name("shop-signals").send().await.unwrap();
        let demands = Demands {
            databases: vec![DATABASE.to_owned()],
            database_backup_days: 14,
            volume_tag: Some(Tag { key: "wharf-backup".to_owned(), value: "shop".to_owned() }),
            volume_keep: 14,
            ..Demands::default()
        };
        let world = Self { sandbox, demands, key, topic: topic.topic_arn().unwrap().to_owned() };
        world.database(DATABASE, json!({}));
        for day in 0..3 {
            world.database_snapshot(DATABASE, &format!("rds:{DATABASE}-{day}"), hours(5 + 24 * day), json!({}));
        }
        world.database_snapshot(DATABASE, "by-hand", hours(200), json!({ "SnapshotType": "manual" }));
        for (n, volume) in VOLUMES.into_iter().enumerate() {
            world.volume(volume, json!({}));
            for day in 0..3 {
                let id = format!("snap-{n:016x}{day}");
                world.volume_snapshot(volume, &id, hours(6 + 24 * i64::from(day)), json!({}));
            }
        }
        world.policy(POLICY, json!({}));
        world
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.sandbox.now()
    }

    fn ago(&self, age: SignedDuration) -> Timestamp {
        self.now() - age
    }

    /// Puts an object there: `usual`, but for `different`.
    fn put(&self, kind: &'static str, id: &str, usual: Value, different: &Value, tags: Tags) {
        let mut attrs = usual.as_object().unwrap().clone();
        attrs.extend(different.as_object().unwrap().clone());
        attrs.retain(|_, value| !value.is_null());
        let created = self.now();
        self.sandbox.plant(Resource { kind, id: id.to_owned(), attrs, tags, aws_made: false, created });
    }

    pub(crate) fn database(&self, id: &str, different: Value) {
        let usual = json!({
            "DBInstanceIdentifier": id, "DBInstanceArn": format!("arn:aws:rds:us-east-1:123456789012:db:{id}"),
            "Engine": "postgres", "DBInstanceStatus": "available", "InstanceCreateTime": rds(self.ago(hours(2000))),
            "BackupRetentionPeriod": 14, "MultiAZ": true, "DeletionProtection": true, "StorageEncrypted": true,
            "KmsKeyId": self.key, "_backedUpSince": rds(self.ago(hours(336))),
        });
        self.put("rds.instance", id, usual, &different, stack_tags());
    }

    pub(crate) fn database_snapshot(&self, of: &str, id: &str, age: SignedDuration, different: Value) {
        let usual = json!({
            "DBSnapshotIdentifier": id, "DBInstanceIdentifier": of, "Status": "available", "SnapshotType": "automated",
            "SnapshotCreateTime": rds(self.ago(age)), "Encrypted": true, "KmsKeyId": self.key,
        });
        self.put("rds.snapshot", id, usual, &different, stack_tags());
    }

    pub(crate) fn cluster(&self, id: &str, different: Value) {
        let usual = json!({
            "DBClusterIdentifier": id, "Engine": "aurora-postgresql", "Status": "available",
            "ClusterCreateTime": rds(self.ago(hours(2000))), "BackupRetentionPeriod": 14, "MultiAZ": true,
            "DeletionProtection": true, "StorageEncrypted": true, "KmsKeyId": self.key,
            "LatestRestorableTime": rds(self.ago(SignedDuration::from_mins(4))),
        });
        self.put("rds.cluster", id, usual, &different, stack_tags());
    }

    pub(crate) fn cluster_snapshot(&self, of: &str, id: &str, age: SignedDuration, different: Value) {
        let usual = json!({
            "DBClusterSnapshotIdentifier": id, "DBClusterIdentifier": of, "Status": "available",
            "SnapshotType": "automated", "SnapshotCreateTime": rds(self.ago(age)), "StorageEncrypted": true,
            "KmsKeyId": self.key,
        });
        self.put("rds.cluster-snapshot", id, usual, &different, stack_tags());
    }

    pub(crate) fn volume(&self, id: &str, different: Value) {
        let usual = json!({
            "size": 30, "status": "in-use", "createTime": ec2(self.ago(hours(2000))), "encrypted": true,
            "kmsKeyId": self.key, "attachmentSet": [], "volumeType": "gp3",
        });
        let tags = Tags::from([("wharf-backup".to_owned(), "shop".to_owned())]);
        self.put("ec2.volume", id, usual, &different, tags);
    }

    pub(crate) fn volume_snapshot(&self, of: &str, id: &str, age: SignedDuration, different: Value) {
        let usual = json!({
            "volumeId": of, "volumeSize": 30, "status": "completed", "startTime": ec2(self.ago(age)),
            "ownerId": "123456789012", "encrypted": true, "kmsKeyId": self.key, "storageTier": "standard",
        });
        self.put("ec2.snapshot", id, usual, &different, Tags::new());
    }

    pub(crate) fn policy(&self, id: &str, different: Value) {
        let usual = json!({
            "PolicyId": id, "PolicyArn": format!("arn:aws:dlm:us-east-1:123456789012:policy/{id}"),
            "Description": "volumes of shop", "State": "ENABLED", "StatusMessage": "ENABLED",
            "ExecutionRoleArn": "arn:aws:iam::123456789012:role/shop-volume-backups", "DefaultPolicy": false,
            "PolicyDetails": {
                "PolicyType": "EBS_SNAPSHOT_MANAGEMENT", "ResourceTypes": ["VOLUME"],
                "TargetTags": [{ "Key": "wharf-backup", "Value": "shop" }],
                "Schedules": [{
                    "Name": "daily", "CreateRule": { "Interval": 24, "IntervalUnit": "HOURS", "Times": ["03:00"] },
                    "RetainRule": { "Count": 14 },
                }],
            },
        });
        self.put("dlm.policy", id, usual, &different, stack_tags());
    }

    /// Changes one attribute of an object.
    pub(crate) fn set(&self, kind: &str, id: &str, name: &str, value: Value) {
        self.sandbox.edit(kind, id, |attrs, _| drop(attrs.insert(name.to_owned(), value))).unwrap();
    }

    pub(crate) async fn report(&self) -> Report {
        self.report_at(self.now()).await
    }

    pub(crate) async fn report_at(&self, at: Timestamp) -> Report {
        let clients = Clients::new(&config(&self.sandbox));
        let inventory = read::inventory(&clients, &Scope::of("shop", &self.demands), at).await;
        Report::of("shop", REGION, &inventory, &self.demands)
    }

    pub(crate) fn function(&self) -> CheckSnapshots {
        let checks = serde_json::to_string(&self.demands).unwrap();
        let environment = Environment::of([
            (shared::STACK, "shop"),
            (shared::TABLE, TABLE),
            (shared::SIGNALS, &self.topic),
            (variable::CHECKS, &checks),
        ]);
        CheckSnapshots::new(&config(&self.sandbox), &environment).unwrap()
    }

    /// One invocation by the schedule.
    pub(crate) async fn check(&self) -> Result<Value, Fault> {
        let input: Value = serde_json::from_str(INPUT).unwrap();
        let invocation = Invocation::new("r-1", "arn", None, self.now(), Duration::from_secs(120));
        self.function().handle(input, &invocation).await
    }

    /// The notices that were published.
    pub(crate) fn notices(&self) -> Vec<wharf_events::Notice> {
        let published = self.sandbox.published();
        let read = |text: &str| {
            let json: Value = serde_json::from_str(text).unwrap();
            wharf_events::Notice::from_json(&json).unwrap().unwrap()
        };
        published.iter().map(|one| read(&one.message)).collect()
    }
}

pub(crate) fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// A moment as RDS writes it.
pub(crate) fn rds(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// A moment as EC2 writes it.
pub(crate) fn ec2(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn stack_tags() -> Tags {
    Tags::from([("wharf:stack".to_owned(), "shop".to_owned())])
}

/// The verdict on a resource by a control.
pub(crate) fn found<'a>(report: &'a Report, control: &str, resource: &str) -> &'a Finding {
    let found = report.findings.iter().find(|one| one.control == control && one.resource == resource);
    found.unwrap_or_else(|| panic!("{control} says nothing of {resource}: {:#?}", report.findings))
}

/// All that does not pass, as control, resource, verdict.
pub(crate) fn open(report: &Report) -> Vec<(&str, &str, Verdict)> {
    report.open().map(|one| (one.control.as_str(), one.resource.as_str(), one.verdict)).collect()
}

pub(crate) fn config(sandbox: &Sandbox) -> SdkConfig {
    let credentials = aws_credential_types::Credentials::new("AKIATEST", "test", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials))
        .http_client(sandbox.http_client())
        .sleep_impl(TokioSleep::new())
        .retry_config(RetryConfig::standard())
        .build()
}

async fn role(config: &SdkConfig) {
    let trust = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "dlm.amazonaws.com" } },
    ] });
    let role = aws_sdk_iam::Client::new(config).create_role().role_name("shop-volume-backups");
    role.assume_role_policy_document(trust.to_string()).send().await.unwrap();
}

async fn table(config: &SdkConfig) {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType::S,
    };
    let client = aws_sdk_dynamodb::Client::new(config);
    let mut create = client.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        create = create
            .key_schema(KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap())
            .attribute_definitions(
                AttributeDefinition::builder().attribute_name(name).attribute_type(S).build().unwrap(),
            );
    }
    create.send().await.unwrap();
    // A table takes a while before it can be used.
    tokio::time::sleep(Duration::from_secs(60)).await;
}
