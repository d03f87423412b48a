//! Names: a resource's logical id, and the generation of what can only be replaced.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::value::Value;

/// The name of a resource in its stack, such as `network.vpc` or `services.web.target-group`.
///
/// Lower-case words of letters, digits and dashes, joined by dots. It is written to the tag `wharf:id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogicalId(String);

/// A text that cannot be a logical id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a logical id: write lower-case words of letters, digits and dashes, joined by dots")]
pub struct BadLogicalId(pub String);

impl LogicalId {
    /// Reads a logical id.
    ///
    /// # Errors
    /// [`BadLogicalId`] when a word is empty or holds another character than a-z, 0-9 and `-`.
    pub fn new(text: impl Into<String>) -> Result<Self, BadLogicalId> {
        let text = text.into();
        let word =
            |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if text.split('.').all(word) { Ok(Self(text)) } else { Err(BadLogicalId(text)) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogicalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for LogicalId {
    type Error = BadLogicalId;

    fn try_from(text: String) -> Result<Self, BadLogicalId> {
        Self::new(text)
    }
}

impl From<LogicalId> for String {
    fn from(id: LogicalId) -> Self {
        id.0
    }
}

/// A short hash of the inputs that can only be replaced, and of the generations they refer to.
///
/// It is written to the tag `wharf:gen` in the call that creates a resource, so that of two resources of one logical
/// id the desired one is known. Names of kinds that are replaced create-first end in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(String);

impl Generation {
    /// The generation of these replace-only inputs (field name, value), where each reference has been made
    /// a text of the logical id and generation that it points at.
    #[must_use]
    pub fn of<'a>(inputs: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Self {
        let mut hash = Sha256::new();
        for (name, value) in inputs {
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(value.to_json().to_string().as_bytes());
            hash.update([0]);
        }
        Self(hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect())
    }

    /// A generation read back from a tag.
    #[must_use]
    pub fn from_tag(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The eight hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
