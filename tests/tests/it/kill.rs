//! The world is cloned at every call of an apply, an update, a replacement and a destruction: before the call, and
//! after it with its reply lost. There the process dies. Whoever runs `wharf` next must get where the first wanted.
//!
//! The calls are found by running, so a call that a new kind makes is covered the day it is written: on a small stack
//! each of them, on a platform one of each operation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use wharf::config::Config;
use wharf_sandbox::{CallInfo, CallRecord, Fate, Resource, Sandbox};
use wharf_tests::death::Death;
use wharf_tests::stack::{World, config, every_kind_is_among, in_virtual_time};

/// What a run is to bring about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Aim {
    Apply,
    Destroy,
}

/// After this AWS has made, and unmade, what it makes by itself: log groups, interfaces.
const AFTERWARDS: Duration = Duration::from_secs(15 * 60);

/// How many resources of each kind and logical id there are: what must be the same whatever happened on the way.
type Census = BTreeMap<(String, String), usize>;

/// A call of a way that nothing disturbs, and the account as it was when the call came.
struct Passed {
    call: CallInfo,
    found: Vec<Resource>,
}

/// Every death that leaves another world: at each call that comes into a world in which no earlier one came, before
/// the call; and after each write that changes the world, its reply lost. A read leaves the world as it is, so dying
/// at it, or before the write that comes next, is dying after the write that came before: that death is among these.
fn deaths(way: &[Passed], end: &[Resource]) -> Vec<Death> {
    let mut deaths = Vec::new();
    let mut before: Option<&[Resource]> = None;
    let after = way.iter().skip(1).map(|passed| passed.found.as_slice()).chain([end]);
    for (Passed { call, found }, after) in way.iter().zip(after) {
        if before != Some(found) {
            deaths.push(Death { call: call.n, fate: Fate::RefuseBefore });
        }
        if call.write && found != after {
            deaths.push(Death { call: call.n, fate: Fate::LoseReply });
        }
        before = Some(found);
    }
    deaths
}

/// The account, but for the lock's version: whoever finds the lock of a dead run waits, whichever it is.
fn account(sandbox: &Sandbox) -> Vec<Resource> {
    let mut found = sandbox.resources();
    for item in found.iter_mut().filter(|resource| resource.kind == "dynamodb.item" && resource.id.contains("lock")) {
        item.attrs.clear();
    }
    found
}

/// Of the deaths on the way of a whole platform, one for each operation that writes: after its first call that changes
/// the world, the reply lost. What the operations of one kind leave behind is the same for each resource of it, and dying
/// at every call is had on a smaller stack; the account would be applied and looked at some six hundred times more.
fn of_each_operation(way: &[Passed], end: &[Resource]) -> Vec<Death> {
    let mut seen = BTreeSet::new();
    let operation = |n: u64| {
        let call = way.iter().map(|passed| &passed.call).find(|call| call.n == n);
        call.map(|call| (&call.service, &call.operation))
    };
    let lost = deaths(way, end).into_iter().filter(|death| death.fate == Fate::LoseReply);
    lost.filter(|death| seen.insert(operation(death.call))).collect()
}

/// Goes from `start` to `aim` with nothing going wrong: the calls on the way, and the account at its end.
async fn undisturbed(start: &World, moment: Timestamp, aim: Aim) -> (Vec<Passed>, Sandbox) {
    let world = start.fork_at(moment);
    let way = Arc::new(Mutex::new(Vec::new()));
    let (noted, seen) = (Arc::clone(&way), world.sandbox.clone());
    world.sandbox.on_call(move |call| {
        noted.lock().expect("one thread").push(Passed { call: call.clone(), found: account(&seen) });
        Fate::Spared
    });
    run(&world, aim).await.expect("nothing disturbs it");
    world.sandbox.clear_hook();
    tokio::time::sleep(AFTERWARDS).await;
    let way = std::mem::take(&mut *way.lock().expect("one thread"));
    (way, world.sandbox)
}

async fn run(world: &World, aim: Aim) -> Result<(), String> {
    let ended = match aim {
        Aim::Apply => world.apply().await,
        Aim::Destroy => world.destroy().await,
    };
    let ended = ended.map_err(|error| format!("{error}: {error:?}"))?;
    match ended.complete() {
        true => Ok(()),
        false => Err(format!("{:?}", ended.runs.last().map(|(_, outcome)| outcome))),
    }
}

/// Records of runs and backups by the clock are more, the more happened.
fn census(sandbox: &Sandbox) -> Census {
    let mut census = Census::new();
    let of_time = ["dynamodb.item", "rds.snapshot", "rds.automated-backup"];
    let inventory = sandbox.inventory();
    for resource in inventory.iter().filter(|resource| !of_time.contains(&resource.kind)) {
        let id = resource.tags.get("wharf:id").cloned().unwrap_or_default();
        *census.entry((resource.kind.to_owned(), id)).or_default() += 1;
    }
    census
}

/// What one has and the other has not.
fn differences(is: &Census, should: &Census) -> Vec<String> {
    let keys = is.keys().chain(should.keys());
    let count = |census: &Census, key| census.get(key).copied().unwrap_or_default();
    let differs = keys.filter(|key| count(is, key) != count(should, key));
    let mut lines: Vec<_> =
        differs.map(|key| format!("{} of {key:?} instead of {}", count(is, key), count(should, key))).collect();
    lines.dedup();
    lines
}

/// Dies, and lets the next run finish what the first wanted.
async fn finished_by_the_next(world: &World, aim: Aim, death: Death, expected: &Census) -> Result<(), String> {
    if !death.during(world, run(world, aim)).await {
        return Err("the call did not come again".to_owned());
    }
    let name = |call: &CallRecord| format!("{}.{}", call.service, call.operation);
    let last = world.sandbox.call_log().last().map(name).unwrap_or_default();
    let finished = async {
        run(world, aim).await?;
        if aim == Aim::Apply {
            let planned = world.plan().await.map_err(|error| error.to_string())?;
            if !planned.plan.steps.is_empty() {
                return Err(format!("there is still something to do: {:#?}", planned.plan.steps));
            }
        }
        tokio::time::sleep(AFTERWARDS).await;
        let differences = differences(&census(&world.sandbox), expected);
        if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
    };
    finished.await.map_err(|why: String| format!("last call {last}: {why}"))
}

/// Which of the deaths on a way are had.
type Choice = fn(&[Passed], &[Resource]) -> Vec<Death>;

/// Dies at calls of the way from `start` to `aim`, recovers, and compares with a run that nothing disturbed. Each death
/// has an account and a time of its own, so they are had on all processors.
fn die_on_the_way(start: &World, moment: Timestamp, aim: Aim, choice: Choice) {
    let (deaths, expected) = in_virtual_time(async {
        let (way, end) = undisturbed(start, moment, aim).await;
        (choice(&way, &account(&end)), census(&end))
    });
    assert!(deaths.len() >= 40, "only {} deaths were found", deaths.len());
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let die_in_turn = || {
        while let Some(death) = deaths.get(next.fetch_add(1, Ordering::SeqCst)) {
            let ended =
                in_virtual_time(async { finished_by_the_next(&start.fork_at(moment), aim, *death, &expected).await });
            if let Err(why) = ended {
                failures.lock().expect("no thread panics").push(format!("{aim:?}, {death:?}: {why}"));
            }
        }
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..processors).for_each(|_| drop(scope.spawn(die_in_turn))));
    let failures = failures.into_inner().expect("no thread panics");
    assert!(failures.is_empty(), "{} of {} deaths:\n{}", failures.len(), deaths.len(), failures.join("\n"));
}

const STACK: &str = r#"
[network]
egress = "nat-zonal"
[database]
[services.web]
port = 8000
"#;

fn empty(config: Config) -> World {
    let mut world = World::new(11, config);
    world.final_snapshot = false;
    world
}

/// A platform with a resource of every kind that [`STACK`] has none of.
const PLATFORM: &str = r#"
[cluster]
[edge]
domain = "shop.example.com"
zone = "example.com"
create_zone = true
redirect_http = true
[backups]
volumes = { at = "03:00", keep = 14 }
[alerts]
email = ["ops@example.com"]
[services.web]
port = 8000
internal_ports = [9000]
deploy = "blue-green"
[services.worker]
tasks = { min = 1, max = 2 }
[services.tidy]
schedule = "rate(1 hour)"
"#;

/// A stack as it stands, and the moment.
fn standing(stack: &str) -> (World, Timestamp) {
    in_virtual_time(async {
        let world = empty(config(stack));
        run(&world, Aim::Apply).await.expect("the stack can be applied");
        let moment = world.sandbox.now();
        (world, moment)
    })
}

/// An account without the stack, and the moment.
fn nothing(stack: &str) -> (World, Timestamp) {
    in_virtual_time(async {
        let world = empty(config(stack));
        let moment = world.sandbox.now();
        (world, moment)
    })
}

#[test]
fn every_kind_is_in_a_stack_whose_runs_die() {
    let kinds = |stack| {
        in_virtual_time(async {
            let world = empty(config(stack));
            let session = world.session("kinds").await.expect("the account can be reached");
            world.stack(&session).resources.into_values().map(|resource| resource.rules.kind).collect::<Vec<_>>()
        })
    };
    every_kind_is_among([STACK, PLATFORM].into_iter().flat_map(kinds).collect());
}

#[test]
fn an_apply_that_died_at_any_call_is_finished_by_the_next() {
    let (world, moment) = nothing(STACK);
    die_on_the_way(&world, moment, Aim::Apply, deaths);
}

#[test]
fn an_apply_of_a_platform_that_died_after_any_operation_is_finished_by_the_next() {
    let (world, moment) = nothing(PLATFORM);
    die_on_the_way(&world, moment, Aim::Apply, of_each_operation);
}

#[test]
fn a_destruction_of_a_platform_that_died_after_any_operation_is_finished_by_the_next() {
    let (world, moment) = standing(PLATFORM);
    die_on_the_way(&world, moment, Aim::Destroy, of_each_operation);
}

#[test]
fn a_destruction_that_died_at_any_call_is_finished_by_the_next() {
    let (world, moment) = standing(STACK);
    die_on_the_way(&world, moment, Aim::Destroy, deaths);
}

#[test]
fn an_update_and_a_replacement_that_died_at_any_call_are_finished_by_the_next() {
    let (mut world, moment) = standing(STACK);
    // In place: the database's class and rules of groups. Replaced: NAT gateways, their addresses and tables.
    world.config = config(
        &STACK
            .replace("nat-zonal", "nat")
            .replace("[database]", "[database]\nclass = \"db.m7g.large\"\nbackup_days = 21")
            .replace("8000", "8080"),
    );
    die_on_the_way(&world, moment, Aim::Apply, deaths);
}
