//! Words of DynamoDB's expressions, and the names and values that a request gives them.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html>

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use super::value::normal;
use super::{Item, invalid};
use crate::error::ApiError;
use crate::input::Input;

/// A word of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// A plain name or a keyword.
    Word(String),
    /// `#name`.
    Name(String),
    /// `:value`.
    Value(String),
    /// A list index.
    Index(usize),
    /// Anything else: `=`, `<>`, `<=`, `(`, `,`, `.`, …
    Sign(&'static str),
}

const SIGNS: &[&str] = &["<>", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ",", ".", "+", "-"];

/// Cuts an expression into words; `kind` is named in errors, such as `ConditionExpression`.
pub(crate) fn tokens(kind: &str, text: &str) -> Result<Vec<Token>, ApiError> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    if rest.is_empty() {
        return Err(invalid(format!("Invalid {kind}: The expression can not be empty;")));
    }
    while let Some(first) = rest.chars().next() {
        let word = |from: usize| {
            let tail = &rest[from..];
            from + tail.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(tail.len())
        };
        let length = match first {
            '#' | ':' => word(1),
            _ if first.is_alphanumeric() || first == '_' => word(0),
            _ => 0,
        };
        let (token, length) = if length > usize::from(first == '#' || first == ':') {
            let text = rest[..length].to_owned();
            let token = match first {
                '#' => Token::Name(text),
                ':' => Token::Value(text),
                _ if first.is_ascii_digit() => Token::Index(text.parse().map_err(|_| syntax(kind, &text, rest))?),
                _ => Token::Word(text),
            };
            (token, length)
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| syntax(kind, &first.to_string(), rest))?;
            (Token::Sign(sign), sign.len())
        };
        found.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(found)
}

/// What DynamoDB says to an expression that it cannot read.
pub(crate) fn syntax(kind: &str, token: &str, near: &str) -> ApiError {
    let near: String = near.chars().take(20).collect();
    invalid(format!("Invalid {kind}: Syntax error; token: \"{token}\", near: \"{near}\""))
}

/// `ExpressionAttributeNames` and `ExpressionAttributeValues` of a request, and which of them were used.
#[derive(Debug)]
pub(crate) struct Scope {
    names: Item,
    values: Item,
    used: RefCell<BTreeSet<String>>,
}

impl Scope {
    pub(crate) fn of(input: &Input) -> Result<Self, ApiError> {
        let map = |name: &str| input.opt(name).and_then(Value::as_object).cloned();
        let (names, values) = (map("ExpressionAttributeNames"), map("ExpressionAttributeValues"));
        for (what, given) in [("ExpressionAttributeNames", &names), ("ExpressionAttributeValues", &values)] {
            if given.as_ref().is_some_and(Item::is_empty) {
                return Err(invalid(format!("{what} must not be empty")));
            }
        }
        let mut typed = Item::new();
        for (name, value) in values.unwrap_or_default() {
            let value = normal(&value).map_err(|error| {
                invalid(format!("ExpressionAttributeValues contains invalid value: {} for key {name}", error.message))
            })?;
            typed.insert(name, value);
        }
        Ok(Self { names: names.unwrap_or_default(), values: typed, used: RefCell::default() })
    }

    pub(crate) fn name(&self, kind: &str, alias: &str) -> Result<String, ApiError> {
        self.used.borrow_mut().insert(alias.to_owned());
        self.names.get(alias).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
            invalid(format!(
                "Invalid {kind}: An expression attribute name used in the document path is not defined; attribute name: {alias}"
            ))
        })
    }

    pub(crate) fn value(&self, kind: &str, alias: &str) -> Result<Value, ApiError> {
        self.used.borrow_mut().insert(alias.to_owned());
        self.values.get(alias).cloned().ok_or_else(|| {
            invalid(format!(
                "Invalid {kind}: An expression attribute value used in expression is not defined; attribute value: {alias}"
            ))
        })
    }

    /// Names and values that no expression used are an error.
    pub(crate) fn all_used(&self) -> Result<(), ApiError> {
        let used = self.used.borrow();
        for (what, given) in [("ExpressionAttributeNames", &self.names), ("ExpressionAttributeValues", &self.values)] {
            let idle: Vec<&str> = given.keys().filter(|key| !used.contains(*key)).map(String::as_str).collect();
            if !idle.is_empty() {
                return Err(invalid(format!(
                    "Value provided in {what} unused in expressions: keys: {{{}}}",
                    idle.join(", ")
                )));
            }
        }
        Ok(())
    }
}
