//! Clusters and their snapshots: those that somebody put there, for none is made here.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Overview.html>

use serde_json::Value;

use super::{Noun, filters, paged, tagged};
use crate::account::Ctx;
use crate::error::Outcome;
use crate::input::Input;
use crate::store::Resource;

pub(super) static CLUSTER: Noun = Noun {
    kind: "rds.cluster",
    resource_type: "cluster",
    not_found: "DBClusterNotFoundFault",
    words: ("DBCluster ", " not found."),
};

pub(super) static SNAPSHOT: Noun = Noun {
    kind: "rds.cluster-snapshot",
    resource_type: "cluster-snapshot",
    not_found: "DBClusterSnapshotNotFoundFault",
    words: ("DBClusterSnapshot ", " not found."),
};

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBClusters.html>
pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    // There are no other accounts here whose clusters could be shared.
    input.ignore(&["IncludeShared"]);
    let wanted = wanted(input, &[("db-cluster-id", "DBClusterIdentifier"), ("engine", "Engine")])?;
    let name = input.opt_str("DBClusterIdentifier").map(str::to_ascii_lowercase);
    let found = CLUSTER.asked(ctx, "DescribeDBClusters", name.as_deref())?;
    let shown = found.iter().filter(|one| fits(one, &wanted)).map(|one| Value::Object(tagged(one))).collect();
    paged(input, "DBClusters", shown)
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBClusterSnapshots.html>
pub(super) fn describe_snapshots(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["IncludeShared", "IncludePublic"]);
    let known = [
        ("db-cluster-id", "DBClusterIdentifier"),
        ("db-cluster-snapshot-id", "DBClusterSnapshotIdentifier"),
        ("snapshot-type", "SnapshotType"),
        ("engine", "Engine"),
    ];
    let mut wanted = wanted(input, &known)?;
    for attribute in ["DBClusterIdentifier", "SnapshotType"] {
        if let Some(value) = input.opt_str(attribute) {
            wanted.push((attribute, vec![value.to_owned()]));
        }
    }
    let name = input.opt_str("DBClusterSnapshotIdentifier").map(str::to_ascii_lowercase);
    let found = SNAPSHOT.asked(ctx, "DescribeDBClusterSnapshots", name.as_deref())?;
    let shown = found.iter().filter(|one| fits(one, &wanted)).map(|one| Value::Object(tagged(one))).collect();
    paged(input, "DBClusterSnapshots", shown)
}

/// The attributes that filters are about, and the values of which one must fit.
type Wanted = Vec<(&'static str, Vec<String>)>;

fn wanted(input: &Input, known: &[(&str, &'static str)]) -> Result<Wanted, crate::error::ApiError> {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let asked = filters(input, &names)?.into_iter();
    let attribute = |name: &str| known.iter().find(|(filter, _)| *filter == name).map(|(_, attribute)| *attribute);
    Ok(asked.filter_map(|(name, values)| Some((attribute(&name)?, values))).collect())
}

fn fits(one: &Resource, wanted: &Wanted) -> bool {
    wanted.iter().all(|(name, values)| values.iter().any(|value| value == one.text(name)))
}
