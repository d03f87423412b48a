//! The faults of JSON that senders are known for, mended: halves of surrogate pairs (a text that was cut in the middle
//! of an emoji), `NaN` and `Infinity` (Python's `json.dumps`), numbers beyond a double's range.

use std::borrow::Cow;

/// The text with these faults mended: borrowed when it has none.
pub(crate) fn mended(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let offset = text.len() - rest.len();
        let (length, instead) = if first == '"' {
            let length = string(rest);
            let slice = rest.get(..length).unwrap_or(rest);
            (length, surrogates(slice))
        } else if first.is_ascii_alphanumeric() || matches!(first, '-' | '+') {
            let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            (length, word(rest.get(..length).unwrap_or(rest)))
        } else {
            (first.len_utf8(), None)
        };
        if let Some(instead) = instead {
            out.push_str(text.get(copied..offset).unwrap_or_default());
            out.push_str(&instead);
            copied = offset + length;
        }
        rest = rest.get(length.max(1)..).unwrap_or_default();
    }
    if copied == 0 && out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.')
}

/// The length of the string that a text begins with, its quotes included.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// What stands for a number that is none in JSON, or in a double.
fn word(word: &str) -> Option<String> {
    let number = matches!(word, "NaN" | "Infinity" | "-Infinity")
        || word.parse::<f64>().is_ok_and(|number| !number.is_finite() && word.ends_with(|c: char| c.is_ascii_digit()));
    number.then(|| format!("\"{word}\""))
}

/// A string whose halves of surrogate pairs are replaced; none when it has no such.
fn surrogates(string: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = string;
    let mut found = false;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let taken = match unit(escape) {
            Some(0xd800..=0xdbff) if matches!(escape.get(6..).and_then(unit), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => {
                found = true;
                out.push_str("\\ufffd");
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            Some(_) => 6,
            None => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        out.push_str(escape.get(..taken).unwrap_or(escape));
        rest = escape.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    found.then_some(out)
}

/// The code unit of the `\uXXXX` that a text begins with.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_fault_is_left_alone() {
        for text in ["", "{\"a\": [1, -2.5e3, true, null, \"\\u00e9\\ud83d\\ude00 NaN\"]}", "no json at all", "\"open"]
        {
            assert!(matches!(mended(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn halves_of_pairs_and_numbers_beyond_doubles_are_mended() {
        for (text, expected) in [
            (r#"{"a": "x\ud83d"}"#, r#"{"a": "x\ufffd"}"#),
            (r#"["\ude00\ud83d\ud83d\ude00"]"#, r#"["\ufffd\ufffd\ud83d\ude00"]"#),
            (r#"{"a": NaN, "b": -Infinity, "c": 1e999}"#, r#"{"a": "NaN", "b": "-Infinity", "c": "1e999"}"#),
            (r#"["\\ud83d", "é\\"]"#, r#"["\\ud83d", "é\\"]"#),
        ] {
            assert_eq!(mended(text), expected);
        }
    }
}
