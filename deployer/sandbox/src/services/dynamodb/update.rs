//! Update expressions: SET, REMOVE, ADD and DELETE.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html>

use serde_json::{Value, json};

use super::expression::{Operand, Parser, Path, Step};
use super::lexer::Scope;
use super::number::Number;
use super::value::{self, members, parts};
use super::{Item, invalid};
use crate::error::ApiError;

/// What an update does to one path.
#[derive(Clone, Debug)]
enum Action {
    Set(Term),
    Remove,
    Add(Value),
    Delete(Value),
}

/// The right side of a SET.
#[derive(Clone, Debug)]
enum Term {
    Operand(Operand),
    IfNotExists(Path, Box<Term>),
    ListAppend(Box<Term>, Box<Term>),
    Plus(Box<Term>, Box<Term>),
    Minus(Box<Term>, Box<Term>),
}

/// A parsed update expression.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    actions: Vec<(Path, Action)>,
}

const KIND: &str = "UpdateExpression";

impl Update {
    pub(crate) fn parse(text: &str, scope: &Scope) -> Result<Self, ApiError> {
        let mut parser = Parser::new(KIND, text, scope)?;
        let mut actions: Vec<(Path, Action)> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        while parser.peek().is_some() {
            let section = ["SET", "REMOVE", "ADD", "DELETE"].into_iter().find(|word| parser.keyword(word));
            let section = section.ok_or_else(|| parser.unexpected())?;
            if seen.contains(&section) {
                return Err(
                    parser.invalid(format!("The \"{section}\" section can only be used once in an update expression;"))
                );
            }
            seen.push(section);
            loop {
                let path = parser.path()?;
                let action = match section {
                    "SET" => {
                        parser.expect("=")?;
                        Action::Set(sum(&mut parser)?)
                    }
                    "REMOVE" => Action::Remove,
                    "ADD" => Action::Add(parser.value()?),
                    _ => Action::Delete(parser.value()?),
                };
                if let Some((other, _)) = actions.iter().find(|(other, _)| other.overlaps(&path)) {
                    return Err(parser.invalid(format!(
                        "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: {other}, path two: {path}"
                    )));
                }
                actions.push((path, action));
                if !parser.sign(",") {
                    break;
                }
            }
        }
        Ok(Self { actions })
    }

    /// The top-level attributes that the update touches.
    pub(crate) fn touched(&self) -> Vec<&str> {
        self.actions.iter().map(|(path, _)| path.root()).collect()
    }

    /// The item after the update; every right side sees the item as it was before.
    pub(crate) fn apply(&self, before: &Item) -> Result<Item, ApiError> {
        let mut after = before.clone();
        let mut removals: Vec<&Path> = Vec::new();
        for (path, action) in &self.actions {
            match action {
                Action::Set(term) => put(&mut after, path, term.value(before)?)?,
                Action::Remove => removals.push(path),
                Action::Add(operand) => {
                    let sum = add(path.find(before), operand)?;
                    put(&mut after, path, sum)?;
                }
                Action::Delete(operand) => match (path.find(before), subtract(path.find(before), operand)?) {
                    (None, _) => {}
                    (Some(_), Some(rest)) => put(&mut after, path, rest)?,
                    (Some(_), None) => removals.push(path),
                },
            }
        }
        // From the back, so that indexes into one list stay right.
        removals.sort_by_key(|path| match path.0.last() {
            Some(Step::Index(index)) => std::cmp::Reverse(*index),
            _ => std::cmp::Reverse(0),
        });
        for path in removals {
            remove(&mut after, path)?;
        }
        Ok(after)
    }
}

fn sum(parser: &mut Parser<'_>) -> Result<Term, ApiError> {
    let left = term(parser)?;
    if parser.sign("+") {
        return Ok(Term::Plus(Box::new(left), Box::new(term(parser)?)));
    }
    if parser.sign("-") {
        return Ok(Term::Minus(Box::new(left), Box::new(term(parser)?)));
    }
    Ok(left)
}

fn term(parser: &mut Parser<'_>) -> Result<Term, ApiError> {
    if parser.sign("(") {
        let inner = sum(parser)?;
        parser.expect(")")?;
        return Ok(inner);
    }
    let Some(name) = parser.function() else { return Ok(Term::Operand(parser.operand()?)) };
    let made = match name.as_str() {
        "if_not_exists" => {
            let path = parser.path()?;
            parser.expect(",")?;
            Term::IfNotExists(path, Box::new(term(parser)?))
        }
        "list_append" => {
            let first = term(parser)?;
            parser.expect(",")?;
            Term::ListAppend(Box::new(first), Box::new(term(parser)?))
        }
        _ => return Err(parser.invalid(format!("Invalid function name; function: {name}"))),
    };
    parser.expect(")")?;
    Ok(made)
}

impl Term {
    fn value(&self, item: &Item) -> Result<Value, ApiError> {
        match self {
            Self::Operand(operand) => operand.value(item).ok_or_else(|| {
                invalid("The provided expression refers to an attribute that does not exist in the item")
            }),
            Self::IfNotExists(path, otherwise) => match path.find(item) {
                Some(value) => Ok(value.clone()),
                None => otherwise.value(item),
            },
            Self::ListAppend(a, b) => match (parts(&a.value(item)?), parts(&b.value(item)?)) {
                (Some(("L", a)), Some(("L", b))) => {
                    let both = [members(a), members(b)].concat();
                    Ok(json!({"L": both}))
                }
                _ => Err(wrong_operand()),
            },
            Self::Plus(a, b) => Ok(json!({"N": number(&a.value(item)?)?.plus(&number(&b.value(item)?)?)?.to_string()})),
            Self::Minus(a, b) => {
                Ok(json!({"N": number(&a.value(item)?)?.plus(&number(&b.value(item)?)?.negated())?.to_string()}))
            }
        }
    }
}

fn number(value: &Value) -> Result<Number, ApiError> {
    match parts(value) {
        Some(("N", Value::String(text))) => Number::parse(text),
        _ => Err(wrong_operand()),
    }
}

fn wrong_operand() -> ApiError {
    invalid("An operand in the update expression has an incorrect data type")
}

/// ADD: a number grows, a set gains members.
fn add(present: Option<&Value>, operand: &Value) -> Result<Value, ApiError> {
    match (parts(operand), present.and_then(parts)) {
        (Some(("N" | "SS" | "NS" | "BS", _)), None) if present.is_none() => Ok(operand.clone()),
        (Some(("N", _)), Some(("N", _))) => {
            let present = present.map(number).transpose()?;
            let sum = present.map(|n| n.plus(&number(operand)?)).transpose()?;
            Ok(sum.map(|n| json!({"N": n.to_string()})).unwrap_or_default())
        }
        (Some((kind @ ("SS" | "NS" | "BS"), new)), Some((other, old))) if kind == other => {
            let mut all = members(old).to_vec();
            all.extend(members(new).iter().filter(|m| !members(old).contains(m)).cloned());
            Ok(json!({kind: all}))
        }
        _ => Err(wrong_operand()),
    }
}

/// DELETE: what is left of a set, or nothing.
fn subtract(present: Option<&Value>, operand: &Value) -> Result<Option<Value>, ApiError> {
    match (parts(operand), present.and_then(parts)) {
        (Some(("SS" | "NS" | "BS", _)), None) if present.is_none() => Ok(None),
        (Some((kind @ ("SS" | "NS" | "BS"), gone)), Some((other, old))) if kind == other => {
            let rest: Vec<&Value> = members(old).iter().filter(|m| !members(gone).contains(m)).collect();
            Ok(if rest.is_empty() { None } else { Some(json!({kind: rest})) })
        }
        _ => Err(wrong_operand()),
    }
}

fn no_such_place() -> ApiError {
    invalid("The document path provided in the update expression is invalid for update")
}

fn put(item: &mut Item, path: &Path, new: Value) -> Result<(), ApiError> {
    let Some((last, parents)) = path.0.split_last() else { return Err(no_such_place()) };
    match (parent(item, parents)?, last) {
        (Parent::Item(item), Step::Key(name)) => {
            item.insert(name.clone(), new);
        }
        (Parent::Value(value), Step::Key(name)) => {
            value.get_mut("M").and_then(Value::as_object_mut).ok_or_else(no_such_place)?.insert(name.clone(), new);
        }
        (Parent::Value(value), Step::Index(index)) => {
            let list = value.get_mut("L").and_then(Value::as_array_mut).ok_or_else(no_such_place)?;
            // Past the end means at the end.
            match list.get_mut(*index) {
                Some(slot) => *slot = new,
                None => list.push(new),
            }
        }
        (Parent::Item(_), Step::Index(_)) => return Err(no_such_place()),
    }
    Ok(())
}

fn remove(item: &mut Item, path: &Path) -> Result<(), ApiError> {
    let Some((last, parents)) = path.0.split_last() else { return Err(no_such_place()) };
    match (parent(item, parents)?, last) {
        (Parent::Item(item), Step::Key(name)) => {
            item.remove(name);
        }
        (Parent::Value(value), Step::Key(name)) => {
            value.get_mut("M").and_then(Value::as_object_mut).ok_or_else(no_such_place)?.remove(name);
        }
        (Parent::Value(value), Step::Index(index)) => {
            let list = value.get_mut("L").and_then(Value::as_array_mut).ok_or_else(no_such_place)?;
            if *index < list.len() {
                list.remove(*index);
            }
        }
        (Parent::Item(_), Step::Index(_)) => return Err(no_such_place()),
    }
    Ok(())
}

enum Parent<'a> {
    Item(&'a mut Item),
    Value(&'a mut Value),
}

fn parent<'a>(item: &'a mut Item, steps: &[Step]) -> Result<Parent<'a>, ApiError> {
    let Some((Step::Key(first), rest)) = steps.split_first() else { return Ok(Parent::Item(item)) };
    let mut value = item.get_mut(first).ok_or_else(no_such_place)?;
    for step in rest {
        value = match step {
            Step::Key(name) => value.get_mut("M").and_then(|map| map.get_mut(name)),
            Step::Index(index) => value.get_mut("L").and_then(|list| list.get_mut(*index)),
        }
        .ok_or_else(no_such_place)?;
    }
    Ok(Parent::Value(value))
}

/// What an update changed, for `UPDATED_OLD` and `UPDATED_NEW`.
pub(crate) fn changed(update: &Update, item: &Item) -> Item {
    let touched = update.touched();
    item.iter().filter(|(name, _)| touched.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect()
}

/// An item is updated within its bounds only.
pub(crate) fn applied(update: Option<&Update>, before: &Item) -> Result<Item, ApiError> {
    let after = match update {
        Some(update) => update.apply(before)?,
        None => before.clone(),
    };
    value::bearable(&after)?;
    Ok(after)
}
