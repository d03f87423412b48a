//! Slack's rules for blocks, as far as messages of this account's kind go.
//! <https://docs.slack.dev/reference/block-kit/blocks/>

use serde_json::{Map, Value};

const MOST_BLOCKS: usize = 50;
const MOST_FIELDS: usize = 10;
const MOST_ELEMENTS: usize = 10;
const LONGEST_HEADER: usize = 150;
const LONGEST_FIELD: usize = 2_000;
const LONGEST_TEXT: usize = 3_000;
const LONGEST_ID: usize = 255;

/// What is wrong with blocks; nothing when nothing is.
pub(super) fn broken(blocks: &[Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    if blocks.len() > MOST_BLOCKS {
        wrong.push(format!("no more than {MOST_BLOCKS} items allowed [json-pointer:/blocks]"));
    }
    for (n, block) in blocks.iter().enumerate() {
        if let Err(what) = judge(block) {
            wrong.push(format!("{what} [json-pointer:/blocks/{n}]"));
        }
    }
    wrong
}

fn judge(block: &Value) -> Result<(), String> {
    let block = block.as_object().ok_or("must be an object")?;
    let id = block.get("block_id").map(|id| id.as_str().ok_or("block_id must be a string")).transpose()?;
    if id.is_some_and(|id| id.is_empty() || units(id) > LONGEST_ID) {
        return Err(format!("block_id must have 1 to {LONGEST_ID} characters"));
    }
    match block.get("type").and_then(Value::as_str).unwrap_or_default() {
        "header" => {
            only(block, &["text"])?;
            text(block.get("text").ok_or("missing required field: text")?, LONGEST_HEADER, &["plain_text"])
        }
        "section" => section(block),
        "context" => {
            only(block, &["elements"])?;
            let elements = list(block, "elements", MOST_ELEMENTS)?;
            elements.iter().try_for_each(|element| text(element, LONGEST_TEXT, &["plain_text", "mrkdwn"]))
        }
        "divider" => only(block, &[]),
        other => Err(format!("not simulated, or no block: {other:?}")),
    }
}

fn section(block: &Map<String, Value>) -> Result<(), String> {
    only(block, &["text", "fields", "expand"])?;
    let both = ["plain_text", "mrkdwn"];
    match (block.get("text"), block.get("fields")) {
        (None, None) => Err("must have text or fields".to_owned()),
        (said, fields) => {
            said.map_or(Ok(()), |said| text(said, LONGEST_TEXT, &both))?;
            fields.map_or(Ok(()), |_| {
                let fields = list(block, "fields", MOST_FIELDS)?;
                fields.iter().try_for_each(|field| text(field, LONGEST_FIELD, &both))
            })
        }
    }
}

fn list<'a>(block: &'a Map<String, Value>, name: &str, most: usize) -> Result<&'a [Value], String> {
    let list = block.get(name).and_then(Value::as_array).ok_or(format!("{name} must be a list"))?;
    if list.is_empty() || list.len() > most {
        return Err(format!("{name} must have 1 to {most} items, has {}", list.len()));
    }
    Ok(list)
}

/// Slack refuses a field that a block does not have.
fn only(block: &Map<String, Value>, allowed: &[&str]) -> Result<(), String> {
    let known = |name: &str| name == "type" || name == "block_id" || allowed.contains(&name);
    block.keys().find(|name| !known(name)).map_or(Ok(()), |name| Err(format!("invalid additional property: {name}")))
}

/// <https://docs.slack.dev/reference/block-kit/composition-objects/text-object/>
fn text(object: &Value, longest: usize, kinds: &[&str]) -> Result<(), String> {
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
    if !kinds.contains(&kind) {
        return Err(format!("text must be one of {kinds:?}, is {kind:?}"));
    }
    let said = object.get("text").and_then(Value::as_str).ok_or("text must be a string")?;
    if said.is_empty() || units(said) > longest {
        return Err(format!("text must have 1 to {longest} characters, has {}", units(said)));
    }
    let fits =
        |name: &str| matches!((kind, name), (_, "type" | "text") | ("plain_text", "emoji") | ("mrkdwn", "verbatim"));
    let more = object.as_object().and_then(|fields| fields.keys().find(|name| !fits(name)));
    more.map_or(Ok(()), |name| Err(format!("invalid additional property: {name}")))
}

/// A length as the strictest reader counts it.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// How much all blocks say together.
pub(super) fn length(blocks: &[Value]) -> usize {
    fn of(value: &Value) -> usize {
        match value {
            Value::Object(fields) => {
                let own = fields.get("text").and_then(Value::as_str).map_or(0, units);
                own + fields.values().map(of).sum::<usize>()
            }
            Value::Array(members) => members.iter().map(of).sum(),
            _ => 0,
        }
    }
    blocks.iter().map(of).sum()
}

/// The mentions in the texts of a block.
pub(super) fn mentions_of(block: &Value, found: &mut Vec<String>) {
    match block {
        Value::Object(fields) => {
            let kind = fields.get("type").and_then(Value::as_str);
            let verbatim = fields.get("verbatim").and_then(Value::as_bool).unwrap_or_default();
            if let (Some("mrkdwn"), Some(text)) = (kind, fields.get("text").and_then(Value::as_str)) {
                found.extend(mentions(text, verbatim));
            }
            fields.values().for_each(|value| mentions_of(value, found));
        }
        Value::Array(members) => members.iter().for_each(|member| mentions_of(member, found)),
        _ => {}
    }
}

/// The mentions in a text. Unless it is verbatim, Slack makes some out of bare names.
pub(super) fn mentions(text: &str, verbatim: bool) -> Vec<String> {
    let marked = text.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(inner, _)| inner);
    let rings = |inner: &&str| inner.starts_with('@') || (inner.starts_with('!') && !inner.starts_with("!date"));
    let mut found: Vec<String> = marked.filter(rings).map(|inner| format!("<{inner}>")).collect();
    let bare = ["@here", "@channel", "@everyone"];
    found.extend(bare.iter().filter(|name| !verbatim && text.contains(**name)).map(|name| (*name).to_owned()));
    found
}
