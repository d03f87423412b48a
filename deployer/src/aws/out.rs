//! Typed references: what makes the compiler know the wiring.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Value as Json, json};
use wharf_engine::LogicalId;

/// A resource of the stack while it is being described: what `add` returns, and where outputs are referred to.
#[derive(Debug)]
pub struct Handle<K> {
    id: LogicalId,
    kind: PhantomData<fn() -> K>,
}

impl<K> Clone for Handle<K> {
    fn clone(&self) -> Self {
        Self::new(self.id.clone())
    }
}

impl<K> Handle<K> {
    /// The handle of the resource with this logical id.
    #[must_use]
    pub fn new(id: LogicalId) -> Self {
        Self { id, kind: PhantomData }
    }

    /// The resource's logical id.
    #[must_use]
    pub fn logical_id(&self) -> &LogicalId {
        &self.id
    }

    /// A reference to an output. A kind's file offers these under their names and types
    /// (`impl Handle<Vpc> { pub fn id(&self) -> Out<VpcId> … }`); nobody else calls this.
    #[must_use]
    pub(crate) fn output<T>(&self, output: &'static str) -> Out<T> {
        self.output_named(output.to_owned())
    }

    /// The same for an output whose name depends on the inputs.
    #[must_use]
    pub(crate) fn output_named<T>(&self, output: String) -> Out<T> {
        Out(Inner::Ref { id: self.id.clone(), output }, PhantomData)
    }
}

/// A value of another resource: a reference until apply, then the text that AWS knows it by.
///
/// `T` is a marker (`VpcId`, `SubnetId`, …), so that a subnet's id does not compile where a VPC's is wanted.
pub struct Out<T>(Inner, PhantomData<fn() -> T>);

/// A text that may have references inside, such as a policy document.
pub type Text = Out<String>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Inner {
    Ref { id: LogicalId, output: String },
    Known(String),
    Join(Vec<Inner>),
}

impl<T> Out<T> {
    /// A value that is known: AWS said so.
    #[must_use]
    pub fn known(text: impl Into<String>) -> Self {
        Self(Inner::Known(text.into()), PhantomData)
    }

    /// The text, once it is known.
    ///
    /// # Errors
    /// [`NotKnown`] while it is a reference: the engine resolves every reference before a kind is called to write.
    pub fn get(&self) -> Result<&str, NotKnown> {
        match &self.0 {
            Inner::Known(text) => Ok(text),
            _ => Err(NotKnown),
        }
    }

    /// The resource that this refers to, while it is a reference.
    #[must_use]
    pub fn refers_to(&self) -> Option<&LogicalId> {
        match &self.0 {
            Inner::Ref { id, .. } => Some(id),
            _ => None,
        }
    }

    /// The same value as a part of a text.
    #[must_use]
    pub fn text(&self) -> Text {
        Out(self.0.clone(), PhantomData)
    }
}

/// A reference was used as if it were known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reference is not resolved yet")]
pub struct NotKnown;

impl Text {
    /// One text out of several, some of which may be references.
    #[must_use]
    pub fn join(parts: impl IntoIterator<Item = Text>) -> Self {
        Self(Inner::Join(parts.into_iter().map(|part| part.0).collect()), PhantomData)
    }
}

impl<T> From<&str> for Out<T> {
    fn from(text: &str) -> Self {
        Self::known(text)
    }
}

impl<T> From<String> for Out<T> {
    fn from(text: String) -> Self {
        Self::known(text)
    }
}

impl<T> Clone for Out<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<T> PartialEq for Out<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Out<T> {}

impl<T> PartialOrd for Out<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Out<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl<T> fmt::Debug for Out<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Inner {
    fn to_json(&self, joined: bool) -> Json {
        match self {
            Self::Ref { id, output } => json!({ "$ref": id.as_str(), "output": output }),
            Self::Known(text) if joined => json!(text),
            Self::Known(text) => json!({ "$known": text }),
            Self::Join(parts) => json!({ "$join": parts.iter().map(|part| part.to_json(true)).collect::<Vec<_>>() }),
        }
    }

    fn from_json(json: &Json) -> Option<Self> {
        match json {
            Json::String(text) => Some(Self::Known(text.clone())),
            Json::Number(number) => Some(Self::Known(number.to_string())),
            Json::Object(map) => {
                if let Some(known) = map.get("$known") {
                    return known.as_str().map(|text| Self::Known(text.to_owned()));
                }
                if let Some(parts) = map.get("$join") {
                    return Some(Self::Join(parts.as_array()?.iter().map(Self::from_json).collect::<Option<_>>()?));
                }
                let id = LogicalId::new(map.get("$ref")?.as_str()?).ok()?;
                Some(Self::Ref { id, output: map.get("output")?.as_str()?.to_owned() })
            }
            _ => None,
        }
    }
}

impl<T> Serialize for Out<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.to_json(false).serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Out<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        let inner = Inner::from_json(&json)
            .ok_or_else(|| D::Error::custom(format!("{json} is neither a text nor a reference")))?;
        Ok(Self(inner, PhantomData))
    }
}
