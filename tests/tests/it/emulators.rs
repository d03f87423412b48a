//! The whole cycle against emulators that nobody here wrote. What they cannot show stands in `docs/emulators.md`.

use std::process::Command;
use std::sync::Arc;

use wharf::aws::Observer;
use wharf::aws::connect::Options as Connect;
use wharf::operations::{Apply, Approval, Session, Who};
use wharf::platform;
use wharf_engine::{AllowDestroy, Limits, Options, Stack};
use wharf_sandbox::Sandbox;
use wharf_tests::emulator::{Emulator, NETWORK_AND_DATABASE};
use wharf_tests::python;
use wharf_tests::served::Served;
use wharf_tests::stack::{config, in_virtual_time, virtual_timing};

const STACK: &str = r#"
[network]
egress = "nat-zonal"
[database]
backup_days = 14
[services.web]
port = 8000
env = { DEBUG = "False" }
secrets = { DB_PASSWORD = "${database.password}" }
"#;

async fn run(session: &Session, stack: &Stack, command: &'static str) {
    let options = Options { allow_destroy: AllowDestroy::All, ..Options::default() };
    let request = Apply {
        stack,
        options: &options,
        command,
        who: Who { name: "tests".to_owned(), at: "2026-01-05T09:00:00Z".to_owned() },
        approval: Approval::Given,
        timing: virtual_timing(),
        limits: Limits::default(),
        on_plan: &|_| {},
        on_event: &|_| {},
        on_wait: &|_| {},
    };
    let applied = session.apply(request, std::future::pending()).await;
    let applied = applied.unwrap_or_else(|error| panic!("{command}: {error:?}"));
    let failed = applied.runs.last().map(|(_, outcome)| &outcome.failed);
    assert!(applied.complete(), "{command}: {failed:#?}");
}

async fn nothing_to_do(session: &Session, stack: &Stack) {
    let options = Options { allow_destroy: AllowDestroy::All, ..Options::default() };
    let planned = session.plan(stack, &options).await.expect("there is a plan");
    assert!(planned.plan.steps.is_empty(), "{:#?}", planned.plan.steps);
}

/// Runs in a process of its own, which has its endpoints and credentials from its environment, as `wharf` has.
#[tokio::test(flavor = "current_thread")]
#[ignore = "started by the tests below"]
async fn apply_plan_change_plan_destroy_where_the_environment_points() {
    let first = config(STACK);
    let connect = Connect { region: "us-east-1".to_owned(), ..Connect::default() };
    let silent: Observer = Arc::new(|_| {});
    let session = Session::open(&connect, first.stack.name.as_str(), None, "run", silent).await;
    let session = session.expect("the emulator says who the caller is").without_final_snapshots();
    let stack = platform::stack(&first, &session.connection().site()).expect("a stack");
    run(&session, &stack, "apply").await;
    nothing_to_do(&session, &stack).await;
    let second = config(&STACK.replace("14", "21").replace("8000", "8080").replace("\"False\"", "\"True\""));
    let changed = platform::stack(&second, &session.connection().site()).expect("a stack");
    run(&session, &changed, "apply").await;
    nothing_to_do(&session, &changed).await;
    run(&session, &Stack::default(), "destroy").await;
}

/// The cycle where these variables point, and what boto3 sees there before and after.
fn cycle(endpoints: &[(&str, &str)]) {
    let inventory = || {
        let mut command = python::command("python");
        command.arg(wharf_tests::root().join("tests/python/inventory.py")).envs(endpoints.iter().copied());
        String::from_utf8(python::succeed(&mut command, "inventory.py").stdout).expect("it prints UTF-8")
    };
    let before = inventory();
    let mut command = Command::new(std::env::current_exe().expect("a test has a path"));
    command.args(["--exact", "--ignored", "--nocapture"]);
    command.arg("emulators::apply_plan_change_plan_destroy_where_the_environment_points");
    command.env("AWS_ACCESS_KEY_ID", "AKIASANDBOX000000000").env("AWS_SECRET_ACCESS_KEY", "sandbox");
    command.env_remove("AWS_PROFILE").envs(endpoints.iter().copied());
    let said = python::succeed(&mut command, "the cycle");
    assert!(String::from_utf8_lossy(&said.stdout).contains("1 passed"), "the cycle was not run");
    assert_eq!(inventory(), before);
}

/// The cycle with each service of the stack at one of the emulators. The services that this stack does not use, and that
/// the emulators do not know or not as the SDK calls them, are asked of a sandbox in which there is nothing.
fn cycle_at(emulator: &Emulator, elsewhere: &[(&str, &Emulator)]) {
    let nothing = in_virtual_time(async { Served::copy_of(&Sandbox::new(1), 1.0) });
    let mut endpoints = vec![("AWS_ENDPOINT_URL".to_owned(), nothing.url.as_str())];
    for service in NETWORK_AND_DATABASE {
        let at = elsewhere.iter().find(|(other, _)| *other == service).map_or(emulator, |(_, at)| at);
        endpoints.push((format!("AWS_ENDPOINT_URL_{service}"), &at.url));
    }
    cycle(&endpoints.iter().map(|(name, url)| (name.as_str(), *url)).collect::<Vec<_>>());
}

#[test]
fn the_stack_goes_up_is_planned_empty_changes_and_comes_down_to_nothing_on_moto() {
    cycle_at(&Emulator::moto(), &[]);
}

#[test]
fn the_stack_goes_up_is_planned_empty_changes_and_comes_down_to_nothing_on_ministack() {
    // ministack's EC2 never shows a NAT gateway's address and has no descriptions of egress rules; its RDS wants subnets
    // of its own EC2.
    let (ministack, moto) = (Emulator::ministack(), Emulator::moto());
    cycle_at(&ministack, &[("EC2", &moto), ("RDS", &moto)]);
}
