use serde_json::{Value, json};

use crate::services::testing::{Refusal, code, query};
use crate::store::{Resource, Tags};
use crate::testing::calm;
use crate::{Policy, Sandbox};

fn rds(sandbox: &Sandbox, operation: &str, parameters: &[(&str, &str)]) -> Result<String, Refusal> {
    query(sandbox, "rds", operation, parameters)
}

/// What somebody made: nothing here makes a cluster.
fn plant(sandbox: &Sandbox, kind: &'static str, id: &str, attrs: &Value) {
    let attrs = attrs.as_object().cloned().unwrap();
    let tags = Tags::from([("team".to_owned(), "a".to_owned())]);
    let (id, created) = (id.to_owned(), sandbox.now());
    sandbox.plant(Resource { kind, id, attrs, tags, aws_made: false, created });
}

fn with_clusters() -> Sandbox {
    let sandbox = calm();
    for (id, engine) in [("one", "aurora-postgresql"), ("two", "docdb")] {
        plant(&sandbox, "rds.cluster", id, &json!({"DBClusterIdentifier": id, "Engine": engine, "MultiAZ": true}));
        let snapshot = format!("{id}-snapshot");
        let attrs =
            json!({"DBClusterSnapshotIdentifier": snapshot, "DBClusterIdentifier": id, "SnapshotType": "manual"});
        plant(&sandbox, "rds.cluster-snapshot", &snapshot, &attrs);
    }
    sandbox
}

#[tokio::test(start_paused = true)]
async fn clusters_and_their_snapshots_are_found_by_name_and_by_filter() {
    let sandbox = with_clusters();
    let all = rds(&sandbox, "DescribeDBClusters", &[]).unwrap();
    assert_eq!(all.matches("<DBCluster>").count(), 2);
    assert!(all.contains("<Tag><Key>team</Key><Value>a</Value></Tag>"), "{all}");
    let filter = [("Filters.Filter.1.Name", "engine"), ("Filters.Filter.1.Values.Value.1", "docdb")];
    let found = rds(&sandbox, "DescribeDBClusters", &filter).unwrap();
    assert!(found.contains("<DBClusterIdentifier>two</DBClusterIdentifier>"), "{found}");
    assert_eq!(found.matches("<DBCluster>").count(), 1);
    let none = rds(&sandbox, "DescribeDBClusters", &[("DBClusterIdentifier", "three")]);
    assert_eq!(code(none), "DBClusterNotFoundFault");
    let of_one = rds(&sandbox, "DescribeDBClusterSnapshots", &[("DBClusterIdentifier", "one")]).unwrap();
    assert_eq!(of_one.matches("<DBClusterSnapshot>").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_says_who_may_restore_it_to_whom_it_may() {
    let sandbox = with_clusters();
    plant(&sandbox, "rds.snapshot", "mine", &json!({"DBSnapshotIdentifier": "mine", "_restore": ["999999999999"]}));
    let name = [("DBSnapshotIdentifier", "mine")];
    let shared = rds(&sandbox, "DescribeDBSnapshotAttributes", &name).unwrap();
    assert!(shared.contains("<AttributeName>restore</AttributeName>"), "{shared}");
    assert!(shared.contains("<AttributeValue>999999999999</AttributeValue>"), "{shared}");
    let of_cluster = [("DBClusterSnapshotIdentifier", "one-snapshot")];
    let private = rds(&sandbox, "DescribeDBClusterSnapshotAttributes", &of_cluster).unwrap();
    assert!(!private.contains("<AttributeValue>"), "{private}");
    let missing = rds(&sandbox, "DescribeDBSnapshotAttributes", &[("DBSnapshotIdentifier", "other")]);
    assert_eq!(code(missing), "DBSnapshotNotFound");
    let policy = json!({"Statement": [{"Effect": "Allow", "Action": "rds:DescribeDBSnapshots", "Resource": "*"}]});
    sandbox.set_policy(Some(Policy::parse(&policy).unwrap()));
    assert_eq!(code(rds(&sandbox, "DescribeDBSnapshotAttributes", &name)), "AccessDenied");
}
