//! What comes out of a backup, and what a new name changes.

use super::tests::{Place, create, pass, place, rds};
use crate::Sandbox;
use crate::services::testing::{Refusal, code, element};
use crate::testing::calm;

/// A protected instance over two zones, half a day old, whose password was changed an hour ago.
async fn old(sandbox: &Sandbox) -> Place {
    let place = place(sandbox);
    let more =
        [("MultiAZ", "true"), ("BackupRetentionPeriod", "7"), ("DeletionProtection", "true"), ("DBName", "orders")];
    create(sandbox, &place.group, &more).unwrap();
    pass(12 * 3600).await;
    let change =
        [("DBInstanceIdentifier", "shop"), ("MasterUserPassword", "changed-since"), ("ApplyImmediately", "true")];
    rds(sandbox, "ModifyDBInstance", &change).unwrap();
    pass(3600).await;
    place
}

fn back(sandbox: &Sandbox, time: &str) -> Result<String, Refusal> {
    let parameters = [
        ("SourceDBInstanceIdentifier", "shop"),
        ("TargetDBInstanceIdentifier", "shop-as-it-was"),
        ("DBSubnetGroupName", "shop"),
        ("RestoreTime", time),
    ];
    rds(sandbox, "RestoreDBInstanceToPointInTime", &parameters)
}

fn before(sandbox: &Sandbox, hours: i64) -> String {
    (sandbox.now() - jiff::SignedDuration::from_hours(hours)).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_moment_brings_back_data_and_password_and_leaves_the_rest_to_defaults() {
    let sandbox = calm();
    old(&sandbox).await;
    let answer = back(&sandbox, &before(&sandbox, 3)).unwrap();
    assert_eq!(element(&answer, "DBInstanceStatus"), "creating");
    assert_eq!((element(&answer, "MultiAZ"), element(&answer, "DeletionProtection")), ("false".into(), "false".into()));
    assert_eq!(element(&answer, "DBParameterGroupName"), "default.postgres17");
    pass(1800).await;
    let new = sandbox.resource("rds.instance", "shop-as-it-was").unwrap();
    assert_eq!((new.text("DBInstanceStatus"), new.text("DBName")), ("available", "orders"));
    assert_eq!(new.text("_masterUserPassword"), "long-enough");
    assert_eq!(code(back(&sandbox, &before(&sandbox, 3))), "DBInstanceAlreadyExists");
}

#[tokio::test(start_paused = true)]
async fn only_moments_between_the_first_backup_and_the_last_log_come_back() {
    let sandbox = calm();
    old(&sandbox).await;
    assert_eq!(code(back(&sandbox, &before(&sandbox, 14))), "InvalidParameterValue");
    assert_eq!(code(back(&sandbox, &before(&sandbox, -1))), "InvalidParameterValue");
    let both = [
        ("SourceDBInstanceIdentifier", "shop"),
        ("TargetDBInstanceIdentifier", "other"),
        ("DBSubnetGroupName", "shop"),
        ("UseLatestRestorableTime", "true"),
        ("RestoreTime", "2026-01-05T09:00:00Z"),
    ];
    assert_eq!(code(rds(&sandbox, "RestoreDBInstanceToPointInTime", &both)), "InvalidParameterCombination");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_comes_back_once_it_is_there_with_the_password_that_it_has() {
    let sandbox = calm();
    old(&sandbox).await;
    let snapshot = [("DBInstanceIdentifier", "shop"), ("DBSnapshotIdentifier", "by-hand")];
    rds(&sandbox, "CreateDBSnapshot", &snapshot).unwrap();
    let parameters =
        [("DBInstanceIdentifier", "again"), ("DBSnapshotIdentifier", "by-hand"), ("DBSubnetGroupName", "shop")];
    let back = || rds(&sandbox, "RestoreDBInstanceFromDBSnapshot", &parameters);
    assert_eq!(code(back()), "InvalidDBSnapshotState");
    pass(600).await;
    back().unwrap();
    pass(1800).await;
    let new = sandbox.resource("rds.instance", "again").unwrap();
    assert_eq!((new.text("DBInstanceStatus"), new.text("_masterUserPassword")), ("available", "changed-since"));
}

#[tokio::test(start_paused = true)]
async fn a_new_name_takes_minutes_and_changes_arn_and_endpoint_and_frees_the_old_one() {
    let sandbox = calm();
    let place = old(&sandbox).await;
    let rename =
        [("DBInstanceIdentifier", "shop"), ("NewDBInstanceIdentifier", "Shop-Before"), ("ApplyImmediately", "true")];
    let was = sandbox.resource("rds.instance", "shop").unwrap();
    let answer = rds(&sandbox, "ModifyDBInstance", &rename).unwrap();
    assert!(answer.contains("<DBInstanceIdentifier>shop-before</DBInstanceIdentifier>"), "{answer}");
    assert_eq!(code(create(&sandbox, &place.group, &[])), "DBInstanceAlreadyExists");
    pass(30).await;
    let named = |name: &str| rds(&sandbox, "DescribeDBInstances", &[("DBInstanceIdentifier", name)]);
    assert_eq!(element(&named("shop").unwrap(), "DBInstanceStatus"), "renaming");
    pass(300).await;
    assert_eq!(code(named("shop")), "DBInstanceNotFound");
    let now = named("shop-before").unwrap();
    assert!(element(&now, "Address").starts_with("shop-before."), "{now}");
    assert!(element(&now, "DBInstanceArn").ends_with(":db:shop-before"), "{now}");
    assert_eq!(element(&now, "DbiResourceId"), was.text("DbiResourceId"));
    create(&sandbox, &place.group, &[]).unwrap();
    // Its daily backups go on.
    let backups = |sandbox: &Sandbox| {
        sandbox
            .of_kind("rds.snapshot")
            .iter()
            .filter(|one| one.text("DbiResourceId") == was.text("DbiResourceId"))
            .count()
    };
    let before = backups(&sandbox);
    pass(25 * 3600).await;
    assert!(backups(&sandbox) > before);
    assert_eq!(
        code(rds(
            &sandbox,
            "DeleteDBInstance",
            &[("DBInstanceIdentifier", "shop-before"), ("SkipFinalSnapshot", "true")]
        )),
        "InvalidParameterCombination"
    );
}
