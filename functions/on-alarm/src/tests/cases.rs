//! What becomes of every payload that is at hand, and how each of our own reads.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::*;

/// Where the repository is.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The payloads under a directory, by path; nothing when it is not there.
fn payloads(directory: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(directory).unwrap_or(&path).display().to_string();
            if path.is_dir() {
                open.push(path);
            } else if !matches!(entry.file_name().to_str(), Some("ORIGIN.json" | "INDEX.md")) {
                found.push((name, String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()));
            }
        }
    }
    found.sort();
    found
}

/// A line of the table: how it came, what became of it, and why.
fn row(name: &str, way: &str, outcome: &Outcome) -> String {
    let (word, why) = match outcome {
        Outcome::Done => ("done", ""),
        Outcome::Ignored(why) => ("ignored", why.as_str()),
        Outcome::Failed(why) => ("failed", why.as_str()),
    };
    format!("{word:8}{way:8}{name}  {why}").trim_end().to_owned()
}

/// Sends a payload through the queue and, if it is JSON, as an invocation of its own.
async fn sent(world: &World, name: &str, text: &str) -> Vec<(Outcome, String)> {
    let mut rows = Vec::new();
    let messages = vec![Arrival::in_message(text, Some(name))];
    let outcome = world.function.tell(messages, &world.invocation()).await.remove(0);
    rows.push((outcome.clone(), row(name, "queue", &outcome)));
    if let Ok(payload) = serde_json::from_str(text) {
        let outcome = world.function.tell(vec![Arrival::with_payload(&payload)], &world.invocation()).await.remove(0);
        rows.push((outcome.clone(), row(name, "direct", &outcome)));
    }
    rows
}

#[tokio::test(start_paused = true)]
async fn every_payload_ends_as_done_or_ignored_or_failed_and_a_table_says_which() {
    let mut table = Vec::new();
    for directory in ["events/samples", "../shared/cases"] {
        let world = World::new(Way::Bot).await;
        for (name, text) in payloads(&root().join(directory)) {
            for (outcome, row) in sent(&world, &name, &text).await {
                let because = match &outcome {
                    Outcome::Done => "done",
                    Outcome::Ignored(why) | Outcome::Failed(why) => why,
                };
                assert!(!because.is_empty(), "{name} was dropped without a word");
                // Only what says that it is a notice of ours, and cannot be read, is for the dead letters.
                assert!(!matches!(outcome, Outcome::Failed(_)) || text.contains("wharf-notice"), "{row}");
                table.push(row);
            }
        }
        let refused: Vec<String> = world.answers().into_iter().filter(|answer| answer != "ok").collect();
        assert!(refused.is_empty(), "{directory}: Slack had to refuse: {refused:?}");
    }
    let done = table.iter().filter(|row| row.starts_with("done")).count();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}\n{} payloads: {done} done, {} ignored", table.join("\n"), table.len(), table.len() - done)
        .unwrap();
    assert!(table.len() > 60, "our own payloads are there");
}

fn in_order(mut value: Value) -> String {
    value.sort_all_objects();
    value.to_string()
}

/// Point by point what must read well, and the payload that shows it.
#[tokio::test(start_paused = true)]
async fn each_of_our_payloads_reads_well() {
    let all = payloads(&root().join("events/samples"));
    let mut told = 0;
    for (name, text) in &all {
        let world = World::new(Way::Bot).await;
        // The order of keys is not what is looked at: it depends on which crates are built together.
        let text = serde_json::from_str(text).map_or_else(|_| text.clone(), in_order);
        assert!(world.queue(&[text]).await.is_empty(), "{name}");
        let messages = world.messages();
        let mut messages: Vec<Value> =
            messages.iter().map(|message| json!({"text": message.text, "blocks": message.blocks})).collect();
        messages.iter_mut().for_each(Value::sort_all_objects);
        if messages.is_empty() {
            continue;
        }
        told += 1;
        let stem = name.split_once('.').map_or(name.as_str(), |(stem, _)| stem);
        insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(stem, serde_json::to_string_pretty(&messages).unwrap());
        });
    }
    assert!(told > 25, "{told} of {}", all.len());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(12))]

    /// Whatever lies in the queue: each record has an outcome, and Slack is sent nothing that it refuses.
    #[test]
    fn any_messages_have_outcomes(bodies in proptest::collection::vec("\\PC{0,80}|\\{\"[a-zA-Z]{1,8}\": .{0,20}\\}", 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let world = World::new(Way::Bot).await;
            assert!(world.queue(&bodies).await.is_empty());
            assert!(world.answers().iter().all(|answer| answer == "ok"), "{:?}", world.answers());
        });
    }
}
