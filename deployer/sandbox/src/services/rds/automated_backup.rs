//! Automated backups: what an instance can be restored from, also for a while after it is gone.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithAutomatedBackups.html>

use serde_json::{Map, Value, json};

use super::instance::restorable;
use super::{answer, date, filters, not_found, paged, snapshot, tags};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::shown;
use crate::store::Resource;

const KIND: &str = "rds.automated-backup";

/// The automated backup of an instance, made when there is none.
pub(super) fn ensure(ctx: &mut Ctx<'_>, instance: &Resource) {
    let known = ctx.those(KIND, |backup| backup.text("DbiResourceId") == instance.text("DbiResourceId"));
    if !known.is_empty() {
        return;
    }
    let id = format!("ab-{}", ctx.account.rng.hex(26));
    let group = ctx.get("rds.subnet-group", instance.text("_subnetGroup"));
    let mut backup = ctx.resource(
        KIND,
        &id,
        json!({
            "DBInstanceArn": instance.text("DBInstanceArn"),
            "DbiResourceId": instance.text("DbiResourceId"),
            "DBInstanceAutomatedBackupsArn": ctx.arn("rds", format!("auto-backup:{id}")),
            "DBInstanceIdentifier": instance.id,
            "Region": ctx.account.region,
            "Status": "active",
            "AvailabilityZone": instance.text("AvailabilityZone"),
            "VpcId": group.as_ref().map(|g| g.text("VpcId")),
            "InstanceCreateTime": instance.text("InstanceCreateTime"),
            "MasterUsername": instance.text("MasterUsername"),
            "Engine": "postgres",
            "LicenseModel": instance.text("LicenseModel"),
            "Encrypted": instance.flag("StorageEncrypted"),
            "BackupTarget": "region",
        }),
    );
    backup.aws_made = true;
    ctx.insert(backup);
}

/// What the backup takes over from its instance as long as that is there.
fn current(ctx: &Ctx<'_>, backup: &Resource) -> Map<String, Value> {
    let mut map = shown(backup);
    let all = ctx.those("rds.instance", |i| i.text("DbiResourceId") == backup.text("DbiResourceId"));
    if let Some(instance) = all.first() {
        follow(&mut map, instance);
        if let Some(latest) = restorable(ctx.now, instance) {
            let earliest = snapshot::earliest(ctx, instance.text("DbiResourceId")).unwrap_or(latest);
            map.insert("RestoreWindow".to_owned(), json!({"EarliestTime": date(earliest), "LatestTime": date(latest)}));
        }
        map.insert("TagList".to_owned(), tags::list_of(&instance.tags));
    }
    map
}

fn follow(map: &mut Map<String, Value>, instance: &Resource) {
    for name in [
        "EngineVersion",
        "AllocatedStorage",
        "StorageType",
        "KmsKeyId",
        "BackupRetentionPeriod",
        "PreferredBackupWindow",
        "IAMDatabaseAuthenticationEnabled",
    ] {
        if let Some(value) = instance.attrs.get(name) {
            map.insert(name.to_owned(), value.clone());
        }
    }
    map.insert("Port".to_owned(), instance.number("_port").into());
}

/// The instance is called otherwise.
pub(super) fn renamed(ctx: &mut Ctx<'_>, instance: &Resource) {
    for backup in ctx.those(KIND, |backup| backup.text("DbiResourceId") == instance.text("DbiResourceId")) {
        ctx.update(KIND, &backup.id, |backup| {
            backup.set("DBInstanceIdentifier", instance.id.clone());
            backup.set("DBInstanceArn", instance.text("DBInstanceArn"));
        });
    }
}

/// The instance is gone: its backups go with it, unless they were to be kept.
pub(super) fn instance_gone(ctx: &mut Ctx<'_>, instance: &Resource) {
    let keep = !instance.flag("_dropBackups") && instance.number("BackupRetentionPeriod") > 0;
    for backup in ctx.those(KIND, |b| b.text("DbiResourceId") == instance.text("DbiResourceId")) {
        if keep {
            let mut map = current(ctx, &backup);
            map.insert("Status".to_owned(), "retained".into());
            ctx.update(KIND, &backup.id, |backup| backup.attrs = map);
        } else {
            ctx.remove(KIND, &backup.id);
        }
    }
    if !keep {
        snapshot::drop_automated(ctx, instance);
    }
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (resource, arn) = (input.opt_str("DbiResourceId"), input.opt_str("DBInstanceAutomatedBackupsArn"));
    let fits = |backup: &Resource| {
        resource.is_some_and(|id| id == backup.text("DbiResourceId"))
            || arn.is_some_and(|arn| arn == backup.text("DBInstanceAutomatedBackupsArn"))
    };
    let found = ctx.those(KIND, fits);
    let arn = found.first().map_or_else(|| "*".to_owned(), |b| b.text("DBInstanceAutomatedBackupsArn").to_owned());
    ctx.authorise(Grant::new("rds:DeleteDBInstanceAutomatedBackup", arn))?;
    let backup = found.first().ok_or_else(missing)?;
    if backup.text("Status") != "retained" {
        return Err(refuse("InvalidDBInstanceAutomatedBackupState", "Only retained automated backups can be deleted"));
    }
    ctx.remove(KIND, &backup.id);
    for snapshot in ctx.those(snapshot::SNAPSHOT.kind, |s| {
        s.text("SnapshotType") == "automated" && s.text("DbiResourceId") == backup.text("DbiResourceId")
    }) {
        ctx.remove(snapshot::SNAPSHOT.kind, &snapshot.id);
    }
    let mut shown = shown(backup);
    shown.insert("Status".to_owned(), "deleting".into());
    answer("DBInstanceAutomatedBackup", shown)
}

fn missing() -> ApiError {
    not_found("DBInstanceAutomatedBackupNotFound", "DBInstanceAutomatedBackup not found.")
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    ctx.authorise(Grant::new("rds:DescribeDBInstanceAutomatedBackups", "*"))?;
    let filters = filters(input, &["status", "db-instance-id", "dbi-resource-id"])?;
    let mut wanted: Vec<(&str, Vec<String>)> = Vec::new();
    for name in ["DbiResourceId", "DBInstanceIdentifier", "DBInstanceAutomatedBackupsArn"] {
        if let Some(value) = input.opt_str(name) {
            wanted.push((name, vec![value.to_owned()]));
        }
    }
    let named = !wanted.is_empty();
    for (name, values) in filters {
        let attribute = match name.as_str() {
            "status" => "Status",
            "db-instance-id" => "DBInstanceIdentifier",
            _ => "DbiResourceId",
        };
        wanted.push((attribute, values));
    }
    let fits = |backup: &Resource| wanted.iter().all(|(name, values)| values.iter().any(|v| v == backup.text(name)));
    let found: Vec<Value> =
        ctx.visible(KIND).iter().filter(|b| fits(b)).map(|backup| Value::Object(current(ctx, backup))).collect();
    if named && found.is_empty() {
        return Err(missing());
    }
    paged(input, "DBInstanceAutomatedBackups", found)
}
