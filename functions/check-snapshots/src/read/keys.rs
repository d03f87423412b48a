//! The keys that databases, volumes and snapshots are encrypted with.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_kms::Client;
use aws_sdk_kms::types::KeyState;
use futures::{StreamExt as _, stream};

use super::{AT_ONCE, unknown};
use crate::inventory::{Key, Known};

/// What state each is in.
pub(super) async fn read(client: &Client, keys: BTreeSet<String>) -> BTreeMap<String, Known<Key>> {
    let asked = stream::iter(keys).map(|id| async move {
        let key = key(client, &id).await;
        (id, key)
    });
    asked.buffer_unordered(AT_ONCE).collect().await
}

/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>
async fn key(client: &Client, id: &str) -> Known<Key> {
    match client.describe_key().key_id(id).send().await {
        Ok(answer) => Ok(match answer.key_metadata().and_then(|key| key.key_state()) {
            Some(KeyState::Enabled) => Key::Enabled,
            Some(other) => Key::Unusable(other.as_str().to_owned()),
            None => Key::Unusable("in no state".to_owned()),
        }),
        Err(error) if error.as_service_error().is_some_and(|e| e.is_not_found_exception()) => Ok(Key::Missing),
        Err(error) => Err(unknown("kms:DescribeKey")(error)),
    }
}
