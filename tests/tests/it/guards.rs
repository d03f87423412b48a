//! What does not fit is refused before the first write, and the reason is said.

use std::error::Error as _;

use wharf::config::Config;
use wharf::ledger::Holder;
use wharf::operations::{Apply, Approval, Error, Session, Who};
use wharf_engine::{Limits, LogicalId, Plan};
use wharf_sandbox::{CallRecord, Sandbox};
use wharf_tests::stack::{World, config, in_virtual_time, virtual_timing};

const STACK: &str = "[network]\negress = \"public\"\nflow_logs = true\n[services.web]\nport = 8000\n\
                     secrets = { SECRET_KEY = \"${secret.key}\" }\n";

/// The stack stands.
async fn standing() -> World {
    let world = World::calm(6, config(STACK));
    assert!(world.apply().await.expect("the stack can be applied").complete());
    world
}

/// The writes since so many calls, but for those to the lock.
fn writes(sandbox: &Sandbox, since: usize) -> Vec<String> {
    let log = sandbox.call_log();
    let name = |call: &CallRecord| format!("{}.{}", call.service, call.operation);
    log.iter().skip(since).filter(|call| call.write).map(name).collect()
}

/// An error with all that caused it, as people are told.
fn said(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

async fn apply_saved(world: &World, session: &Session, saved: &Plan) -> Result<(), Error> {
    let stack = world.stack(session);
    let request = Apply {
        stack: &stack,
        options: &world.options,
        command: "apply",
        who: Who { name: "tests".to_owned(), at: world.sandbox.now().to_string() },
        approval: Approval::For(saved),
        timing: virtual_timing(),
        limits: Limits::default(),
        on_plan: &|_| {},
        on_event: &|_| {},
        on_wait: &|_| {},
    };
    session.apply(request, std::future::pending()).await.map(drop)
}

fn changed(config: &Config) -> Config {
    let mut config = config.clone();
    config.services.get_mut("web").expect("it has a service").port = Some(8080);
    config
}

#[test]
fn credentials_of_another_account_are_refused_and_both_accounts_named() {
    in_virtual_time(async {
        let sandbox = Sandbox::builder().seed(1).account("999999999999").build();
        let world = World::in_account(sandbox, config(STACK));
        for ended in [world.apply().await.map(drop), world.destroy().await.map(drop), world.plan().await.map(drop)] {
            let said = said(&ended.expect_err("it is another account"));
            assert!(said.contains("999999999999") && said.contains("123456789012"), "{said}");
        }
        assert_eq!(writes(&world.sandbox, 0), [""; 0]);
    });
}

#[test]
fn a_saved_plan_is_refused_when_the_world_moved_and_what_moved_is_named() {
    in_virtual_time(async {
        let mut world = standing().await;
        world.config = changed(&world.config);
        let saved = world.plan().await.expect("there is a plan").plan;
        assert!(!saved.steps.is_empty());
        let group = world.sandbox.inventory().into_iter().find(|one| one.kind == "logs.group").expect("a log group");
        let moved = world.sandbox.edit(group.kind, &group.id, |attrs, _| {
            attrs.insert("retentionInDays".to_owned(), 1.into());
        });
        moved.expect("it is there");
        let before = world.sandbox.call_log().len();
        let session = world.session("saved").await.expect("the account can be reached");
        let said = said(&apply_saved(&world, &session, &saved).await.expect_err("the world moved"));
        assert!(said.contains(&group.tags["wharf:id"]), "{said}");
        assert_eq!(writes(&world.sandbox, before), [""; 0]);
    });
}

#[test]
fn a_stack_that_a_later_wharf_applied_is_refused_and_its_version_named() {
    in_virtual_time(async {
        let mut world = standing().await;
        world.config = changed(&world.config);
        let mut edited = 0;
        for item in world.sandbox.resources().into_iter().filter(|one| one.kind == "dynamodb.item") {
            let text = serde_json::Value::from(item.attrs.clone()).to_string();
            if !text.contains("\"applied\"") {
                continue;
            }
            let version = format!("{{\"S\":\"{}\"}}", env!("CARGO_PKG_VERSION"));
            assert!(text.contains(&version), "{text}");
            let later = serde_json::from_str(&text.replace(&version, "{\"S\":\"99.0.0\"}")).expect("JSON");
            world.sandbox.edit(item.kind, &item.id, |attrs, _| *attrs = later).expect("it is there");
            edited += 1;
        }
        assert_eq!(edited, 1, "the record is found");
        let before = world.sandbox.call_log().len();
        for ended in [world.apply().await.map(drop), world.destroy().await.map(drop), world.plan().await.map(drop)] {
            let said = said(&ended.expect_err("a later wharf applied it"));
            assert!(said.contains("99.0.0"), "{said}");
        }
        assert_eq!(writes(&world.sandbox, before), [""; 0]);
    });
}

#[test]
fn a_second_writer_is_refused_while_the_first_lives_and_told_who_it_is() {
    in_virtual_time(async {
        let mut world = standing().await;
        world.config = changed(&world.config);
        let first = world.session("first").await.expect("the account can be reached");
        let holder = Holder::new("first", "ada@laptop", "apply", "2026-01-05T09:00:00Z");
        let mut lock = first.ledger.lock(holder, virtual_timing(), &|_| {}).await.expect("it is free");
        let before = world.sandbox.call_log().len();
        let ended = tokio::select! {
            () = lock.keep() => panic!("the lock was lost"),
            ended = world.apply() => ended,
        };
        let said = said(&ended.expect_err("it is locked"));
        assert!(said.contains("ada@laptop") && said.contains("first"), "{said}");
        let tried = writes(&world.sandbox, before);
        assert!(tried.iter().all(|write| write == "dynamodb.PutItem"), "more than the lock was written: {tried:?}");
        lock.release().await.expect("it is given back");
        assert!(world.apply().await.expect("it is free again").complete());
    });
}

#[test]
fn what_has_our_name_without_our_tags_is_refused_and_named_until_it_is_adopted() {
    for kind in ["iam.role", "logs.group", "ssm.parameter"] {
        in_virtual_time(async {
            let mut world = standing().await;
            let ours = world.sandbox.inventory().into_iter();
            let mut ours = ours.filter(|one| one.kind == kind && one.tags.contains_key("wharf:id"));
            let foreign = ours.next().unwrap_or_else(|| panic!("the stack has a {kind}"));
            let untag =
                world.sandbox.edit(kind, &foreign.id, |_, tags| tags.retain(|key, _| !key.starts_with("wharf:")));
            untag.expect("it is there");
            let before = world.sandbox.call_log().len();
            let said = said(&world.apply().await.map(drop).expect_err("it is not ours"));
            assert!(said.contains(&foreign.id) && said.contains("--adopt"), "{kind} {}: {said}", foreign.id);
            assert_eq!(writes(&world.sandbox, before), [""; 0], "{kind}");
            let id = LogicalId::new(foreign.tags["wharf:id"].clone()).expect("an id");
            world.options.adopt.insert(id);
            let adopted = world.apply().await.unwrap_or_else(|error| panic!("{kind}: {error:?}"));
            assert!(adopted.complete(), "{kind}: {:?}", adopted.runs.last().map(|(_, outcome)| outcome));
            let now = world.sandbox.resource(kind, &foreign.id).expect("it is still there");
            assert_eq!(now.tags.get("wharf:stack").map(String::as_str), Some("shop"), "{kind}");
            let planned = world.plan().await.expect("the stack can be planned");
            assert!(planned.plan.steps.is_empty(), "{kind}: {:#?}", planned.plan.steps);
        });
    }
}

#[test]
fn a_role_of_a_stack_of_this_name_in_another_region_is_refused_and_outlives_this_ones_destruction() {
    // IAM is the account's, the simulated account has one region: what another region's stack made is told by its tag.
    in_virtual_time(async {
        let world = standing().await;
        let ours = |one: &wharf_sandbox::Resource| one.kind == "iam.role" && one.tags.contains_key("wharf:id");
        let role = world.sandbox.inventory().into_iter().find(ours).expect("the stack has a role");
        assert_eq!(role.tags.get("wharf:region").map(String::as_str), Some("us-east-1"));
        let moved = world.sandbox.edit(role.kind, &role.id, |_, tags| {
            tags.insert("wharf:region".to_owned(), "eu-west-1".to_owned());
        });
        moved.expect("it is there");
        let before = world.sandbox.call_log().len();
        let said = said(&world.apply().await.map(drop).expect_err("the role is another region's"));
        assert!(said.contains(&role.id), "{said}");
        assert_eq!(writes(&world.sandbox, before), [""; 0]);
        assert!(world.destroy().await.expect("the stack can be destroyed").complete());
        assert!(world.sandbox.resource(role.kind, &role.id).is_some(), "another region's role was deleted");
    });
}
