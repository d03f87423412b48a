//! The pollers of event source mappings: from a queue's messages to invocations, and from their answers back to the
//! queue.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::work::{self, Origin};
use super::{MAPPING, life, mapping, mapping_settings};
use crate::account::Ctx;
use crate::clock::later;
use crate::services::sqs;
use crate::store::{Resource, Timer};

/// Messages that a poller has in its hands.
pub(super) const BATCH: &str = "lambda.batch";
/// As many batches as Lambda begins with, and here stays with.
const AT_ONCE: i64 = 5;
/// From a message's arrival to its batch.
const DELAY: Duration = Duration::from_millis(50);
/// How long a poller that may not receive rests.
const REFUSED: Duration = Duration::from_secs(60);
/// The longest event: the payload of an invocation.
const LONGEST: usize = 6_291_456;

/// Sets pollers off for whose queues there is something to receive, or will be. It is called whenever something in the
/// account has changed, so nothing happens while nothing changes.
pub(crate) fn look(ctx: &mut Ctx<'_>) {
    if ctx.account.hosted.is_empty() {
        return;
    }
    for mapping in ctx.all(MAPPING) {
        let name = mapping.text("FunctionArn").rsplit(':').next().unwrap_or_default();
        if mapping.text("State") != "Enabled" || !ctx.account.hosted.contains(name) || !has_hands(ctx, &mapping) {
            continue;
        }
        let queue = mapping.text("EventSourceArn");
        let Some(from) = sqs::next_visible(ctx, queue) else { continue };
        // A poller gathers messages for as long as the window is open, or until it has a whole batch.
        let window = u64::try_from(mapping.number("MaximumBatchingWindowInSeconds")).unwrap_or(0);
        let visible = sqs::depth(ctx, queue.rsplit(':').next().unwrap_or_default()).map_or(0, |depth| depth.visible);
        let whole = i64::try_from(visible).is_ok_and(|visible| visible >= mapping.number("BatchSize"));
        let wait = if whole { DELAY } else { DELAY.max(Duration::from_secs(window)) };
        let due = later(from.max(ctx.now), wait);
        plan(ctx, &mapping, due);
    }
}

/// Sets a poller off, unless it is set off for an earlier moment already.
fn plan(ctx: &mut Ctx<'_>, mapping: &Resource, due: Timestamp) {
    let rests = mapping.number("_rests");
    let due = due.max(Timestamp::from_millisecond(rests).unwrap_or_default());
    let at = due.as_millisecond();
    if mapping.attrs.get("_due").and_then(Value::as_i64).is_some_and(|known| known <= at) {
        return;
    }
    ctx.update(MAPPING, &mapping.id, |mapping| mapping.set("_due", at));
    let due = Timestamp::from_millisecond(at).unwrap_or(due);
    ctx.account.store.schedule(due, Timer { kind: MAPPING, id: mapping.id.clone(), event: "poll" });
}

/// Whether a poller could take one more batch.
fn has_hands(ctx: &Ctx<'_>, mapping: &Resource) -> bool {
    let most = mapping.attrs.get("ScalingConfig").and_then(|scaling| scaling["MaximumConcurrency"].as_i64());
    let held = ctx.account.store.all(BATCH).filter(|batch| batch.text("mapping") == mapping.id).count();
    i64::try_from(held).unwrap_or(i64::MAX) < most.unwrap_or(AT_ONCE).min(AT_ONCE)
}

/// A poller's turn has come.
pub(super) fn due(ctx: &mut Ctx<'_>, id: &str) {
    let Some(known) = ctx.get(MAPPING, id) else { return };
    // One that was set off for an earlier moment since has had its turn.
    if known.number("_due") != ctx.now.as_millisecond() {
        return;
    }
    ctx.update(MAPPING, id, |mapping| drop(mapping.attrs.remove("_due")));
    if known.text("State") != "Enabled" || !has_hands(ctx, &known) {
        return;
    }
    let Some(function) = mapping::target(ctx, &known) else { return };
    let queue = known.text("EventSourceArn").to_owned();
    if mapping_settings::refused(ctx, &function, &queue).is_some() {
        let rests = later(ctx.now, REFUSED).as_millisecond();
        return ctx.update(MAPPING, id, |mapping| mapping.set("_rests", rests));
    }
    let messages = receive(ctx, &queue, usize::try_from(known.number("BatchSize")).unwrap_or(10));
    if messages.is_empty() {
        return;
    }
    let records: Vec<Value> = messages.iter().map(|message| record(ctx, &queue, message)).collect();
    let hidden = sqs::visibility_timeout(ctx, &queue).unwrap_or(30);
    let receipts: Map<String, Value> =
        messages.into_iter().map(|message| (message.id, message.receipt.into())).collect();
    let batch = ctx.account.rng.uuid();
    let held = ctx.resource(
        BATCH,
        &batch,
        json!({
            "_gone": true, "mapping": id, "queue": queue, "receipts": receipts, "tries": 0,
            "until": ctx.now.as_millisecond() + hidden * 1000,
            "payload": json!({"Records": records}).to_string(),
        }),
    );
    ctx.insert(held);
    attempt(ctx, &batch);
}

/// As many messages as a batch holds; a queue gives ten at a time.
fn receive(ctx: &mut Ctx<'_>, queue: &str, most: usize) -> Vec<sqs::Message> {
    let (mut all, mut size) = (Vec::new(), 0);
    while all.len() < most && size < LONGEST / 2 {
        let some = sqs::receive_for(ctx, queue, (most - all.len()).min(10));
        if some.is_empty() {
            break;
        }
        size += some.iter().map(|message| message.body.len()).sum::<usize>();
        all.extend(some);
    }
    all
}

/// A message as functions get it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#sample-standard-message-queue-event>
fn record(ctx: &Ctx<'_>, queue: &str, message: &sqs::Message) -> Value {
    let own: Map<String, Value> = message
        .message_attributes
        .iter()
        .map(|(name, value)| {
            let mut shown = json!({"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]});
            for (theirs, ours) in [("StringValue", "stringValue"), ("BinaryValue", "binaryValue")] {
                if let Some(text) = value.get(theirs) {
                    shown[ours] = text.clone();
                }
            }
            (name.clone(), shown)
        })
        .collect();
    json!({
        "messageId": message.id, "receiptHandle": message.receipt, "body": message.body,
        "attributes": message.attributes, "messageAttributes": own, "md5OfBody": message.md5_of_body(),
        "eventSource": "aws:sqs", "eventSourceARN": queue, "awsRegion": ctx.account.region,
    })
}

/// Invokes the function with a batch. Where it is throttled, the poller tries again, for longer each time, until the
/// messages are visible to others: then it has lost them.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
pub(super) fn attempt(ctx: &mut Ctx<'_>, id: &str) {
    let Some(batch) = ctx.get(BATCH, id) else { return };
    let mapping = ctx.get(MAPPING, batch.text("mapping"));
    let function = mapping.and_then(|mapping| mapping::target(ctx, &mapping));
    let Some(function) = function.as_deref().and_then(life::in_force) else {
        // Nobody here will take them any more, but others may.
        sqs::visible_again(ctx, batch.text("queue"), &receipts(&batch, |_| true));
        return ctx.remove(BATCH, id);
    };
    if ctx.now.as_millisecond() >= batch.number("until") {
        return ctx.remove(BATCH, id);
    }
    if work::begin(ctx, &function, batch.text("payload"), Origin::Batch(id)).is_err() {
        let tries = batch.number("tries");
        ctx.update(BATCH, id, |batch| batch.set("tries", tries + 1));
        let wait = Duration::from_secs(1_u64 << tries.clamp(0, 5));
        let due = later(ctx.now, wait);
        ctx.account.store.schedule(due, Timer { kind: BATCH, id: id.to_owned(), event: "attempt" });
    }
}

/// An invocation with a batch is over: what was dealt with is deleted, the rest comes back by itself.
pub(super) fn finished(ctx: &mut Ctx<'_>, over: &Resource) {
    let Some(batch) = ctx.get(BATCH, over.text("knownBy")) else { return };
    ctx.remove(BATCH, &batch.id);
    if over.attrs.get("error").is_some_and(|error| !error.is_null()) {
        return;
    }
    let Some(mapping) = ctx.get(MAPPING, batch.text("mapping")) else { return };
    let partial = mapping.items("FunctionResponseTypes").iter().any(|kind| kind == "ReportBatchItemFailures");
    let all = batch.attrs.get("receipts").and_then(Value::as_object).cloned().unwrap_or_default();
    let failed = if partial { failures(over.text("result"), &all) } else { Some(Vec::new()) };
    let Some(failed) = failed else { return };
    let Some(function) = mapping::target(ctx, &mapping) else { return };
    if mapping_settings::refused(ctx, &function, batch.text("queue")).is_some() {
        return;
    }
    sqs::delete_for(ctx, batch.text("queue"), &receipts(&batch, |id| !failed.contains(id)));
}

/// The receipts of those messages of a batch that satisfy a test.
fn receipts(batch: &Resource, test: impl Fn(&String) -> bool) -> Vec<String> {
    let all = batch.attrs.get("receipts").and_then(Value::as_object).into_iter().flatten();
    all.filter(|(id, _)| test(id)).filter_map(|(_, receipt)| receipt.as_str().map(str::to_owned)).collect()
}

/// The messages that a function says it failed on; none when what it says makes no sense, which is a failure of all.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>
fn failures(result: &str, batch: &Map<String, Value>) -> Option<Vec<String>> {
    if result.trim().is_empty() {
        return Some(Vec::new());
    }
    let result: Value = serde_json::from_str(result).ok()?;
    match &result["batchItemFailures"] {
        Value::Null => Some(Vec::new()),
        Value::Array(items) => items
            .iter()
            .map(|item| item["itemIdentifier"].as_str().filter(|id| batch.contains_key(*id)).map(str::to_owned))
            .collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_function_answers_tells_what_it_failed_on() {
        let batch: Map<String, Value> =
            [("a".to_owned(), "r1".into()), ("b".to_owned(), "r2".into())].into_iter().collect();
        let of = |result: &str| failures(result, &batch);
        for whole in ["", "null", "{}", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#] {
            assert_eq!(of(whole), Some(vec![]), "{whole}");
        }
        assert_eq!(of(r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#), Some(vec!["b".to_owned()]));
        for none in [
            "no json",
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"foo":"a"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"unknown"}]}"#,
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
