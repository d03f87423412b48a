//! What Lambda hands to a function, out of its envelopes: a batch from a queue, messages of a topic, an event of
//! EventBridge, an alarm's own call. Each may lie in another.

use jiff::Timestamp;
use serde_json::Value;

use crate::json;

/// Envelopes within envelopes are opened this deep.
const DEEPEST: usize = 5;

/// One thing that arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// The innermost envelope's id of it: the same in all copies of one message.
    pub id: Option<String>,
    /// The ARN of the topic over which it came.
    pub topic: Option<String>,
    /// The subject that its sender gave it.
    pub subject: Option<String>,
    /// When it was sent.
    pub at: Option<Timestamp>,
    /// The thing itself.
    pub content: Content,
}

/// What is in the innermost envelope.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A JSON document that is more than a text.
    Json(Value),
    /// Anything else.
    Text(String),
    /// A topic asks to confirm a subscription, or tells of its end: `SubscriptionConfirmation`.
    Handshake(String),
}

impl Arrival {
    /// What arrived with an invocation: one thing, mostly.
    #[must_use]
    pub fn with_payload(payload: &Value) -> Vec<Self> {
        opened(payload.clone(), &Outer::default(), DEEPEST)
    }

    /// What arrived in a message of a queue, by the message's body and id.
    #[must_use]
    pub fn in_message(body: &str, id: Option<&str>) -> Vec<Self> {
        let outer = Outer { id: id.filter(|id| !id.is_empty()).map(str::to_owned), ..Outer::default() };
        read(body, &outer, DEEPEST)
    }
}

/// What the envelopes around say.
#[derive(Clone, Debug, Default)]
struct Outer {
    id: Option<String>,
    topic: Option<String>,
    subject: Option<String>,
    at: Option<Timestamp>,
}

impl Outer {
    fn with(&self, content: Content) -> Arrival {
        let Self { id, topic, subject, at } = self.clone();
        Arrival { id, topic, subject, at, content }
    }
}

enum Records<'a> {
    Queue(&'a [Value]),
    Topic(&'a [Value]),
}

/// The records of a batch, when all of them are a queue's, or a topic's.
fn records(payload: &Value) -> Option<Records<'_>> {
    let records = json::list(payload, &["Records"]);
    let all = |test: fn(&Value) -> bool| !records.is_empty() && records.iter().all(test);
    if all(|record| record.get("messageId").is_some() && record.get("body").is_some()) {
        return Some(Records::Queue(records));
    }
    all(|record| record.get("Sns").is_some_and(Value::is_object)).then_some(Records::Topic(records))
}

fn read(text: &str, outer: &Outer, depth: usize) -> Vec<Arrival> {
    match json::parse(text) {
        Some(value) if depth > 0 => opened(value, outer, depth),
        _ => vec![outer.with(Content::Text(text.to_owned()))],
    }
}

fn opened(value: Value, outer: &Outer, depth: usize) -> Vec<Arrival> {
    if depth == 0 {
        return vec![outer.with(Content::Json(value))];
    }
    if let Value::String(text) = &value {
        // A document that was encoded twice, or a text in JSON's quotes.
        return read(text, outer, depth - 1);
    }
    match records(&value) {
        Some(Records::Queue(records)) => records.iter().flat_map(|record| nested(record, outer, depth)).collect(),
        Some(Records::Topic(records)) => {
            records.iter().filter_map(|record| record.get("Sns")).flat_map(|sns| message(sns, outer, depth)).collect()
        }
        None if is_message(&value) => message(&value, outer, depth),
        None if value.is_object() || value.is_array() => vec![outer.with(Content::Json(value))],
        None => vec![outer.with(Content::Text(value.to_string()))],
    }
}

fn nested(record: &Value, outer: &Outer, depth: usize) -> Vec<Arrival> {
    let id = json::text(record, &["messageId"]).map(str::to_owned);
    let outer = Outer { id: id.or_else(|| outer.id.clone()), ..outer.clone() };
    match record.get("body") {
        Some(Value::String(body)) => read(body, &outer, depth - 1),
        Some(other) => opened(other.clone(), &outer, depth - 1),
        None => vec![outer.with(Content::Text(String::new()))],
    }
}

/// Whether it is what a topic sends to a queue.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>
fn is_message(value: &Value) -> bool {
    let kind = json::text(value, &["Type"]).unwrap_or_default();
    value.get("Message").is_some() && (value.get("TopicArn").is_some() || kind == "Notification" || handshake(kind))
}

fn handshake(kind: &str) -> bool {
    matches!(kind, "SubscriptionConfirmation" | "UnsubscribeConfirmation")
}

fn message(sns: &Value, outer: &Outer, depth: usize) -> Vec<Arrival> {
    let text = |name: &str| json::text(sns, &[name]).map(str::to_owned);
    let outer = Outer {
        id: text("MessageId").or_else(|| outer.id.clone()),
        topic: text("TopicArn").or_else(|| outer.topic.clone()),
        subject: text("Subject").or_else(|| outer.subject.clone()),
        at: json::time(sns, &["Timestamp"]).or(outer.at),
    };
    match text("Type").filter(|kind| handshake(kind)) {
        Some(kind) => vec![outer.with(Content::Handshake(kind))],
        None => match sns.get("Message") {
            Some(Value::String(message)) => read(message, &outer, depth - 1),
            Some(Value::Null) | None => vec![outer.with(Content::Text(String::new()))],
            Some(other) => opened(other.clone(), &outer, depth - 1),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn sns(message: &Value) -> Value {
        let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
        json!({
            "Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:aws:sns:us-east-1:123456789012:shop-signals",
            "Subject": "s", "Message": message, "Timestamp": "2026-01-05T09:00:01.000Z",
        })
    }

    fn only(payload: &Value) -> Arrival {
        <[Arrival; 1]>::try_from(Arrival::with_payload(payload)).expect("one thing arrived")[0].clone()
    }

    fn queue(body: &str) -> Value {
        json!({"Records": [{"messageId": "q-1", "body": body, "eventSource": "aws:sqs",
            "attributes": {"ApproximateReceiveCount": "3", "AWSTraceHeader": "Root=1-5"}}]})
    }

    #[test]
    fn the_same_thing_is_found_in_every_envelope() {
        let thing = json!({"AlarmName": "cpu"});
        for payload in [
            thing.clone(),
            json!(thing.to_string()),
            queue(&thing.to_string()),
            queue(&json!(thing.to_string()).to_string()),
            sns(&thing),
            queue(&sns(&thing).to_string()),
            queue(&sns(&json!(json!(thing.to_string()).to_string())).to_string()),
            json!({"Records": [{"EventSource": "aws:sns", "Sns": sns(&thing)}]}),
            queue(&json!({"Records": [{"EventSource": "aws:sns", "Sns": sns(&thing)}]}).to_string()),
            queue(&queue(&thing.to_string()).to_string()),
        ] {
            assert_eq!(only(&payload).content, Content::Json(thing.clone()), "{payload}");
        }
    }

    #[test]
    fn the_innermost_envelope_says_what_it_is_and_when() {
        let arrival = only(&queue(&sns(&json!("disk full")).to_string()));
        assert_eq!(arrival.id.as_deref(), Some("m-1"));
        assert_eq!(arrival.topic.as_deref(), Some("arn:aws:sns:us-east-1:123456789012:shop-signals"));
        assert_eq!(arrival.subject.as_deref(), Some("s"));
        assert_eq!(arrival.at, Some("2026-01-05T09:00:01Z".parse().unwrap()));
        assert_eq!(arrival.content, Content::Text("disk full".to_owned()));
        assert_eq!(only(&queue("disk full")).id.as_deref(), Some("q-1"));
    }

    #[test]
    fn all_of_a_batch_arrives_each_under_its_own_id() {
        let mut batch = queue("first");
        batch["Records"].as_array_mut().unwrap().push(json!({"messageId": "q-2", "body": {"a": 1}}));
        let arrivals = Arrival::with_payload(&batch);
        let ids: Vec<_> = arrivals.iter().map(|arrival| arrival.id.as_deref()).collect();
        assert_eq!(ids, [Some("q-1"), Some("q-2")]);
        assert_eq!(arrivals[1].content, Content::Json(json!({"a": 1})));
    }

    #[test]
    fn a_subscription_to_confirm_is_no_message() {
        let mut ask = sns(&json!("You have chosen to subscribe"));
        ask["Type"] = json!("SubscriptionConfirmation");
        assert_eq!(only(&queue(&ask.to_string())).content, Content::Handshake("SubscriptionConfirmation".to_owned()));
    }

    #[test]
    fn what_is_no_envelope_is_itself() {
        for (text, expected) in [
            ("", Content::Text(String::new())),
            ("{\"cut\": \"of", Content::Text("{\"cut\": \"of".to_owned())),
            ("42", Content::Text("42".to_owned())),
            ("null", Content::Text("null".to_owned())),
            ("[1, {}]", Content::Json(json!([1, {}]))),
            ("{\"Records\": [{\"s3\": {}}]}", Content::Json(json!({"Records": [{"s3": {}}]}))),
        ] {
            assert_eq!(only(&queue(text)).content, expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_arrives(text in ".{0,200}") {
            prop_assert!(!Arrival::in_message(&text, None).is_empty());
        }
    }
}
