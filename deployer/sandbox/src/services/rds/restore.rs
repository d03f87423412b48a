//! New instances out of backups. They take over what their data are bound to; most of what was set around them they do
//! not: groups, standby, protection, monitoring and log exports are AWS's defaults unless the call says otherwise.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html>
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RestoreFromSnapshot.html>

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::instance::{self, INSTANCE, restorable};
use super::snapshot::{self, SNAPSHOT};
use super::{combination, date, identifier, tags};
use crate::account::Ctx;
use crate::error::{Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;

/// What a restore can say of the instance that it makes.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceToPointInTime.html>
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceFromDBSnapshot.html>
const SAID: &[&str] = &[
    "AllocatedStorage",
    "AutoMinorVersionUpgrade",
    "AvailabilityZone",
    "BackupRetentionPeriod",
    "CACertificateIdentifier",
    "CopyTagsToSnapshot",
    "DBInstanceClass",
    "DBParameterGroupName",
    "DBSubnetGroupName",
    "DeletionProtection",
    "EnableCloudwatchLogsExports",
    "EnableIAMDatabaseAuthentication",
    "Engine",
    "EngineLifecycleSupport",
    "Iops",
    "LicenseModel",
    "MultiAZ",
    "NetworkType",
    "OptionGroupName",
    "Port",
    "PreferredBackupWindow",
    "PubliclyAccessible",
    "StorageThroughput",
    "StorageType",
    "VpcSecurityGroupIds",
];

/// What is made: where its data are from, and what it takes over with them.
struct New {
    action: &'static str,
    from: String,
    inherited: Value,
}

pub(super) fn to_point_in_time(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    const ACTION: &str = "RestoreDBInstanceToPointInTime";
    let id = identifier(input, "SourceDBInstanceIdentifier", 63)?;
    let source = INSTANCE.permitted(ctx, ACTION, &id)?;
    let Some(latest) = restorable(ctx.now, &source) else {
        let message = format!("Point in time restore is not enabled for the DB instance {id}");
        return Err(refuse("PointInTimeRestoreNotEnabled", message));
    };
    let asked = input.opt_str("RestoreTime").map(str::to_owned);
    let at = match (asked, input.bool_or("UseLatestRestorableTime", false)?) {
        (Some(_), true) => {
            return Err(combination("RestoreTime cannot be specified together with UseLatestRestorableTime"));
        }
        (None, false) => {
            return Err(combination("Either RestoreTime or UseLatestRestorableTime must be specified"));
        }
        (None, true) => latest,
        (Some(text), false) => text.parse().map_err(|_| input.invalid("RestoreTime", &Value::from(text)))?,
    };
    let earliest = snapshot::earliest(ctx, source.text("DbiResourceId")).unwrap_or(latest);
    if at < earliest || at > latest {
        return Err(super::invalid(format!(
            "The specified restore time {} is not between {} and {}",
            date(at),
            date(earliest),
            date(latest)
        )));
    }
    let inherited = of_instance(&source, at);
    let new = New { action: ACTION, from: format!("{} at {}", source.text("DbiResourceId"), date(at)), inherited };
    new.make(ctx, input, "TargetDBInstanceIdentifier", &["MaxAllocatedStorage"])
}

fn of_instance(source: &Resource, at: Timestamp) -> Value {
    json!({
        "EngineVersion": source.text("EngineVersion"),
        "DBInstanceClass": source.text("DBInstanceClass"),
        "AllocatedStorage": source.number("AllocatedStorage"),
        "StorageType": source.text("StorageType"),
        "MasterUsername": source.text("MasterUsername"),
        "MasterUserPassword": instance::password_at(source, at),
        "DBName": source.attrs.get("DBName"),
        "Port": source.number("_port"),
        "BackupRetentionPeriod": source.number("BackupRetentionPeriod"),
        "PreferredBackupWindow": source.text("PreferredBackupWindow"),
        "StorageEncrypted": source.flag("StorageEncrypted"),
        "KmsKeyId": source.attrs.get("KmsKeyId"),
    })
}

pub(super) fn from_snapshot(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    const ACTION: &str = "RestoreDBInstanceFromDBSnapshot";
    let name = input.str("DBSnapshotIdentifier")?.to_ascii_lowercase();
    let snapshot = SNAPSHOT.permitted(ctx, ACTION, &name)?;
    if snapshot.text("Status") != "available" {
        let message = format!("The snapshot {name} is not currently in the available state.");
        return Err(refuse("InvalidDBSnapshotState", message));
    }
    let inherited = json!({
        "EngineVersion": snapshot.text("EngineVersion"),
        "DBInstanceClass": snapshot.text("_class"),
        "AllocatedStorage": snapshot.number("AllocatedStorage"),
        "StorageType": snapshot.text("StorageType"),
        "MasterUsername": snapshot.text("MasterUsername"),
        "MasterUserPassword": snapshot.text("_password"),
        "DBName": snapshot.text("_database"),
        "Port": snapshot.number("Port"),
        "BackupRetentionPeriod": snapshot.number("_retention"),
        "StorageEncrypted": snapshot.flag("Encrypted"),
        "KmsKeyId": snapshot.attrs.get("KmsKeyId"),
    });
    let new = New { action: ACTION, from: name, inherited };
    new.make(ctx, input, "DBInstanceIdentifier", &[])
}

impl New {
    fn make(self, ctx: &mut Ctx<'_>, input: &Input, name: &str, more: &[&str]) -> Outcome {
        let id = identifier(input, name, 63)?;
        let tags = tags::requested(input)?;
        INSTANCE.authorise_create(ctx, self.action, &id, &tags)?;
        let mut said: Map<String, Value> = self.inherited.as_object().cloned().unwrap_or_default();
        let smallest = said.get("AllocatedStorage").and_then(Value::as_i64).unwrap_or(0);
        said.insert("Engine".to_owned(), "postgres".into());
        for name in SAID.iter().chain(more) {
            if let Some(value) = input.opt(name) {
                said.insert((*name).to_owned(), value.clone());
            }
        }
        said.retain(|_, value| !value.is_null() && value.as_str() != Some(""));
        let said = Input::new("rds", Value::Object(said));
        if said.opt_int("AllocatedStorage")?.is_some_and(|size| size < smallest) {
            return Err(super::invalid(format!("The allocated storage must be {smallest} GiB at least")));
        }
        let from = self.from;
        instance::make(ctx, self.action, &id, tags, &said, |instance| instance.set("_restoredFrom", from))
    }
}
