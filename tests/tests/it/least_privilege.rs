//! The policies that `wharf policy` prints are enough for a stack's whole life.

use serde_json::{Value, json};
use wharf::aws::Scope;
use wharf::policy::{For, policies};
use wharf_sandbox::{Ending, Policy, Sandbox};
use wharf_tests::stack::{World, in_virtual_time, whole_config};

/// Statements of all the documents for this purpose: a role has all of them attached.
fn statements(purpose: For) -> Vec<Value> {
    let scope = Scope {
        stack: "shop".to_owned(),
        account: "123456789012".to_owned(),
        partition: "aws".to_owned(),
        region: "us-east-1".to_owned(),
    };
    let documents = policies(&scope, purpose);
    documents.iter().flat_map(|document| document["Statement"].as_array().expect("statements").clone()).collect()
}

/// Lets callers do what a policy for this purpose says, and no more.
pub(crate) fn limit(sandbox: &Sandbox, purpose: For) {
    let document = json!({ "Version": "2012-10-17", "Statement": statements(purpose) });
    sandbox.set_policy(Some(Policy::parse(&document).expect("the policy is understood")));
}

/// Calls that were refused for want of a permission.
pub(crate) fn denied(sandbox: &Sandbox) -> Vec<String> {
    let codes = ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"];
    let refused = |ending: &Ending| matches!(ending, Ending::Refused(code) if codes.contains(&code.as_str()));
    let log = sandbox.call_log();
    log.iter().filter(|call| refused(&call.ending)).map(|call| format!("{call:?}")).collect()
}

/// Drift that everybody can make: a log group's retention.
fn drift(sandbox: &Sandbox) {
    let group = sandbox.inventory().into_iter().find(|resource| resource.kind == "logs.group").expect("a log group");
    let change = sandbox.edit(group.kind, &group.id, |attrs, _| {
        attrs.insert("retentionInDays".to_owned(), 1.into());
    });
    change.expect("the log group is there");
}

async fn apply(world: &World, what: &str) {
    let applied = world.apply().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let failed = applied.runs.last().map(|(_, outcome)| &outcome.failed);
    assert!(applied.complete(), "{what}: {failed:#?}\n{:#?}", denied(&world.sandbox));
}

async fn life() -> World {
    let mut world = World::new(8, whole_config());
    limit(&world.sandbox, For::Apply);
    apply(&world, "apply").await;
    world.config.database.as_mut().expect("it has a database").backup_days += 7;
    world.config.services.get_mut("web").expect("it has the application").port = Some(8080);
    apply(&world, "update").await;
    drift(&world.sandbox);
    apply(&world, "mending").await;
    let destroyed = world.destroy().await.expect("the stack can be destroyed");
    assert!(destroyed.complete(), "{:#?}", destroyed.runs.last().map(|(_, outcome)| outcome));
    world
}

#[test]
fn the_apply_policy_is_enough_for_apply_update_mending_drift_and_destroy() {
    in_virtual_time(async {
        let world = life().await;
        assert_eq!(denied(&world.sandbox), [""; 0]);
    });
}

#[test]
fn the_plan_policy_is_enough_to_plan_to_see_drift_and_status_and_for_no_write() {
    in_virtual_time(async {
        let world = World::calm(8, whole_config());
        apply(&world, "apply").await;
        limit(&world.sandbox, For::Plan);
        let before = world.sandbox.call_log().len();
        let planned = world.plan().await.expect("the stack can be planned");
        assert!(planned.plan.steps.is_empty(), "{:#?}", planned.plan.steps);
        drift(&world.sandbox);
        let session = world.session("look").await.expect("the account can be reached");
        let seen = session.drift(&world.stack(&session), &world.options).await.expect("drift can be seen");
        assert_eq!(seen.len(), 1, "{seen:?}");
        session.ledger.holder().await.expect("the lock can be seen");
        session.ledger.history(10).await.expect("the history can be read");
        let log = world.sandbox.call_log();
        assert!(log.iter().skip(before).all(|call| !call.write), "a look has written");
        assert_eq!(denied(&world.sandbox), [""; 0]);
        assert!(world.destroy().await.is_err(), "who may only look has destroyed");
    });
}
