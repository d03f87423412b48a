//! What several services share: pages, tag lists, errors of the JSON services.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::not_authorised;
use crate::error::{ApiError, refuse};
use crate::store::{Resource, Tags};

/// Whether AWS takes this as a tag of its caller's: neither too long nor one of AWS's own.
/// <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html#id_tags_naming_best_practices>
pub(crate) fn is_tag(key: &str, value: &str) -> bool {
    key.chars().count() <= 128 && value.chars().count() <= 256 && !key.to_lowercase().starts_with("aws:")
}

/// A page of a list and the token for the next one.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}

/// Cuts a page out of a list; `None` when the token was not given out here.
pub(crate) fn page<T>(mut items: Vec<T>, token: Option<&str>, size: usize) -> Option<Page<T>> {
    let start = match token {
        Some(token) => String::from_utf8(STANDARD.decode(token).ok()?).ok()?.parse().ok()?,
        None => 0_usize,
    };
    let mut items = items.split_off(start.min(items.len()));
    let next = (items.len() > size).then(|| STANDARD.encode((start + size).to_string()));
    items.truncate(size);
    Some(Page { items, next })
}

/// An object's attributes without the hidden ones.
pub(crate) fn shown(resource: &Resource) -> Map<String, Value> {
    resource.attrs.iter().filter(|(key, _)| !key.starts_with('_')).map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// Tags as a list of objects under the names that the service uses.
pub(crate) fn tag_list(tags: &Tags, key: &str, value: &str) -> Value {
    tags.iter().map(|(k, v)| json!({key: k, value: v})).collect()
}

/// A time as JSON services write it: seconds with milliseconds.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit a double exactly")]
pub(crate) fn seconds(at: Timestamp) -> Value {
    json!(at.as_millisecond() as f64 / 1000.0)
}

/// What JSON services say when something is not allowed.
pub(crate) fn access_denied_exception(caller: &str, action: &str, resource: &str) -> ApiError {
    refuse("AccessDeniedException", not_authorised(caller, action, resource))
}

/// What JSON services say when there are too many calls.
pub(crate) fn throttling_exception() -> ApiError {
    refuse("ThrottlingException", "Rate exceeded")
}
