//! Writing JSON values as XML.

use serde_json::Value;

/// Writes the members of an object; `item` names the elements of lists whose key does not name them itself
/// (`"DBInstances:DBInstance"` does; a key that ends in `:` is a list without a wrapper).
pub(crate) fn members(out: &mut String, value: &Value, item: &str) {
    let Value::Object(map) = value else { return };
    for (key, value) in map {
        if !key.starts_with('_') {
            member(out, key, value, item);
        }
    }
}

fn member(out: &mut String, key: &str, value: &Value, item: &str) {
    let (name, element) = match key.split_once(':') {
        Some((name, element)) => (name, Some(element)),
        None => (key, None),
    };
    match value {
        Value::Null => {}
        Value::Array(items) if element == Some("") => items.iter().for_each(|value| one(out, name, value, item)),
        Value::Array(items) => {
            open(out, name);
            items.iter().for_each(|value| one(out, element.unwrap_or(item), value, item));
            close(out, name);
        }
        other => one(out, name, other, item),
    }
}

fn one(out: &mut String, name: &str, value: &Value, item: &str) {
    open(out, name);
    match value {
        Value::Object(_) => members(out, value, item),
        Value::Array(items) => items.iter().for_each(|value| one(out, item, value, item)),
        Value::String(text) => escape(out, text),
        Value::Null => {}
        other => out.push_str(&other.to_string()),
    }
    close(out, name);
}

fn open(out: &mut String, name: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
}

fn close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// One element with text.
pub(crate) fn text(out: &mut String, name: &str, value: &str) {
    open(out, name);
    escape(out, value);
    close(out, name);
}

fn escape(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: &str) -> String {
        let mut out = String::new();
        members(&mut out, &serde_json::from_str(json).unwrap(), "item");
        out
    }

    #[test]
    fn a_list_is_written_with_the_element_name_its_key_gives() {
        assert_eq!(written(r#"{"Tags:Tag": [{"Key": "a"}]}"#), "<Tags><Tag><Key>a</Key></Tag></Tags>");
        assert_eq!(written(r#"{"set": [1, true]}"#), "<set><item>1</item><item>true</item></set>");
        assert_eq!(written(r#"{"Flat:": ["x", "y"]}"#), "<Flat>x</Flat><Flat>y</Flat>");
    }

    #[test]
    fn nothing_hidden_or_null_is_written_and_text_is_escaped() {
        assert_eq!(written(r#"{"_hidden": 1, "none": null, "t": "a<b&c"}"#), "<t>a&lt;b&amp;c</t>");
    }
}
