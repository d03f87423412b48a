//! Messages: what is kept of one, when it is to be seen, and what its receiver gets.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{MESSAGE, QUEUE, attribute, invalid, md5};
use crate::account::Ctx;
use crate::error::ApiError;
use crate::input::Input;
use crate::store::Resource;

/// A message as its receiver has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    /// The same for as long as it lives, in its dead-letter queue too.
    pub(crate) id: String,
    /// What this receipt is deleted by.
    pub(crate) receipt: String,
    /// What was sent, byte for byte.
    pub(crate) body: String,
    /// What SQS says of it: `SentTimestamp`, `ApproximateReceiveCount` and the like, each a text.
    pub(crate) attributes: Map<String, Value>,
    /// What its sender says of it: by name, `DataType` with `StringValue` or `BinaryValue`.
    pub(crate) message_attributes: Map<String, Value>,
}

impl Message {
    /// A message as it lies in its queue.
    pub(super) fn of(kept: &Resource) -> Self {
        let mut attributes = Map::new();
        let mut say = |name: &str, value: &str| {
            if !value.is_empty() {
                attributes.insert(name.to_owned(), value.into());
            }
        };
        say("SenderId", kept.text("SenderId"));
        say("SentTimestamp", &kept.number("_sent").to_string());
        say("ApproximateReceiveCount", &kept.number("_received").to_string());
        if kept.attrs.contains_key("_first") {
            say("ApproximateFirstReceiveTimestamp", &kept.number("_first").to_string());
        }
        for name in ["AWSTraceHeader", "MessageGroupId", "DeadLetterQueueSourceArn"] {
            say(name, kept.text(name));
        }
        let own = kept.attrs.get("MessageAttributes").and_then(Value::as_object);
        Self {
            id: kept.text("MessageId").to_owned(),
            receipt: kept.text("_receipt").to_owned(),
            body: kept.text("Body").to_owned(),
            attributes,
            message_attributes: own.cloned().unwrap_or_default(),
        }
    }

    /// The digest of its body.
    pub(crate) fn md5_of_body(&self) -> String {
        md5::hex(self.body.as_bytes())
    }
}

/// What comes into a queue, whoever sends it.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) body: String,
    pub(super) attributes: Map<String, Value>,
    pub(super) trace: Option<String>,
    pub(super) group: Option<String>,
    pub(super) delay: Option<i64>,
    pub(super) sender: String,
}

impl Draft {
    /// What counts against the longest message: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
    pub(super) fn size(&self) -> usize {
        let text = |value: &Value, name: &str| value[name].as_str().map_or(0, str::len);
        let binary = |value: &Value| decoded(value).map_or(0, |bytes| bytes.len());
        let own = self
            .attributes
            .iter()
            .map(|(name, value)| name.len() + text(value, "DataType") + text(value, "StringValue") + binary(value));
        self.body.len() + own.sum::<usize>()
    }
}

fn decoded(attribute: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(attribute["BinaryValue"].as_str()?).ok()
}

/// Puts a message into a queue: the one door by which they come in. Answers its id.
pub(super) fn put(ctx: &mut Ctx<'_>, queue: &Resource, draft: Draft) -> String {
    let id = ctx.account.rng.uuid();
    let sent = ctx.now.as_millisecond();
    let delay = draft.delay.unwrap_or_else(|| attribute::number(queue, "DelaySeconds"));
    // Messages are no things that an account is made of; with their queue they are gone.
    let mut kept = json!({
        "_gone": true, "_queue": queue.id, "MessageId": id, "Body": draft.body, "SenderId": draft.sender,
        "MessageAttributes": draft.attributes, "_sent": sent, "_visible": sent + delay * 1000, "_received": 0,
    });
    for (name, value) in [("AWSTraceHeader", draft.trace), ("MessageGroupId", draft.group)] {
        if let Some(value) = value {
            kept[name] = value.into();
        }
    }
    let kept = ctx.resource(MESSAGE, place(ctx, &queue.id, &id), kept);
    ctx.insert(kept);
    id
}

/// Where a message lies: behind those that came before it.
pub(super) fn place(ctx: &Ctx<'_>, queue: &str, id: &str) -> String {
    format!("{queue}/{:012}/{id}", ctx.account.store.version)
}

/// All messages of a queue, in the order in which they came.
pub(super) fn all(ctx: &Ctx<'_>, queue: &str) -> Vec<Arc<Resource>> {
    ctx.those(MESSAGE, |one| one.text("_queue") == queue)
}

/// Those that were not in the queue for longer than it keeps any. In a dead-letter queue, the time in the first queue
/// counts too.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>
pub(super) fn living(ctx: &Ctx<'_>, queue: &Resource) -> Vec<Arc<Resource>> {
    let oldest = ctx.now.as_millisecond() - attribute::number(queue, "MessageRetentionPeriod") * 1000;
    let mut all = all(ctx, &queue.id);
    all.retain(|one| one.number("_sent") > oldest);
    all
}

/// How many messages a queue has, by whether they can be received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) visible: usize,
    pub(super) delayed: usize,
    pub(super) in_flight: usize,
}

pub(super) fn counts(ctx: &Ctx<'_>, queue: &Resource) -> Counts {
    let mut counts = Counts::default();
    for one in living(ctx, queue) {
        match (one.number("_visible") <= ctx.now.as_millisecond(), one.number("_received")) {
            (true, _) => counts.visible += 1,
            (false, 0) => counts.delayed += 1,
            (false, _) => counts.in_flight += 1,
        }
    }
    counts
}

/// What shows of a queue's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Depth {
    pub(crate) visible: usize,
    pub(crate) delayed: usize,
    pub(crate) in_flight: usize,
    /// When the oldest was sent.
    pub(crate) oldest: Option<Timestamp>,
    /// When the next becomes visible by itself.
    pub(crate) moves: Option<Timestamp>,
}

/// What there is in a queue; none where there is no such queue.
pub(crate) fn depth(ctx: &Ctx<'_>, queue: &str) -> Option<Depth> {
    let queue = ctx.get(QUEUE, queue)?;
    let (counts, living) = (counts(ctx, &queue), living(ctx, &queue));
    let sent = |one: &Arc<Resource>| Timestamp::from_millisecond(one.number("_sent")).ok();
    Some(Depth {
        visible: counts.visible,
        delayed: counts.delayed,
        in_flight: counts.in_flight,
        oldest: living.iter().filter_map(sent).min(),
        moves: living.iter().map(|one| visible_from(one)).filter(|at| *at > ctx.now).min(),
    })
}

/// When a message can be received.
pub(super) fn visible_from(one: &Resource) -> Timestamp {
    Timestamp::from_millisecond(one.number("_visible")).unwrap_or(Timestamp::MAX)
}

/// The attributes that a sender gives a message.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_MessageAttributeValue.html>
pub(super) fn attributes(input: &Input, name: &str) -> Result<Map<String, Value>, ApiError> {
    let Some(map) = input.object(name) else { return Ok(Map::new()) };
    let names = map.names();
    if names.len() > 10 {
        let count = names.len();
        return Err(invalid(format!("Number of message attributes [{count}] exceeds the allowed maximum [10].")));
    }
    let mut all = Map::new();
    for attribute in names {
        let given = map.object(&attribute).ok_or_else(|| invalid("Message attributes are structures."))?;
        all.insert(attribute.clone(), value(&attribute, &given)?);
    }
    Ok(all)
}

fn value(name: &str, given: &Input) -> Result<Value, ApiError> {
    let kind = given.opt_str("DataType").unwrap_or_default();
    let member = match kind.split('.').next() {
        Some("String" | "Number") => "StringValue",
        Some("Binary") => "BinaryValue",
        _ => {
            let types = "Message (user) attribute";
            return Err(invalid(format!("{types} '{name}' must contain a value of type String, Number or Binary.")));
        }
    };
    let text = given.opt_str(member).filter(|text| !text.is_empty()).ok_or_else(|| {
        invalid(format!("Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."))
    })?;
    Ok(json!({"DataType": kind, member: text}))
}

/// The digest of attributes: of each, by name, the lengths and bytes of its parts.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation>
pub(super) fn md5_of(attributes: &Map<String, Value>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut names: Vec<&String> = attributes.keys().collect();
    names.sort();
    let mut bytes = Vec::new();
    let part = |bytes: &mut Vec<u8>, part: &[u8]| {
        bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    for name in names {
        let value = &attributes[name];
        part(&mut bytes, name.as_bytes());
        part(&mut bytes, value["DataType"].as_str().unwrap_or_default().as_bytes());
        match decoded(value) {
            Some(binary) => {
                bytes.push(2);
                part(&mut bytes, &binary);
            }
            None => {
                bytes.push(1);
                part(&mut bytes, value["StringValue"].as_str().unwrap_or_default().as_bytes());
            }
        }
    }
    Some(md5::hex(&bytes))
}
