//! The world is cloned at every call of an apply, an update, a replacement and a destruction: before the call, and
//! after it with its reply lost. There the process dies. Whoever runs `wharf` next must get where the first wanted.
//!
//! The calls are found by running, so a call that a new kind makes is covered the day it is written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use wharf::config::Config;
use wharf_sandbox::{CallRecord, Fate, Sandbox};
use wharf_tests::stack::{World, config, in_virtual_time};

/// What a run is to bring about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Aim {
    Apply,
    Destroy,
}

/// Where a process dies: at a call of this number, which ends like this.
type Death = (u64, Fate);

/// Every death that leaves another world: after each call that writes. Dying before a write, or at a read, leaves the
/// world that the write before it left: one write in four and one read in sixteen stand for the others.
fn deaths(calls: &[CallRecord], first: u64) -> Vec<Death> {
    let mut deaths = Vec::new();
    let mut writes = 0;
    for call in calls.iter().filter(|call| call.n >= first) {
        let n = call.n - first + 1;
        match call.write {
            true => {
                writes += 1;
                deaths.push((n, Fate::LoseReply));
                if writes % 4 == 0 {
                    deaths.push((n, Fate::RefuseBefore));
                }
            }
            false if n.is_multiple_of(16) => deaths.push((n, Fate::LoseReply)),
            false => {}
        }
    }
    deaths
}

/// Runs towards an aim until the call at which the process dies. False when the run ended before it.
async fn die(world: &World, aim: Aim, (n, fate): Death) -> bool {
    let killed = Arc::new(Notify::new());
    let reached = Arc::new(AtomicBool::new(false));
    let (notify, mark) = (Arc::clone(&killed), Arc::clone(&reached));
    let before = world.sandbox.calls();
    world.sandbox.on_call(move |call| {
        if call.n < before + n {
            return Fate::Spared;
        }
        mark.store(true, Ordering::SeqCst);
        notify.notify_one();
        // Calls already on their way when the process dies still arrive, but nobody hears of them.
        if call.n == before + n { fate } else { Fate::LoseReply }
    });
    tokio::select! {
        biased;
        () = killed.notified() => {}
        () = run(world, aim) => {}
    }
    world.sandbox.clear_hook();
    reached.load(Ordering::SeqCst)
}

async fn run(world: &World, aim: Aim) {
    let ended = match aim {
        Aim::Apply => world.apply().await,
        Aim::Destroy => world.destroy().await,
    };
    let ended = ended.unwrap_or_else(|error| panic!("{aim:?}: {error}: {error:?}"));
    assert!(ended.complete(), "{aim:?}: {:?}", ended.runs.last().map(|(_, outcome)| outcome));
}

/// How many resources of each kind and logical id there are: what must be the same whatever happened on the way.
/// Records of runs and backups by the clock are more, the more happened.
fn census(sandbox: &Sandbox) -> BTreeMap<(String, String), usize> {
    let mut census = BTreeMap::new();
    let of_time = ["dynamodb.item", "rds.snapshot", "rds.automated-backup"];
    let inventory = sandbox.inventory();
    for resource in inventory.iter().filter(|resource| !of_time.contains(&resource.kind)) {
        let id = resource.tags.get("wharf:id").cloned().unwrap_or_default();
        *census.entry((resource.kind.to_owned(), id)).or_default() += 1;
    }
    census
}

/// Dies at each call of the way from `start` to `aim`, recovers, and compares with a run that nothing disturbed.
async fn every_call(start: &World, aim: Aim) {
    let moment = start.sandbox.now();
    let undisturbed = start.fork_at(moment);
    undisturbed.sandbox.on_call(|_| Fate::Spared);
    let first = undisturbed.sandbox.calls() + 1;
    run(&undisturbed, aim).await;
    let expected = census(&undisturbed.sandbox);
    let calls = undisturbed.sandbox.call_log();
    let mut died = 0;
    for death in deaths(&calls, first) {
        let world = start.fork_at(moment);
        died += usize::from(die(&world, aim, death).await);
        let last = world.sandbox.call_log().last().map(|call| format!("{}.{}", call.service, call.operation));
        run(&world, aim).await;
        assert_eq!(census(&world.sandbox), expected, "{aim:?} died at {death:?} ({last:?})");
        if aim == Aim::Apply {
            let planned = world.plan().await.expect("the stack can be planned");
            assert!(planned.plan.steps.is_empty(), "died at {death:?} ({last:?}): {:#?}", planned.plan);
        }
    }
    assert!(died > 30, "only {died} calls were found to die at");
}

fn stack() -> Config {
    config(STACK)
}

const STACK: &str = r#"
[network]
egress = "nat-zonal"
[database]
[services.web]
port = 8000
"#;

async fn standing(config: Config) -> World {
    let mut world = World::new(11, config);
    world.final_snapshot = false;
    run(&world, Aim::Apply).await;
    world
}

#[test]
#[ignore = "its findings so far are mended, but it has not been seen green since; it takes minutes"]
fn an_apply_that_died_at_any_call_is_finished_by_the_next() {
    in_virtual_time(async {
        let mut world = World::new(11, stack());
        world.final_snapshot = false;
        every_call(&world, Aim::Apply).await;
    });
}

#[test]
#[ignore = "not green yet: a destruction that died while its table was being deleted cannot take the lock again"]
fn a_destruction_that_died_at_any_call_is_finished_by_the_next() {
    in_virtual_time(async {
        every_call(&standing(stack()).await, Aim::Destroy).await;
    });
}

#[test]
#[ignore = "its findings so far are mended, but it has not been seen green since; it takes minutes"]
fn an_update_and_a_replacement_that_died_at_any_call_are_finished_by_the_next() {
    in_virtual_time(async {
        let mut world = standing(stack()).await;
        // In place: the database's class and rules of groups. Replaced: NAT gateways, their addresses and tables.
        world.config = config(
            &STACK
                .replace("nat-zonal", "nat")
                .replace("[database]", "[database]\nclass = \"db.m7g.large\"\nbackup_days = 21")
                .replace("8000", "8080"),
        );
        every_call(&world, Aim::Apply).await;
    });
}
