//! What the controls say of a world in which one thing is spoilt.

use serde_json::{Value, json};

use super::{DATABASE, POLICY, VOLUMES, World, found, hours, open, rds};
use wharf_check_snapshots::{Exception, Standing, Verdict};

#[tokio::test(start_paused = true)]
async fn a_world_that_is_as_demanded_passes_every_control() {
    let report = World::good().await.report().await;
    assert_eq!(open(&report), []);
    assert_eq!(report.verdict, Verdict::Pass);
    let judged: std::collections::BTreeSet<&str> = report.findings.iter().map(|one| one.control.as_str()).collect();
    let all: std::collections::BTreeSet<&str> =
        wharf_check_snapshots::controls::ALL.iter().map(|control| control.id).collect();
    assert_eq!(judged, all, "every control says something");
    let looked = report.looked_at;
    assert_eq!((looked.databases, looked.volumes, looked.policies, looked.snapshots), (1, 2, 1, 10));
}

#[tokio::test(start_paused = true)]
async fn age_is_measured_from_the_newest_available_snapshot() {
    let world = World::good().await;
    world.database_snapshot(DATABASE, "rds:new", hours(1), json!({ "Status": "creating" }));
    world.database_snapshot(DATABASE, "rds:bad", hours(2), json!({ "Status": "failed" }));
    let report = world.report().await;
    let fresh = found(&report, "database.fresh", DATABASE);
    assert_eq!(fresh.verdict, Verdict::Pass);
    assert!(fresh.evidence.contains(&format!("rds:{DATABASE}-0")), "{}", fresh.evidence);

    for day in 0..2 {
        world.set("rds.snapshot", &format!("rds:{DATABASE}-{day}"), "Status", json!("failed"));
    }
    let report = world.report().await;
    assert_eq!(found(&report, "database.fresh", DATABASE).verdict, Verdict::Fail, "the newest is two days old");
}

#[tokio::test(start_paused = true)]
async fn time_alone_makes_a_snapshot_too_old() {
    let world = World::good().await;
    // The newest is five hours old, and may be 26.
    tokio::time::sleep(std::time::Duration::from_secs(20 * 3600)).await;
    assert_eq!(found(&world.report().await, "database.fresh", DATABASE).verdict, Verdict::Pass);
    tokio::time::sleep(std::time::Duration::from_secs(2 * 3600)).await;
    assert_eq!(found(&world.report().await, "database.fresh", DATABASE).verdict, Verdict::Fail);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_still_being_made_or_without_a_time_is_a_finding_and_no_crash() {
    let world = World::good().await;
    let making = json!({ "Status": "creating", "SnapshotCreateTime": null });
    world.database_snapshot(DATABASE, "rds:making", hours(0), making);
    let complete = found(&world.report().await, "database.complete", DATABASE).clone();
    assert_eq!(complete.verdict, Verdict::Unknown);
    assert!(complete.evidence.contains("rds:making is creating"), "{}", complete.evidence);

    world.database_snapshot(DATABASE, "rds:timeless", hours(0), json!({ "SnapshotCreateTime": null }));
    let complete = found(&world.report().await, "database.complete", DATABASE).clone();
    assert_eq!(complete.verdict, Verdict::Fail);
    assert!(complete.evidence.contains("rds:timeless has no time"), "{}", complete.evidence);

    world.database("young", json!({ "InstanceCreateTime": null, "DBInstanceStatus": "creating" }));
    assert_eq!(found(&world.report().await, "database.fresh", "young").verdict, Verdict::Unknown);
}

#[tokio::test(start_paused = true)]
async fn aurora_is_judged_at_the_cluster() {
    let world = World::good().await;
    world.cluster("shop-aurora", json!({ "BackupRetentionPeriod": 1 }));
    world.cluster_snapshot("shop-aurora", "rds:shop-aurora-1", hours(3), json!({}));
    let member = json!({ "DBClusterIdentifier": "shop-aurora", "BackupRetentionPeriod": 0, "MultiAZ": false });
    world.database("shop-aurora-writer", member);
    let report = world.report().await;
    assert_eq!(open(&report), [("database.backup-days", "shop-aurora", Verdict::Fail)]);
    assert_eq!(found(&report, "database.fresh", "shop-aurora").verdict, Verdict::Pass);
    assert!(!report.findings.iter().any(|one| one.resource == "shop-aurora-writer"));
}

#[tokio::test(start_paused = true)]
async fn a_policy_in_error_disabled_without_targets_or_without_a_role_fails() {
    let world = World::good().await;
    let open_after = async |attribute: &str, value: Value| {
        let before = world.sandbox.resource("dlm.policy", POLICY).unwrap().attrs[attribute].clone();
        world.set("dlm.policy", POLICY, attribute, value);
        let report = world.report().await;
        world.set("dlm.policy", POLICY, attribute, before);
        let failing = report.open().map(|one| (one.control.clone(), one.resource.clone())).collect::<Vec<_>>();
        failing.iter().map(|(control, resource)| format!("{control} {resource}")).collect::<Vec<_>>()
    };
    let uncovered = VOLUMES.map(|volume| format!("volume.covered {volume}"));
    let with = |more: &str| [&uncovered[..], &[format!("{more} {POLICY}")]].concat();
    assert_eq!(open_after("State", json!("ERROR")).await, with("policy.enabled"));
    assert_eq!(open_after("State", json!("DISABLED")).await, with("policy.enabled"));
    let mut details = world.sandbox.resource("dlm.policy", POLICY).unwrap().attrs["PolicyDetails"].clone();
    details["TargetTags"] = json!([{ "Key": "wharf-backup", "Value": "other" }]);
    assert_eq!(open_after("PolicyDetails", details.clone()).await, with("policy.targets"));
    details["TargetTags"] = json!([]);
    assert_eq!(open_after("PolicyDetails", details).await, with("policy.targets"));
    let gone = json!("arn:aws:iam::123456789012:role/gone");
    assert_eq!(open_after("ExecutionRoleArn", gone).await, [format!("policy.role {POLICY}")]);
    assert_eq!(open(&world.report().await), [], "all is as it was");
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_keeps_too_few_fails_and_without_a_policy_no_volume_is_covered() {
    let world = World::good().await;
    let mut details = world.sandbox.resource("dlm.policy", POLICY).unwrap().attrs["PolicyDetails"].clone();
    details["Schedules"][0]["RetainRule"]["Count"] = json!(13);
    world.set("dlm.policy", POLICY, "PolicyDetails", details);
    assert_eq!(open(&world.report().await), [("policy.keeps", POLICY, Verdict::Fail)]);
    world.sandbox.remove("dlm.policy", POLICY).unwrap();
    assert_eq!(open(&world.report().await), VOLUMES.map(|volume| ("volume.covered", volume, Verdict::Fail)));
}

#[tokio::test(start_paused = true)]
async fn every_tagged_volume_needs_a_fresh_snapshot() {
    let world = World::good().await;
    world.volume("vol-0000000000000000c", json!({}));
    world.volume("vol-0000000000000000d", json!({}));
    world.volume_snapshot("vol-0000000000000000d", "snap-0000000000000000d", hours(27), json!({}));
    let pending = json!({ "status": "pending" });
    world.volume_snapshot("vol-0000000000000000c", "snap-0000000000000000c", hours(1), pending);
    let young = json!({ "createTime": super::ec2(world.now()) });
    world.volume("vol-0000000000000000e", young);
    let report = world.report().await;
    let failing = [
        ("volume.fresh", "vol-0000000000000000c", Verdict::Fail),
        ("volume.fresh", "vol-0000000000000000d", Verdict::Fail),
        ("volume.complete", "vol-0000000000000000c", Verdict::Unknown),
    ];
    assert_eq!(open(&report), failing);
    let young = found(&report, "volume.fresh", "vol-0000000000000000e");
    assert_eq!(young.verdict, Verdict::Pass, "{}: none is due yet", young.evidence);
}

#[tokio::test(start_paused = true)]
async fn encryption_and_the_state_of_the_key_are_judged() {
    let world = World::good().await;
    let both = |verdict| {
        let volumes = VOLUMES.map(|volume| ("volume.encrypted", volume, verdict));
        [&[("database.encrypted", DATABASE, verdict)][..], &volumes[..]].concat()
    };
    let id = world.key.rsplit('/').next().unwrap().to_owned();
    for state in ["PendingDeletion", "Disabled", "PendingImport"] {
        world.set("kms.key", &id, "KeyState", json!(state));
        let report = world.report().await;
        let encrypted: Vec<_> = open(&report).into_iter().filter(|one| one.0.ends_with(".encrypted")).collect();
        assert_eq!(encrypted, both(Verdict::Fail), "{state}");
        assert!(found(&report, "volume.encrypted", VOLUMES[0]).evidence.contains(state));
    }
    world.sandbox.remove("kms.key", &id).unwrap();
    assert!(found(&world.report().await, "database.encrypted", DATABASE).evidence.contains("there is no key"));

    let world = World::good().await;
    world.database_snapshot(DATABASE, "plain", hours(3), json!({ "Encrypted": false, "KmsKeyId": null }));
    world.set("ec2.volume", VOLUMES[1], "encrypted", json!(false));
    let failing = [("database.encrypted", DATABASE, Verdict::Fail), ("volume.encrypted", VOLUMES[1], Verdict::Fail)];
    assert_eq!(open(&world.report().await), failing);
}

#[tokio::test(start_paused = true)]
async fn a_public_or_shared_snapshot_fails() {
    let world = World::good().await;
    world.set("rds.snapshot", "by-hand", "_restore", json!(["999999999999"]));
    let snapshot = "snap-00000000000000011";
    world.set("ec2.snapshot", snapshot, "_createVolumePermission", json!([{ "group": "all" }]));
    world.cluster("shop-aurora", json!({}));
    let manual = json!({ "SnapshotType": "manual", "_restore": ["all"] });
    world.cluster_snapshot("shop-aurora", "aurora-by-hand", hours(3), manual);
    let report = world.report().await;
    let failing = [
        ("database.private", "shop-aurora", Verdict::Fail),
        ("database.private", DATABASE, Verdict::Fail),
        ("volume.private", VOLUMES[1], Verdict::Fail),
    ];
    assert_eq!(open(&report), failing);
    assert_eq!(found(&report, "database.private", DATABASE).evidence, "by-hand is shared with 999999999999");
    assert_eq!(found(&report, "database.private", "shop-aurora").evidence, "aurora-by-hand is public");
    assert_eq!(found(&report, "volume.private", VOLUMES[1]).evidence, format!("{snapshot} is public"));
}

#[tokio::test(start_paused = true)]
async fn lag_retention_protection_and_the_standby_are_judged() {
    for (attribute, value, control) in [
        ("BackupRetentionPeriod", json!(13), "database.backup-days"),
        ("DeletionProtection", json!(false), "database.protected"),
        ("MultiAZ", json!(false), "database.multi-az"),
        ("_backedUpSince", json!(null), "database.restorable"),
    ] {
        let world = World::good().await;
        world.set("rds.instance", DATABASE, attribute, value);
        assert_eq!(open(&world.report().await), [(control, DATABASE, Verdict::Fail)]);
    }
    let world = World::good().await;
    let lag = |minutes| rds(world.now() - jiff::SignedDuration::from_mins(minutes));
    world.cluster_snapshot("shop-aurora", "rds:shop-aurora-1", hours(3), json!({}));
    world.cluster("shop-aurora", json!({ "LatestRestorableTime": lag(15) }));
    assert_eq!(open(&world.report().await), []);
    world.cluster("shop-aurora", json!({ "LatestRestorableTime": lag(16) }));
    assert_eq!(open(&world.report().await), [("database.restorable", "shop-aurora", Verdict::Fail)]);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_gone_fails_and_one_that_nobody_demands_so_much_of_does_not() {
    let mut world = World::good().await;
    world.sandbox.remove("rds.instance", DATABASE).unwrap();
    assert_eq!(open(&world.report().await), [("database.exists", DATABASE, Verdict::Fail)]);
    world.database(DATABASE, json!({ "MultiAZ": false, "DeletionProtection": false }));
    (world.demands.multi_az, world.demands.deletion_protection) = (false, false);
    assert_eq!(open(&world.report().await), []);
}

#[tokio::test(start_paused = true)]
async fn another_stacks_database_is_judged_only_when_all_are() {
    let mut world = World::good().await;
    world.database("other", json!({ "BackupRetentionPeriod": 0 }));
    world.sandbox.edit("rds.instance", "other", |_, tags| tags.clear()).unwrap();
    assert_eq!(open(&world.report().await), []);
    world.demands.all_databases = true;
    let report = world.report().await;
    assert_eq!(found(&report, "database.backup-days", "other").evidence, "automated backups are off");
}

#[tokio::test(start_paused = true)]
async fn an_exception_holds_until_its_day_and_is_reported_when_it_is_over_or_good_for_nothing() {
    let mut world = World::good().await;
    world.set("rds.instance", DATABASE, "MultiAZ", json!(false));
    let exception = |resource: &str, until: &str| Exception {
        control: "database.multi-az".to_owned(),
        resource: resource.to_owned(),
        until: until.parse().unwrap(),
        reason: "until the move".to_owned(),
    };
    // It is 5 January 2026.
    world.demands.exceptions = vec![exception(DATABASE, "2026-01-05"), exception("other", "2026-12-31")];
    let report = world.report().await;
    let multi_az = found(&report, "database.multi-az", DATABASE);
    assert_eq!(multi_az.verdict, Verdict::Excepted);
    assert_eq!(multi_az.excepted.as_ref().unwrap().reason, "until the move");
    assert_eq!(report.verdict, Verdict::Pass);
    assert_eq!(report.counts.excepted, 1);
    let standings: Vec<Standing> = report.exceptions.iter().map(|one| one.standing).collect();
    assert_eq!(standings, [Standing::InForce, Standing::Unused]);

    world.demands.exceptions = vec![exception(DATABASE, "2026-01-04")];
    let report = world.report().await;
    assert_eq!(found(&report, "database.multi-az", DATABASE).verdict, Verdict::Fail);
    assert_eq!(report.exceptions[0].standing, Standing::Expired);
}
