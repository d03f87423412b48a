//! The volumes that are to be backed up, and their snapshots.

use std::collections::BTreeMap;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    Filter, PermissionGroup, Snapshot as SdkSnapshot, SnapshotAttributeName, SnapshotState as SdkState,
    Volume as SdkVolume,
};
use futures::{StreamExt as _, stream};

use super::{AT_ONCE, Scope, timestamp, unknown};
use crate::demands::Tag;
use crate::inventory::{Known, Sharing, Snapshot, SnapshotState, Volume};

/// As many as a page may have.
const PAGE: i32 = 1000;

/// All volumes that are looked at: none where none is to be backed up.
pub(super) async fn read(client: &Client, scope: &Scope) -> Known<Vec<Volume>> {
    let Some(tag) = &scope.volume_tag else { return Ok(Vec::new()) };
    let mut volumes = volumes(client, tag).await?;
    if volumes.is_empty() {
        return Ok(volumes);
    }
    let ids: BTreeMap<String, usize> = volumes.iter().enumerate().map(|(n, one)| (one.id.clone(), n)).collect();
    if let Err(unknown) = snapshots(client, &mut volumes, &ids).await {
        for volume in &mut volumes {
            volume.snapshots = Err(unknown.clone());
        }
        return Ok(volumes);
    }
    look_at_sharing(client, &mut volumes).await;
    Ok(volumes)
}

async fn volumes(client: &Client, tag: &Tag) -> Known<Vec<Volume>> {
    let tagged = Filter::builder().name(format!("tag:{}", tag.key)).values(&tag.value).build();
    let mut pages = client.describe_volumes().filters(tagged).max_results(PAGE).into_paginator().send();
    let mut volumes = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(unknown("ec2:DescribeVolumes"))?;
        volumes.extend(page.volumes.unwrap_or_default().into_iter().map(volume));
    }
    Ok(volumes)
}

fn volume(one: SdkVolume) -> Volume {
    let tags = one.tags.unwrap_or_default().into_iter().filter_map(|tag| Some((tag.key?, tag.value?)));
    Volume {
        tags: tags.collect(),
        created: one.create_time.as_ref().and_then(timestamp),
        encrypted: one.encrypted.unwrap_or(false),
        key: one.kms_key_id,
        snapshots: Ok(Vec::new()),
        id: one.volume_id.unwrap_or_default(),
    }
}

/// Gives each volume its snapshots. All of the account's own are asked for: a filter takes 200 volumes at most.
async fn snapshots(client: &Client, volumes: &mut [Volume], ids: &BTreeMap<String, usize>) -> Known<()> {
    let mut pages = client.describe_snapshots().owner_ids("self").max_results(PAGE).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(unknown("ec2:DescribeSnapshots"))?;
        for one in page.snapshots.unwrap_or_default() {
            let volume = one.volume_id().and_then(|id| ids.get(id)).and_then(|n| volumes.get_mut(*n));
            if let Some(Ok(snapshots)) = volume.map(|volume| &mut volume.snapshots) {
                snapshots.push(snapshot(one));
            }
        }
    }
    Ok(())
}

fn snapshot(one: SdkSnapshot) -> Snapshot {
    let state = match one.state {
        Some(SdkState::Completed) => SnapshotState::Available,
        Some(SdkState::Error) => SnapshotState::Failed("in error".to_owned()),
        Some(other) => SnapshotState::Unfinished(other.as_str().to_owned()),
        None => SnapshotState::Unfinished("in no state".to_owned()),
    };
    Snapshot {
        state,
        at: one.start_time.as_ref().and_then(timestamp),
        encrypted: one.encrypted.unwrap_or(false),
        key: one.kms_key_id,
        sharing: Ok(Sharing::Private),
        id: one.snapshot_id.unwrap_or_default(),
    }
}

/// Asks of each snapshot who may make volumes of it.
async fn look_at_sharing(client: &Client, volumes: &mut [Volume]) {
    let all = volumes.iter_mut().filter_map(|one| one.snapshots.as_mut().ok()).flatten();
    let asked = stream::iter(all).map(|one| async { one.sharing = who_may_use(client, &one.id).await });
    asked.buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// <https://docs.aws.amazon.com/ebs/latest/userguide/ebs-modifying-snapshot-permissions.html>
async fn who_may_use(client: &Client, id: &str) -> Known<Sharing> {
    let permission = SnapshotAttributeName::CreateVolumePermission;
    let answer = client.describe_snapshot_attribute().snapshot_id(id).attribute(permission).send().await;
    let answer = answer.map_err(unknown("ec2:DescribeSnapshotAttribute"))?;
    let permissions = answer.create_volume_permissions();
    if permissions.iter().any(|one| one.group == Some(PermissionGroup::All)) {
        return Ok(Sharing::Public);
    }
    let mut accounts: Vec<String> = permissions.iter().filter_map(|one| one.user_id.clone()).collect();
    accounts.sort();
    Ok(if accounts.is_empty() { Sharing::Private } else { Sharing::With(accounts) })
}
