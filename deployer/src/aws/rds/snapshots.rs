//! The final snapshots that a destroyed stack leaves: no resource of the stack, but found by its tags, which they get
//! from the database.

use aws_sdk_rds::types::DbSnapshot;

use crate::aws::call::{Aws, CallError};
use crate::aws::tags;

/// A snapshot that outlives its database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its identifier.
    pub id: String,
    /// The ARN of the key that it cannot be restored without.
    pub key: Option<String>,
    /// The storage of the database that it was taken of, in GiB: what it costs by, at most.
    pub storage_gib: i32,
}

/// The stack's manual and final snapshots.
///
/// # Errors
/// The call's.
pub async fn list(aws: &Aws) -> Result<Vec<Snapshot>, CallError> {
    let send = |marker| aws.rds.describe_db_snapshots().snapshot_type("manual").set_marker(marker).send();
    let page = |page: aws_sdk_rds::operation::describe_db_snapshots::DescribeDbSnapshotsOutput| {
        (page.db_snapshots.unwrap_or_default(), page.marker)
    };
    let all = aws.pages("rds:DescribeDBSnapshots", "", send, page).await?;
    let ours = all.iter().filter(|snapshot| belongs(aws, snapshot));
    let mut snapshots: Vec<_> = ours
        .map(|snapshot| Snapshot {
            id: snapshot.db_snapshot_identifier().unwrap_or_default().to_owned(),
            key: snapshot.kms_key_id().map(str::to_owned),
            storage_gib: snapshot.allocated_storage().unwrap_or_default(),
        })
        .collect();
    snapshots.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(snapshots)
}

fn belongs(aws: &Aws, snapshot: &DbSnapshot) -> bool {
    let all = snapshot.tag_list().iter();
    let all = all.filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))).collect();
    tags::read(&aws.scope.stack, &all).is_some()
}
