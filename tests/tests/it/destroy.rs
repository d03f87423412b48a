//! A platform in use is destroyed in one pass: with instances and tasks that run, tasks that protected themselves, a
//! certificate that a listener shows, and with what AWS made by itself. What is then left is what was named.

use std::collections::BTreeSet;
use std::time::Duration;

use wharf::config::Config;
use wharf::operations::{Applied, Error, Left};
use wharf_engine::{Blocker, PlanError, Stack};
use wharf_sandbox::{Ending, Resource, Sandbox};
use wharf_tests::python::{self, succeed};
use wharf_tests::root;
use wharf_tests::served::Served;
use wharf_tests::service::Stage;
use wharf_tests::stack::{World, config, in_virtual_time, users_config, whole_config};

const FILE: &str = "[network]\negress = \"public\"\n[cluster]\nmin = 2\nmax = 4\n\
    [edge]\ndomain = \"shop.example.com\"\nzone = \"example.com\"\n\
    [services.web]\nport = 8000\nhealth = \"/healthz\"\ntasks = { min = 2, max = 4 }\n";

const HOUR: Duration = Duration::from_secs(3600);

/// What boto3 finds in the account.
fn seen(sandbox: &Sandbox) -> BTreeSet<String> {
    let served = Served::copy_of(sandbox, 1.0);
    let mut command = python::command("python");
    command.arg(root().join("tests/python/leftovers.py")).env("AWS_ENDPOINT_URL", &served.url);
    let said = succeed(&mut command, "leftovers.py").stdout;
    String::from_utf8(said).expect("it prints UTF-8").lines().map(str::to_owned).collect()
}

/// An account, and what boto3 found in it before there was a stack.
async fn account(config: Config) -> (World, BTreeSet<String>) {
    let world = World::calm(3, config);
    let before = seen(&world.sandbox);
    (world, before)
}

/// The platform with its first image running, an hour later: backups, alarms and streams of logs have been made.
async fn in_use(world: World) -> Stage {
    let stage = Stage::of(world);
    stage.apply().await;
    stage.push("v1").await;
    stage.deploy("first", wharf::operations::Wanted::Tag("v1")).await.expect("the first deployment");
    tokio::time::sleep(HOUR).await;
    let runs = |one: &&Resource| one.attrs["instanceState"]["name"] == "running";
    assert!(stage.of_kind("ec2.instance").iter().filter(runs).count() >= 2);
    assert!(running(&stage.world.sandbox).len() >= 2);
    stage
}

/// The ARNs of the tasks that run.
fn running(sandbox: &Sandbox) -> Vec<String> {
    let tasks = sandbox.of_kind("ecs.task");
    let runs = tasks.iter().filter(|task| task.text("lastStatus") == "RUNNING");
    runs.map(|task| task.text("taskArn").to_owned()).collect()
}

/// Destroys in one pass: one plan, each of whose steps is done. Then AWS has time to end what it goes on with by itself.
async fn destroyed(world: &World) -> Applied {
    let begun = world.sandbox.now();
    let applied = world.destroy().await.unwrap_or_else(|error| panic!("{error:?}"));
    let took = world.sandbox.now().duration_since(begun);
    assert_eq!(applied.runs.len(), 1, "it took more than one pass");
    assert!(applied.complete(), "{:#?}", applied.runs.last().map(|(_, outcome)| &outcome.failed));
    assert!(took.as_secs() < 3600, "it took {took:#}");
    tokio::time::sleep(HOUR).await;
    applied
}

/// Boto3 finds nothing that was not there before, but for what the destruction named.
fn empty_but_for(named: &[Left], before: &BTreeSet<String>, sandbox: &Sandbox) {
    let left: Vec<String> = seen(sandbox).difference(before).cloned().collect();
    let is_named = |line: &&String| named.iter().any(|named| line.ends_with(&named.physical));
    let unnamed: Vec<&String> = left.iter().filter(|line| !is_named(line)).collect();
    assert!(unnamed.is_empty(), "left, and not named: {unnamed:#?}");
    assert_eq!(left.len(), named.len(), "{left:#?} of {named:#?}");
}

#[test]
fn a_platform_in_use_goes_in_one_pass_and_boto3_finds_nothing_but_what_was_named() {
    in_virtual_time(async {
        let (world, before) = account(whole_config()).await;
        let stage = in_use(world).await;
        let stands = seen(&stage.world.sandbox);
        // What AWS made by itself is there, so that it could be left.
        for made in ["/aws/ecs/containerinsights/", "/aws/rds/instance/", ":alarm:TargetTracking-", ":task-definition/"]
        {
            assert!(stands.iter().any(|line| line.contains(made)), "no {made} in {stands:#?}");
        }
        let applied = destroyed(&stage.world).await;
        let kinds: Vec<&str> = applied.left.iter().map(|left| left.kind.as_str()).collect();
        assert_eq!(kinds, ["rds.snapshot", "kms.key"]);
        empty_but_for(&applied.left, &before, &stage.world.sandbox);
    });
}

#[test]
fn tasks_that_protected_themselves_for_two_days_are_let_go_in_the_same_pass() {
    in_virtual_time(async {
        let (world, before) = account(config(FILE)).await;
        let stage = in_use(world).await;
        let session = stage.session("protect").await;
        let tasks = running(&stage.world.sandbox);
        let protect = || session.aws.ecs.update_task_protection().cluster("shop").protection_enabled(true);
        let protect = || protect().expires_in_minutes(2880).set_tasks(Some(tasks.clone()));
        let answer = session.aws.call("ecs:UpdateTaskProtection", "shop", || protect().send()).await;
        let answer = answer.expect("tasks can be protected");
        assert_eq!((answer.protected_tasks().len(), answer.failures().len()), (tasks.len(), 0));
        let applied = destroyed(&stage.world).await;
        assert_eq!(applied.left, []);
        empty_but_for(&[], &before, &stage.world.sandbox);
    });
}

#[test]
fn a_certificate_that_a_listener_shows_goes_in_the_same_pass() {
    in_virtual_time(async {
        let (world, before) = account(config(FILE)).await;
        let stage = Stage::of(world);
        stage.apply().await;
        let session = stage.session("look").await;
        let certificates = stage.of_kind("acm.certificate");
        let [certificate] = certificates.as_slice() else { panic!("{certificates:#?}") };
        let delete = || session.aws.acm.delete_certificate().certificate_arn(&certificate.id);
        let refused = session.aws.call("acm:DeleteCertificate", "it", || delete().send()).await;
        let code = refused.expect_err("it is in use").code;
        assert_eq!(code.as_deref(), Some("ResourceInUseException"));
        let so_far = stage.world.sandbox.call_log().len();
        let applied = destroyed(&stage.world).await;
        // AWS notices only after a while that the listener is gone: that is waited for, not failed for.
        let log = stage.world.sandbox.call_log();
        let deleted = log.iter().skip(so_far).filter(|call| call.operation == "DeleteCertificate");
        let ends: Vec<&Ending> = deleted.map(|call| &call.ending).collect();
        assert!(ends.len() > 1 && ends.last() == Some(&&Ending::Done), "{ends:?}");
        assert_eq!(applied.left, []);
        empty_but_for(&[], &before, &stage.world.sandbox);
    });
}

#[test]
fn what_is_protected_is_refused_by_name_before_the_first_write() {
    in_virtual_time(async {
        let stage = Stage::of(World::calm(3, users_config()));
        stage.apply().await;
        let before = stage.world.sandbox.call_log().len();
        let session = stage.session("destroy").await;
        let ended = stage.world.apply_stack(&session, &Stack::default()).await;
        let Err(Error::Plan(PlanError::Blocked(blockers))) = ended else { panic!("{ended:?}") };
        let said: Vec<String> = blockers.iter().map(ToString::to_string).collect();
        for id in ["database.instance", "registry.web"] {
            let leave = format!("--allow-destroy {id}");
            assert!(said.iter().any(|line| line.contains(&leave)), "{id}: {said:#?}");
        }
        assert!(blockers.iter().all(|one| matches!(one, Blocker::Protected { .. } | Blocker::Refused { .. })));
        let calls = stage.world.sandbox.call_log();
        let calls = &calls[before..];
        assert!(calls.len() > 20, "it looked at what there is");
        let writes: Vec<&str> = calls.iter().filter(|call| call.write).map(|call| call.operation.as_str()).collect();
        assert_eq!(writes, [""; 0]);
    });
}

#[test]
fn protection_that_somebody_switched_on_by_hand_is_lifted_with_leave_alone() {
    in_virtual_time(async {
        let stage = Stage::of(World::calm(3, config(&format!("{FILE}[database]\ndeletion_protection = false\n"))));
        stage.apply().await;
        let sandbox = &stage.world.sandbox;
        let switched = |kind: &str, change: fn(&mut serde_json::Map<String, serde_json::Value>)| {
            for one in sandbox.of_kind(kind) {
                sandbox.edit(one.kind, &one.id, |attrs, _| change(attrs)).expect("it is there");
            }
        };
        switched("rds.instance", |attrs| drop(attrs.insert("DeletionProtection".to_owned(), true.into())));
        let session = stage.session("destroy").await;
        let ended = stage.world.apply_stack(&session, &Stack::default()).await;
        let Err(Error::Plan(PlanError::Blocked(blockers))) = ended else { panic!("{ended:?}") };
        assert!(blockers.iter().any(|one| one.to_string().contains("database.instance")), "{blockers:#?}");
        destroyed(&stage.world).await;
    });
}
