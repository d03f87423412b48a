//! The whole cycle against emulators that nobody here wrote.

use std::sync::Arc;

use wharf::aws::Observer;
use wharf::aws::connect::Options as Connect;
use wharf::config::Config;
use wharf::operations::{Applied, Apply, Approval, Session, Who};
use wharf::platform;
use wharf_engine::{AllowDestroy, Limits, Options, Stack};
use wharf_tests::emulator::Emulator;
use wharf_tests::stack::{config, virtual_timing};

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

async fn session(url: &str, config: &Config, run: &str) -> Session {
    let connect = Connect { region: "us-east-1".to_owned(), endpoint_url: Some(url.to_owned()), ..Connect::default() };
    let silent: Observer = Arc::new(|_| {});
    let session = Session::open(&connect, config.stack.name.as_str(), None, run, silent)
        .await
        .unwrap_or_else(|e| panic!("{e:?}"));
    session.without_final_snapshots()
}

async fn run(session: &Session, stack: &Stack, command: &'static str) -> Applied {
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
    let applied = session.apply(request, std::future::pending()).await.unwrap_or_else(|e| panic!("{command}: {e:?}"));
    assert!(applied.complete(), "{:#?}", applied.runs.last().map(|(_, outcome)| outcome));
    applied
}

async fn nothing_to_do(session: &Session, stack: &Stack) {
    let options = Options { allow_destroy: AllowDestroy::All, ..Options::default() };
    let planned = session.plan(stack, &options).await.expect("there is a plan");
    assert!(planned.plan.steps.is_empty(), "{:#?}", planned.plan.steps);
}

async fn cycle(url: &str) {
    let first = config(STACK);
    let session = session(url, &first, "run-1").await;
    let stack = platform::stack(&first, &session.connection().site()).expect("a stack");
    run(&session, &stack, "apply").await;
    nothing_to_do(&session, &stack).await;
    let second = config(&STACK.replace("14", "21").replace("8000", "8080").replace("\"False\"", "\"True\""));
    let changed = platform::stack(&second, &session.connection().site()).expect("a stack");
    run(&session, &changed, "apply").await;
    nothing_to_do(&session, &changed).await;
    run(&session, &Stack::default(), "destroy").await;
}

#[tokio::test(flavor = "current_thread")]
async fn the_whole_cycle_goes_on_moto() {
    let moto = Emulator::moto();
    cycle(&moto.url).await;
}

#[tokio::test(flavor = "current_thread")]
async fn the_whole_cycle_goes_on_ministack() {
    let ministack = Emulator::ministack();
    cycle(&ministack.url).await;
}
