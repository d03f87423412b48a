//! Reading JSON that may be anything: what is missing, or of another type than expected, is not there.

use std::borrow::Cow;
use std::str::FromStr as _;

use jiff::Timestamp;
use serde_json::Value;

use crate::mend;

/// A JSON document, also one with the faults that senders are known for; none for what is no JSON, or nested deeper
/// than anybody means.
pub(crate) fn parse(text: &str) -> Option<Value> {
    let text = text.trim_start_matches('\u{feff}').trim();
    serde_json::from_str(text).ok().or_else(|| match mend::mended(text) {
        Cow::Borrowed(_) => None,
        Cow::Owned(mended) => serde_json::from_str(&mended).ok(),
    })
}

/// The value at a path of names.
pub(crate) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(name)).filter(|found| !found.is_null())
}

/// The text at a path, without blanks around it; none when there is nothing else in it.
pub(crate) fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    at(value, path)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// The first of these names that has a text.
pub(crate) fn first<'a>(value: &'a Value, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| text(value, &[name]))
}

/// The number at a path, also one that is written as a text.
pub(crate) fn number(value: &Value, path: &[&str]) -> Option<f64> {
    let found = at(value, path)?;
    found.as_f64().or_else(|| found.as_str()?.trim().parse().ok()).filter(|number: &f64| number.is_finite())
}

/// The moment at a path.
pub(crate) fn time(value: &Value, path: &[&str]) -> Option<Timestamp> {
    moment(text(value, path)?)
}

/// A moment as AWS writes it: RFC 3339, also with `+0000` for the offset, and also with blanks in it.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    Timestamp::from_str(&text).ok()
}

/// The members of the list at a path.
pub(crate) fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    at(value, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A value as people read it; none for what has no short form.
pub(crate) fn shown(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.as_f64().map_or_else(|| number.to_string(), plain)),
        Value::Bool(true) => Some("yes".to_owned()),
        Value::Bool(false) => Some("no".to_owned()),
        Value::Array(members) if !members.is_empty() && members.len() <= 10 => {
            let members: Option<Vec<String>> =
                members.iter().map(|member| if member.is_array() { None } else { shown(member) }).collect();
            members.map(|members| members.join(", "))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number without the digits that nobody reads: three behind the point, more where it is small.
pub(crate) fn plain(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return if number == 0.0 { "0".to_owned() } else { number.to_string() };
    }
    let size = number.abs();
    if !(1e-9..1e15).contains(&size) {
        return format!("{number:e}");
    }
    let digits = if size >= 1.0 { 3 } else { 12 };
    let text = format!("{number:.digits$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if size >= 1.0 {
        return text.to_owned();
    }
    // Of what is less than one, three digits count.
    let leading = text.bytes().skip_while(|b| *b == b'-').skip(2).take_while(|b| *b == b'0').count();
    let cut = text.find('.').map_or(text.len(), |point| (point + 1 + leading + 3).min(text.len()));
    text.get(..cut).unwrap_or(text).trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn moments_are_read_in_every_form_that_aws_writes() {
        let expected: Timestamp = "2026-01-05T09:12:46.138Z".parse().unwrap();
        for text in ["2026-01-05T09:12:46.138Z", "2026-01-05T09:12:46.138+0000", "2026-01-05T09: 12: 46.138+0000"] {
            assert_eq!(moment(text), Some(expected), "{text}");
        }
        assert_eq!(moment("2026-01-05T09:12:46.138+01:00").unwrap(), expected - jiff::Span::new().hours(1));
        for text in ["", "yesterday", "2026-13-05T09:12:46Z"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_read_from_texts_and_shown_with_the_digits_that_count() {
        let value = json!({"a": "80.0", "b": 3, "c": "NaN", "d": []});
        assert_eq!(number(&value, &["a"]), Some(80.0));
        assert_eq!(number(&value, &["b"]), Some(3.0));
        assert_eq!((number(&value, &["c"]), number(&value, &["d"])), (None, None));
        for (number, expected) in [
            (0.0, "0"),
            (80.0, "80"),
            (45628.0, "45628"),
            (3.214_159, "3.214"),
            (0.020_599_444, "0.0205"),
            (-0.5, "-0.5"),
            (1e300, "1e300"),
            (1e-12, "1e-12"),
        ] {
            assert_eq!(plain(number), expected);
        }
    }

    #[test]
    fn what_is_of_another_type_is_not_there() {
        let value = json!({"a": {"b": " x "}, "n": null, "t": "", "l": [1, "two", true], "deep": [[1]]});
        assert_eq!(text(&value, &["a", "b"]), Some("x"));
        assert_eq!(text(&value, &["a", "b", "c"]), None);
        assert_eq!((text(&value, &["n"]), text(&value, &["t"]), text(&value, &["a"])), (None, None, None));
        assert_eq!(shown(&value["l"]).as_deref(), Some("1, two, yes"));
        assert_eq!((shown(&value["deep"]), shown(&value["a"])), (None, None));
    }

    #[test]
    fn what_is_nested_beyond_sense_is_no_json_and_costs_no_stack() {
        let deep = "[".repeat(100_000);
        assert_eq!(parse(&deep), None);
        assert_eq!(parse(&format!("{}{}", "[".repeat(500), "]".repeat(500))), None);
    }
}
