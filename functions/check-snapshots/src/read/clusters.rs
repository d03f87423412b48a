//! Clusters, Aurora's and others, and their snapshots: a cluster's backups are its own, not its members'.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Managing.Backups.html>

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbCluster, DbClusterSnapshot};

use super::rds::{RESTORE, Snapshots, sharing, state, with_snapshots};
use super::{Scope, timestamp, unknown};
use crate::inventory::{Database, DatabaseKind, Known, Sharing, Snapshot};

/// As many as a page may have.
const PAGE: i32 = 100;

/// All clusters that are looked at. Where there is none, their snapshots are not asked for.
pub(super) async fn read(client: &Client, scope: &Scope) -> Known<Vec<Database>> {
    let databases = databases(client, scope).await?;
    if databases.is_empty() {
        return Ok(databases);
    }
    let snapshots = all_snapshots(client).await;
    Ok(with_snapshots(databases, snapshots, async |id: &str| who_may_restore(client, id).await).await)
}

async fn databases(client: &Client, scope: &Scope) -> Known<Vec<Database>> {
    let mut pages = client.describe_db_clusters().max_records(PAGE).into_paginator().send();
    let mut databases = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(unknown("rds:DescribeDBClusters"))?;
        let wanted =
            page.db_clusters.unwrap_or_default().into_iter().filter(|one| {
                scope.has_database(one.tag_list().iter().map(|tag| (tag.key.clone(), tag.value.clone())))
            });
        databases.extend(wanted.map(database));
    }
    Ok(databases)
}

fn database(one: DbCluster) -> Database {
    Database {
        kind: DatabaseKind::Cluster,
        status: one.status.unwrap_or_default(),
        created: one.cluster_create_time.as_ref().and_then(timestamp),
        replica: one.replication_source_identifier.is_some(),
        backup_days: one.backup_retention_period.and_then(|days| u32::try_from(days).ok()).unwrap_or(0),
        restorable: one.latest_restorable_time.as_ref().and_then(timestamp),
        multi_az: one.multi_az.unwrap_or(false),
        deletion_protection: one.deletion_protection.unwrap_or(false),
        encrypted: one.storage_encrypted.unwrap_or(false),
        key: one.kms_key_id,
        snapshots: Ok(Vec::new()),
        id: one.db_cluster_identifier.unwrap_or_default(),
    }
}

/// All snapshots of the region's clusters.
async fn all_snapshots(client: &Client) -> Known<Snapshots> {
    let mut pages = client.describe_db_cluster_snapshots().max_records(PAGE).into_paginator().send();
    let mut snapshots = Snapshots::default();
    while let Some(page) = pages.next().await {
        let page = page.map_err(unknown("rds:DescribeDBClusterSnapshots"))?;
        for mut one in page.db_cluster_snapshots.unwrap_or_default() {
            let (database, kind) = (one.db_cluster_identifier.take(), one.snapshot_type.take());
            snapshots.add(database, kind.as_deref(), snapshot(one));
        }
    }
    Ok(snapshots)
}

fn snapshot(one: DbClusterSnapshot) -> Snapshot {
    Snapshot {
        state: state(one.status.as_deref()),
        at: one.snapshot_create_time.as_ref().and_then(timestamp),
        encrypted: one.storage_encrypted.unwrap_or(false),
        key: one.kms_key_id,
        sharing: Ok(Sharing::Private),
        id: one.db_cluster_snapshot_identifier.unwrap_or_default(),
    }
}

async fn who_may_restore(client: &Client, id: &str) -> Known<Sharing> {
    let answer = client.describe_db_cluster_snapshot_attributes().db_cluster_snapshot_identifier(id).send().await;
    let answer = answer.map_err(unknown("rds:DescribeDBClusterSnapshotAttributes"))?;
    let attributes = answer.db_cluster_snapshot_attributes_result.and_then(|one| one.db_cluster_snapshot_attributes);
    let restore = attributes.into_iter().flatten().find(|one| one.attribute_name() == Some(RESTORE));
    Ok(sharing(restore.as_ref().map_or(&[], |one| one.attribute_values())))
}
