//! Lists of attributes, as load balancers and target groups have them.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

/// Attributes by key.
pub(super) type Attributes = BTreeMap<String, String>;

/// The value of an attribute, or a default where AWS does not tell.
pub(super) fn value<T: std::str::FromStr>(attributes: &Attributes, key: &str, default: T) -> T {
    attributes.get(key).and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The value of an attribute that is one of some words, as the enum that serialises to them.
pub(super) fn word<T: DeserializeOwned>(attributes: &Attributes, key: &str, default: T) -> T {
    let value = attributes.get(key).map(|value| serde_json::Value::from(value.as_str()));
    value.and_then(|value| serde_json::from_value(value).ok()).unwrap_or(default)
}

/// The word that an enum serialises to.
pub(super) fn spelled<T: serde::Serialize>(word: T) -> String {
    let value = serde_json::to_value(word).ok();
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What of `to` is not so in `now`.
pub(super) fn difference(now: &Attributes, to: &Attributes) -> Attributes {
    to.iter().filter(|(key, value)| now.get(*key) != Some(*value)).map(|(k, v)| (k.clone(), v.clone())).collect()
}
