//! How the world is read: pages, throttles, refusals, order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use wharf_sandbox::{CallInfo, Fate, Policy};

use super::{DATABASE, World, found, hours, open};
use wharf_check_snapshots::{ACTIONS, Demands, Report, Verdict};

#[tokio::test(start_paused = true)]
async fn a_thousand_and_one_snapshots_are_read_through_a_throttle_on_page_seven() {
    let world = World::good().await;
    world.database("big", json!({}));
    for n in 0..1001 {
        world.database_snapshot("big", &format!("rds:big-{n:04}"), hours(30 + n), json!({}));
    }
    let pages = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&pages);
    world.sandbox.on_call(move |call: &CallInfo| {
        let page = call.operation == "DescribeDBSnapshots" && counted.fetch_add(1, Ordering::SeqCst) == 6;
        if page { Fate::Throttle } else { Fate::Normal }
    });
    let report = world.report().await;
    assert_eq!(report.looked_at.snapshots, 10 + 1001);
    assert_eq!(found(&report, "database.complete", "big").evidence, "1001 whole");
    assert_eq!(pages.load(Ordering::SeqCst), 12, "1,005 snapshots of databases are 11 pages, one of them twice");
    assert_eq!(open(&report), [("database.fresh", "big", Verdict::Fail)]);
}

/// A policy that allows everything but some actions.
fn all_but(actions: &[&str]) -> Policy {
    let statements = json!({ "Statement": [
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
        { "Effect": "Deny", "Action": actions, "Resource": "*" },
    ] });
    Policy::parse(&statements).unwrap()
}

/// A good world that has one of everything that is read.
async fn complete() -> World {
    let world = World::good().await;
    world.cluster("shop-aurora", json!({}));
    world.cluster_snapshot("shop-aurora", "rds:shop-aurora-1", hours(3), json!({}));
    world.cluster_snapshot("shop-aurora", "aurora-by-hand", hours(30), json!({ "SnapshotType": "manual" }));
    assert_eq!(open(&world.report().await), []);
    world
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_is_unknown_and_never_passes() {
    let world = complete().await;
    let whole = world.report().await;
    for action in ACTIONS {
        world.sandbox.set_policy(Some(all_but(&[action])));
        let report = world.report().await;
        assert_eq!(report.verdict, Verdict::Unknown, "{action}");
        assert_eq!(report.counts.fail, 0, "{action}: {:?}", open(&report));
        let named = format!("{action}: access denied");
        assert!(report.open().any(|one| one.evidence == named), "{action}: {:#?}", report.open().collect::<Vec<_>>());
        // What passes still was seen to pass with everything allowed.
        for one in report.findings.iter().filter(|one| one.verdict == Verdict::Pass) {
            assert_eq!(found(&whole, &one.control, &one.resource).evidence, one.evidence, "{action}");
        }
    }
    world.sandbox.set_policy(Some(all_but(ACTIONS)));
    assert_eq!(world.report().await.counts.pass, 0);
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_a_check_are_those_that_its_role_allows() {
    let world = complete().await;
    let before = world.sandbox.call_log().len();
    world.report().await;
    let log = world.sandbox.call_log();
    let needed: BTreeSet<&str> =
        log[before..].iter().flat_map(|call| call.authorised.iter().map(|(action, _)| action.as_str())).collect();
    assert_eq!(needed, ACTIONS.iter().copied().collect());
}

#[tokio::test(start_paused = true)]
async fn what_aws_does_not_answer_is_unknown_too() {
    let world = World::good().await;
    world.sandbox.on_call(
        |call: &CallInfo| {
            if call.operation == "DescribeDBSnapshots" { Fate::ServerError } else { Fate::Normal }
        },
    );
    let report = world.report().await;
    let fresh = found(&report, "database.fresh", DATABASE);
    assert_eq!(fresh.verdict, Verdict::Unknown);
    assert!(fresh.evidence.starts_with("rds:DescribeDBSnapshots: "), "{}", fresh.evidence);
}

#[tokio::test(start_paused = true)]
async fn where_there_is_nothing_to_judge_nothing_passes() {
    let mut world = World::good().await;
    world.demands = Demands::default();
    world.sandbox.remove("rds.instance", DATABASE).unwrap();
    let report = world.report().await;
    assert_eq!((report.findings.len(), report.verdict), (0, Verdict::Unknown));
}

/// The same databases, made in this order, in an account and a time of their own.
fn made_in(order: [&str; 3]) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = World::good().await;
        for name in order {
            world.database_snapshot(name, &format!("rds:{name}"), hours(1), json!({}));
            world.database(name, json!({}));
        }
        let at = world.now();
        let report = world.report_at(at).await;
        assert_eq!(report, world.report_at(at).await, "the calls that read have moved the clock, and not the world");
        report
    })
}

#[test]
fn the_same_world_gives_the_same_bytes_in_whatever_order_it_was_made() {
    let bytes = |report: &Report| serde_json::to_string_pretty(report).unwrap();
    let (one, other) = (made_in(["a", "b", "c"]), made_in(["c", "a", "b"]));
    assert_eq!(bytes(&one), bytes(&other));
    assert_eq!(wharf_check_snapshots::html(&one), wharf_check_snapshots::html(&other));
    assert_eq!(one.looked_at.databases, 4);
}
