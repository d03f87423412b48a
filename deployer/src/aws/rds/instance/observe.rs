//! An instance as AWS tells it, in the form of the inputs.

use aws_sdk_rds::types::{DatabaseInsightsMode, DbInstance as Sdk, PendingModifiedValues};
use wharf_engine::{Health, Identity, LogicalId, Outputs, Value};

use super::{DatabaseInsights, Instance, Monitoring, PerformanceInsights, password};
use crate::aws::kind::{Found, Query};
use crate::aws::out::Out;
use crate::aws::rds::tagging;
use crate::aws::tags::{self, Tags};
use crate::aws::units::{Days, Seconds};

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/extended-support.html>
pub(super) const EXTENDED: &str = "open-source-rds-extended-support";
pub(super) const NOT_EXTENDED: &str = "open-source-rds-extended-support-disabled";

/// An instance of the stack, or one that has a name that the stack wants.
pub(super) fn observed(stack: &str, query: &Query<Instance>, instance: &Sdk) -> Option<Found<Instance>> {
    let physical = instance.db_instance_identifier()?;
    let all = tagging::read(instance.tag_list());
    let (id, identity) = tags::read(stack, &all).or_else(|| foreign(query, physical))?;
    Some(seen((id, identity), query, instance, &all))
}

/// An instance as the resource of this id.
pub(super) fn seen(
    (id, identity): (LogicalId, Identity),
    query: &Query<Instance>,
    instance: &Sdk,
    all: &Tags,
) -> Found<Instance> {
    let wanted = query.wanted.get(&id);
    let mut inputs = inputs(instance, all);
    if let Some(wanted) = wanted {
        leave_to_aws(&mut inputs, wanted, instance);
    }
    let at_once = query.only.is_some() && wanted.is_some_and(|wanted| wanted.apply_immediately);
    Found {
        id,
        physical: inputs.identifier.clone(),
        identity,
        health: health(instance, query.only.is_some(), at_once),
        outputs: outputs(instance, &inputs),
        inputs,
        blockers: Default::default(),
    }
}

fn foreign(query: &Query<Instance>, physical: &str) -> Option<(LogicalId, Identity)> {
    let wants = query.wanted.iter().find(|(_, wanted)| wanted.identifier == physical);
    wants.map(|(id, _)| (id.clone(), Identity::Foreign))
}

/// A value that waits for its moment counts as had: asking for it again would change nothing.
fn inputs(instance: &Sdk, all: &Tags) -> Instance {
    let none = PendingModifiedValues::builder().build();
    let pending = instance.pending_modified_values().unwrap_or(&none);
    let (password, password_version) = password::observed(all);
    let port = instance.endpoint().and_then(|endpoint| endpoint.port).or(instance.db_instance_port);
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let flag = |flag: Option<bool>| flag.unwrap_or_default();
    Instance {
        identifier: text(instance.db_instance_identifier()),
        engine_version: text(pending.engine_version().or(instance.engine_version())),
        class: text(pending.db_instance_class().or(instance.db_instance_class())),
        storage_gib: pending.allocated_storage.or(instance.allocated_storage).unwrap_or_default(),
        max_storage_gib: instance.max_allocated_storage,
        storage_type: text(pending.storage_type().or(instance.storage_type())),
        iops: pending.iops.or(instance.iops),
        throughput_mibs: pending.storage_throughput.or(instance.storage_throughput),
        multi_az: flag(pending.multi_az.or(instance.multi_az)),
        kms_key: match flag(instance.storage_encrypted) {
            true => Out::known(instance.kms_key_id().unwrap_or_default()),
            false => Out::known("unencrypted"),
        },
        subnet_group: Out::known(instance.db_subnet_group().and_then(|g| g.db_subnet_group_name()).unwrap_or_default()),
        security_groups: security_groups(instance),
        parameter_group: Out::known(
            instance.db_parameter_groups().iter().find_map(|group| group.db_parameter_group_name()).unwrap_or_default(),
        ),
        database: text(instance.db_name()),
        username: text(instance.master_username()),
        password,
        password_version,
        port: pending.port.or(port).unwrap_or_default(),
        publicly_accessible: flag(instance.publicly_accessible),
        backup_days: Days(pending.backup_retention_period.or(instance.backup_retention_period).unwrap_or_default()),
        backup_window: instance.preferred_backup_window.clone(),
        maintenance_window: instance.preferred_maintenance_window.clone(),
        deletion_protection: flag(instance.deletion_protection),
        copy_tags_to_snapshots: flag(instance.copy_tags_to_snapshot),
        log_exports: log_exports(instance, pending),
        database_insights: match instance.database_insights_mode() {
            Some(DatabaseInsightsMode::Advanced) => DatabaseInsights::Advanced,
            _ => DatabaseInsights::Standard,
        },
        performance_insights: performance_insights(instance),
        monitoring: monitoring(instance),
        auto_minor_upgrades: flag(instance.auto_minor_version_upgrade),
        extended_support: instance.engine_lifecycle_support() != Some(NOT_EXTENDED),
        ca_certificate: pending
            .ca_certificate_identifier
            .clone()
            .or_else(|| instance.ca_certificate_identifier.clone()),
        iam_authentication: flag(
            pending.iam_database_authentication_enabled.or(instance.iam_database_authentication_enabled),
        ),
        apply_immediately: true,
        tags: tags::user(all),
    }
}

fn security_groups(instance: &Sdk) -> Vec<Out<super::SecurityGroupId>> {
    let stays = instance.vpc_security_groups().iter().filter(|group| group.status() != Some("removing"));
    let mut groups: Vec<_> = stays.filter_map(|group| group.vpc_security_group_id()).map(Out::known).collect();
    groups.sort();
    groups
}

fn log_exports(instance: &Sdk, pending: &PendingModifiedValues) -> Vec<String> {
    let exports = pending.pending_cloudwatch_logs_exports();
    let (on, off) = exports.map_or((&[][..], &[][..]), |e| (e.log_types_to_enable(), e.log_types_to_disable()));
    let mut logs: Vec<_> = instance.enabled_cloudwatch_logs_exports().iter().chain(on).cloned().collect();
    logs.retain(|log| !off.contains(log));
    logs.sort();
    logs.dedup();
    logs
}

fn performance_insights(instance: &Sdk) -> Option<PerformanceInsights> {
    instance.performance_insights_enabled.unwrap_or_default().then(|| PerformanceInsights {
        keep: Days(instance.performance_insights_retention_period.unwrap_or(7)),
        key: instance.performance_insights_kms_key_id().map(Out::known),
    })
}

fn monitoring(instance: &Sdk) -> Option<Monitoring> {
    let every = instance.monitoring_interval.filter(|seconds| *seconds > 0)?;
    Some(Monitoring { every: Seconds(every), role: Out::known(instance.monitoring_role_arn().unwrap_or_default()) })
}

/// What the stack leaves to AWS is not looked at, and neither is what AWS does not keep or did not tell.
fn leave_to_aws(now: &mut Instance, wanted: &Instance, instance: &Sdk) {
    fn leave<T>(now: &mut Option<T>, wanted: &Option<T>) {
        if wanted.is_none() {
            *now = None;
        }
    }
    leave(&mut now.iops, &wanted.iops);
    leave(&mut now.throughput_mibs, &wanted.throughput_mibs);
    leave(&mut now.backup_window, &wanted.backup_window);
    leave(&mut now.maintenance_window, &wanted.maintenance_window);
    leave(&mut now.ca_certificate, &wanted.ca_certificate);
    if let (Some(now), Some(wanted)) = (&mut now.performance_insights, &wanted.performance_insights) {
        leave(&mut now.key, &wanted.key);
    }
    if instance.engine_lifecycle_support().is_none() {
        now.extended_support = wanted.extended_support;
    }
    if instance.performance_insights_enabled.is_none() {
        now.performance_insights.clone_from(&wanted.performance_insights);
        // The wanted key may still be a reference; the storage's is not.
        let key = now.performance_insights.as_mut().and_then(|insights| insights.key.as_mut());
        if let Some(key) = key.filter(|key| **key == wanted.kms_key) {
            key.clone_from(&now.kms_key);
        }
    }
    // A limit at what there is: growing is off.
    if wanted.max_storage_gib.is_none() && now.max_storage_gib == Some(now.storage_gib) {
        now.max_storage_gib = None;
    }
    // AWS writes days of the week in lower case.
    let same = |a: &Option<String>, b: &Option<String>| {
        a.as_ref().zip(b.as_ref()).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    if same(&now.maintenance_window, &wanted.maintenance_window) {
        now.maintenance_window.clone_from(&wanted.maintenance_window);
    }
    now.apply_immediately = wanted.apply_immediately;
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html>
///
/// A nightly backup is no reason for a plan to wait; but in a run it is part of what is waited for, and so, when
/// changes are made at once, is a change that AWS has accepted and not begun.
fn health(instance: &Sdk, in_run: bool, at_once: bool) -> Health {
    let status = instance.db_instance_status().unwrap_or_default();
    match status {
        "available" | "storage-optimization" | "storage-full" => match waiting(instance) {
            true if at_once => Health::Settling(format!("{status}, with a change to come")),
            _ => Health::Ready,
        },
        "backing-up" | "storage-initialization" | "maintenance" if !in_run => Health::Ready,
        "deleting" | "delete-precheck" => Health::Deleting,
        "failed" | "restore-error" | "insufficient-capacity" => Health::Failed(status.to_owned()),
        "stopped" => Health::Settling("stopped: start it with `aws rds start-db-instance`".to_owned()),
        // Its key is disabled: with the key, the data are there again.
        "inaccessible-encryption-credentials-recoverable" => {
            Health::Settling(format!("{status}: enable its key, and start it if AWS does not"))
        }
        _ if status.starts_with("incompatible-") || status.starts_with("inaccessible-") => {
            Health::Failed(status.to_owned())
        }
        _ => Health::Settling(status.to_owned()),
    }
}

fn waiting(instance: &Sdk) -> bool {
    let none = PendingModifiedValues::builder().build();
    instance.pending_modified_values().is_some_and(|pending| *pending != none)
}

fn outputs(instance: &Sdk, inputs: &Instance) -> Outputs {
    let text = |name: &str, value: Option<&str>| Some((name.to_owned(), Value::text(value?)));
    let endpoint = instance.endpoint();
    let port = endpoint.and_then(|endpoint| endpoint.port).map(|port| port.to_string());
    let all = [
        text("host", endpoint.and_then(|endpoint| endpoint.address())),
        text("port", port.as_deref()),
        text("arn", instance.db_instance_arn()),
        text("identifier", instance.db_instance_identifier()),
        text("resource_id", instance.dbi_resource_id()),
        text("database", Some(&inputs.database)),
        text("username", Some(&inputs.username)),
    ];
    all.into_iter().flatten().collect()
}
