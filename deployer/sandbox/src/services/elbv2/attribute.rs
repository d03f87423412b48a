//! Lists of attributes: what a key may be, and how they are given and shown.

use serde_json::{Map, Value, json};

use super::configuration;
use crate::error::ApiError;
use crate::input::Input;

/// What the value of an attribute may be.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Flag,
    Number(i64, i64),
    /// Zero, or a number within these.
    ZeroOr(i64, i64),
    /// A number within these, or `off`.
    OrOff(i64, i64),
    One(&'static [&'static str]),
    Text,
}

/// An attribute: its key, what it is unless told otherwise, what it may be.
pub(super) type Row = (&'static str, &'static str, Form);

pub(super) fn defaults(table: &[Row]) -> Value {
    table.iter().map(|(key, value, _)| ((*key).to_owned(), json!(value))).collect::<Map<_, _>>().into()
}

/// Attributes as the answers have them.
pub(super) fn listed(attributes: Option<&Value>) -> Value {
    let map = attributes.and_then(Value::as_object);
    map.into_iter().flatten().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// The attributes with those that a request changes.
pub(super) fn changed(
    input: &Input,
    table: &[Row],
    words: &str,
    now: Option<&Value>,
) -> Result<Map<String, Value>, ApiError> {
    let mut all = now.and_then(Value::as_object).cloned().unwrap_or_default();
    for attribute in input.objects("Attributes") {
        let key = attribute.string("Key")?;
        let value = attribute.opt_str("Value").unwrap_or_default().to_owned();
        let Some((_, _, form)) = table.iter().find(|(name, _, _)| *name == key) else {
            return Err(configuration(format!("{words} attribute key '{key}' is not recognized")));
        };
        if !form.allows(&value) {
            return Err(configuration(format!("{words} attribute value '{value}' is not valid for key '{key}'")));
        }
        all.insert(key, value.into());
    }
    Ok(all)
}

impl Form {
    fn allows(self, value: &str) -> bool {
        let within = |least, most| value.parse::<i64>().is_ok_and(|n| (least..=most).contains(&n));
        match self {
            Self::Flag => ["true", "false"].contains(&value),
            Self::Number(least, most) => within(least, most),
            Self::ZeroOr(least, most) => value == "0" || within(least, most),
            Self::OrOff(least, most) => value == "off" || within(least, most),
            Self::One(values) => values.contains(&value),
            Self::Text => true,
        }
    }
}
