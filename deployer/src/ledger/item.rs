//! DynamoDB items as the ledger writes them: texts and numbers by name.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

/// An item.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The key of an item.
pub(super) fn key(pk: &str, sk: &str) -> Item {
    Item::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

/// A text attribute.
pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A text attribute of an item, empty when it has none.
pub(super) fn read(item: &Item, name: &str) -> String {
    item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
}
