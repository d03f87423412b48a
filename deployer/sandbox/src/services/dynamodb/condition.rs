//! Conditions: parsed once, held against items.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html>

use std::cmp::Ordering;

use serde_json::Value;

use super::expression::{Operand, Parser, Path};
use super::lexer::{Scope, Token};
use super::{Item, value};
use crate::error::ApiError;

/// A condition on an item.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Compare(Operand, Comparison, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(Path),
    NotExists(Path),
    Type(Path, Value),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
}

/// How two operands are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Condition {
    /// Reads a condition; `kind` is the parameter that it came in.
    pub(crate) fn parse(kind: &'static str, text: &str, scope: &Scope) -> Result<Self, ApiError> {
        let mut parser = Parser::new(kind, text, scope)?;
        let condition = either(&mut parser)?;
        parser.end()?;
        Ok(condition)
    }

    /// Whether the condition holds for an item.
    pub(crate) fn holds(&self, item: &Item) -> bool {
        match self {
            Self::And(a, b) => a.holds(item) && b.holds(item),
            Self::Or(a, b) => a.holds(item) || b.holds(item),
            Self::Not(inner) => !inner.holds(item),
            Self::Compare(a, comparison, b) => compare(a.value(item), *comparison, b.value(item)),
            Self::Between(what, low, high) => {
                let (what, low, high) = (what.value(item), low.value(item), high.value(item));
                compare(what.clone(), Comparison::GreaterOrEqual, low) && compare(what, Comparison::LessOrEqual, high)
            }
            Self::In(what, list) => {
                list.iter().any(|member| compare(what.value(item), Comparison::Equal, member.value(item)))
            }
            Self::Exists(path) => path.find(item).is_some(),
            Self::NotExists(path) => path.find(item).is_none(),
            Self::Type(path, wanted) => {
                let kind = path.find(item).and_then(value::parts).map(|(kind, _)| kind);
                kind.is_some() && kind == wanted.get("S").and_then(Value::as_str)
            }
            Self::BeginsWith(what, prefix) => both(what, prefix, item, value::begins_with),
            Self::Contains(what, wanted) => both(what, wanted, item, value::contains),
        }
    }
}

fn both(a: &Operand, b: &Operand, item: &Item, test: fn(&Value, &Value) -> bool) -> bool {
    a.value(item).zip(b.value(item)).is_some_and(|(a, b)| test(&a, &b))
}

/// What is not there is unequal to everything, and neither less nor more than anything.
fn compare(a: Option<Value>, comparison: Comparison, b: Option<Value>) -> bool {
    let Some((a, b)) = a.zip(b) else { return comparison == Comparison::Unequal };
    let order = || value::order(&a, &b);
    match comparison {
        Comparison::Equal => value::equal(&a, &b),
        Comparison::Unequal => !value::equal(&a, &b),
        Comparison::Less => order() == Some(Ordering::Less),
        Comparison::LessOrEqual => order().is_some_and(Ordering::is_le),
        Comparison::Greater => order() == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => order().is_some_and(Ordering::is_ge),
    }
}

fn either(parser: &mut Parser<'_>) -> Result<Condition, ApiError> {
    let mut left = all(parser)?;
    while parser.keyword("OR") {
        left = Condition::Or(Box::new(left), Box::new(all(parser)?));
    }
    Ok(left)
}

fn all(parser: &mut Parser<'_>) -> Result<Condition, ApiError> {
    let mut left = one(parser)?;
    while parser.keyword("AND") {
        left = Condition::And(Box::new(left), Box::new(one(parser)?));
    }
    Ok(left)
}

fn one(parser: &mut Parser<'_>) -> Result<Condition, ApiError> {
    if parser.keyword("NOT") {
        return Ok(Condition::Not(Box::new(one(parser)?)));
    }
    if parser.sign("(") {
        let inner = either(parser)?;
        parser.expect(")")?;
        return Ok(inner);
    }
    let left = match parser.function() {
        Some(name) if name == "size" => size(parser)?,
        Some(name) => return function(parser, &name),
        None => parser.operand()?,
    };
    if parser.keyword("BETWEEN") {
        let low = operand(parser)?;
        if !parser.keyword("AND") {
            return Err(parser.unexpected());
        }
        return Ok(Condition::Between(left, low, operand(parser)?));
    }
    if parser.keyword("IN") {
        parser.expect("(")?;
        let mut list = vec![operand(parser)?];
        while parser.sign(",") {
            list.push(operand(parser)?);
        }
        parser.expect(")")?;
        return Ok(Condition::In(left, list));
    }
    let comparison = match parser.peek() {
        Some(Token::Sign("=")) => Comparison::Equal,
        Some(Token::Sign("<>")) => Comparison::Unequal,
        Some(Token::Sign("<")) => Comparison::Less,
        Some(Token::Sign("<=")) => Comparison::LessOrEqual,
        Some(Token::Sign(">")) => Comparison::Greater,
        Some(Token::Sign(">=")) => Comparison::GreaterOrEqual,
        _ => return Err(parser.unexpected()),
    };
    parser.next();
    Ok(Condition::Compare(left, comparison, operand(parser)?))
}

fn operand(parser: &mut Parser<'_>) -> Result<Operand, ApiError> {
    match parser.function() {
        Some(name) if name == "size" => size(parser),
        Some(name) => Err(parser
            .invalid(format!("The function is not allowed to be used this way in an expression; function: {name}"))),
        None => parser.operand(),
    }
}

fn size(parser: &mut Parser<'_>) -> Result<Operand, ApiError> {
    let path = parser.path()?;
    parser.expect(")")?;
    Ok(Operand::Size(path))
}

fn function(parser: &mut Parser<'_>, name: &str) -> Result<Condition, ApiError> {
    let condition = match name {
        "attribute_exists" => Condition::Exists(parser.path()?),
        "attribute_not_exists" => Condition::NotExists(parser.path()?),
        "attribute_type" => {
            let path = parser.path()?;
            parser.expect(",")?;
            Condition::Type(path, parser.value()?)
        }
        "begins_with" | "contains" => {
            let what = parser.operand()?;
            parser.expect(",")?;
            let other = parser.operand()?;
            if name == "contains" { Condition::Contains(what, other) } else { Condition::BeginsWith(what, other) }
        }
        _ => return Err(parser.invalid(format!("Invalid function name; function: {name}"))),
    };
    parser.expect(")")?;
    Ok(condition)
}
