//! What stands in the log. In a program of its own, one test after the other: which events somebody listens to is kept
//! for the whole process.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::subscriber::DefaultGuard;
use wharf_shell::batch::{Batch, Outcome, Record};
use wharf_shell::metrics::Metrics;
use wharf_shell::{Environment, Invocation, log};

const LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";

static ONE_AFTER_THE_OTHER: Mutex<()> = Mutex::new(());

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged on this thread, as long as it lives.
struct Log {
    kept: Kept,
    _listening: DefaultGuard,
    _alone: MutexGuard<'static, ()>,
}

impl Log {
    fn at(level: &str) -> Self {
        let alone = ONE_AFTER_THE_OTHER.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = log::to(move || writer.clone(), &Environment::of([(LEVEL, level)]));
        Self { kept, _listening: tracing::subscriber::set_default(subscriber), _alone: alone }
    }

    fn lines(self) -> Vec<Value> {
        let text = String::from_utf8(self.kept.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn a_line_has_the_fields_of_all_that_it_happened_within() {
    let log = Log::at("");
    tracing::info_span!(target: "wharf", "invocation", request_id = "r-1").in_scope(|| {
        tracing::info_span!(target: "wharf", "record", correlation_id = "m-1").in_scope(|| {
            tracing::warn!(tries = 3, cause = %"no \"route\"", "late");
        });
    });
    let lines = log.lines();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    for (field, value) in [
        ("request_id", json!("r-1")),
        ("correlation_id", json!("m-1")),
        ("tries", json!(3)),
        ("cause", json!("no \"route\"")),
        ("message", json!("late")),
        ("level", json!("WARN")),
    ] {
        assert_eq!(line[field], value, "{field}");
    }
    assert!(line["timestamp"].as_str().unwrap().parse::<Timestamp>().is_ok());
}

#[test]
fn metrics_stand_in_the_log_as_they_are_whatever_the_level() {
    let log = Log::at("ERROR");
    let metrics = Metrics::new("shop", "on-alarm", Timestamp::UNIX_EPOCH).count("Posted", 1);
    tracing::error_span!(target: "wharf", "invocation", request_id = "r-1").in_scope(|| metrics.publish());
    assert_eq!(log.lines(), [serde_json::from_str::<Value>(&metrics.lines()[0]).unwrap()]);
}

#[test]
fn what_others_say_is_kept_from_warnings_on_and_more_is_told_when_asked() {
    let said = |level| {
        let log = Log::at(level);
        tracing::info!(target: "aws_smithy_runtime", "chatter");
        tracing::warn!(target: "aws_smithy_runtime", "trouble");
        tracing::debug!(target: "wharf_on_alarm", "detail");
        tracing::warn!(target: "wharf_on_alarm", "doubt");
        log.lines().iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(said(""), ["trouble", "doubt"]);
    assert_eq!(said("DEBUG"), ["trouble", "detail", "doubt"]);
    assert_eq!(said("ERROR"), ["trouble"]);
}

#[test]
fn of_ten_records_exactly_the_poisoned_one_comes_back_and_each_outcome_is_logged() {
    let log = Log::at("");
    let record = |n: usize| json!({ "messageId": format!("m-{n}"), "body": "{}", "eventSource": "aws:sqs" });
    let batch = Batch::of(&json!({ "Records": (0..10).map(record).collect::<Vec<_>>() })).unwrap();
    let work = async |record: &Record| match record.id.as_str() {
        "m-4" => Outcome::Failed("poison".to_owned()),
        "m-5" => Outcome::Ignored("a test message".to_owned()),
        _ => Outcome::Done,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let answer = runtime.block_on(async {
        let invocation = Invocation::new("r", "arn", None, Timestamp::UNIX_EPOCH, Duration::from_secs(30));
        batch.each(&invocation, Duration::ZERO, work).await.unwrap()
    });
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m-4" }] }));
    let lines = log.lines();
    let told: Vec<_> =
        lines.iter().map(|l| (l["correlation_id"].as_str().unwrap(), l["outcome"].as_str().unwrap())).collect();
    assert_eq!(told.len(), 10);
    assert_eq!((told[4], told[5], told[6]), (("m-4", "failed"), ("m-5", "ignored"), ("m-6", "done")));
    assert_eq!(lines[5]["reason"], "a test message");
}

#[test]
fn a_record_is_named_in_the_log_whatever_the_level() {
    let log = Log::at("ERROR");
    let record = json!({ "messageId": "m-1", "body": "{}", "eventSource": "aws:sqs" });
    let batch = Batch::of(&json!({ "Records": [record] })).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let invocation = Invocation::new("r", "arn", None, Timestamp::UNIX_EPOCH, Duration::from_secs(30));
        let work = async |_: &Record| {
            tracing::error!(target: "wharf_on_alarm", "broken");
            Outcome::Done
        };
        batch.each(&invocation, Duration::ZERO, work).await.unwrap();
    });
    let lines = log.lines();
    assert_eq!((lines.len(), &lines[0]["correlation_id"], &lines[0]["message"]), (1, &json!("m-1"), &json!("broken")));
}
