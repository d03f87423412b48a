//! Typed attribute values: what is well formed, equal, less, how large.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::number::Number;
use super::{Item, invalid, invalid_value};
use crate::error::ApiError;

/// The type letter and the content of an attribute value.
pub(crate) fn parts(value: &Value) -> Option<(&str, &Value)> {
    let map = value.as_object()?;
    if map.len() == 1 { map.iter().next().map(|(kind, content)| (kind.as_str(), content)) } else { None }
}

/// Checks a value and brings its numbers into the form in which DynamoDB keeps them.
pub(crate) fn normal(value: &Value) -> Result<Value, ApiError> {
    let wrong = || invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes");
    let (kind, content) = parts(value).ok_or_else(wrong)?;
    let content: Value = match kind {
        "S" => content.as_str().ok_or_else(wrong)?.into(),
        "N" => Number::parse(content.as_str().ok_or_else(wrong)?)?.to_string().into(),
        "B" => content.as_str().filter(|text| STANDARD.decode(text).is_ok()).ok_or_else(wrong)?.into(),
        "BOOL" => content.as_bool().ok_or_else(wrong)?.into(),
        "NULL" => content.as_bool().filter(|null| *null).ok_or_else(wrong)?.into(),
        "SS" => set("S", content)?,
        "NS" => set("N", content)?,
        "BS" => set("B", content)?,
        "L" => content.as_array().ok_or_else(wrong)?.iter().map(normal).collect::<Result<Vec<_>, _>>()?.into(),
        "M" => Value::Object(normal_item(content.as_object().ok_or_else(wrong)?)?),
        _ => return Err(wrong()),
    };
    Ok(json!({kind: content}))
}

/// Sets have members, each once: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.SetTypes>
fn set(kind: &str, content: &Value) -> Result<Value, ApiError> {
    let items = content
        .as_array()
        .filter(|items| !items.is_empty())
        .ok_or_else(|| invalid_value("An string set  may not be empty"))?;
    let mut members: Vec<Value> = Vec::new();
    for item in items {
        let single = normal(&json!({kind: item}))?;
        let member = single[kind].clone();
        if members.contains(&member) {
            return Err(invalid_value(format!("Input collection {content} contains duplicates.")));
        }
        members.push(member);
    }
    Ok(members.into())
}

pub(crate) fn normal_item(item: &Item) -> Result<Item, ApiError> {
    item.iter().map(|(name, value)| Ok((name.clone(), normal(value)?))).collect()
}

/// Whether two values are equal; the order of a set does not matter.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (parts(a), parts(b)) {
        (Some((kind, a)), Some((other, b))) if kind == other => match kind {
            "SS" | "NS" | "BS" => {
                members(a).len() == members(b).len() && members(a).iter().all(|m| members(b).contains(m))
            }
            "L" => members(a).len() == members(b).len() && members(a).iter().zip(members(b)).all(|(a, b)| equal(a, b)),
            "M" => match (a.as_object(), b.as_object()) {
                (Some(a), Some(b)) => {
                    a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| equal(v, w)))
                }
                _ => false,
            },
            "N" => order_content(kind, a, b) == Some(Ordering::Equal),
            _ => a == b,
        },
        _ => false,
    }
}

/// The order of two values of the same ordered type (text, number, binary).
pub(crate) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (parts(a)?, parts(b)?) {
        ((kind, a), (other, b)) if kind == other => order_content(kind, a, b),
        _ => None,
    }
}

fn order_content(kind: &str, a: &Value, b: &Value) -> Option<Ordering> {
    let (a, b) = (a.as_str()?, b.as_str()?);
    match kind {
        "S" => Some(a.as_bytes().cmp(b.as_bytes())),
        "N" => Some(Number::parse(a).ok()?.cmp(&Number::parse(b).ok()?)),
        "B" => Some(STANDARD.decode(a).ok()?.cmp(&STANDARD.decode(b).ok()?)),
        _ => None,
    }
}

/// The members of a set's or list's content.
pub(crate) fn members(content: &Value) -> &[Value] {
    content.as_array().map_or(&[], Vec::as_slice)
}

/// Whether a text or binary begins with another.
pub(crate) fn begins_with(value: &Value, prefix: &Value) -> bool {
    match (parts(value), parts(prefix)) {
        (Some(("S", a)), Some(("S", b))) => a.as_str().zip(b.as_str()).is_some_and(|(a, b)| a.starts_with(b)),
        (Some(("B", a)), Some(("B", b))) => {
            let bytes = |v: &Value| v.as_str().and_then(|text| STANDARD.decode(text).ok());
            bytes(a).zip(bytes(b)).is_some_and(|(a, b)| a.starts_with(&b))
        }
        _ => false,
    }
}

/// Whether a text contains another, or a set or list a member.
pub(crate) fn contains(value: &Value, wanted: &Value) -> bool {
    match (parts(value), parts(wanted)) {
        (Some(("S", a)), Some(("S", b))) => a.as_str().zip(b.as_str()).is_some_and(|(a, b)| a.contains(b)),
        (Some(("SS", a)), Some(("S", b))) | (Some(("BS", a)), Some(("B", b))) | (Some(("NS", a)), Some(("N", b))) => {
            members(a).contains(b)
        }
        (Some(("L", a)), _) => members(a).iter().any(|member| equal(member, wanted)),
        _ => false,
    }
}

/// What `size()` says: characters, bytes or members; nothing for other types.
pub(crate) fn size(value: &Value) -> Option<usize> {
    match parts(value)? {
        ("S", text) => text.as_str().map(|text| text.chars().count()),
        ("B", text) => STANDARD.decode(text.as_str()?).ok().map(|bytes| bytes.len()),
        ("SS" | "NS" | "BS" | "L", list) => Some(members(list).len()),
        ("M", map) => map.as_object().map(serde_json::Map::len),
        _ => None,
    }
}

/// About how many bytes an item takes: names and contents.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
pub(crate) fn weight(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + weight_of(value)).sum()
}

fn weight_of(value: &Value) -> usize {
    match parts(value) {
        Some(("S" | "B", Value::String(text))) => text.len(),
        Some(("N", Value::String(text))) => text.len() / 2 + 1,
        Some(("SS" | "NS" | "BS", list)) => members(list).iter().map(|m| m.as_str().map_or(0, str::len)).sum(),
        Some(("L", list)) => 3 + members(list).iter().map(|m| 1 + weight_of(m)).sum::<usize>(),
        Some(("M", Value::Object(map))) => 3 + map.len() + weight(map),
        _ => 1,
    }
}

/// No item is larger: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items>
pub(crate) fn bearable(item: &Item) -> Result<(), ApiError> {
    if weight(item) > 400 * 1024 {
        return Err(invalid("Item size has exceeded the maximum allowed size"));
    }
    Ok(())
}
