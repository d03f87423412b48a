//! Changes of an instance, and restarts.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html>

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::instance::{INSTANCE, shown};
use super::{
    answer, change, combination, emitted, engine, identifier, lifecycle, parameter_group, rename, settings, windows,
};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;

const MODIFY: &str = "ModifyDBInstance";

/// What waits for the maintenance window unless it is to be applied immediately; all else comes at once.
const WAITS: &[&str] = &[
    "DBInstanceClass",
    "AllocatedStorage",
    "MultiAZ",
    "EngineVersion",
    "StorageType",
    "Iops",
    "StorageThroughput",
    "BackupRetentionPeriod",
    "CACertificateIdentifier",
    "IAMDatabaseAuthenticationEnabled",
    "_port",
    "_parameterGroup",
    "_name",
];

/// One change at a time.
fn ready(instance: &Resource) -> Result<(), ApiError> {
    match instance.text("DBInstanceStatus") {
        "available" | "storage-optimization" => Ok(()),
        _ => Err(refuse("InvalidDBInstanceState", "Database instance is not in available state.")),
    }
}

pub(super) fn modify(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = identifier(input, "DBInstanceIdentifier", 63)?;
    let before = INSTANCE.permitted(ctx, MODIFY, &id)?;
    let at_once = input.bool_or("ApplyImmediately", false)?;
    let mut now = Resource::clone(&before);
    let mut later = Map::new();
    if let Some(name) = rename::asked(ctx, &before, input)? {
        later.insert("_name".to_owned(), name.into());
    }
    size(&before, &mut later, input)?;
    software(ctx, &mut now, &mut later, input)?;
    access(ctx, &before, &mut later, input)?;
    network(ctx, &mut now, input)?;
    upkeep(ctx, &mut now, &mut later, input)?;
    watching(ctx, &mut now, &mut later, input)?;
    ready(&before)?;
    let soon = at_once || later.keys().any(|name| !WAITS.contains(&name.as_str()));
    let mut waiting = change::waiting(&before);
    waiting.append(&mut later);
    now.set("PendingModifiedValues", change::pending_values(&before, &waiting));
    let any = !waiting.is_empty();
    now.set("_pending", waiting);
    let windowed = before.flag("_windowed");
    now.set("_windowed", windowed || (any && !soon));
    let window = windows::next_maintenance(ctx.now, now.text("PreferredMaintenanceWindow"));
    ctx.update(INSTANCE.kind, &id, |instance| *instance = now.clone());
    if any && soon {
        lifecycle::schedule_in(ctx, &now, Duration::from_secs(8), "begin");
    } else if any && !windowed {
        lifecycle::schedule(ctx, &now, window, "window");
    }
    answer("DBInstance", shown(ctx, &now))
}

/// Keeps a change if it is one.
fn differs(before: &Resource, later: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    let value = value.into();
    if before.attrs.get(name) != Some(&value) {
        later.insert(name.to_owned(), value);
    }
}

/// Class, storage, standby.
fn size(before: &Resource, later: &mut Map<String, Value>, input: &Input) -> Result<(), ApiError> {
    if let Some(class) = input.opt_str("DBInstanceClass") {
        engine::class(class)?;
        differs(before, later, "DBInstanceClass", class);
    }
    if let Some(multi) = input.opt_bool("MultiAZ")? {
        differs(before, later, "MultiAZ", multi);
    }
    if !["AllocatedStorage", "StorageType", "Iops", "StorageThroughput"].iter().any(|name| input.has(name)) {
        return Ok(());
    }
    let mut after = before.clone();
    settings::storage(&mut after, input)?;
    let (old, new) = (before.number("AllocatedStorage"), after.number("AllocatedStorage"));
    // Storage never shrinks, and grows by a tenth at least:
    // <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.ModifyingExisting.html>
    if new < old || (new > old && new * 10 < old * 11) {
        return Err(combination(format!(
            "Invalid storage size for engine name postgres and storage type {}: {new}",
            after.text("StorageType")
        )));
    }
    for name in ["AllocatedStorage", "StorageType", "Iops", "StorageThroughput"] {
        if let Some(value) = after.attrs.get(name) {
            differs(before, later, name, value.clone());
        }
    }
    let changed =
        ["AllocatedStorage", "StorageType", "Iops", "StorageThroughput"].iter().any(|n| later.contains_key(*n));
    if changed && before.text("DBInstanceStatus") == "storage-optimization" {
        return Err(combination(
            "You can't currently modify the storage of this DB instance because the previous storage change is being optimized.",
        ));
    }
    Ok(())
}

/// Engine version and parameter group.
fn software(
    ctx: &mut Ctx<'_>,
    now: &mut Resource,
    later: &mut Map<String, Value>,
    input: &Input,
) -> Result<(), ApiError> {
    let major_allowed = input.bool_or("AllowMajorVersionUpgrade", false)?;
    let current = engine::parse(now.text("EngineVersion")).unwrap_or_default();
    let wanted = match input.opt_str("EngineVersion") {
        // A bare major version that the instance has already is no change.
        Some(text) if text.parse() == Ok(current.0) => current,
        Some(text) => engine::resolve(Some(text))?,
        None => current,
    };
    if wanted < current {
        return Err(combination(format!(
            "Cannot upgrade postgres from {}.{} to {}.{}",
            current.0, current.1, wanted.0, wanted.1
        )));
    }
    if wanted.0 != current.0 && !major_allowed {
        return Err(combination(
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.",
        ));
    }
    let family = engine::family(wanted.0);
    let group = now
        .items("DBParameterGroups")
        .first()
        .and_then(|g| g["DBParameterGroupName"].as_str())
        .unwrap_or_default()
        .to_owned();
    let asked = input.opt_str("DBParameterGroupName").map(str::to_ascii_lowercase);
    let next = match &asked {
        Some(name) => settings::parameter_group(ctx, MODIFY, Some(name), &family)?,
        None if wanted.0 != current.0 && group.starts_with("default.") => parameter_group::default_of(ctx, &family),
        None => {
            if let Some(group) = ctx.get(parameter_group::GROUP.kind, &group) {
                settings::fitting(&group, &family)?;
            }
            group.clone()
        }
    };
    if wanted != current {
        later.insert("EngineVersion".to_owned(), format!("{}.{}", wanted.0, wanted.1).into());
        if next != group {
            later.insert("_parameterGroup".to_owned(), next.into());
        }
    } else if next != group {
        // The group changes at once, its static parameters with the next restart.
        now.set(
            "DBParameterGroups",
            vec![json!({"DBParameterGroupName": next, "ParameterApplyStatus": "pending-reboot"})],
        );
    }
    Ok(())
}

/// Password, port, certificate.
fn access(ctx: &Ctx<'_>, before: &Resource, later: &mut Map<String, Value>, input: &Input) -> Result<(), ApiError> {
    if let Some(password) = input.opt_str("MasterUserPassword") {
        settings::password(password)?;
        later.insert("_masterUserPassword".to_owned(), password.into());
    }
    if let Some(port) = input.opt_int("DBPortNumber")? {
        differs(before, later, "_port", settings::port(port)?);
    }
    if let Some(login) = input.opt_bool("EnableIAMDatabaseAuthentication")? {
        differs(before, later, "IAMDatabaseAuthenticationEnabled", login);
    }
    if let Some(name) = input.opt_str("CACertificateIdentifier") {
        settings::certificate(ctx, &mut before.clone(), name)?;
        differs(before, later, "CACertificateIdentifier", name);
    }
    // Whether the certificate needs a restart makes no difference here.
    let _ = input.opt_bool("CertificateRotationRestart")?;
    Ok(())
}

fn network(ctx: &mut Ctx<'_>, now: &mut Resource, input: &Input) -> Result<(), ApiError> {
    if let Some(public) = input.opt_bool("PubliclyAccessible")? {
        now.set("PubliclyAccessible", public);
    }
    let asked = input.strings("VpcSecurityGroupIds");
    let before = super::instance::guarded_by(now);
    if asked.is_empty() || (asked.len() == before.len() && asked.iter().all(|id| before.contains(id))) {
        return Ok(());
    }
    let vpc =
        ctx.get("rds.subnet-group", now.text("_subnetGroup")).map(|g| g.text("VpcId").to_owned()).unwrap_or_default();
    let groups = settings::security_groups(ctx, &asked, &vpc)?;
    now.set("VpcSecurityGroups", settings::memberships(&groups, "adding"));
    let set: Vec<Value> = groups
        .iter()
        .map(|id| json!({"groupId": id, "groupName": ctx.get("ec2.security-group", id).map(|g| g.text("groupName").to_owned())}))
        .collect();
    let arn = now.text("DBInstanceArn").to_owned();
    for eni in ctx.those("ec2.network-interface", |eni| eni.text("_for") == arn) {
        ctx.update("ec2.network-interface", &eni.id, |eni| eni.set("groupSet", set.clone()));
    }
    lifecycle::schedule_in(ctx, now, Duration::from_secs(15), "in-sync");
    Ok(())
}

/// Backups, windows, protection.
fn upkeep(
    ctx: &mut Ctx<'_>,
    now: &mut Resource,
    later: &mut Map<String, Value>,
    input: &Input,
) -> Result<(), ApiError> {
    if let Some(support) = input.opt_str("EngineLifecycleSupport") {
        now.set("EngineLifecycleSupport", support);
    }
    for name in ["DeletionProtection", "CopyTagsToSnapshot", "AutoMinorVersionUpgrade"] {
        if let Some(flag) = input.opt_bool(name)? {
            now.set(name, flag);
        }
    }
    if let Some(days) = input.opt_int("BackupRetentionPeriod")? {
        let days = settings::retention(days)?;
        // Only switching backups on or off waits.
        if (days == 0) == (now.number("BackupRetentionPeriod") == 0) {
            now.set("BackupRetentionPeriod", days);
        } else {
            differs(now, later, "BackupRetentionPeriod", days);
        }
    }
    let (backup, maintenance) = (input.opt_str("PreferredBackupWindow"), input.opt_str("PreferredMaintenanceWindow"));
    if backup.is_some() || maintenance.is_some() {
        let (old_backup, old_maintenance) =
            (now.text("PreferredBackupWindow").to_owned(), now.text("PreferredMaintenanceWindow").to_owned());
        let (backup, maintenance) =
            windows::chosen(ctx, Some(backup.unwrap_or(&old_backup)), Some(maintenance.unwrap_or(&old_maintenance)))?;
        now.set("PreferredBackupWindow", backup);
        now.set("PreferredMaintenanceWindow", maintenance);
    }
    if input.has("MaxAllocatedStorage") && !input.has("AllocatedStorage") {
        settings::storage(now, input)?;
    } else if input.has("MaxAllocatedStorage") {
        let mut after = now.clone();
        settings::storage(&mut after, input)?;
        match after.attrs.get("MaxAllocatedStorage") {
            Some(limit) => now.set("MaxAllocatedStorage", limit.clone()),
            None => {
                now.attrs.remove("MaxAllocatedStorage");
            }
        }
    }
    Ok(())
}

/// Monitoring, insights, log exports.
fn watching(
    ctx: &mut Ctx<'_>,
    now: &mut Resource,
    later: &mut Map<String, Value>,
    input: &Input,
) -> Result<(), ApiError> {
    let before = now.clone();
    if input.has("MonitoringInterval") || input.has("MonitoringRoleArn") {
        settings::monitoring(ctx, now, input)?;
    }
    let insights = [
        "DatabaseInsightsMode",
        "EnablePerformanceInsights",
        "PerformanceInsightsRetentionPeriod",
        "PerformanceInsightsKMSKeyId",
    ];
    if insights.iter().any(|name| input.has(name)) {
        settings::insights(ctx, now, input)?;
    }
    if *now != before {
        later.insert("_monitoring".to_owned(), true.into());
    }
    if let Some(change) = input.object("CloudwatchLogsExportConfiguration") {
        let (on, off) = (change.strings("EnableLogTypes"), change.strings("DisableLogTypes"));
        settings::log_types(&on)?;
        settings::log_types(&off)?;
        let mut logs: Vec<Value> = now.items("EnabledCloudwatchLogsExports").to_vec();
        logs.retain(|log| !off.iter().any(|name| log == name.as_str()));
        for name in on {
            if !logs.iter().any(|log| *log == name.as_str()) {
                logs.push(name.into());
            }
        }
        if logs != now.items("EnabledCloudwatchLogsExports") {
            later.insert("EnabledCloudwatchLogsExports".to_owned(), logs.into());
        }
    }
    Ok(())
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RebootInstance.html>
pub(super) fn reboot(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = identifier(input, "DBInstanceIdentifier", 63)?;
    let instance = INSTANCE.permitted(ctx, "RebootDBInstance", &id)?;
    ready(&instance)?;
    if input.bool_or("ForceFailover", false)? {
        if !instance.flag("MultiAZ") {
            return Err(combination(
                "ForceFailover cannot be specified since the instance is not configured for either MultiAZ or High Availability.",
            ));
        }
        let (first, second) =
            (instance.text("AvailabilityZone").to_owned(), instance.text("SecondaryAvailabilityZone").to_owned());
        ctx.update(INSTANCE.kind, &id, |instance| {
            instance.set("AvailabilityZone", second);
            instance.set("SecondaryAvailabilityZone", first);
            instance.set("_failing_over", true);
        });
        emitted::instance(ctx, &instance, emitted::FAILING_OVER);
    }
    lifecycle::status(ctx, &id, "rebooting");
    lifecycle::schedule_in(ctx, &instance, Duration::from_secs(60), "rebooted");
    let instance = ctx.get(INSTANCE.kind, &id).ok_or_else(|| INSTANCE.missing(&id))?;
    answer("DBInstance", shown(ctx, &instance))
}
