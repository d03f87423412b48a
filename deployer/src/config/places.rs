//! Where each key and value stands in the file.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// Where a key and its value stand, as bytes of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The key; of a list's item, the item itself.
    pub key: Range<usize>,
    /// The value.
    pub value: Range<usize>,
}

/// The place of every key, by its path: `services.web.env.DB_HOST`, `services.web.allow.0`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(BTreeMap<String, Place>);

impl Places {
    /// The places of a file's contents.
    pub(super) fn of(table: &DeTable<'_>) -> Self {
        let mut places = Self::default();
        places.table("", table);
        places
    }

    fn table(&mut self, path: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = join(path, key.get_ref());
            self.0.insert(path.clone(), Place { key: key.span(), value: value.span() });
            self.value(&path, value.get_ref());
        }
    }

    fn value(&mut self, path: &str, value: &DeValue<'_>) {
        match value {
            DeValue::Table(table) => self.table(path, table),
            DeValue::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    let path = join(path, &number.to_string());
                    self.0.insert(path.clone(), Place { key: item.span(), value: item.span() });
                    self.value(&path, item.get_ref());
                }
            }
            _ => {}
        }
    }

    /// True when the file has this key.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Where the value at `path` stands, or what is nearest above it when the file leaves it to its default.
    #[must_use]
    pub fn value_at(&self, path: &str) -> Range<usize> {
        match self.0.get(path) {
            Some(place) => place.value.clone(),
            None => self.key_at(path),
        }
    }

    /// Where the key at `path` stands, or what is nearest above it when the file leaves it to its default.
    #[must_use]
    pub fn key_at(&self, path: &str) -> Range<usize> {
        let mut path = path;
        loop {
            match (self.0.get(path), path.rsplit_once('.')) {
                (Some(place), _) => return place.key.clone(),
                (None, Some((above, _))) => path = above,
                (None, None) => return 0..0,
            }
        }
    }
}

/// A path one key longer.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
