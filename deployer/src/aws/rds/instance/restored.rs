//! Instances out of backups, beside the one that the stack has: how they are made, told by their tags, and given names.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html>
//!
//! A restored instance is AWS's default in whatever the call does not say, so the call says all that it can; the rest
//! (monitoring, insights, windows, the password) is changed afterwards.

use aws_sdk_rds::types::{CloudwatchLogsExportConfiguration, DbInstance as Sdk, DbSnapshot};
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use wharf_engine::{Found, Health, Identity, LogicalId};

use super::observe::{EXTENDED, NOT_EXTENDED, seen};
use super::{Instance, arn, password};
use crate::aws::call::{Aws, CallError};
use crate::aws::erased::untyped;
use crate::aws::kind::{Grant, Kind, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::rds::tagging;
use crate::aws::tags::{self, Tags};

/// The tag of an instance that a restore is making: what it is made from. It has no logical id yet, so that no plan
/// takes it for the stack's.
const RESTORES: &str = "wharf:restores";
/// The tag of an instance whose place another has taken: what that one was made from.
const REPLACED: &str = "wharf:replaced-by";

/// What a database is restored from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backup {
    /// The automated backups of an instance, as of this second.
    Moment {
        /// The instance.
        instance: String,
        /// The second.
        at: Timestamp,
    },
    /// This snapshot.
    Snapshot(String),
}

impl Backup {
    /// In a word, as the instance's tag says it.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Moment { at, .. } => format!("at {at}"),
            Self::Snapshot(name) => format!("snapshot {name}"),
        }
    }
}

/// The moments that an instance can be restored to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first.
    pub from: Timestamp,
    /// The last.
    pub to: Timestamp,
}

/// What a snapshot says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// What AWS calls its state.
    pub status: String,
    /// The engine.
    pub engine: String,
    /// The engine's version.
    pub version: String,
    /// The master user.
    pub username: String,
    /// The key that it is encrypted with.
    pub key: Option<String>,
    /// Its size.
    pub storage_gib: i32,
}

/// What an instance of the stack's is to a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The stack's database.
    Current,
    /// A restore is making it, from this; it may be the stack's database already.
    Restoring(String),
    /// Another, made from this, has taken its place.
    Kept(String),
}

/// An instance that carries the stack's tag.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// What it is.
    pub part: Part,
    sdk: Sdk,
}

/// Every instance that carries the stack's tag, and is, was or will be its database `id`.
///
/// # Errors
/// The call's.
pub async fn members(aws: &Aws, id: &LogicalId) -> Result<Vec<Member>, CallError> {
    let send = |marker| aws.rds.describe_db_instances().set_marker(marker).send();
    let page = |page: aws_sdk_rds::operation::describe_db_instances::DescribeDbInstancesOutput| {
        (page.db_instances.unwrap_or_default(), page.marker)
    };
    let all = aws.pages("rds:DescribeDBInstances", "", send, page).await?;
    Ok(all.into_iter().filter_map(|sdk| member(aws, id, sdk)).collect())
}

fn member(aws: &Aws, id: &LogicalId, sdk: Sdk) -> Option<Member> {
    let name = sdk.db_instance_identifier()?.to_owned();
    let tags = tagging::read(sdk.tag_list());
    if tags.get(tags::STACK) != Some(&aws.scope.stack) {
        return None;
    }
    let own = tags::read(&aws.scope.stack, &tags).map(|(own, _)| own);
    let part = match (tags.get(RESTORES), own, tags.get(REPLACED)) {
        (Some(word), _, _) => Part::Restoring(word.clone()),
        (None, Some(own), _) => (own == *id).then_some(Part::Current)?,
        (None, None, Some(word)) => Part::Kept(word.clone()),
        (None, None, None) => return None,
    };
    Some(Member { name, part, sdk })
}

impl Member {
    /// It in the engine's terms, as if it were the stack's database already: what it lacks can be planned then.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn as_database(&self, id: &LogicalId, wanted: &Instance, identity: Identity) -> Result<Found, CallError> {
        let wanted = [(id.clone(), wanted.clone())].into();
        let query = Query::<Instance> { wanted, only: Some((id.clone(), Some(self.name.clone()))) };
        untyped(seen((id.clone(), identity), &query, &self.sdk, &tagging::read(self.sdk.tag_list())))
    }

    /// Whether a restore is making it, or has made it and is not done.
    #[must_use]
    pub fn is_restored(&self) -> bool {
        matches!(self.part, Part::Restoring(_))
    }

    /// How far it has come.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn health(&self, id: &LogicalId, wanted: &Instance) -> Result<Health, CallError> {
        Ok(self.as_database(id, wanted, Identity::Ours(None))?.health)
    }

    /// What it costs by: class, storage and copies.
    #[must_use]
    pub fn size(&self) -> String {
        let copies = if self.sdk.multi_az().unwrap_or_default() { ", over two zones" } else { "" };
        let (class, storage) = (self.sdk.db_instance_class().unwrap_or_default(), self.sdk.allocated_storage());
        format!("{class} with {} GiB{copies}", storage.unwrap_or_default())
    }
}

/// The moments that an instance can be restored to; none while it has no automated backup. It is asked for by what it is:
/// backups of an earlier one of its name may have been retained.
///
/// # Errors
/// The call's.
pub async fn window(aws: &Aws, instance: &Member) -> Result<Option<Window>, CallError> {
    let resource = instance.sdk.dbi_resource_id().unwrap_or_default();
    let ask = || aws.rds.describe_db_instance_automated_backups().dbi_resource_id(resource);
    let answer = match aws.call("rds:DescribeDBInstanceAutomatedBackups", &instance.name, || ask().send()).await {
        Err(error) if error.class == wharf_engine::Class::Missing => return Ok(None),
        answer => answer?,
    };
    let of = |time: Option<&DateTime>| time.and_then(|time| Timestamp::from_second(time.secs()).ok());
    let windows = answer.db_instance_automated_backups().iter().filter_map(|backup| backup.restore_window());
    Ok(windows.filter_map(|w| Some(Window { from: of(w.earliest_time())?, to: of(w.latest_time())? })).next())
}

/// A snapshot of this name.
///
/// # Errors
/// The call's.
pub async fn snapshot(aws: &Aws, name: &str) -> Result<Option<Snapshot>, CallError> {
    let send = || aws.rds.describe_db_snapshots().db_snapshot_identifier(name).send();
    let answer = match aws.call("rds:DescribeDBSnapshots", name, send).await {
        Err(error) if error.class == wharf_engine::Class::Missing => return Ok(None),
        answer => answer?,
    };
    Ok(answer.db_snapshots().first().map(described))
}

fn described(snapshot: &DbSnapshot) -> Snapshot {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Snapshot {
        name: text(snapshot.db_snapshot_identifier()),
        status: text(snapshot.status()),
        engine: text(snapshot.engine()),
        version: text(snapshot.engine_version()),
        username: text(snapshot.master_username()),
        key: snapshot.kms_key_id().filter(|_| snapshot.encrypted().unwrap_or_default()).map(str::to_owned),
        storage_gib: snapshot.allocated_storage().unwrap_or_default(),
    }
}

/// What both requests say, which the SDK gives two types without anything in common. Log exports come when the instance
/// has its final name: AWS makes groups for them by the name.
macro_rules! as_wanted {
    ($request:expr, $wanted:expr, $tags:expr) => {
        $request
            .engine("postgres")
            .db_instance_class(&$wanted.class)
            .storage_type(&$wanted.storage_type)
            .set_iops($wanted.iops)
            .set_storage_throughput($wanted.throughput_mibs)
            .multi_az($wanted.multi_az)
            .db_subnet_group_name($wanted.subnet_group.get()?)
            .set_vpc_security_group_ids(Some(super::write::security_groups($wanted)?))
            .db_parameter_group_name($wanted.parameter_group.get()?)
            .port($wanted.port)
            .publicly_accessible($wanted.publicly_accessible)
            .backup_retention_period($wanted.backup_days.0)
            .set_preferred_backup_window($wanted.backup_window.clone())
            .deletion_protection(true)
            .copy_tags_to_snapshot($wanted.copy_tags_to_snapshots)
            .auto_minor_version_upgrade($wanted.auto_minor_upgrades)
            .enable_iam_database_authentication($wanted.iam_authentication)
            .set_ca_certificate_identifier($wanted.ca_certificate.clone())
            .engine_lifecycle_support(if $wanted.extended_support { EXTENDED } else { NOT_EXTENDED })
            .set_tags(Some(tagging::to_sdk($tags)))
    };
}

/// Begins to make an instance of this name out of a backup, as `wanted` says.
///
/// # Errors
/// The call's.
pub async fn begin(aws: &Aws, wanted: &Instance, backup: &Backup, name: &str) -> Result<(), CallError> {
    let mut all = wanted.tags.clone();
    all.insert(tags::STACK.to_owned(), aws.scope.stack.clone());
    all.insert(RESTORES.to_owned(), backup.word());
    match backup {
        Backup::Moment { instance, at } => {
            let request = as_wanted!(aws.rds.restore_db_instance_to_point_in_time(), wanted, &all)
                .source_db_instance_identifier(instance)
                .target_db_instance_identifier(name)
                .restore_time(DateTime::from_secs(at.as_second()))
                .set_max_allocated_storage(wanted.max_storage_gib);
            aws.call("rds:RestoreDBInstanceToPointInTime", name, || request.clone().send()).await.map(drop)
        }
        Backup::Snapshot(snapshot) => {
            let request = as_wanted!(aws.rds.restore_db_instance_from_db_snapshot(), wanted, &all)
                .db_snapshot_identifier(snapshot)
                .db_instance_identifier(name);
            aws.call("rds:RestoreDBInstanceFromDBSnapshot", name, || request.clone().send()).await.map(drop)
        }
    }
}

/// Gives an instance another name, which takes minutes and restarts it: whoever is connected is cut off.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RenameInstance.html>
///
/// # Errors
/// The call's.
pub async fn rename(aws: &Aws, from: &str, to: &str) -> Result<(), CallError> {
    let request = || aws.rds.modify_db_instance().db_instance_identifier(from).new_db_instance_identifier(to);
    let send = || request().apply_immediately(true).send();
    aws.call("rds:ModifyDBInstance", from, send).await.map(drop)
}

/// The same for one that is kept: it is protected, and writes no more logs, for which AWS would make groups by its new
/// name that nobody would ever delete.
///
/// # Errors
/// The call's.
pub async fn put_aside(aws: &Aws, old: &Member, to: &str) -> Result<(), CallError> {
    let logs = old.sdk.enabled_cloudwatch_logs_exports().to_vec();
    let logs = (!logs.is_empty())
        .then(|| CloudwatchLogsExportConfiguration::builder().set_disable_log_types(Some(logs)).build());
    let request = aws
        .rds
        .modify_db_instance()
        .db_instance_identifier(&old.name)
        .new_db_instance_identifier(to)
        .deletion_protection(true)
        .set_cloudwatch_logs_export_configuration(logs)
        .apply_immediately(true);
    aws.call("rds:ModifyDBInstance", &old.name, || request.clone().send()).await.map(drop)
}

/// Makes an instance the stack's database no more: it keeps the stack's tag, by which it is found.
///
/// # Errors
/// The call's.
pub async fn disown(aws: &Aws, old: &str, backup: &str) -> Result<(), CallError> {
    let arn = arn(aws, old);
    tagging::write(aws, &arn, &Tags::from([(REPLACED.to_owned(), backup.to_owned())])).await?;
    let identity = [tags::ID, tags::GENERATION, password::TAG].map(str::to_owned).to_vec();
    tagging::take_off(aws, &arn, identity).await
}

/// Makes a restored instance the stack's database.
///
/// # Errors
/// The call's.
pub async fn own(aws: &Aws, new: &str, identity: &Tags) -> Result<(), CallError> {
    tagging::write(aws, &arn(aws, new), identity).await
}

/// Makes it like any other: the restore has come to its end.
///
/// # Errors
/// The call's.
pub async fn finish(aws: &Aws, new: &str) -> Result<(), CallError> {
    tagging::take_off(aws, &arn(aws, new), vec![RESTORES.to_owned()]).await
}

/// What a restore needs beside the right to look, which a plan needs too.
#[must_use]
pub fn grants() -> Vec<Grant> {
    const INSTANCE: &[&str] = &["arn:{partition}:rds:{region}:{account}:db:*"];
    const STANDS_ON: &[&str] = &[
        "arn:{partition}:rds:{region}:{account}:og:*",
        "arn:{partition}:rds:{region}:{account}:pg:*",
        "arn:{partition}:rds:{region}:{account}:snapshot:*",
        "arn:{partition}:rds:{region}:{account}:subgrp:*",
    ];
    const RESTORE: &[&str] = &["rds:RestoreDBInstanceToPointInTime", "rds:RestoreDBInstanceFromDBSnapshot"];
    const FROM_AND_ON: &[&str] =
        &["rds:RestoreDBInstanceToPointInTime", "rds:RestoreDBInstanceFromDBSnapshot", "rds:ModifyDBInstance"];
    // Rights that every change of an instance needs, whoever makes it.
    let lent = Instance::grants().into_iter().filter(|grant| {
        grant.actions.iter().all(|action| ["kms:", "ssm:", "iam:PassRole"].iter().any(|own| action.starts_with(own)))
    });
    let own = [
        Grant::read(&["rds:DescribeDBInstanceAutomatedBackups", "rds:DescribeDBSnapshots"]),
        Grant::write(RESTORE, INSTANCE).when(TAGGED_WITH_THIS_STACK),
        Grant::write(FROM_AND_ON, INSTANCE).when(OF_THIS_STACK),
        Grant::write(FROM_AND_ON, STANDS_ON),
        Grant::write(&["rds:AddTagsToResource"], INSTANCE).when(TAGGED_WITH_THIS_STACK),
        Grant::write(&["rds:AddTagsToResource", "rds:RemoveTagsFromResource"], INSTANCE).when(OF_THIS_STACK),
    ];
    own.into_iter().chain(lent).collect()
}
