//! Equality of texts that hold JSON documents: policies, which AWS gives back re-encoded.

use serde_json::Value as Json;

use crate::value::Value;

/// True when two texts, or two maps of texts, hold the same documents.
pub(crate) fn same(want: &Value, has: &Value) -> bool {
    if let (Value::Map(want), Value::Map(has)) = (want, has) {
        return want.len() == has.len()
            && want.iter().all(|(name, text)| has.get(name).is_some_and(|other| same(text, other)));
    }
    match (parse(want), parse(has)) {
        (Some(want), Some(has)) => equal(&want, &has),
        _ => want.same(has),
    }
}

fn parse(value: &Value) -> Option<Json> {
    match value {
        Value::Text(text) | Value::Known(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

/// In a policy the order of a list means nothing, and a list of one is its item.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>
fn equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && within(a, b) && within(b, a),
        (Json::Array(list), one) | (one, Json::Array(list)) => matches!(list.as_slice(), [item] if equal(item, one)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| equal(value, other)))
        }
        // AWS writes the values of conditions as texts.
        (Json::String(text), Json::Bool(value)) | (Json::Bool(value), Json::String(text)) => {
            text == if *value { "true" } else { "false" }
        }
        (Json::String(text), Json::Number(value)) | (Json::Number(value), Json::String(text)) => {
            let value = value.to_string();
            *text == value
        }
        _ => a == b,
    }
}

fn within(some: &[Json], all: &[Json]) -> bool {
    some.iter().all(|item| all.iter().any(|other| equal(item, other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same_texts(a: &str, b: &str) -> bool {
        same(&Value::text(a), &Value::Known(b.to_owned()))
    }

    #[test]
    fn a_document_is_the_same_in_another_order_and_with_lists_of_one_unwrapped() {
        let ours = r#"{"Version":"2012-10-17","Statement":[{"Action":["b","a"],"Resource":["r"]}]}"#;
        let theirs = r#"{ "Statement": {"Resource": "r", "Action": ["a", "b"]}, "Version": "2012-10-17" }"#;
        assert!(same_texts(ours, theirs));
    }

    #[test]
    fn a_document_that_allows_more_is_another() {
        let ours = r#"{"Statement":[{"Action":["a"]}]}"#;
        assert!(!same_texts(ours, r#"{"Statement":[{"Action":["a","b"]}]}"#));
        assert!(!same_texts(ours, r#"{"Statement":[{"Action":["a"],"Condition":{}}]}"#));
        assert!(!same_texts(ours, "not JSON"));
    }

    #[test]
    fn a_condition_on_true_is_the_same_as_text() {
        let with = |value: &str| format!(r#"{{"Condition":{{"Bool":{{"aws:SecureTransport":{value}}}}}}}"#);
        assert!(same_texts(&with("true"), &with(r#""true""#)));
        assert!(!same_texts(&with("true"), &with(r#""false""#)));
    }

    #[test]
    fn of_a_map_every_document_counts() {
        let map = |entries: &[(&str, &str)]| {
            Value::Map(entries.iter().map(|(name, text)| ((*name).to_owned(), Value::text(*text))).collect())
        };
        assert!(same(&map(&[("p", r#"{"a":["x"]}"#)]), &map(&[("p", r#"{"a":"x"}"#)])));
        assert!(!same(&map(&[("p", r#"{"a":"x"}"#)]), &map(&[])));
        assert!(!same(&map(&[("p", r#"{"a":"x"}"#)]), &map(&[("q", r#"{"a":"x"}"#)])));
    }
}
