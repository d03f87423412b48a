//! What instances do by themselves: come to be, apply changes, back up, go.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html#Overview.DBInstance.Status>

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::instance::{INSTANCE, between, moment};
use super::{automated_backup, change, date, emitted, remove, snapshot, windows};
use crate::account::Ctx;
use crate::services::logs;
use crate::store::{Resource, Timer};

/// Lets `event` happen to this very instance: one of the same name made later is another.
pub(super) fn schedule(ctx: &mut Ctx<'_>, instance: &Resource, due: Timestamp, event: &'static str) {
    let id = format!("{}/{}", instance.id, instance.text("DbiResourceId"));
    ctx.account.store.schedule(due, Timer { kind: INSTANCE.kind, id, event });
}

pub(super) fn schedule_in(ctx: &mut Ctx<'_>, instance: &Resource, wait: Duration, event: &'static str) {
    let due = moment(ctx, wait);
    schedule(ctx, instance, due, event);
}

/// The steps of a creation, in the time that it takes: minutes, and more with a standby.
pub(super) fn begin_creation(ctx: &mut Ctx<'_>, instance: &Resource) {
    let whole = if instance.flag("MultiAZ") { between(ctx, 600, 850) } else { between(ctx, 210, 390) };
    let mut steps = vec![(0.70, "made")];
    if instance.number("BackupRetentionPeriod") > 0 {
        steps.push((0.72, "backing-up"));
    }
    if instance.number("MonitoringInterval") > 0 {
        steps.push((0.88, "monitored"));
    }
    if !instance.items("EnabledCloudwatchLogsExports").is_empty() {
        steps.push((0.94, "exported"));
    }
    steps.push((1.0, "created"));
    for (share, event) in steps {
        schedule_in(ctx, instance, whole.mul_f64(share), event);
    }
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    if timer.kind == snapshot::SNAPSHOT.kind {
        return snapshot::finished(ctx, &timer.id);
    }
    // By what it is, whatever it is called by now.
    let Some((_, resource)) = timer.id.split_once('/') else { return };
    let found = ctx.those(INSTANCE.kind, |instance| instance.text("DbiResourceId") == resource);
    let Some(instance) = found.into_iter().next() else { return };
    let id = instance.id.as_str();
    let leaving = instance.text("DBInstanceStatus") == "deleting";
    match timer.event {
        "gone" => remove::gone(ctx, &instance),
        _ if leaving => {}
        "made" => made(ctx, &instance),
        "backing-up" => status(ctx, id, "backing-up"),
        "monitored" => status(ctx, id, "configuring-enhanced-monitoring"),
        "exported" => status(ctx, id, "configuring-log-exports"),
        "created" => created(ctx, &instance),
        "begin" => change::begin(ctx, &instance),
        "applied" => change::applied(ctx, &instance),
        "optimised" => status(ctx, id, "available"),
        "window" => change::window(ctx, &instance),
        "in-sync" => change::in_sync(ctx, &instance),
        "rebooted" => change::rebooted(ctx, &instance),
        "backup" => backup(ctx, &instance),
        _ => {}
    }
}

pub(super) fn status(ctx: &mut Ctx<'_>, id: &str, status: &str) {
    ctx.update(INSTANCE.kind, id, |instance| instance.set("DBInstanceStatus", status));
}

/// From here on the instance has an address, and a time of birth.
fn made(ctx: &mut Ctx<'_>, instance: &Resource) {
    let now = date(ctx.now);
    ctx.update(INSTANCE.kind, &instance.id, |instance| {
        let endpoint = json!({
            "Address": instance.text("_endpoint"),
            "Port": instance.number("_port"),
            "HostedZoneId": "Z2R2ITUGPM61AM",
        });
        instance.set("Endpoint", endpoint);
        instance.set("InstanceCreateTime", now);
        instance.set("PendingModifiedValues", json!({}));
    });
}

fn created(ctx: &mut Ctx<'_>, instance: &Arc<Resource>) {
    status(ctx, &instance.id, "available");
    emitted::instance(ctx, instance, emitted::CREATED);
    log_groups(ctx, instance);
    start_backups(ctx, &instance.id);
}

/// The groups that RDS writes to, which it makes when they are not there and which stay when the instance goes.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Procedural.UploadtoCloudWatch.html>
pub(super) fn log_groups(ctx: &mut Ctx<'_>, instance: &Resource) {
    for log in instance.items("EnabledCloudwatchLogsExports").iter().filter_map(|log| log.as_str()) {
        logs::made_by_aws(ctx, &format!("/aws/rds/instance/{}/{log}", instance.id));
    }
    if instance.number("MonitoringInterval") > 0 {
        logs::made_by_aws(ctx, "RDSOSMetrics");
    }
}

/// The first automated snapshot, and one a day from now on.
pub(super) fn start_backups(ctx: &mut Ctx<'_>, id: &str) {
    let Some(instance) = ctx.get(INSTANCE.kind, id).filter(|i| i.number("BackupRetentionPeriod") > 0) else { return };
    let since = date(ctx.now);
    ctx.update(INSTANCE.kind, id, |instance| instance.set("_backedUpSince", since));
    automated_backup::ensure(ctx, &instance);
    snapshot::automated(ctx, &instance);
    schedule(ctx, &instance, windows::next_backup(ctx.now, instance.text("PreferredBackupWindow")), "backup");
}

fn backup(ctx: &mut Ctx<'_>, instance: &Resource) {
    if instance.number("BackupRetentionPeriod") == 0 {
        return;
    }
    if matches!(instance.text("DBInstanceStatus"), "available" | "storage-optimization") {
        snapshot::automated(ctx, instance);
        snapshot::prune(ctx, instance);
    }
    schedule(ctx, instance, windows::next_backup(ctx.now, instance.text("PreferredBackupWindow")), "backup");
}
