//! A batch of messages from SQS: each is done, ignored or failed by itself, and only the failed ones come back.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::Instrument as _;

use crate::fault::Fault;
use crate::invocation::Invocation;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its id: the same each time that it comes.
    pub id: String,
    /// What was sent, byte for byte; none when the record has no text.
    pub body: Option<String>,
    /// How often it was handed out, this time included. Zero when nobody says.
    pub receives: u32,
    /// When it was sent.
    pub sent: Option<Timestamp>,
    /// The ARN of the queue that it lay in.
    pub queue: String,
    /// The attributes that its sender gave it, as text.
    pub attributes: BTreeMap<String, String>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What it asks for has happened.
    Done,
    /// It asks for nothing, for this reason.
    Ignored(String),
    /// It comes back, and ends in the dead-letter queue if that goes on. For this reason.
    Failed(String),
}

/// The messages of an invocation.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// In the order in which they came.
    pub records: Vec<Record>,
}

impl Batch {
    /// The batch that a payload is; none for a payload that is none.
    #[must_use]
    pub fn of(payload: &Value) -> Option<Self> {
        let records = payload.get("Records")?.as_array()?;
        let of_sqs = |record: &Value| text(record, "eventSource") == "aws:sqs";
        (!records.is_empty() && records.iter().all(of_sqs))
            .then(|| Self { records: records.iter().map(Record::of).collect() })
    }

    /// Gives each message to `work`, one after the other. What is not reached, or not finished, when no more than
    /// `reserve` is left of the invocation's time comes back.
    ///
    /// # Errors
    /// A message without an id failed, so that all have to come back.
    pub async fn each(
        &self,
        invocation: &Invocation,
        reserve: Duration,
        mut work: impl AsyncFnMut(&Record) -> Outcome,
    ) -> Result<Value, Fault> {
        let mut outcomes = Vec::with_capacity(self.records.len());
        for record in &self.records {
            let left = invocation.remaining().saturating_sub(reserve);
            let outcome = if left.is_zero() {
                Outcome::Failed("there was no time left to begin with it".to_owned())
            } else {
                let work = work(record).instrument(record.span());
                let late = |_| Outcome::Failed("the time was up before it was finished".to_owned());
                tokio::time::timeout(left, work).await.unwrap_or_else(late)
            };
            outcomes.push(outcome);
        }
        self.answer(&outcomes)
    }

    /// Logs what became of each message, and tells Lambda which ones failed. A message without an outcome failed.
    ///
    /// # Errors
    /// A message without an id failed, so that all have to come back: Lambda takes no failure without an id.
    pub fn answer(&self, outcomes: &[Outcome]) -> Result<Value, Fault> {
        let untold = Outcome::Failed("nothing became of it".to_owned());
        let mut failed = Vec::new();
        for (n, record) in self.records.iter().enumerate() {
            let outcome = outcomes.get(n).unwrap_or(&untold);
            record.span().in_scope(|| outcome.log(record.receives));
            match outcome {
                Outcome::Failed(why) if record.id.is_empty() => {
                    return Err(Fault::new("BatchFailed", format!("a record without `messageId` failed: {why}")));
                }
                Outcome::Failed(_) => failed.push(json!({ "itemIdentifier": record.id })),
                Outcome::Done | Outcome::Ignored(_) => {}
            }
        }
        Ok(json!({ "batchItemFailures": failed }))
    }
}

impl Record {
    fn of(record: &Value) -> Self {
        let attribute = |name| record.get("attributes").map_or("", |attributes| text(attributes, name));
        let sent = attribute("SentTimestamp").parse().ok();
        let attributes = record.get("messageAttributes").and_then(Value::as_object);
        let value =
            |(name, value): (&String, &Value)| Some((name.clone(), value.get("stringValue")?.as_str()?.to_owned()));
        Self {
            id: text(record, "messageId").to_owned(),
            body: record.get("body").and_then(Value::as_str).map(str::to_owned),
            receives: attribute("ApproximateReceiveCount").parse().unwrap_or(0),
            sent: sent.and_then(|millisecond| Timestamp::from_millisecond(millisecond).ok()),
            queue: text(record, "eventSourceARN").to_owned(),
            attributes: attributes.into_iter().flatten().filter_map(value).collect(),
        }
    }

    /// What is logged within it has its id, whatever level is asked for.
    fn span(&self) -> tracing::Span {
        tracing::error_span!("record", correlation_id = self.id)
    }
}

impl Outcome {
    fn log(&self, receives: u32) {
        match self {
            Self::Done => tracing::info!(outcome = "done", receives, "record done"),
            Self::Ignored(reason) => tracing::info!(outcome = "ignored", receives, reason, "record ignored"),
            Self::Failed(reason) => tracing::warn!(outcome = "failed", receives, reason, "record failed"),
        }
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(ids: &[&str]) -> Value {
        let record = |id: &&str| {
            json!({
                "messageId": id, "receiptHandle": "h", "body": "{\"a\":  1}", "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:shop-on-alarm", "awsRegion": "us-east-1",
                "attributes": { "ApproximateReceiveCount": "3", "SentTimestamp": "1767603600123" },
                "messageAttributes": { "kind": { "stringValue": "signal", "dataType": "String" } },
            })
        };
        json!({ "Records": ids.iter().map(record).collect::<Vec<_>>() })
    }

    fn batch(ids: &[&str]) -> Batch {
        Batch::of(&payload(ids)).unwrap()
    }

    fn invocation(seconds: u64) -> Invocation {
        Invocation::new("r", "arn", None, Timestamp::UNIX_EPOCH, Duration::from_secs(seconds))
    }

    #[test]
    fn a_record_is_read_and_its_body_stays_as_it_was_sent() {
        let batch = batch(&["m-1"]);
        let record = &batch.records[0];
        assert_eq!(record.body.as_deref(), Some("{\"a\":  1}"));
        assert_eq!((record.receives, record.sent.unwrap().as_millisecond()), (3, 1_767_603_600_123));
        assert_eq!(record.queue, "arn:aws:sqs:us-east-1:123456789012:shop-on-alarm");
        assert_eq!(record.attributes["kind"], "signal");
    }

    #[test]
    fn what_is_no_batch_of_sqs_is_none() {
        let sns = json!({ "Records": [{ "EventSource": "aws:sns", "Sns": {} }] });
        for payload in [json!({}), json!(null), json!([1]), json!({ "Records": [] }), json!({ "Records": 1 }), sns] {
            assert!(Batch::of(&payload).is_none(), "{payload}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_reached_or_not_finished_in_time_comes_back() {
        let batch = batch(&["quick", "slow", "last"]);
        let work = async |record: &Record| {
            let seconds = if record.id == "slow" { 60 } else { 1 };
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Outcome::Done
        };
        let invocation = invocation(10);
        let answer = batch.each(&invocation, Duration::from_secs(2), work).await.unwrap();
        assert_eq!(invocation.remaining(), Duration::from_secs(2));
        assert_eq!(
            answer,
            json!({ "batchItemFailures": [{ "itemIdentifier": "slow" }, { "itemIdentifier": "last" }] })
        );
    }

    #[test]
    fn a_failed_record_without_an_id_brings_all_back() {
        let batch = batch(&["m-1", ""]);
        assert!(batch.answer(&[Outcome::Done, Outcome::Ignored("empty".to_owned())]).is_ok());
        let fault = batch.answer(&[Outcome::Done, Outcome::Failed("no body".to_owned())]).unwrap_err();
        assert_eq!(fault.kind, "BatchFailed");
    }

    #[test]
    fn a_record_of_which_nothing_became_failed() {
        let answer = batch(&["m-1", "m-2"]).answer(&[Outcome::Done]).unwrap();
        assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m-2" }] }));
    }

    proptest::proptest! {
        /// Whatever comes: no panic, and a batch has an answer for each of its records.
        #[test]
        fn any_shape_of_record_is_read(id in ".*", count in ".*", sent in ".*", body in proptest::option::of(".*")) {
            let payload = json!({ "Records": [{
                "messageId": id, "eventSource": "aws:sqs", "body": body, "messageAttributes": { "a": { "stringValue": 1 } },
                "attributes": { "ApproximateReceiveCount": count, "SentTimestamp": sent },
            }] });
            let batch = Batch::of(&payload).unwrap();
            proptest::prop_assert_eq!(&batch.records[0].body, &body);
            proptest::prop_assert!(batch.answer(&[Outcome::Done]).is_ok());
        }
    }
}
