//! Values as people read them.

use wharf_engine::{Reference, Value};

/// The longest value that is shown in full.
const MOST: usize = 120;

/// A value in one line. What is unknown until apply says so.
#[must_use]
pub fn show(value: &Value) -> String {
    shorten(&whole(value))
}

fn whole(value: &Value) -> String {
    match value {
        Value::Null => "(not set)".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::Known(text) => text.clone(),
        Value::List(items) => format!("[{}]", items.iter().map(whole).collect::<Vec<_>>().join(", ")),
        Value::Map(map) => {
            let entries: Vec<String> = map.iter().map(|(key, value)| format!("{key}: {}", whole(value))).collect();
            if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
        }
        Value::Ref(reference) => unknown(reference),
        Value::Join(parts) => {
            let text = |part: &Value| match part {
                Value::Ref(reference) => unknown(reference),
                part => part.as_text().unwrap_or_default(),
            };
            parts.iter().map(text).collect::<Vec<_>>().concat()
        }
    }
}

fn unknown(reference: &Reference) -> String {
    format!("({} of {}, known after apply)", reference.output, reference.id)
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    let kept: String = text.chars().take(MOST).collect();
    format!("{kept}…")
}

/// Two values of which one becomes the other. Of lists and maps only what differs is shown.
#[must_use]
pub fn difference(from: &Value, to: &Value) -> String {
    match (from, to) {
        (Value::List(before), Value::List(after)) if before.len() + after.len() > 2 => {
            let has = |list: &[Value], item: &Value| list.iter().any(|other| other.same(item));
            let gone = before.iter().filter(|item| !has(after, item)).map(|item| format!("- {}", show(item)));
            let new = after.iter().filter(|item| !has(before, item)).map(|item| format!("+ {}", show(item)));
            entries(gone.chain(new).collect(), "another order")
        }
        (Value::Map(before), Value::Map(after)) => {
            let null = Value::Null;
            let keys: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
            let pair = |key: &String| (before.get(key).unwrap_or(&null), after.get(key).unwrap_or(&null));
            let differs = keys.into_iter().map(|key| (key, pair(key))).filter(|(_, (a, b))| !a.same(b));
            entries(differs.map(|(key, (a, b))| format!("{key}: {} → {}", show(a), show(b))).collect(), "the same")
        }
        _ => format!("{} → {}", show(from), show(to)),
    }
}

fn entries(all: Vec<String>, none: &str) -> String {
    if all.is_empty() { none.to_owned() } else { all.join(", ") }
}

/// A duration as people say it.
#[must_use]
pub fn duration(time: std::time::Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, _) if seconds < 10 => format!("{:.1} s", time.as_secs_f64()),
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_two_lists_only_what_comes_and_goes_is_shown() {
        let value = |json| Value::from_json(&json).unwrap();
        let shown = difference(&value(json!(["a", "b"])), &value(json!(["b", "c"])));
        assert_eq!(shown, r#"- "a", + "c""#);
        let shown = difference(&value(json!({ "a": 1, "b": 2 })), &value(json!({ "b": 3, "a": 1 })));
        assert_eq!(shown, "b: 2 → 3");
    }

    #[test]
    fn what_is_unknown_until_apply_says_so() {
        let value = Value::from_json(&json!({ "$ref": "network.vpc", "output": "id" })).unwrap();
        assert_eq!(show(&value), "(id of network.vpc, known after apply)");
    }
}
