//! What checks each day that everything could be restored.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Made, One, Settings};
use crate::aws::lambda::function::Invocations;
use crate::aws::policy::Statement;
use crate::aws::units::Seconds;
use crate::platform::{BuildError, Builder};

/// What it asks.
const READS: [&str; 13] = [
    "dlm:GetLifecyclePolicies",
    "dlm:GetLifecyclePolicy",
    "ec2:DescribeSnapshotAttribute",
    "ec2:DescribeSnapshots",
    "ec2:DescribeVolumes",
    "iam:GetRole",
    "kms:DescribeKey",
    "rds:DescribeDBClusterSnapshotAttributes",
    "rds:DescribeDBClusterSnapshots",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "rds:DescribeDBSnapshotAttributes",
    "rds:DescribeDBSnapshots",
];

/// What its schedule sends.
pub(super) const INPUT: &str = r#"{"wharf-check-snapshots": 1}"#;

/// The leading key of what the last check left behind.
const MEMORY: &str = "check-snapshots";

/// So many hours a daily backup may be late before it is missed.
const LATE: u16 = 2;

impl One<'_> {
    pub(super) fn check_snapshots(&self, b: &mut Builder) -> Result<Made, BuildError> {
        let settings = Settings {
            description: "checks the snapshots",
            timeout: Seconds(300),
            memory: 256,
            concurrency: None,
            invocations: Some(Invocations { retries: 2, max_age: Seconds(3600), on_failure: None }),
            env: BTreeMap::from([("WHARF_CHECKS", self.demands().into())]),
        };
        let function = self.make(b, settings, self.may_check())?;
        Ok(Made { function, queues: None })
    }

    /// What the stack file asks for.
    fn demands(&self) -> String {
        let config = self.ground.config;
        let mut demands = json!({ "max_age_hours": 24 + LATE, "exceptions": config.backups.exceptions });
        if let Some(database) = &config.database {
            demands["database_backup_days"] = json!(database.backup_days);
        }
        if let Some(volumes) = &config.backups.volumes {
            demands["volume_keep"] = json!(volumes.keep);
            demands["max_age_hours"] = json!(u16::from(volumes.every_hours).max(24) + LATE);
        }
        demands.to_string()
    }

    /// It reads what there is to restore from, and says so.
    fn may_check(&self) -> Vec<Statement> {
        let mut statements = vec![
            // Whatever there is: AWS offers nothing narrower, and what is not the stack's own may use a key of its own.
            Statement::allow(READS).on("*"),
            self.remember(&["dynamodb:GetItem", "dynamodb:PutItem"], MEMORY),
        ];
        statements.extend(self.tell(&self.ground.signals.arn()));
        statements
    }
}
