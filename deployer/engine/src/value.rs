//! The values of inputs and outputs, with references to resources that may not exist yet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map as JsonMap, Value as Json};

use crate::id::LogicalId;

/// A reference to an output of another resource of the stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The resource that has the output.
    pub id: LogicalId,
    /// The output's name, such as `id` or `arn`.
    pub output: String,
}

/// A value of an input or an output.
///
/// In JSON, which is how kinds hand their typed inputs over, a reference is
/// `{"$ref": "network.vpc", "output": "id"}`, a text with references inside is `{"$join": [..]}`, and a value that is
/// known to be another resource's identity is `{"$known": "vpc-1"}`; all else is plain JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Json", into = "Json")]
pub enum Value {
    /// Nothing: the field is not set.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
    /// A list; whether its order means something is the field's rule.
    List(Vec<Value>),
    /// A map with text keys.
    Map(BTreeMap<String, Value>),
    /// An output of another resource: unknown until that resource exists.
    Ref(Reference),
    /// An identity that another resource has: what a [`Value::Ref`] becomes, and what a kind observes where it
    /// declares a reference. Equal in meaning to the text, but it also orders deletions.
    Known(String),
    /// Texts and references, to be joined into one text.
    Join(Vec<Value>),
}

/// A JSON value that is no [`Value`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Fractions have no place in inputs: AWS compares them by their text.
    #[error("the number {0} is not a whole number")]
    Fraction(String),
    /// A `$ref` that is not of the form given at [`Value`].
    #[error("malformed reference {0}")]
    Reference(String),
}

impl Value {
    /// A text value.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// A number that is not whole, or a malformed reference.
    pub fn from_json(json: &Json) -> Result<Self, ValueError> {
        Ok(match json {
            Json::Null => Self::Null,
            Json::Bool(b) => Self::Bool(*b),
            Json::Number(n) => Self::Int(n.as_i64().ok_or_else(|| ValueError::Fraction(n.to_string()))?),
            Json::String(s) => Self::Text(s.clone()),
            Json::Array(items) => Self::List(items.iter().map(Self::from_json).collect::<Result<_, _>>()?),
            Json::Object(map) => Self::from_object(map)?,
        })
    }

    fn from_object(map: &JsonMap<String, Json>) -> Result<Self, ValueError> {
        let malformed = || ValueError::Reference(Json::Object(map.clone()).to_string());
        if let Some(target) = map.get("$ref") {
            let id = target.as_str().and_then(|id| LogicalId::new(id).ok()).ok_or_else(malformed)?;
            let output = map.get("output").and_then(Json::as_str).ok_or_else(malformed)?;
            return Ok(Self::Ref(Reference { id, output: output.to_owned() }));
        }
        if let Some(known) = map.get("$known") {
            return Ok(Self::Known(known.as_str().ok_or_else(malformed)?.to_owned()));
        }
        if let Some(parts) = map.get("$join") {
            let parts = parts.as_array().ok_or_else(malformed)?;
            return Ok(Self::Join(parts.iter().map(Self::from_json).collect::<Result<_, _>>()?));
        }
        let entries = map.iter().map(|(k, v)| Ok((k.clone(), Self::from_json(v)?)));
        Ok(Self::Map(entries.collect::<Result<_, ValueError>>()?))
    }

    /// The JSON form, from which [`Value::from_json`] reads the same value again.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(b) => Json::from(*b),
            Self::Int(n) => Json::from(*n),
            Self::Text(s) => Json::from(s.as_str()),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.clone(), v.to_json())).collect()),
            Self::Ref(r) => serde_json::json!({ "$ref": r.id.as_str(), "output": r.output }),
            Self::Known(s) => serde_json::json!({ "$known": s }),
            Self::Join(parts) => {
                serde_json::json!({ "$join": parts.iter().map(Self::to_json).collect::<Vec<_>>() })
            }
        }
    }

    /// Every reference in this value, in order of appearance.
    #[must_use]
    pub fn references(&self) -> Vec<&Reference> {
        let mut all = Vec::new();
        self.walk(&mut |value| {
            if let Self::Ref(reference) = value {
                all.push(reference);
            }
        });
        all
    }

    /// Every identity of another resource that this value holds.
    #[must_use]
    pub fn known(&self) -> Vec<&str> {
        let mut all = Vec::new();
        self.walk(&mut |value| {
            if let Self::Known(id) = value {
                all.push(id.as_str());
            }
        });
        all
    }

    fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        match self {
            Self::List(items) | Self::Join(items) => items.iter().for_each(|item| item.walk(visit)),
            Self::Map(map) => map.values().for_each(|item| item.walk(visit)),
            _ => {}
        }
    }

    /// This value with each reference replaced by what `lookup` knows of it; what it does not know stays a
    /// reference, and so does a join that has one inside.
    #[must_use]
    pub fn resolve(&self, lookup: &dyn Fn(&Reference) -> Option<Value>) -> Self {
        match self {
            Self::Ref(reference) => match lookup(reference) {
                Some(Self::Text(text)) => Self::Known(text),
                Some(value) => value,
                None => self.clone(),
            },
            Self::List(items) => Self::List(items.iter().map(|item| item.resolve(lookup)).collect()),
            Self::Map(map) => Self::Map(map.iter().map(|(k, v)| (k.clone(), v.resolve(lookup))).collect()),
            Self::Join(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| part.resolve(lookup)).collect();
                let texts: Option<Vec<String>> = parts.iter().map(Self::as_text).collect();
                texts.map_or(Self::Join(parts), |texts| Self::Text(texts.concat()))
            }
            _ => self.clone(),
        }
    }

    /// True when a reference is left: the value is unknown until apply.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Ref(_) | Self::Join(_) => true,
            Self::List(items) => items.iter().any(Self::is_unknown),
            Self::Map(map) => map.values().any(Self::is_unknown),
            _ => false,
        }
    }

    /// The text of a scalar.
    #[must_use]
    pub fn as_text(&self) -> Option<String> {
        match self {
            Self::Text(s) | Self::Known(s) => Some(s.clone()),
            Self::Int(n) => Some(n.to_string()),
            Self::Bool(b) => Some(b.to_string()),
            _ => None,
        }
    }

    /// Equality of meaning: an identity equals its text, and an unset map entry equals an absent one.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a) | Self::Known(a), Self::Text(b) | Self::Known(b)) => a == b,
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Self::Map(a), Self::Map(b)) => {
                let null = Self::Null;
                a.keys().chain(b.keys()).all(|key| a.get(key).unwrap_or(&null).same(b.get(key).unwrap_or(&null)))
            }
            _ => self == other,
        }
    }
}

impl TryFrom<Json> for Value {
    type Error = ValueError;

    fn try_from(json: Json) -> Result<Self, ValueError> {
        Self::from_json(&json)
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        value.to_json()
    }
}
