//! The database as it was: from a moment or a snapshot, whatever dies on the way, and never at the price of the old one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use wharf::ledger::Holder;
use wharf::operations::{Ended, Error, Point, Restore, RestoreError, Restored, Who};
use wharf::policy::For;
use wharf_engine::{Action, Blocker, PlanError};
use wharf_sandbox::{Fate, Resource, Sandbox};
use wharf_tests::death::Death;
use wharf_tests::parallel;
use wharf_tests::stack::{World, config, in_virtual_time, virtual_timing};

use crate::least_privilege::{denied, limit};

const STACK: &str = "[network]\negress = \"public\"\n[database]\n[services.web]\nport = 8000\n\
    secrets = { DB_PASSWORD = \"${database.password}\" }\n";
const HOUR: Duration = Duration::from_secs(3600);

async fn applied(world: &World) {
    let applied = world.apply().await.unwrap_or_else(|error| panic!("{error:?}"));
    assert!(applied.complete(), "{:#?}", applied.runs.last().map(|(_, outcome)| &outcome.failed));
}

/// A stack whose database has been backed up for some hours.
async fn standing(world: World) -> World {
    applied(&world).await;
    tokio::time::sleep(3 * HOUR).await;
    world
}

/// So long ago, to the second.
fn ago(world: &World, time: Duration) -> Timestamp {
    let at = world.sandbox.now() - jiff::SignedDuration::try_from(time).expect("it is not long ago");
    Timestamp::from_second(at.as_second()).expect("a second")
}

async fn restore(world: &World, point: &Point) -> Result<Restored, Error> {
    let session = world.session(&format!("restore-{}", world.sandbox.now().as_nanosecond())).await?;
    let stack = world.stack(&session);
    let request = Restore {
        stack: &stack,
        point: point.clone(),
        who: Who { name: "tests".to_owned(), at: world.sandbox.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string() },
        timing: virtual_timing(),
        approve: &|_| true,
        on_progress: &|_| {},
        on_wait: &|_| {},
    };
    session.restore(&request, std::future::pending()).await
}

async fn restored(world: &World, point: &Point) -> Restored {
    let restored = restore(world, point).await.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(restored.outcome, Ended::Restored);
    restored
}

fn database(sandbox: &Sandbox) -> Resource {
    sandbox.resource("rds.instance", "shop-database").expect("the stack's database has its name")
}

fn instances(sandbox: &Sandbox) -> Vec<String> {
    sandbox.of_kind("rds.instance").into_iter().map(|one| one.id).collect()
}

/// The password that the account's parameter holds, and the one that the database takes.
fn passwords(sandbox: &Sandbox) -> (String, String) {
    let held = sandbox.resource("ssm.parameter", "/shop/database/password").expect("it is there");
    (held.text("_value").to_owned(), database(sandbox).text("_masterUserPassword").to_owned())
}

async fn snapshot(world: &World, name: &str) {
    let session = world.session("snapshot").await.expect("the account can be reached");
    let make = || session.aws.rds.create_db_snapshot().db_instance_identifier("shop-database");
    let send = || make().db_snapshot_identifier(name).send();
    session.aws.call("rds:CreateDBSnapshot", name, send).await.expect("a snapshot is made");
}

/// What must hold of a restore that has come to its end.
async fn whole(world: &World, from: &str) {
    let sandbox = &world.sandbox;
    let now = database(sandbox);
    assert!(now.text("_restoredFrom").contains(from), "{} is not from {from}", now.text("_restoredFrom"));
    assert_eq!(now.tags.get("wharf:id").map(String::as_str), Some("database.instance"));
    assert!(!now.tags.contains_key("wharf:restores"));
    assert!(now.flag("DeletionProtection"));
    let (held, taken) = passwords(sandbox);
    assert_eq!(held, taken);
    let planned = world.plan().await.unwrap_or_else(|error| panic!("{error:?}"));
    assert!(planned.plan.steps.is_empty(), "{:#?}", planned.plan.steps);
    let [kept] = kept(sandbox).try_into().unwrap_or_else(|kept| panic!("{kept:#?}"));
    assert!(kept.flag("DeletionProtection") && !kept.tags.contains_key("wharf:id"), "{kept:#?}");
    // Nothing that nobody would ever delete was made on the way.
    let groups = sandbox.of_kind("logs.group").into_iter().map(|group| group.id);
    let passing: Vec<String> = groups.filter(|id| id.contains("-restored-") || id.contains("-before-")).collect();
    assert_eq!(passing, [""; 0]);
}

/// What was the database.
fn kept(sandbox: &Sandbox) -> Vec<Resource> {
    sandbox.of_kind("rds.instance").into_iter().filter(|one| one.id.contains("-before-")).collect()
}

#[test]
fn a_moment_comes_back_under_the_databases_name_with_todays_password_and_the_old_one_stays() {
    for seed in 1..4 {
        in_virtual_time(async {
            let mut world = standing(World::new(seed, config(STACK))).await;
            let at = ago(&world, HOUR);
            let before = database(&world.sandbox);
            world.config.database.as_mut().expect("it has a database").password_rotation += 1;
            applied(&world).await;
            let host = world.sandbox.resource("ssm.parameter", "/shop/database/host").expect("it is there");

            let restored = restored(&world, &Point::At(at)).await;
            assert_eq!(restored.intent.from, format!("at {at}"), "seed {seed}");
            whole(&world, before.text("DbiResourceId")).await;
            let kept = restored.kept.expect("the old one is named");
            let old = world.sandbox.resource("rds.instance", &kept.instance).expect("it is there");
            assert_eq!(old.text("DbiResourceId"), before.text("DbiResourceId"));
            assert!(kept.size.contains("db."), "{}", kept.size);
            // Nobody has to be told: it is where it was.
            let now = database(&world.sandbox);
            assert_eq!(now.attrs["Endpoint"]["Address"], host.attrs["_value"]);
            let session = world.session("look").await.expect("the account can be reached");
            let history = session.ledger.history(1).await.expect("the history can be read");
            assert_eq!((history[0].command.as_str(), history[0].steps.len()), ("restore", 1), "{history:#?}");
            assert_eq!(session.ledger.holder().await.expect("the lock can be seen"), None);
        });
    }
}

#[test]
fn a_snapshot_comes_back_and_so_does_what_a_destruction_left() {
    in_virtual_time(async {
        let world = standing(World::new(5, config(STACK))).await;
        snapshot(&world, "by-hand").await;
        tokio::time::sleep(HOUR).await;
        restored(&world, &Point::Snapshot("by-hand".to_owned())).await;
        whole(&world, "by-hand").await;
    });
    in_virtual_time(async {
        let world = standing(World::new(6, config(STACK))).await;
        let destroyed = world.destroy().await.expect("the stack can be destroyed");
        assert!(destroyed.complete());
        let last = destroyed.left.iter().find(|left| left.kind == "rds.snapshot").expect("a last snapshot");
        tokio::time::sleep(HOUR).await;
        applied(&world).await;
        restored(&world, &Point::Snapshot(last.physical.clone())).await;
        whole(&world, &last.physical).await;
    });
}

#[test]
fn what_cannot_be_restored_is_refused_before_any_write_and_says_what_can() {
    in_virtual_time(async {
        let world = standing(World::calm(7, config(STACK))).await;
        snapshot(&world, "young").await;
        let before = world.sandbox.call_log().len();
        let refused = async |point: Point| match restore(&world, &point).await {
            Err(Error::Restore(error)) => error,
            other => panic!("{point:?}: {other:?}"),
        };
        for at in [ago(&world, 24 * HOUR), ago(&world, Duration::ZERO) + jiff::SignedDuration::from_hours(1)] {
            let error = refused(Point::At(at)).await;
            let RestoreError::Outside { from, to, .. } = &error else { panic!("{error:?}") };
            assert!(from < to && error.to_string().contains(&from.to_string()), "{error}");
        }
        let error = refused(Point::Snapshot("nobody".to_owned())).await;
        assert!(matches!(&error, RestoreError::NoSnapshot(name) if name == "nobody"), "{error:?}");
        let error = refused(Point::Snapshot("young".to_owned())).await;
        assert!(error.to_string().contains("it is creating"), "{error}");
        tokio::time::sleep(HOUR).await;
        let good = world.sandbox.resource("rds.snapshot", "young").expect("it is there");
        for (attribute, other, says) in [
            ("Engine", "mysql", "not of PostgreSQL"),
            ("EngineVersion", "15.4", "database.engine_version = \"15\""),
            ("MasterUsername", "somebody", "database.username = \"somebody\""),
            ("KmsKeyId", "arn:aws:kms:us-east-1:123456789012:key/other", "copy-db-snapshot --kms-key-id"),
        ] {
            let edit = |value: serde_json::Value| {
                let change =
                    |attrs: &mut serde_json::Map<_, _>, _: &mut _| drop(attrs.insert(attribute.to_owned(), value));
                world.sandbox.edit("rds.snapshot", "young", change).expect("it is there");
            };
            edit(other.into());
            let error = refused(Point::Snapshot("young".to_owned())).await;
            assert!(error.to_string().contains(says), "{attribute}: {error}");
            edit(good.attrs[attribute].clone());
        }
        let log = world.sandbox.call_log();
        let writes: Vec<&str> = log[before..].iter().filter(|c| c.write).map(|c| c.operation.as_str()).collect();
        assert_eq!(writes, [""; 0]);
    });
}

#[test]
fn a_stack_that_another_run_holds_is_not_restored() {
    in_virtual_time(async {
        let world = standing(World::calm(8, config(STACK))).await;
        let first = world.session("first").await.expect("the account can be reached");
        let holder = Holder::new("first", "ada@laptop", "apply", "2026-01-05T09:00:00Z");
        let mut lock = first.ledger.lock(holder, virtual_timing(), &|_| {}).await.expect("it is free");
        let ended = tokio::select! {
            () = lock.keep() => panic!("the lock was lost"),
            ended = restore(&world, &Point::Latest) => ended,
        };
        assert!(matches!(&ended, Err(Error::Lock(_))), "{ended:?}");
        assert_eq!(instances(&world.sandbox), ["shop-database"]);
    });
}

#[test]
fn a_restore_needs_no_more_than_its_policy_which_deletes_nothing() {
    in_virtual_time(async {
        let world = standing(World::calm(9, config(STACK))).await;
        snapshot(&world, "by-hand").await;
        tokio::time::sleep(HOUR).await;
        limit(&world.sandbox, For::Restore);
        for point in [Point::Latest, Point::Snapshot("by-hand".to_owned())] {
            let before = world.sandbox.call_log().len();
            let ended = restore(&world, &point).await;
            assert_eq!(denied(&world.sandbox), [""; 0]);
            assert_eq!(ended.unwrap_or_else(|error| panic!("{error:?}")).outcome, Ended::Restored);
            let log = world.sandbox.call_log();
            let deleting = |call: &&wharf_sandbox::CallRecord| call.operation.starts_with("Delete");
            let deleted: BTreeSet<&str> =
                log[before..].iter().filter(deleting).map(|call| call.operation.as_str()).collect();
            assert_eq!(deleted, BTreeSet::from(["DeleteItem"]), "but for the lock");
        }
        let destroyed = world.destroy().await;
        assert!(destroyed.is_err() || !destroyed.expect("it ended").complete(), "who may only restore has destroyed");
    });
}

#[test]
fn what_is_kept_stands_against_a_destruction_until_somebody_deletes_it() {
    in_virtual_time(async {
        let world = standing(World::calm(10, config(STACK))).await;
        let restored = restored(&world, &Point::Latest).await;
        let kept = restored.kept.expect("the old one is named").instance;
        let before = world.sandbox.call_log().len();
        let ended = world.destroy().await;
        let Err(Error::Plan(PlanError::Blocked(blockers))) = ended else { panic!("{ended:?}") };
        let said = blockers[0].to_string();
        assert!(blockers.len() == 1 && said.contains(&kept) && said.contains("delete-db-instance"), "{blockers:#?}");
        assert!(world.sandbox.call_log()[before..].iter().all(|call| !call.write));

        let session = world.session("by hand").await.expect("the account can be reached");
        let rds = &session.aws.rds;
        let open = || rds.modify_db_instance().db_instance_identifier(&kept).deletion_protection(false).send();
        session.aws.call("rds:ModifyDBInstance", &kept, open).await.expect("it is unprotected");
        let delete = || rds.delete_db_instance().db_instance_identifier(&kept).skip_final_snapshot(true).send();
        session.aws.call("rds:DeleteDBInstance", &kept, delete).await.expect("it is deleted");
        tokio::time::sleep(HOUR).await;
        assert!(world.destroy().await.unwrap_or_else(|error| panic!("{error:?}")).complete());
    });
}

/// No plan on the way makes a second database, or lets one go.
async fn plans_nothing_about_it(world: &World, death: Death) {
    match world.plan().await {
        Ok(planned) => {
            let about = planned.plan.steps.iter().filter(|step| step.id.as_str() == "database.instance");
            let harmless = |action: &Action| matches!(action, Action::Update { .. } | Action::Wait { .. });
            assert!(about.clone().all(|step| harmless(&step.action)), "{death:?}: {:#?}", about.collect::<Vec<_>>());
        }
        Err(Error::Plan(PlanError::Blocked(blockers))) => {
            assert!(blockers.iter().all(|one| matches!(one, Blocker::Foreign { .. })), "{death:?}: {blockers:#?}");
        }
        Err(error) => panic!("{death:?}: {error:?}"),
    }
}

/// Every write on the way of a restore that nothing disturbs, but for the lock's renewals.
async fn writes_on_the_way(start: &World, moment: Timestamp, point: &Point) -> Vec<u64> {
    let world = start.fork_at(moment);
    let calls = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    world.sandbox.on_call(move |call| {
        if call.write {
            noted.lock().expect("one thread").push((call.n, call.service.to_string()));
        }
        Fate::Spared
    });
    restored(&world, point).await;
    let mut calls = std::mem::take(&mut *calls.lock().expect("one thread"));
    let first = calls.iter().position(|(_, service)| service == "rds").expect("something is written");
    let last = calls.iter().rposition(|(_, service)| service == "rds").expect("something is written");
    let mut place = 0..;
    // The lock is taken before, the history written and the lock let go after; what lies between are its renewals.
    calls.retain(|(_, service)| place.next().is_some_and(|n| n < first || n > last || service == "rds"));
    calls.into_iter().map(|(n, _)| n).collect()
}

#[test]
fn a_restore_that_died_at_any_write_is_carried_on_by_the_next() {
    let (start, moment, point) = in_virtual_time(async {
        let world = standing(World::new(11, config(STACK))).await;
        let point = Point::At(ago(&world, HOUR));
        let moment = world.sandbox.now();
        (world, moment, point)
    });
    let source = database(&start.sandbox).text("DbiResourceId").to_owned();
    let writes = in_virtual_time(writes_on_the_way(&start, moment, &point));
    assert!(writes.len() >= 12, "only {} writes were found", writes.len());
    let fates = [Fate::RefuseBefore, Fate::LoseReply];
    let deaths: Vec<Death> = writes.iter().flat_map(|call| fates.map(|fate| Death { call: *call, fate })).collect();
    let _: Vec<()> = parallel::each(&deaths, |&death| {
        in_virtual_time(async {
            let world = start.fork_at(moment);
            assert!(death.during(&world, restore(&world, &point)).await, "{death:?}: the call did not come again");
            plans_nothing_about_it(&world, death).await;
            match restore(&world, &point).await {
                Ok(ended) => assert_eq!(ended.outcome, Ended::Restored, "{death:?}"),
                // It had come to its end: the new instance has no past of an hour ago.
                Err(Error::Restore(RestoreError::Outside { .. })) => {}
                Err(error) => panic!("{death:?}: {error:?}"),
            }
            whole(&world, &source).await;
        });
        Vec::new()
    });
}
