//! What a target gets of an event: all of it, a part, a constant, or a text made of parts.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html>

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::{ApiError, refuse};

/// What else a template can name, besides the paths of its own.
pub(super) struct Circumstances<'a> {
    pub(super) rule: &'a str,
    pub(super) name: &'a str,
    /// When the event came in.
    pub(super) ingested: &'a str,
}

const PREDEFINED: &[&str] = &[
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event.ingestion-time",
    "aws.events.event",
    "aws.events.event.json",
];

/// The steps of a path such as `$.detail.list[0]`; none where it is of another kind.
fn steps(path: &str) -> Option<Vec<String>> {
    let mut steps = Vec::new();
    for part in path.strip_prefix('$')?.split('.').skip_while(|part| part.is_empty()) {
        let (name, indices) = part.split_once('[').map_or((part, None), |(name, rest)| (name, Some(rest)));
        if name.is_empty() || name.contains(['*', '\'', '?', '@', ']']) {
            return None;
        }
        steps.push(name.to_owned());
        for index in indices.into_iter().flat_map(|rest| rest.split('[')) {
            let index = index.strip_suffix(']')?;
            index.parse::<usize>().ok()?;
            steps.push(index.to_owned());
        }
    }
    Some(steps)
}

/// Judges a path as it is set.
pub(super) fn check_path(path: &str) -> Result<(), ApiError> {
    match steps(path) {
        Some(_) => Ok(()),
        None if path.starts_with('$') => Err(ApiError::not_simulated(format!("the path {path}"))),
        None => Err(refuse("ValidationException", format!("Invalid JsonPath: {path}"))),
    }
}

/// What is at a path.
pub(super) fn at<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    steps(path)?.iter().try_fold(event, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}

/// A piece of a template.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    /// A name between `<` and `>`, and whether it stands inside quotes.
    Name(&'a str, bool),
}

fn pieces(template: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut from, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    let mut at = 0;
    while let Some(letter) = template[at..].chars().next() {
        let name = template[at..].strip_prefix('<').and_then(|rest| rest.split_once('>')).map(|(name, _)| name);
        let name = name.filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b'<'));
        if let Some(name) = name {
            pieces.push(Piece::Text(&template[from..at]));
            pieces.push(Piece::Name(name, quoted));
            at += name.len() + 2;
            from = at;
            continue;
        }
        if letter == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = letter == '\\' && !escaped;
        at += letter.len_utf8();
    }
    pieces.push(Piece::Text(&template[from..]));
    pieces
}

/// Judges a template as it is set: it names only what there is.
pub(super) fn check_template(target: &str, paths: &Map<String, Value>, template: &str) -> Result<(), ApiError> {
    for (name, path) in paths {
        check_path(path.as_str().unwrap_or_default())?;
        if name.to_lowercase().starts_with("aws") {
            let message = format!("InputPathsMap for target {target} contains the reserved name {name}.");
            return Err(refuse("ValidationException", message));
        }
    }
    for piece in pieces(template) {
        if let Piece::Name(name, _) = piece
            && !paths.contains_key(name)
            && !PREDEFINED.contains(&name)
        {
            let message = format!("InputTemplate for target {target} contains invalid placeholder {name}.");
            return Err(refuse("ValidationException", message));
        }
    }
    Ok(())
}

/// A template filled in; none where that gives no JSON.
fn filled(template: &str, names: &BTreeMap<String, Value>) -> Option<String> {
    let whole = template.trim_start().starts_with('{');
    let mut out = String::new();
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Name(name, quoted) => match (names.get(name), quoted) {
                (None, false) => out.push_str("\"\""),
                (None, true) => {}
                (Some(Value::String(text)), true) => out.push_str(text),
                // Of a value in a line of text the quotes go.
                (Some(value), true) if !whole => out.push_str(&value.to_string().replace('"', "")),
                (Some(value), _) => out.push_str(&value.to_string()),
            },
        }
    }
    let mut values = serde_json::Deserializer::from_str(&out).into_iter::<Value>();
    values.all(|value| value.is_ok()).then_some(out)
}

/// What a target is sent; none where its template gives no JSON for this event.
pub(super) fn payload(target: &Value, event: &Value, around: &Circumstances<'_>) -> Option<String> {
    if let Some(constant) = target["Input"].as_str() {
        return Some(constant.to_owned());
    }
    if let Some(path) = target["InputPath"].as_str() {
        return Some(at(event, path).unwrap_or(&Value::Null).to_string());
    }
    let Some(transformer) = target.get("InputTransformer") else { return Some(event.to_string()) };
    let mut names = BTreeMap::new();
    for (name, path) in transformer["InputPathsMap"].as_object().into_iter().flatten() {
        if let Some(value) = at(event, path.as_str().unwrap_or_default()) {
            names.insert(name.clone(), value.clone());
        }
    }
    let mut without = event.clone();
    if let Some(members) = without.as_object_mut() {
        members.remove("detail");
        if let Some(kind) = members.remove("detail-type") {
            members.insert("detailType".to_owned(), kind);
        }
    }
    let values = [around.rule.into(), around.name.into(), around.ingested.into(), without, event.clone()];
    names.extend(PREDEFINED.iter().map(|name| (*name).to_owned()).zip(values));
    filled(transformer["InputTemplate"].as_str().unwrap_or_default(), &names)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made(target: Value) -> Option<String> {
        let event = json!({"detail-type": "t", "detail": {"id": "7", "list": ["HIGH"], "all": {"a": "b"}, "ok": true}});
        let around = Circumstances { rule: "arn:r", name: "r", ingested: "2026-01-05T09:00:00Z" };
        payload(&target, &event, &around)
    }

    fn template(text: &str) -> Option<String> {
        let paths = json!({"id": "$.detail.id", "list": "$.detail.list", "all": "$.detail.all", "ok": "$.detail.ok",
            "none": "$.detail.none", "first": "$.detail.list[0]"});
        made(json!({"InputTransformer": {"InputPathsMap": paths, "InputTemplate": text}}))
    }

    #[test]
    fn a_target_gets_a_constant_a_part_or_all() {
        assert_eq!(made(json!({"Input": "{\"k\": 1}"})).unwrap(), "{\"k\": 1}");
        assert_eq!(made(json!({"InputPath": "$.detail.id"})).unwrap(), "\"7\"");
        assert_eq!(made(json!({"InputPath": "$.detail.list[0]"})).unwrap(), "\"HIGH\"");
        assert!(made(json!({})).unwrap().contains("\"detail-type\":\"t\""));
    }

    #[test]
    fn a_template_is_filled_in_by_where_its_names_stand() {
        assert_eq!(template("\"user <id> is <ok>, <list> <all>\"").unwrap(), "\"user 7 is true, [HIGH] {a:b}\"");
        assert_eq!(template("{\"id\": <id>, \"p\": \"u/<id>/x\"}").unwrap(), "{\"id\": \"7\", \"p\": \"u/7/x\"}");
        assert_eq!(template("{\"l\": <list>, \"f\": <first>}").unwrap(), "{\"l\": [\"HIGH\"], \"f\": \"HIGH\"}");
        assert_eq!(template("{\"n\": <none>}").unwrap(), "{\"n\": \"\"}");
        assert_eq!(template("{\"l\": \"<list>\"}"), None);
        assert_eq!(template("<list> plain"), None);
        assert_eq!(template("\"<aws.events.rule-name>\"").unwrap(), "\"r\"");
    }

    #[test]
    fn a_template_names_only_what_there_is() {
        let error = check_template("t1", &Map::new(), "{\"a\": <b>}").unwrap_err();
        assert_eq!(error.message, "InputTemplate for target t1 contains invalid placeholder b.");
        assert_eq!(check_path("detail").unwrap_err().code, "ValidationException");
        assert_eq!(check_path("$.a[*]").unwrap_err().code, "NotSimulated");
    }
}
