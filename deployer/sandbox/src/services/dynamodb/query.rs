//! Query and Scan.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html>

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::condition::{Comparison, Condition};
use super::expression::{Operand, project, projection};
use super::item::{Table, no_capacity, stored};
use super::lexer::Scope;
use super::value::{normal_item, order, weight};
use super::{Item, invalid, table_name};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::rng::rank;

pub(crate) fn query(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = table_name(input)?;
    let scope = Scope::of(input)?;
    let text = input.opt_str("KeyConditionExpression").ok_or_else(|| {
        invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
    })?;
    let keys = Condition::parse("KeyConditionExpression", text, &scope)?;
    let hash = partition(ctx, &name, &keys);
    let table = Table::open(ctx, "Query", &name, hash.as_ref())?;
    check(&table, &keys)?;
    let forward = input.bool_or("ScanIndexForward", true)?;
    let mut items: Vec<Item> = all(ctx, &table, input)?.into_iter().filter(|item| keys.holds(item)).collect();
    let order = sort_key_order(&table);
    items.sort_by(|a, b| if forward { order(a, b) } else { order(b, a) });
    page(&table, input, &scope, items)
}

pub(crate) fn scan(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = table_name(input)?;
    let scope = Scope::of(input)?;
    let table = Table::open(ctx, "Scan", &name, None)?;
    let mut items = all(ctx, &table, input)?;
    // Partitions come in the order of a hash that nobody knows; within one the sort key orders.
    let seed = ctx.account.seed;
    let hash = |item: &Item| {
        table.keys().first().map_or(0, |(name, _)| rank(seed, &item.get(*name).unwrap_or(&Value::Null).to_string()))
    };
    let order = sort_key_order(&table);
    items.sort_by(|a, b| hash(a).cmp(&hash(b)).then_with(|| order(a, b)));
    page(&table, input, &scope, items)
}

fn all(ctx: &Ctx<'_>, table: &Table, input: &Input) -> Result<Vec<Item>, ApiError> {
    let found =
        if input.bool_or("ConsistentRead", false)? { ctx.all("dynamodb.item") } else { ctx.visible("dynamodb.item") };
    Ok(found.iter().filter(|r| r.text("TableName") == table.name).map(|r| stored(r)).collect())
}

fn sort_key_order(table: &Table) -> impl Fn(&Item, &Item) -> Ordering {
    let key = table.keys().get(1).map(|(name, _)| (*name).to_owned());
    move |a, b| {
        let values = key.as_ref().and_then(|key| a.get(key).zip(b.get(key)));
        values.and_then(|(a, b)| order(a, b)).unwrap_or(Ordering::Equal)
    }
}

/// The partition that a key condition asks for.
fn partition(ctx: &Ctx<'_>, table: &str, condition: &Condition) -> Option<Value> {
    let table = ctx.get("dynamodb.table", table)?;
    let name = table.items("KeySchema").first()?["AttributeName"].as_str()?.to_owned();
    parts(condition).into_iter().find_map(|part| match part {
        Condition::Compare(Operand::Path(path), Comparison::Equal, Operand::Value(value)) if path.root() == name => {
            Some(value.clone())
        }
        _ => None,
    })
}

fn parts(condition: &Condition) -> Vec<&Condition> {
    match condition {
        Condition::And(a, b) => [parts(a), parts(b)].concat(),
        other => vec![other],
    }
}

/// A key condition is `partition = :value`, perhaps and one condition on the sort key.
fn check(table: &Table, condition: &Condition) -> Result<(), ApiError> {
    let keys = table.keys();
    let (hash, range) = (keys.first().map(|(name, _)| *name), keys.get(1).map(|(name, _)| *name));
    let mut asked = false;
    let mut ranged = false;
    for part in parts(condition) {
        let (path, equal) = match part {
            Condition::Compare(Operand::Path(path), comparison, Operand::Value(_)) => match comparison {
                Comparison::Unequal => {
                    return Err(invalid("Unsupported operator on KeyCondition: operator: <>"));
                }
                comparison => (path, *comparison == Comparison::Equal),
            },
            Condition::Between(Operand::Path(path), Operand::Value(_), Operand::Value(_))
            | Condition::BeginsWith(Operand::Path(path), Operand::Value(_)) => (path, false),
            _ => {
                return Err(invalid("Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression"));
            }
        };
        if Some(path.root()) == hash && equal && !asked {
            asked = true;
        } else if Some(path.root()) == hash {
            return Err(invalid("Query key condition not supported"));
        } else if Some(path.root()) == range && !ranged {
            ranged = true;
        } else {
            return Err(invalid(format!(
                "Query condition missed key schema element: {}",
                range.or(hash).unwrap_or_default()
            )));
        }
    }
    if asked {
        Ok(())
    } else {
        Err(invalid(format!("Query condition missed key schema element: {}", hash.unwrap_or_default())))
    }
}

/// Cuts a page of at most `Limit` items and 1 MB out of what was found, and filters it.
fn page(table: &Table, input: &Input, scope: &Scope, items: Vec<Item>) -> Outcome {
    no_capacity(input)?;
    let filter = match input.opt_str("FilterExpression") {
        Some(text) => Some(Condition::parse("FilterExpression", text, scope)?),
        None => None,
    };
    let kept = projection(input.opt_str("ProjectionExpression"), scope)?;
    scope.all_used()?;
    let counting = match input.opt_str("Select") {
        None | Some("ALL_ATTRIBUTES" | "SPECIFIC_ATTRIBUTES") => false,
        Some("COUNT") => true,
        Some(other) => return Err(ApiError::not_simulated(format!("Select {other}"))),
    };
    let limit = match input.opt_int("Limit")? {
        None => usize::MAX,
        Some(limit) => usize::try_from(limit).ok().filter(|limit| *limit > 0).ok_or_else(|| {
            invalid(format!("1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"))
        })?,
    };
    let start = match input.opt("ExclusiveStartKey").and_then(Value::as_object) {
        Some(key) => {
            let id = table.id(&normal_item(key)?);
            let at = items.iter().position(|item| table.id(item) == id);
            // The item may have gone since: then go on behind its place, which the sort key tells.
            at.map_or_else(|| after_gone(table, &items, key), |at| at + 1)
        }
        None => 0,
    };
    let mut read = Vec::new();
    let mut bytes = 0;
    for item in items.iter().skip(start) {
        if read.len() == limit || bytes >= 1024 * 1024 {
            break;
        }
        bytes += weight(item);
        read.push(item);
    }
    // A page cut off by its limit names where it stopped, even when nothing follows.
    let stopped = read.len() == limit || start + read.len() < items.len();
    let shown: Vec<Item> = read
        .iter()
        .filter(|item| filter.as_ref().is_none_or(|filter| filter.holds(item)))
        .map(|item| project(item, kept.as_ref()))
        .collect();
    let mut answer = json!({"Count": shown.len(), "ScannedCount": read.len()});
    if !counting {
        answer["Items"] = shown.into_iter().map(Value::Object).collect();
    }
    if let Some(last) = read.last().filter(|_| stopped) {
        answer["LastEvaluatedKey"] = Value::Object(table.key_of(last));
    }
    Ok(answer)
}

fn after_gone(table: &Table, items: &[Item], key: &Item) -> usize {
    let order = sort_key_order(table);
    let descending = items.first().zip(items.last()).is_some_and(|(a, b)| order(a, b) == Ordering::Greater);
    let wanted = if descending { Ordering::Less } else { Ordering::Greater };
    items.iter().position(|item| order(item, key) == wanted).unwrap_or(items.len())
}
