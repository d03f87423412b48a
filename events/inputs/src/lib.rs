//! Inputs that nobody means: our own payloads with bytes changed, with JSON changed, and put into each other's
//! envelopes. What reads inputs is held against them; the same seed makes the same input.

mod any;
mod dice;

use std::io;
use std::path::Path;

pub use any::any_json;
pub use dice::Dice;
use serde_json::{Map, Value, json};

/// Payloads to begin with.
#[derive(Clone, Debug)]
pub struct Inputs {
    samples: Vec<String>,
}

/// What is found in payloads that are understood, and what is found in none.
const WORDS: [&str; 32] = [
    "",
    "ALARM",
    "OK",
    "INSUFFICIENT_DATA",
    "NaN",
    "1e999",
    "arn:aws:cloudwatch:us-east-1:1:alarm:x",
    ":::::",
    "aws.rds",
    "AWS Health Event",
    "GuardDuty Finding",
    "DLM Policy State Change",
    "ECS Deployment State Change",
    "ECS Task State Change",
    "SERVICE_DEPLOYMENT_FAILED",
    "STOPPED",
    "service:web",
    "wharf-push:web",
    "ECR Image Action",
    "PUSH",
    "SUCCESS",
    "shop/web",
    "v9",
    "123456789012",
    "us-east-1",
    "wharf-reconcile",
    "wharf-check-snapshots",
    "SubscriptionConfirmation",
    "2026-01-05T09:12:46.138+0000",
    "\u{202e}👩‍👩‍👧‍👦",
    "\\ud83d",
    "<!channel>",
];

impl Inputs {
    /// Those that are made from the samples of what AWS sends.
    ///
    /// # Errors
    /// The samples cannot be read.
    pub fn from_samples() -> io::Result<Self> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples");
        let paths = std::fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
        let mut paths: Vec<_> = paths.collect::<Result<_, _>>()?;
        paths.sort();
        let samples = paths.iter().map(std::fs::read_to_string).collect::<Result<_, _>>()?;
        Ok(Self { samples })
    }

    /// More payloads to begin with.
    #[must_use]
    pub fn and(mut self, more: impl IntoIterator<Item = String>) -> Self {
        self.samples.extend(more);
        self
    }

    /// The input of a seed.
    #[must_use]
    pub fn of(&self, seed: u64) -> String {
        self.throw(&mut Dice::of(seed))
    }

    /// The next input.
    pub fn throw(&self, dice: &mut Dice) -> String {
        let sample = self.samples.get(dice.below(self.samples.len())).map(String::as_str).unwrap_or_default();
        let text = match (dice.below(4), serde_json::from_str::<Value>(sample)) {
            (0, _) | (_, Err(_)) => bytes(dice, sample),
            (_, Ok(mut value)) => {
                for _ in 0..=dice.below(4) {
                    change(dice, &mut value, 0);
                }
                value.to_string()
            }
        };
        enveloped(dice, text)
    }
}

fn enveloped(dice: &mut Dice, text: String) -> String {
    let envelope = match dice.below(8) {
        0 => json!({"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:r:1:t", "Message": text}),
        1 => json!({"Records": [{"messageId": "q", "body": text, "eventSource": "aws:sqs"}]}),
        2 => json!({"Records": [{"messageId": "q", "body": text}]}),
        3 => json!({"Records": [{"Sns": {"Message": text, "MessageId": "m"}}]}),
        4 => json!(text),
        _ => return text,
    };
    envelope.to_string()
}

/// Bytes changed, taken out, doubled, and cut off.
fn bytes(dice: &mut Dice, sample: &str) -> String {
    let mut bytes = sample.as_bytes().to_vec();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len());
        let end = (at + dice.below(60)).min(bytes.len());
        match (dice.below(5), bytes.get_mut(at)) {
            (0, Some(byte)) => *byte = dice.byte(),
            (1, Some(byte)) => *byte ^= 1 << dice.below(8),
            (2, _) => drop(bytes.drain(at..end)),
            (3, _) => {
                let again: Vec<u8> = bytes.iter().skip(at).take(end - at).copied().collect();
                bytes.splice(at..at, again);
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Changes something in a document.
fn change(dice: &mut Dice, value: &mut Value, depth: usize) {
    let stop = depth > 6 || dice.below(4) == 0;
    match value {
        Value::Object(fields) if !stop && !fields.is_empty() => {
            let names: Vec<String> = fields.keys().cloned().collect();
            let Some(name) = names.get(dice.below(names.len())) else { return };
            match dice.below(8) {
                0 => drop(fields.remove(name)),
                1 => {
                    let moved = fields.remove(name).unwrap_or_default();
                    fields.insert(dice.pick(&WORDS).unwrap_or_default().to_owned(), moved);
                }
                _ => change(dice, fields.entry(name.clone()).or_insert(Value::Null), depth + 1),
            }
        }
        Value::Array(members) if !stop && !members.is_empty() => {
            let at = dice.below(members.len());
            match dice.below(6) {
                0 => drop(members.remove(at)),
                1 => members.push(members.get(at).cloned().unwrap_or_default()),
                _ => change(dice, members.get_mut(at).unwrap_or(&mut Value::Null), depth + 1),
            }
        }
        other => *other = another(dice, other),
    }
}

fn another(dice: &mut Dice, value: &Value) -> Value {
    match dice.below(10) {
        0 => Value::Null,
        1 => Value::Bool(dice.below(2) == 0),
        2 => json!(f64::from_bits(dice.throw())),
        3 => json!(dice.throw()),
        4 => Value::Array(vec![value.clone()]),
        5 => Value::Object(Map::from_iter([(dice.pick(&WORDS).unwrap_or_default().to_owned(), value.clone())])),
        6 => Value::from(value.to_string()),
        7 => Value::from(bytes(dice, value.as_str().unwrap_or_default())),
        _ => Value::from(dice.pick(&WORDS).unwrap_or_default()),
    }
}
