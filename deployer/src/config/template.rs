//! `${database.host}` and the like inside a variable's text.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::format::{Fault, checked_text, wrong};

/// A text with variables inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its parts, in order.
    pub parts: Vec<Part>,
}

/// A part of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text as it stands.
    Text(String),
    /// Something that the stack fills in.
    Variable(Variable),
}

/// What a template can ask for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// `${database.host}`: where the database listens.
    DatabaseHost,
    /// `${database.port}`
    DatabasePort,
    /// `${database.name}`
    DatabaseName,
    /// `${database.username}`
    DatabaseUsername,
    /// `${database.password}`: a secret.
    DatabasePassword,
    /// `${services.NAME.host}`: a service's private DNS name.
    ServiceHost(String),
    /// `${services.NAME.port}`: the port a service has for the load balancer.
    ServicePort(String),
    /// `${secret.NAME}`: a secret that is generated once.
    Secret(String),
    /// Something that does not exist, as it was written.
    Unknown(String),
}

checked_text!(Template, "template");

impl FromStr for Template {
    type Err = Fault;

    /// `$$` stands for a dollar sign before a brace.
    fn from_str(text: &str) -> Result<Self, Fault> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                parts.push(Part::Text(format!("{}{{", &rest[..at])));
                rest = &rest[at + 2..];
                continue;
            }
            if at > 0 {
                parts.push(Part::Text(rest[..at].to_owned()));
            }
            let Some(end) = rest[at..].find('}') else {
                return wrong("`${` without a `}`", "close it, or write `$${` for the two characters themselves");
            };
            parts.push(Part::Variable(Variable::named(rest[at + 2..at + end].trim())));
            rest = &rest[at + end + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }
}

impl Template {
    /// The text, part by part.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Every variable that the text asks for.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts.iter().filter_map(|part| if let Part::Variable(variable) = part { Some(variable) } else { None })
    }

    /// The variable, when the whole text is one.
    #[must_use]
    pub fn sole_variable(&self) -> Option<&Variable> {
        if let [Part::Variable(variable)] = self.parts.as_slice() { Some(variable) } else { None }
    }
}

impl Variable {
    fn named(name: &str) -> Self {
        match name.split('.').collect::<Vec<_>>().as_slice() {
            ["database", "host"] => Self::DatabaseHost,
            ["database", "port"] => Self::DatabasePort,
            ["database", "name"] => Self::DatabaseName,
            ["database", "username"] => Self::DatabaseUsername,
            ["database", "password"] => Self::DatabasePassword,
            ["services", service, "host"] => Self::ServiceHost((*service).to_owned()),
            ["services", service, "port"] => Self::ServicePort((*service).to_owned()),
            ["secret", name] => Self::Secret((*name).to_owned()),
            _ => Self::Unknown(name.to_owned()),
        }
    }

    /// True when its value may not be shown.
    #[must_use]
    pub const fn is_secret(&self) -> bool {
        matches!(self, Self::DatabasePassword | Self::Secret(_))
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DatabaseHost => f.write_str("${database.host}"),
            Self::DatabasePort => f.write_str("${database.port}"),
            Self::DatabaseName => f.write_str("${database.name}"),
            Self::DatabaseUsername => f.write_str("${database.username}"),
            Self::DatabasePassword => f.write_str("${database.password}"),
            Self::ServiceHost(service) => write!(f, "${{services.{service}.host}}"),
            Self::ServicePort(service) => write!(f, "${{services.{service}.port}}"),
            Self::Secret(name) => write!(f, "${{secret.{name}}}"),
            Self::Unknown(name) => write!(f, "${{{name}}}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_variables_keep_their_order() {
        let template: Template = "postgres://${database.host}:${database.port}/x".parse().unwrap();
        let shown: Vec<String> = template
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Variable(variable) => variable.to_string(),
            })
            .collect();
        assert_eq!(shown, ["postgres://", "${database.host}", ":", "${database.port}", "/x"]);
    }

    #[test]
    fn two_dollars_stand_for_one() {
        let template: Template = "a$${b}".parse().unwrap();
        assert_eq!(template.parts, [Part::Text("a${".to_owned()), Part::Text("b}".to_owned())]);
    }
}
