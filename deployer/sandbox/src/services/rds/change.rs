//! How changes of an instance come into effect: at once, in minutes, or in the maintenance window.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.DBInstance.Modifying.html>

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::instance::{INSTANCE, between};
use super::{emitted, lifecycle, rename, settings, subnet_group};
use crate::account::Ctx;
use crate::services::ec2::interface;
use crate::store::Resource;

/// How an attribute that waits to be changed is called among the pending values, if it shows there.
const SHOWN: &[(&str, &str)] = &[
    ("DBInstanceClass", "DBInstanceClass"),
    ("AllocatedStorage", "AllocatedStorage"),
    ("MultiAZ", "MultiAZ"),
    ("EngineVersion", "EngineVersion"),
    ("StorageType", "StorageType"),
    ("Iops", "Iops"),
    ("StorageThroughput", "StorageThroughput"),
    ("BackupRetentionPeriod", "BackupRetentionPeriod"),
    ("CACertificateIdentifier", "CACertificateIdentifier"),
    ("IAMDatabaseAuthenticationEnabled", "IAMDatabaseAuthenticationEnabled"),
    ("_port", "Port"),
    ("_name", "DBInstanceIdentifier"),
];

/// What waits, as `PendingModifiedValues` tells it.
pub(super) fn pending_values(instance: &Resource, waiting: &Map<String, Value>) -> Value {
    let mut shown = Map::new();
    for (attribute, name) in SHOWN {
        if let Some(value) = waiting.get(*attribute) {
            shown.insert((*name).to_owned(), value.clone());
        }
    }
    if waiting.contains_key("_masterUserPassword") {
        shown.insert("MasterUserPassword".to_owned(), "****".into());
    }
    if let Some(logs) = waiting.get("EnabledCloudwatchLogsExports").and_then(Value::as_array) {
        let now = instance.items("EnabledCloudwatchLogsExports");
        let on: Vec<&Value> = logs.iter().filter(|log| !now.contains(log)).collect();
        let off: Vec<&Value> = now.iter().filter(|log| !logs.contains(log)).collect();
        shown.insert(
            "PendingCloudwatchLogsExports".to_owned(),
            json!({"LogTypesToEnable": on, "LogTypesToDisable": off}),
        );
    }
    Value::Object(shown)
}

pub(super) fn waiting(instance: &Resource) -> Map<String, Value> {
    instance.attrs.get("_pending").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Status and length of the work that changes mean.
fn work(instance: &Resource, changes: &Map<String, Value>) -> (&'static str, u64) {
    let has = |name: &str| changes.contains_key(name);
    if has("_name") {
        ("renaming", 90)
    } else if has("EngineVersion") {
        ("upgrading", 600)
    } else if has("MultiAZ") {
        ("modifying", 480)
    } else if has("DBInstanceClass") {
        ("modifying", if instance.flag("MultiAZ") { 420 } else { 300 })
    } else if has("AllocatedStorage") || has("StorageType") || has("Iops") || has("StorageThroughput") {
        ("modifying", 120)
    } else if has("_masterUserPassword") && changes.len() == 1 {
        ("resetting-master-credentials", 30)
    } else if has("EnabledCloudwatchLogsExports") && changes.len() == 1 {
        ("configuring-log-exports", 40)
    } else if has("_monitoring") && changes.len() == 1 {
        ("configuring-enhanced-monitoring", 40)
    } else {
        ("modifying", 60)
    }
}

/// The change begins. Until now the instance still said `available`, which misleads whoever looks too early.
pub(super) fn begin(ctx: &mut Ctx<'_>, instance: &Resource) {
    let changes = waiting(instance);
    if changes.is_empty() || !matches!(instance.text("DBInstanceStatus"), "available" | "storage-optimization") {
        return;
    }
    let (status, length) = work(instance, &changes);
    ctx.update(INSTANCE.kind, &instance.id, |instance| {
        instance.set("DBInstanceStatus", status);
        instance.set("_applying", changes);
    });
    let wait = between(ctx, length * 7 / 10, length * 13 / 10);
    lifecycle::schedule_in(ctx, instance, wait, "applied");
}

/// The maintenance window has come.
pub(super) fn window(ctx: &mut Ctx<'_>, instance: &Resource) {
    ctx.update(INSTANCE.kind, &instance.id, |instance| instance.set("_windowed", false));
    begin(ctx, instance);
}

/// The change is through.
pub(super) fn applied(ctx: &mut Ctx<'_>, instance: &Resource) {
    let changes = instance.attrs.get("_applying").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut rest = waiting(instance);
    rest.retain(|name, value| changes.get(name) != Some(value));
    let mut after = instance.clone();
    for (name, value) in &changes {
        apply(ctx, &mut after, name, value);
    }
    let storage =
        ["AllocatedStorage", "StorageType", "Iops", "StorageThroughput"].iter().any(|n| changes.contains_key(*n));
    after.attrs.remove("_applying");
    after.set("PendingModifiedValues", pending_values(&after, &rest));
    after.set("_pending", rest);
    after.set("DBInstanceStatus", if storage { "storage-optimization" } else { "available" });
    let first_backup = changes.contains_key("BackupRetentionPeriod") && instance.number("BackupRetentionPeriod") == 0;
    let name = changes.get("_name").and_then(Value::as_str).unwrap_or(&instance.id).to_owned();
    ctx.update(INSTANCE.kind, &instance.id, |instance| *instance = after);
    rename::complete(ctx, &instance.id, &name);
    let Some(snapshot) = ctx.get(INSTANCE.kind, &name) else { return };
    let id = name;
    lifecycle::log_groups(ctx, &snapshot);
    for (name, message) in [
        ("DBInstanceClass", emitted::APPLIED_CLASS),
        ("AllocatedStorage", emitted::APPLIED_STORAGE),
        ("_masterUserPassword", emitted::NEW_PASSWORD),
    ] {
        if changes.contains_key(name) {
            emitted::instance(ctx, &snapshot, message);
        }
    }
    if storage {
        let wait = between(ctx, 400, 900);
        lifecycle::schedule_in(ctx, &snapshot, wait, "optimised");
    }
    if first_backup {
        lifecycle::start_backups(ctx, &id);
    }
}

fn apply(ctx: &mut Ctx<'_>, instance: &mut Resource, name: &str, value: &Value) {
    match name {
        "_monitoring" | "_name" => {}
        "_masterUserPassword" => {
            let password = value.as_str().unwrap_or_default();
            instance.set(name, password);
            super::instance::remember_password(ctx.now, instance, password);
        }
        "CACertificateIdentifier" => {
            // The name was checked when it was asked for.
            let _ = settings::certificate(ctx, instance, value.as_str().unwrap_or_default());
        }
        "_port" => {
            instance.set("_port", value.clone());
            if let Some(endpoint) = instance.attrs.get_mut("Endpoint") {
                endpoint["Port"] = value.clone();
            }
        }
        "_parameterGroup" => instance
            .set("DBParameterGroups", vec![json!({"DBParameterGroupName": value, "ParameterApplyStatus": "in-sync"})]),
        "EngineVersion" => {
            instance.set("EngineVersion", value.clone());
            let major = value.as_str().and_then(|v| v.split_once('.')).map_or("", |(major, _)| major);
            let options = format!("default:postgres-{major}");
            instance.set("OptionGroupMemberships", vec![json!({"OptionGroupName": options, "Status": "in-sync"})]);
        }
        "MultiAZ" => standby(ctx, instance, value.as_bool().unwrap_or(false)),
        "EnabledCloudwatchLogsExports" if value.as_array().is_some_and(Vec::is_empty) => {
            instance.attrs.remove(name);
        }
        _ => instance.set(name, value.clone()),
    }
}

/// A standby comes with an interface in another zone, and goes with it.
fn standby(ctx: &mut Ctx<'_>, instance: &mut Resource, wanted: bool) {
    instance.set("MultiAZ", wanted);
    let arn = instance.text("DBInstanceArn").to_owned();
    let primary = instance.text("AvailabilityZone").to_owned();
    if !wanted {
        instance.attrs.remove("SecondaryAvailabilityZone");
        for eni in
            ctx.those("ec2.network-interface", |e| e.text("_for") == arn && e.text("availabilityZone") != primary)
        {
            ctx.remove("ec2.network-interface", &eni.id);
        }
        return;
    }
    let group = ctx.get(subnet_group::GROUP.kind, instance.text("_subnetGroup"));
    let places = group.map(|group| subnet_group::places(&group)).unwrap_or_default();
    if let Some((subnet, zone)) = places.into_iter().find(|(_, zone)| *zone != primary) {
        let groups = super::instance::guarded_by(instance);
        let wanted = interface::Wanted {
            owner: &arn,
            subnet: &subnet,
            groups: &groups,
            interface_type: "interface",
            description: "RDSNetworkInterface",
            requester: "amazon-rds",
        };
        // A full subnet leaves the instance without a standby.
        if interface::make(ctx, &wanted).is_ok() {
            instance.set("SecondaryAvailabilityZone", zone);
        }
    }
}

/// Security groups and dynamic parameters have reached the instance.
pub(super) fn in_sync(ctx: &mut Ctx<'_>, instance: &Resource) {
    ctx.update(INSTANCE.kind, &instance.id, |instance| {
        for group in instance.list_mut("VpcSecurityGroups") {
            group["Status"] = "active".into();
        }
        for group in instance.list_mut("DBParameterGroups") {
            if group["ParameterApplyStatus"] == "applying" {
                group["ParameterApplyStatus"] = "in-sync".into();
            }
        }
    });
}

/// A restart makes static parameters effective.
pub(super) fn rebooted(ctx: &mut Ctx<'_>, instance: &Resource) {
    ctx.update(INSTANCE.kind, &instance.id, |instance| {
        instance.set("DBInstanceStatus", "available");
        for group in instance.list_mut("DBParameterGroups") {
            group["ParameterApplyStatus"] = "in-sync".into();
        }
        instance.attrs.remove("_failing_over");
    });
    emitted::instance(ctx, instance, emitted::RESTARTED);
    if instance.flag("_failing_over") {
        emitted::instance(ctx, instance, emitted::FAILED_OVER);
    }
}

/// The parameters of a group have changed: its instances show it.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithParamGroups.html>
pub(super) fn parameters_changed(ctx: &mut Ctx<'_>, group: &str, status: &str) {
    let uses = |i: &Resource| i.items("DBParameterGroups").iter().any(|g| g["DBParameterGroupName"] == group);
    for instance in ctx.those(INSTANCE.kind, uses) {
        ctx.update(INSTANCE.kind, &instance.id, |instance| {
            for group in instance.list_mut("DBParameterGroups") {
                // What waits for a restart goes on waiting.
                if group["ParameterApplyStatus"] != "pending-reboot" {
                    group["ParameterApplyStatus"] = status.into();
                }
            }
        });
        lifecycle::schedule_in(ctx, &instance, Duration::from_secs(30), "in-sync");
    }
}
