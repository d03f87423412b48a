//! Snapshots: those that RDS makes every day, and the last one of an instance.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_CreateSnapshot.html>

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Noun, answer, date, emitted, filters, identifier, paged, tagged, tags};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Timer};

pub(super) static SNAPSHOT: Noun = Noun {
    kind: "rds.snapshot",
    resource_type: "snapshot",
    not_found: "DBSnapshotNotFound",
    words: ("DBSnapshot ", " not found."),
};

/// The last snapshot of an instance needs the permission that any snapshot needs.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html>
pub(super) fn authorise_last(ctx: &mut Ctx<'_>, name: &str) -> Result<(), ApiError> {
    let arn = SNAPSHOT.arn(ctx, name);
    ctx.authorise(Grant::new("rds:CreateDBSnapshot", arn))
}

pub(super) fn make(ctx: &mut Ctx<'_>, instance: &Resource, name: &str, kind: &str) -> Result<(), ApiError> {
    if ctx.get(SNAPSHOT.kind, name).is_some() {
        return Err(refuse(
            "DBSnapshotAlreadyExists",
            format!("Cannot create the snapshot because a snapshot with the identifier {name} already exists."),
        ));
    }
    let group = ctx.get("rds.subnet-group", instance.text("_subnetGroup"));
    let options = instance.items("OptionGroupMemberships").first().map(|o| o["OptionGroupName"].clone());
    let mut snapshot = ctx.resource(
        SNAPSHOT.kind,
        name,
        json!({
            "DBSnapshotIdentifier": name,
            "DBSnapshotArn": SNAPSHOT.arn(ctx, name),
            "DBInstanceIdentifier": instance.id,
            "DbiResourceId": instance.text("DbiResourceId"),
            "Engine": "postgres",
            "EngineVersion": instance.text("EngineVersion"),
            "LicenseModel": instance.text("LicenseModel"),
            "AllocatedStorage": instance.number("AllocatedStorage"),
            "Port": instance.number("_port"),
            "AvailabilityZone": instance.text("AvailabilityZone"),
            "VpcId": group.as_ref().map(|g| g.text("VpcId")),
            "InstanceCreateTime": instance.text("InstanceCreateTime"),
            "MasterUsername": instance.text("MasterUsername"),
            "OptionGroupName": options,
            "StorageType": instance.text("StorageType"),
            "StorageThroughput": instance.number("StorageThroughput"),
            "Encrypted": instance.flag("StorageEncrypted"),
            "IAMDatabaseAuthenticationEnabled": instance.flag("IAMDatabaseAuthenticationEnabled"),
            "SnapshotTarget": "region",
            "DedicatedLogVolume": false,
            "SnapshotType": kind,
            "Status": "creating",
            "PercentProgress": 0,
            "_made": date(ctx.now),
            "_class": instance.text("DBInstanceClass"),
            "_database": instance.text("DBName"),
            "_password": instance.text("_masterUserPassword"),
            "_retention": instance.number("BackupRetentionPeriod"),
        }),
    );
    for name in ["KmsKeyId", "Iops"] {
        if let Some(value) = instance.attrs.get(name) {
            snapshot.set(name, value.clone());
        }
    }
    snapshot.aws_made = kind == "automated";
    if instance.flag("CopyTagsToSnapshot") {
        snapshot.tags = instance.tags.clone();
    }
    let begun = if kind == "automated" { emitted::MAKING_AUTOMATED } else { emitted::MAKING_MANUAL };
    emitted::snapshot(ctx, &snapshot, begun);
    ctx.insert(snapshot);
    emitted::instance(ctx, instance, emitted::BACKING_UP);
    let wait = super::instance::between(ctx, 60, 180);
    let due = super::instance::moment(ctx, wait);
    ctx.account.store.schedule(due, Timer { kind: SNAPSHOT.kind, id: name.to_owned(), event: "finished" });
    Ok(())
}

pub(super) fn finished(ctx: &mut Ctx<'_>, name: &str) {
    ctx.update(SNAPSHOT.kind, name, |snapshot| {
        let made = snapshot.text("_made").to_owned();
        snapshot.set("Status", "available");
        snapshot.set("PercentProgress", 100);
        snapshot.set("SnapshotCreateTime", made.clone());
        snapshot.set("OriginalSnapshotCreateTime", made.clone());
        snapshot.set("SnapshotDatabaseTime", made);
    });
    let Some(snapshot) = ctx.get(SNAPSHOT.kind, name) else { return };
    let automated = snapshot.text("SnapshotType") == "automated";
    emitted::snapshot(ctx, &snapshot, if automated { emitted::MADE_AUTOMATED } else { emitted::MADE_MANUAL });
    if let Some(instance) = ctx.get("rds.instance", snapshot.text("DBInstanceIdentifier")) {
        emitted::instance(ctx, &instance, emitted::BACKED_UP);
    }
}

/// The day's automated snapshot; a second one on the same minute is none.
pub(super) fn automated(ctx: &mut Ctx<'_>, instance: &Resource) {
    let minute = date(ctx.now).get(..16).unwrap_or_default().replace(['T', ':'], "-");
    let name = format!("rds:{}-{minute}", instance.id);
    if ctx.get(SNAPSHOT.kind, &name).is_none() {
        let _ = make(ctx, instance, &name, "automated");
    }
}

fn of_instance<'a>(instance: &'a Resource) -> impl Fn(&Resource) -> bool + 'a {
    |snapshot| {
        snapshot.text("SnapshotType") == "automated" && snapshot.text("DbiResourceId") == instance.text("DbiResourceId")
    }
}

/// Automated snapshots go when their time is over.
pub(super) fn prune(ctx: &mut Ctx<'_>, instance: &Resource) {
    let days = u32::try_from(instance.number("BackupRetentionPeriod")).unwrap_or(0);
    let kept = Duration::from_secs(24 * 60 * 60) * days;
    for snapshot in ctx.those(SNAPSHOT.kind, of_instance(instance)) {
        let age = Duration::try_from(ctx.now.duration_since(snapshot.created)).unwrap_or_default();
        if age > kept {
            ctx.remove(SNAPSHOT.kind, &snapshot.id);
        }
    }
}

pub(super) fn drop_automated(ctx: &mut Ctx<'_>, instance: &Resource) {
    for snapshot in ctx.those(SNAPSHOT.kind, of_instance(instance)) {
        ctx.remove(SNAPSHOT.kind, &snapshot.id);
    }
}

/// The oldest moment that automated snapshots reach back to.
pub(super) fn earliest(ctx: &Ctx<'_>, instance: &str) -> Option<Timestamp> {
    let all =
        ctx.those(SNAPSHOT.kind, |s| s.text("SnapshotType") == "automated" && s.text("DbiResourceId") == instance);
    all.iter().map(|snapshot| snapshot.created).min()
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = identifier(input, "DBSnapshotIdentifier", 255)?;
    let id = identifier(input, "DBInstanceIdentifier", 63)?;
    let tags = tags::requested(input)?;
    SNAPSHOT.authorise_create(ctx, "CreateDBSnapshot", &name, &tags)?;
    let instance = super::instance::INSTANCE.permitted(ctx, "CreateDBSnapshot", &id)?;
    if !matches!(instance.text("DBInstanceStatus"), "available" | "storage-optimization") {
        return Err(refuse(
            "InvalidDBInstanceState",
            format!(
                "Cannot create a snapshot because the database instance {id} is not currently in the available state."
            ),
        ));
    }
    make(ctx, &instance, &name, "manual")?;
    ctx.update(SNAPSHOT.kind, &name, |snapshot| snapshot.tags.extend(tags));
    let made = ctx.get(SNAPSHOT.kind, &name).ok_or_else(|| SNAPSHOT.missing(&name))?;
    answer("DBSnapshot", tagged(&made))
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.str("DBSnapshotIdentifier")?.to_ascii_lowercase();
    let snapshot = SNAPSHOT.permitted(ctx, "DeleteDBSnapshot", &name)?;
    if snapshot.text("SnapshotType") == "automated" {
        return Err(refuse(
            "InvalidDBSnapshotState",
            "Automated snapshots cannot be deleted: they go with their retention period.",
        ));
    }
    if snapshot.text("Status") != "available" {
        return Err(refuse(
            "InvalidDBSnapshotState",
            format!("Cannot delete the snapshot because it is not currently in the available state: {name}"),
        ));
    }
    ctx.remove(SNAPSHOT.kind, &name);
    let mut shown = tagged(&snapshot);
    shown.insert("Status".to_owned(), "deleted".into());
    answer("DBSnapshot", shown)
}

/// Without a type, automated and manual ones are shown.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshots.html>
pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    // There are no other accounts here whose snapshots could be shared.
    input.ignore(&["IncludeShared", "IncludePublic"]);
    let filters = filters(input, &["db-instance-id", "db-snapshot-id", "dbi-resource-id", "snapshot-type", "engine"])?;
    let name = input.opt_str("DBSnapshotIdentifier").map(str::to_ascii_lowercase);
    let mut wanted: Vec<(&str, Vec<String>)> = Vec::new();
    for (parameter, attribute) in [
        ("DBInstanceIdentifier", "DBInstanceIdentifier"),
        ("SnapshotType", "SnapshotType"),
        ("DbiResourceId", "DbiResourceId"),
    ] {
        if let Some(value) = input.opt_str(parameter) {
            let value = if parameter == "DBInstanceIdentifier" { value.to_ascii_lowercase() } else { value.to_owned() };
            wanted.push((attribute, vec![value]));
        }
    }
    for (name, values) in filters {
        let attribute = match name.as_str() {
            "db-instance-id" => "DBInstanceIdentifier",
            "db-snapshot-id" => "DBSnapshotIdentifier",
            "dbi-resource-id" => "DbiResourceId",
            "snapshot-type" => "SnapshotType",
            _ => "Engine",
        };
        wanted.push((attribute, values));
    }
    let found = SNAPSHOT.asked(ctx, "DescribeDBSnapshots", name.as_deref())?;
    let fits =
        |snapshot: &Resource| wanted.iter().all(|(name, values)| values.iter().any(|v| v == snapshot.text(name)));
    let shown =
        found.iter().filter(|snapshot| fits(snapshot)).map(|snapshot| Value::Object(tagged(snapshot))).collect();
    paged(input, "DBSnapshots", shown)
}
