//! Reads inputs that nobody means: `cargo run --release -p wharf-events --example fuzz -- 10000000 [SEED]`.
//!
//! Inputs are made from our own payloads, by changing bytes, by changing JSON, and by putting one into another's
//! envelope. What must hold: nothing panics, and of everything something is said, or why not.

use std::io::Write as _;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wharf_events::{Arrival, Told};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let number = |n: usize| std::env::args().nth(n).and_then(|text| text.parse::<u64>().ok());
    let (inputs, seed) = (number(1).unwrap_or(100_000), number(2).unwrap_or(1));
    let samples = samples()?;
    let mut counts = [0_u64; 3];
    let mut out = std::io::stdout().lock();
    for n in 0..inputs {
        // Every input has a seed of its own, by which it can be made again.
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n.wrapping_mul(0xbf58_476d_1ce4_e5b9));
        let input = input(&mut dice, &samples);
        if let Err(what) = judge(&input, &mut counts) {
            return Err(format!("input {n} of seed {seed}: {what}\n{input}").into());
        }
        if n % 1_000_000 == 999_999 {
            writeln!(out, "{} million", (n + 1) / 1_000_000)?;
        }
    }
    let [told, nothing, unreadable] = counts;
    writeln!(
        out,
        "{inputs} inputs of seed {seed}: {told} told, {nothing} nothing to tell, {unreadable} unreadable notices"
    )?;
    Ok(())
}

fn samples() -> Result<Vec<String>, Failure> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut paths: Vec<_> = std::fs::read_dir(directory)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths.iter().map(|path| Ok(std::fs::read_to_string(path)?)).collect()
}

/// What must hold of any input.
fn judge(input: &str, counts: &mut [u64; 3]) -> Result<(), String> {
    let mut arrivals = Arrival::in_message(input, Some("q-1"));
    if let Ok(payload) = serde_json::from_str(input) {
        arrivals.extend(Arrival::with_payload(&payload));
    }
    if arrivals.is_empty() {
        return Err("nothing arrived".to_owned());
    }
    for arrival in arrivals {
        match wharf_events::tell(&arrival, Timestamp::UNIX_EPOCH) {
            Ok(Told::Notice(notice) | Told::IfOpen(notice)) => {
                if [&notice.title, &notice.subject, &notice.key].iter().any(|text| text.trim().is_empty()) {
                    return Err(format!("a notice without title, subject or key: {notice:?}"));
                }
                counts[0] += 1;
            }
            Ok(Told::Nothing(why)) if why.is_empty() => return Err("no reason".to_owned()),
            Ok(Told::Nothing(_)) => counts[1] += 1,
            Err(_) => counts[2] += 1,
        }
    }
    Ok(())
}

/// Chance, the same for the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % (most.max(1) as u64)).unwrap_or_default()
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> Option<&'a T> {
        from.get(self.below(from.len())).copied()
    }
}

fn input(dice: &mut Dice, samples: &[String]) -> String {
    let sample = samples.get(dice.below(samples.len())).map(String::as_str).unwrap_or_default();
    let text = match (dice.below(4), serde_json::from_str::<Value>(sample)) {
        (0, _) | (_, Err(_)) => bytes(dice, sample),
        (_, Ok(mut value)) => {
            for _ in 0..=dice.below(4) {
                change(dice, &mut value, 0);
            }
            value.to_string()
        }
    };
    match dice.below(6) {
        0 => json!({"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:r:1:t", "Message": text})
            .to_string(),
        1 => json!({"Records": [{"messageId": "q", "body": text}]}).to_string(),
        2 => json!({"Records": [{"Sns": {"Message": text, "MessageId": "m"}}]}).to_string(),
        3 => json!(text).to_string(),
        _ => text,
    }
}

/// Bytes changed, taken out, doubled, and cut off.
fn bytes(dice: &mut Dice, sample: &str) -> String {
    let mut bytes = sample.as_bytes().to_vec();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len());
        match dice.below(5) {
            0 if !bytes.is_empty() => bytes[at] = dice.next() as u8,
            1 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
            2 => {
                let end = (at + dice.below(60)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                let end = (at + dice.below(60)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const WORDS: [&str; 22] = [
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
    "SubscriptionConfirmation",
    "RDS DB Instance Event",
    "CloudWatch Alarm State Change",
    "2026-01-05T09:12:46.138+0000",
    "\u{202e}👩‍👩‍👧‍👦",
    "\\ud83d",
    "Threshold Crossed: 1 out of the last 1 datapoints [",
    "] was greater than or equal to the threshold (",
    "<!channel>",
];

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
        2 => json!(f64::from_bits(dice.next())),
        3 => json!(dice.next()),
        4 => Value::Array(vec![value.clone()]),
        5 => Value::Object(Map::from_iter([(dice.pick(&WORDS).unwrap_or_default().to_owned(), value.clone())])),
        6 => Value::from(value.to_string()),
        7 => Value::from(bytes(dice, value.as_str().unwrap_or_default())),
        _ => Value::from(dice.pick(&WORDS).unwrap_or_default()),
    }
}
