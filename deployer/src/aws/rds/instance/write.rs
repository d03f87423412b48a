//! The requests that create and change an instance.

use aws_sdk_rds::operation::create_db_instance::builders::CreateDBInstanceFluentBuilder as Create;
use aws_sdk_rds::operation::modify_db_instance::builders::ModifyDBInstanceFluentBuilder as Modify;
use aws_sdk_rds::types::{CloudwatchLogsExportConfiguration, DatabaseInsightsMode};
use wharf_engine::{Generation, Identity};

use super::observe::{EXTENDED, NOT_EXTENDED};
use super::{DatabaseInsights, Instance, password};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found};
use crate::aws::secret::Secret;

/// The request that creates it, but for its tags.
pub(super) fn creation(wanted: &Instance, aws: &Aws, secret: &Secret<String>) -> Result<Create, CallError> {
    let insights = wanted.performance_insights.as_ref();
    let request = aws
        .rds
        .create_db_instance()
        .engine("postgres")
        .db_instance_identifier(&wanted.identifier)
        .engine_version(&wanted.engine_version)
        .engine_lifecycle_support(support(wanted.extended_support))
        .db_instance_class(&wanted.class)
        .allocated_storage(wanted.storage_gib)
        .set_max_allocated_storage(wanted.max_storage_gib)
        .storage_type(&wanted.storage_type)
        .set_iops(wanted.iops)
        .set_storage_throughput(wanted.throughput_mibs)
        .multi_az(wanted.multi_az)
        .storage_encrypted(true)
        .kms_key_id(wanted.kms_key.get()?)
        .db_subnet_group_name(wanted.subnet_group.get()?)
        .set_vpc_security_group_ids(Some(security_groups(wanted)?))
        .db_parameter_group_name(wanted.parameter_group.get()?)
        .db_name(&wanted.database)
        .master_username(&wanted.username)
        .master_user_password(secret.expose())
        .port(wanted.port)
        .publicly_accessible(wanted.publicly_accessible)
        .backup_retention_period(wanted.backup_days.0)
        .set_preferred_backup_window(wanted.backup_window.clone())
        .set_preferred_maintenance_window(wanted.maintenance_window.clone())
        .deletion_protection(wanted.deletion_protection)
        .copy_tags_to_snapshot(wanted.copy_tags_to_snapshots)
        .set_enable_cloudwatch_logs_exports(Some(wanted.log_exports.clone()))
        .database_insights_mode(insights_mode(wanted.database_insights))
        .enable_performance_insights(insights.is_some())
        .set_performance_insights_retention_period(insights.map(|insights| insights.keep.0))
        .set_performance_insights_kms_key_id(insights_key(wanted)?)
        .auto_minor_version_upgrade(wanted.auto_minor_upgrades)
        .set_ca_certificate_identifier(wanted.ca_certificate.clone())
        .enable_iam_database_authentication(wanted.iam_authentication);
    Ok(match &wanted.monitoring {
        Some(monitoring) => request.monitoring_interval(monitoring.every.0).monitoring_role_arn(monitoring.role.get()?),
        None => request.monitoring_interval(0),
    })
}

/// The request that changes these fields, all in one: AWS takes one change at a time.
pub(super) async fn modification(
    wanted: &Instance,
    aws: &Aws,
    now: &Found<Instance>,
    changed: &Changed,
) -> Result<Modify, CallError> {
    let some = |field: &str, value: bool| changed.has(field).then_some(value);
    let request = aws
        .rds
        .modify_db_instance()
        .db_instance_identifier(&now.physical)
        .apply_immediately(wanted.apply_immediately)
        .set_multi_az(some("multi_az", wanted.multi_az))
        .set_publicly_accessible(some("publicly_accessible", wanted.publicly_accessible))
        .set_deletion_protection(some("deletion_protection", wanted.deletion_protection))
        .set_copy_tags_to_snapshot(some("copy_tags_to_snapshots", wanted.copy_tags_to_snapshots))
        .set_auto_minor_version_upgrade(some("auto_minor_upgrades", wanted.auto_minor_upgrades))
        .set_enable_iam_database_authentication(some("iam_authentication", wanted.iam_authentication));
    let request = server(request, wanted, now, changed)?;
    let request = storage(request, wanted, changed);
    let request = care(request, wanted, now, changed);
    let request = watching(request, wanted, now, changed)?;
    Ok(match changed.any(&["password", "password_version"]) {
        true => request.master_user_password(password::read(aws, wanted).await?.expose()),
        false => request,
    })
}

fn server(
    mut request: Modify,
    wanted: &Instance,
    now: &Found<Instance>,
    changed: &Changed,
) -> Result<Modify, CallError> {
    if changed.has("engine_version") {
        let major = |version: &str| version.split('.').next().map(str::to_owned);
        request = request
            .engine_version(&wanted.engine_version)
            .allow_major_version_upgrade(major(&wanted.engine_version) != major(&now.inputs.engine_version));
    }
    if changed.has("extended_support") {
        request = request.engine_lifecycle_support(support(wanted.extended_support));
    }
    if changed.has("class") {
        request = request.db_instance_class(&wanted.class);
    }
    if changed.has("parameter_group") {
        request = request.db_parameter_group_name(wanted.parameter_group.get()?);
    }
    if changed.has("security_groups") {
        request = request.set_vpc_security_group_ids(Some(security_groups(wanted)?));
    }
    if changed.has("port") {
        request = request.db_port_number(wanted.port);
    }
    if changed.has("ca_certificate") {
        request = request.set_ca_certificate_identifier(wanted.ca_certificate.clone());
    }
    Ok(request)
}

fn storage(mut request: Modify, wanted: &Instance, changed: &Changed) -> Modify {
    // AWS wants what belongs together in one request.
    if changed.any(&["storage_gib", "storage_type", "iops", "throughput_mibs"]) {
        request = request
            .allocated_storage(wanted.storage_gib)
            .storage_type(&wanted.storage_type)
            .set_iops(wanted.iops)
            .set_storage_throughput(wanted.throughput_mibs);
    }
    if changed.has("max_storage_gib") {
        // A limit at what there is turns growing off.
        request = request.max_allocated_storage(wanted.max_storage_gib.unwrap_or(wanted.storage_gib));
    }
    request
}

fn care(mut request: Modify, wanted: &Instance, now: &Found<Instance>, changed: &Changed) -> Modify {
    if changed.has("backup_days") {
        request = request.backup_retention_period(wanted.backup_days.0);
    }
    if changed.has("backup_window") {
        request = request.set_preferred_backup_window(wanted.backup_window.clone());
    }
    if changed.has("maintenance_window") {
        request = request.set_preferred_maintenance_window(wanted.maintenance_window.clone());
    }
    if changed.has("log_exports") {
        let less = |all: &[String], without: &[String]| -> Vec<String> {
            all.iter().filter(|log| !without.contains(log)).cloned().collect()
        };
        let (to, from) = (&wanted.log_exports, &now.inputs.log_exports);
        let exports = CloudwatchLogsExportConfiguration::builder()
            .set_enable_log_types(Some(less(to, from)).filter(|logs| !logs.is_empty()))
            .set_disable_log_types(Some(less(from, to)).filter(|logs| !logs.is_empty()));
        request = request.cloudwatch_logs_export_configuration(exports.build());
    }
    request
}

fn watching(
    mut request: Modify,
    wanted: &Instance,
    now: &Found<Instance>,
    changed: &Changed,
) -> Result<Modify, CallError> {
    // Advanced insights and how long they are kept depend on each other.
    if changed.any(&["database_insights", "performance_insights"]) {
        let insights = wanted.performance_insights.as_ref();
        let before = now.inputs.performance_insights.as_ref();
        let key = insights_key(wanted)?
            .filter(|_| before.is_none_or(|before| before.key != insights.and_then(|insights| insights.key.clone())));
        request = request
            .database_insights_mode(insights_mode(wanted.database_insights))
            .enable_performance_insights(insights.is_some())
            .set_performance_insights_retention_period(insights.map(|insights| insights.keep.0))
            .set_performance_insights_kms_key_id(key);
    }
    if changed.has("monitoring") {
        request = match &wanted.monitoring {
            Some(monitoring) => {
                request.monitoring_interval(monitoring.every.0).monitoring_role_arn(monitoring.role.get()?)
            }
            None => request.monitoring_interval(0),
        };
    }
    Ok(request)
}

pub(super) fn security_groups(wanted: &Instance) -> Result<Vec<String>, CallError> {
    wanted.security_groups.iter().map(|group| Ok(group.get()?.to_owned())).collect()
}

fn insights_key(wanted: &Instance) -> Result<Option<String>, CallError> {
    let key = wanted.performance_insights.as_ref().and_then(|insights| insights.key.as_ref());
    Ok(key.map(|key| key.get()).transpose()?.map(str::to_owned))
}

const fn support(extended: bool) -> &'static str {
    if extended { EXTENDED } else { NOT_EXTENDED }
}

fn insights_mode(mode: DatabaseInsights) -> DatabaseInsightsMode {
    match mode {
        DatabaseInsights::Standard => DatabaseInsightsMode::Standard,
        DatabaseInsights::Advanced => DatabaseInsightsMode::Advanced,
    }
}

/// The final snapshot's name. Names of snapshots are taken as long as the snapshot exists, so this one is the run's
/// own: the next database of the same identifier leaves its final snapshot under another.
pub(super) fn final_snapshot(aws: &Aws, now: &Found<Instance>) -> String {
    let unknown = Generation::from_tag("");
    let generation = match &now.identity {
        Identity::Ours(Some(generation)) => generation,
        _ => &unknown,
    };
    let token: String = aws.client_token(&now.id, generation).chars().take(8).collect();
    format!("{}-final-{token}", now.physical)
}
