//! Instances that stand alone, and their snapshots. Members of a cluster are judged with it.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbInstance, DbSnapshot};

use super::rds::{RESTORE, Snapshots, sharing, state, with_snapshots};
use super::{Scope, timestamp, unknown};
use crate::inventory::{Database, DatabaseKind, Known, Sharing, Snapshot};

/// As many as a page may have.
const PAGE: i32 = 100;

/// All instances that are looked at.
pub(super) async fn read(client: &Client, scope: &Scope) -> Known<Vec<Database>> {
    let (databases, snapshots) = tokio::join!(databases(client, scope), all_snapshots(client));
    Ok(with_snapshots(databases?, snapshots, async |id: &str| who_may_restore(client, id).await).await)
}

async fn databases(client: &Client, scope: &Scope) -> Known<Vec<Database>> {
    let mut pages = client.describe_db_instances().max_records(PAGE).into_paginator().send();
    let mut databases = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(unknown("rds:DescribeDBInstances"))?;
        let wanted = page.db_instances.unwrap_or_default().into_iter().filter(|one| {
            let tags = one.tag_list().iter().map(|tag| (tag.key.clone(), tag.value.clone()));
            one.db_cluster_identifier.is_none() && scope.has_database(tags)
        });
        databases.extend(wanted.map(database));
    }
    Ok(databases)
}

fn database(one: DbInstance) -> Database {
    Database {
        kind: DatabaseKind::Instance,
        status: one.db_instance_status.unwrap_or_default(),
        created: one.instance_create_time.as_ref().and_then(timestamp),
        replica: one.read_replica_source_db_instance_identifier.is_some(),
        backup_days: one.backup_retention_period.and_then(|days| u32::try_from(days).ok()).unwrap_or(0),
        restorable: one.latest_restorable_time.as_ref().and_then(timestamp),
        multi_az: one.multi_az.unwrap_or(false),
        deletion_protection: one.deletion_protection.unwrap_or(false),
        encrypted: one.storage_encrypted.unwrap_or(false),
        key: one.kms_key_id,
        snapshots: Ok(Vec::new()),
        id: one.db_instance_identifier.unwrap_or_default(),
    }
}

/// All snapshots of the region's instances.
async fn all_snapshots(client: &Client) -> Known<Snapshots> {
    let mut pages = client.describe_db_snapshots().max_records(PAGE).into_paginator().send();
    let mut snapshots = Snapshots::default();
    while let Some(page) = pages.next().await {
        let page = page.map_err(unknown("rds:DescribeDBSnapshots"))?;
        for mut one in page.db_snapshots.unwrap_or_default() {
            let (database, kind) = (one.db_instance_identifier.take(), one.snapshot_type.take());
            snapshots.add(database, kind.as_deref(), snapshot(one));
        }
    }
    Ok(snapshots)
}

fn snapshot(one: DbSnapshot) -> Snapshot {
    Snapshot {
        state: state(one.status.as_deref()),
        at: one.snapshot_create_time.as_ref().and_then(timestamp),
        encrypted: one.encrypted.unwrap_or(false),
        key: one.kms_key_id,
        sharing: Ok(Sharing::Private),
        id: one.db_snapshot_identifier.unwrap_or_default(),
    }
}

async fn who_may_restore(client: &Client, id: &str) -> Known<Sharing> {
    let answer = client.describe_db_snapshot_attributes().db_snapshot_identifier(id).send().await;
    let answer = answer.map_err(unknown("rds:DescribeDBSnapshotAttributes"))?;
    let attributes = answer.db_snapshot_attributes_result.and_then(|one| one.db_snapshot_attributes);
    let restore = attributes.into_iter().flatten().find(|one| one.attribute_name() == Some(RESTORE));
    Ok(sharing(restore.as_ref().map_or(&[], |one| one.attribute_values())))
}
