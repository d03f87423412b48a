//! Ctrl-C: what is in flight is finished, what is left is said, and the next run carries on.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use wharf::operations::{Apply, Approval, Who};
use wharf_engine::Limits;
use wharf_sandbox::{Ending, Fate};
use wharf_tests::served::Served;
use wharf_tests::stack::{World, config, in_virtual_time, virtual_timing};
use wharf_tests::target;

const STACK: &str = "[network]\negress = \"public\"\nflow_logs = false\n[services.web]\nport = 8000\n";

#[test]
fn an_interrupted_apply_finishes_its_calls_says_what_is_left_gives_the_lock_back_and_the_next_carries_on() {
    in_virtual_time(async {
        for stop_at in [6, 15, 25] {
            let world = World::calm(4, config(STACK));
            let stop = Arc::new(Notify::new());
            let (tell, writes) = (Arc::clone(&stop), Arc::new(Mutex::new(0)));
            world.sandbox.on_call(move |call| {
                let mut writes = writes.lock().expect("nobody panicked");
                *writes += u32::from(call.write);
                if *writes == stop_at {
                    tell.notify_one();
                }
                Fate::Normal
            });
            let session = world.session("first").await.expect("the account can be reached");
            let stack = world.stack(&session);
            let request = Apply {
                stack: &stack,
                options: &world.options,
                command: "apply",
                who: Who { name: "tests".to_owned(), at: world.sandbox.now().to_string() },
                approval: Approval::Given,
                timing: virtual_timing(),
                limits: Limits::default(),
                on_plan: &|_| {},
                on_event: &|_| {},
                on_wait: &|_| {},
            };
            let applied = session.apply(request, async move { stop.notified().await }).await;
            let applied = applied.expect("an interrupt is no error");
            let (planned, outcome) = applied.runs.last().expect("it ran");
            assert!(outcome.interrupted && !applied.complete(), "{outcome:?}");
            assert!(!outcome.left.is_empty() && outcome.failed.is_empty(), "{outcome:?}");
            assert_eq!(outcome.done.len() + outcome.left.len() + outcome.skipped.len(), planned.plan.steps.len());
            let log = world.sandbox.call_log();
            let lost = |ending: &Ending| matches!(ending, Ending::NeverArrived | Ending::ReplyLost);
            assert!(!log.iter().any(|call| lost(&call.ending)), "a call was cut off");
            world.sandbox.clear_hook();
            assert_eq!(session.ledger.holder().await.expect("the lock can be seen"), None);
            assert!(world.apply().await.expect("the next carries on").complete());
            let planned = world.plan().await.expect("the stack can be planned");
            assert!(planned.plan.steps.is_empty(), "{:#?}", planned.plan.steps);
        }
    });
}

#[test]
fn the_binary_ends_with_130_says_what_is_left_and_the_next_carries_on() {
    let served = in_virtual_time(async { Served::copy_of(&World::calm(4, config(STACK)).sandbox, 20.0) });
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("wharf.toml");
    let head = "[stack]\nname = \"shop\"\nregion = \"us-east-1\"\naccount = \"123456789012\"\n";
    std::fs::write(&file, format!("{head}{STACK}")).expect("it can be written");
    let wharf = || {
        let mut command = Command::new(target().join("debug/wharf"));
        command.args(["apply", "--yes", "--config"]).arg(&file).args(["--endpoint-url", &served.url]);
        command.env_clear().stdin(Stdio::null()).env("USER", "tester").env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_ACCESS_KEY_ID", "AKIASANDBOX000000000").env("AWS_SECRET_ACCESS_KEY", "sandbox");
        command
    };
    let mut child = wharf().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("wharf starts");
    let mut said = String::new();
    let mut errors = BufReader::new(child.stderr.take().expect("it has one"));
    while !said.contains('✓') {
        assert!(errors.read_line(&mut said).expect("it can be read") > 0, "it ended early: {said}");
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    std::io::Read::read_to_string(&mut errors, &mut said).expect("it can be read");
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{told}\n{said}");
    assert!(said.contains("stopping: calls in flight finish"), "{said}");
    assert!(told.contains("interrupted") && told.contains("not begun:"), "{told}");
    let next = wharf().output().expect("wharf starts");
    assert!(next.status.success(), "{}", String::from_utf8_lossy(&next.stderr));
}
