//! The whole cycle against emulators that nobody here wrote. What they cannot show stands in `docs/emulators.md`.

use std::process::Command;
use std::sync::Arc;

use wharf::aws::Observer;
use wharf::aws::connect::Options as Connect;
use wharf::operations::{Apply, Approval, Session, Who};
use wharf::platform;
use wharf_engine::{AllowDestroy, Limits, Options, Stack};
use wharf_sandbox::Sandbox;
use wharf_tests::emulator::{Emulator, NETWORK_AND_DATABASE, PLATFORM_AT_MINISTACK, PLATFORM_AT_MOTO};
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

/// A stack with load balancer, certificate, names, cluster, alarms and backups too.
const PLATFORM: &str = r#"
[network]
egress = "nat-zonal"
[database]
backup_days = 14
[cluster]
instance_type = "m7i.large"
[edge]
domain = "shop.example.com"
zone = "example.com"
create_zone = true
[backups]
volumes = { at = "03:00", keep = 14 }
[alerts]
email = ["ops@example.com"]
[reactions]
enabled = false
[services.web]
port = 8000
deploy = "blue-green"
env = { DEBUG = "False" }
secrets = { DB_PASSWORD = "${database.password}" }
[services.tidy]
schedule = "rate(1 hour)"
"#;

/// Kinds that neither emulator can hold. What stands on one of their resources goes with it.
const BEYOND_THEM: [&str; 2] = ["autoscaling.", "dlm."];

/// The stack without what no emulator can hold.
fn within_them(mut stack: Stack) -> Stack {
    loop {
        let beyond = |resource: &&wharf_engine::Resource| {
            BEYOND_THEM.iter().any(|kind| resource.rules.kind.starts_with(kind))
                || resource.needs().into_iter().any(|needed| !stack.resources.contains_key(needed))
        };
        let gone: Vec<_> = stack.resources.values().filter(beyond).map(|resource| resource.id.clone()).collect();
        if gone.is_empty() {
            return stack;
        }
        stack.resources.retain(|id, _| !gone.contains(id));
    }
}

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

/// Up, nothing to do, changed, nothing to do, down: where the environment points.
async fn life(first: &str, second: &str) {
    let connect = Connect { region: "us-east-1".to_owned(), ..Connect::default() };
    let silent: Observer = Arc::new(|_| {});
    let session = Session::open(&connect, "shop", None, "run", silent).await;
    let session = session.expect("the emulator says who the caller is").without_final_snapshots();
    for file in [first, second] {
        let stack = platform::stack(&config(file), &session.connection().site()).expect("a stack");
        let stack = within_them(stack);
        run(&session, &stack, "apply").await;
        nothing_to_do(&session, &stack).await;
    }
    run(&session, &Stack::default(), "destroy").await;
}

/// Runs in a process of its own, which has its endpoints and credentials from its environment, as `wharf` has.
#[tokio::test(flavor = "current_thread")]
#[ignore = "started by the tests below"]
async fn network_and_database_where_the_environment_points() {
    life(STACK, &STACK.replace("14", "21").replace("8000", "8080").replace("\"False\"", "\"True\"")).await;
}

/// As above.
#[tokio::test(flavor = "current_thread")]
#[ignore = "started by the tests below"]
async fn the_platform_where_the_environment_points() {
    life(PLATFORM, &PLATFORM.replace("8000", "8080").replace("ops@", "team@").replace("m7i", "m7a")).await;
}

/// A life where these variables point, and what boto3 sees there before and after.
fn cycle(life: &str, endpoints: &[(&str, &str)]) {
    let inventory = || {
        let mut command = python::command("python");
        command.arg(wharf_tests::root().join("tests/python/inventory.py")).envs(endpoints.iter().copied());
        String::from_utf8(python::succeed(&mut command, "inventory.py").stdout).expect("it prints UTF-8")
    };
    let before = inventory();
    let mut command = Command::new(std::env::current_exe().expect("a test has a path"));
    command.args(["--exact", "--ignored", "--nocapture"]);
    command.arg(format!("emulators::{life}"));
    command.env("AWS_ACCESS_KEY_ID", "AKIASANDBOX000000000").env("AWS_SECRET_ACCESS_KEY", "sandbox");
    command.env_remove("AWS_PROFILE").envs(endpoints.iter().copied());
    let said = python::succeed(&mut command, "the cycle");
    assert!(String::from_utf8_lossy(&said.stdout).contains("1 passed"), "the cycle was not run");
    let after = inventory();
    let left: Vec<&str> = after.lines().filter(|line| !before.lines().any(|other| other == *line)).collect();
    assert!(left.is_empty(), "left: {left:#?}");
}

/// A life with each service of the stack at one of the emulators. The services that this stack does not use, and that
/// the emulators do not know or not as the SDK calls them, are asked of a sandbox in which there is nothing.
fn cycle_at(life: &str, services: &[(&str, &Emulator)]) {
    let nothing = in_virtual_time(async { Served::copy_of(&Sandbox::new(1), 1.0) });
    let at = services.iter().map(|(service, emulator)| (format!("AWS_ENDPOINT_URL_{service}"), emulator.url.as_str()));
    let endpoints: Vec<_> = at.chain([("AWS_ENDPOINT_URL".to_owned(), nothing.url.as_str())]).collect();
    cycle(life, &endpoints.iter().map(|(name, url)| (name.as_str(), *url)).collect::<Vec<_>>());
}

/// Services, each at this emulator.
fn all_at<'a>(emulator: &'a Emulator, services: &[&'static str]) -> Vec<(&'static str, &'a Emulator)> {
    services.iter().map(|service| (*service, emulator)).collect()
}

#[test]
fn the_stack_goes_up_is_planned_empty_changes_and_comes_down_to_nothing_on_moto() {
    let moto = Emulator::moto();
    cycle_at("network_and_database_where_the_environment_points", &all_at(&moto, &NETWORK_AND_DATABASE));
}

#[test]
fn the_stack_goes_up_is_planned_empty_changes_and_comes_down_to_nothing_on_ministack() {
    // ministack's EC2 never shows a NAT gateway's address and has no descriptions of egress rules; its RDS wants subnets
    // of its own EC2.
    let (ministack, moto) = (Emulator::ministack(), Emulator::moto());
    let mut services = all_at(&ministack, &NETWORK_AND_DATABASE);
    services.retain(|(service, _)| !["EC2", "RDS"].contains(service));
    services.extend(all_at(&moto, &["EC2", "RDS"]));
    cycle_at("network_and_database_where_the_environment_points", &services);
}

#[test]
fn the_platform_goes_up_is_planned_empty_changes_and_comes_down_to_nothing_on_moto_and_ministack_side_by_side() {
    let (ministack, moto) = (Emulator::ministack(), Emulator::moto());
    let mut services = all_at(&moto, &NETWORK_AND_DATABASE);
    services.extend(all_at(&moto, &PLATFORM_AT_MOTO));
    services.extend(all_at(&ministack, &PLATFORM_AT_MINISTACK));
    cycle_at("the_platform_where_the_environment_points", &services);
}
