//! How much memory a check of a large account takes, in a process of its own.

use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpListener;
use wharf_sandbox::Sandbox;
use wharf_shell::Environment;

use super::{World, hours};
use wharf_check_snapshots::{Clients, Demands, Report, Scope, read};

const DATABASES: usize = 500;
const SNAPSHOTS: i64 = 5_000;
const LIMIT_KIB: u64 = 64 * 1024;

/// What the kernel says of this process: the most memory that it ever had.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "it is what the other test starts as a process of its own"]
async fn the_check_itself() {
    let config = Environment::of_process().aws().unwrap();
    let demands = Demands { all_databases: true, ..Demands::default() };
    let at = "2026-01-05T09:00:00Z".parse().unwrap();
    let inventory = read::inventory(&Clients::new(&config), &Scope::of("shop", &demands), at).await;
    let report = Report::of("shop", "us-east-1", &inventory, &demands);
    let page = wharf_check_snapshots::html(&report);
    let looked = report.looked_at;
    let answer = json!({
        "databases": looked.databases, "snapshots": looked.snapshots, "unknown": report.counts.unknown,
        "page": page.len(), "kib": most_memory(),
    });
    assert!(std::io::Write::write_all(&mut std::io::stdout(), format!("\n{answer}\n").as_bytes()).is_ok());
}

async fn large() -> Sandbox {
    let world = World::good().await;
    for n in 0..DATABASES - 1 {
        world.database(&format!("db-{n:03}"), json!({}));
    }
    for n in 0..SNAPSHOTS - 4 {
        let database = format!("db-{:03}", n % 499);
        world.database_snapshot(&database, &format!("rds:{database}-{n}"), hours(1 + n / 499 * 24), json!({}));
    }
    world.sandbox
}

#[test]
fn five_hundred_databases_and_five_thousand_snapshots_take_less_than_64_mib() {
    let paused = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let sandbox = paused.block_on(large());
    let at = sandbox.now();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let address = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::new(sandbox.fork_with_clock(wharf_sandbox::SimClock::new(at)));
        tokio::spawn(async move { wharf_sandbox::serve(Sandbox::clone(&served), listener).await });
        address
    });
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "of_memory::the_check_itself", "--ignored", "--nocapture"])
        .envs([
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIATEST"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", &format!("http://{address}")),
        ])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let printed = String::from_utf8(child.stdout).unwrap();
    let answer = printed.lines().find_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let answer = answer.filter(serde_json::Value::is_object).unwrap_or_else(|| panic!("no answer: {printed}"));
    assert_eq!((&answer["databases"], &answer["snapshots"]), (&json!(DATABASES), &json!(SNAPSHOTS)), "{answer}");
    assert_eq!(answer["unknown"], 0, "{answer}");
    let kib = answer["kib"].as_u64().unwrap();
    assert!(kib < LIMIT_KIB, "{kib} KiB");
}
