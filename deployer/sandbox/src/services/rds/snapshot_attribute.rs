//! Who else may restore a snapshot.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ShareSnapshot.html>

use serde_json::{Value, json};

use super::cluster;
use super::snapshot::SNAPSHOT;
use super::wire;
use crate::account::Ctx;
use crate::error::Outcome;
use crate::input::Input;
use crate::store::Resource;

/// The accounts that an object's snapshot is shared with; `all` for everybody.
const ACCOUNTS: &str = "_restore";

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshotAttributes.html>
pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.str("DBSnapshotIdentifier")?.to_ascii_lowercase();
    let found = SNAPSHOT.permitted(ctx, "DescribeDBSnapshotAttributes", &name)?;
    Ok(wire(json!({"DBSnapshotAttributesResult": {
        "DBSnapshotIdentifier": name, "DBSnapshotAttributes": attributes(&found),
    }})))
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBClusterSnapshotAttributes.html>
pub(super) fn describe_of_cluster(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.str("DBClusterSnapshotIdentifier")?.to_ascii_lowercase();
    let found = cluster::SNAPSHOT.permitted(ctx, "DescribeDBClusterSnapshotAttributes", &name)?;
    Ok(wire(json!({"DBClusterSnapshotAttributesResult": {
        "DBClusterSnapshotIdentifier": name, "DBClusterSnapshotAttributes": attributes(&found),
    }})))
}

fn attributes(snapshot: &Resource) -> Value {
    json!([{"AttributeName": "restore", "AttributeValues": snapshot.items(ACCOUNTS)}])
}
