//! Single items: get, put, update, delete, each perhaps on a condition.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::condition::Condition;
use super::expression::{project, projection};
use super::lexer::Scope;
use super::update::{Update, applied, changed};
use super::value::{bearable, normal_item, parts};
use super::{Item, invalid, invalid_value, table_name};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;

/// A table ready for reads and writes of items.
pub(crate) struct Table {
    pub(crate) name: String,
    resource: Arc<Resource>,
}

impl Table {
    /// The table that a call names, once the caller may do this with these partition keys.
    pub(crate) fn open(ctx: &mut Ctx<'_>, action: &str, name: &str, leading: Option<&Value>) -> Result<Self, ApiError> {
        let resource = ctx.get("dynamodb.table", name);
        let mut grant = Grant::new(format!("dynamodb:{action}"), ctx.arn("dynamodb", format!("table/{name}")));
        if let Some(table) = &resource {
            grant = grant.resource_tags(&table.tags);
        }
        // <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html>
        if let Some(key) = leading.and_then(parts).and_then(|(_, content)| content.as_str()) {
            grant = grant.key("dynamodb:LeadingKeys", key);
        }
        ctx.authorise(grant)?;
        // A table that is being made or unmade takes no items.
        let ready = resource.filter(|table| !matches!(table.text("TableStatus"), "CREATING" | "DELETING"));
        let resource = ready.ok_or_else(|| refuse("ResourceNotFoundException", "Requested resource not found"))?;
        Ok(Self { name: name.to_owned(), resource })
    }

    /// Name and type of the key attributes, the partition key first.
    pub(crate) fn keys(&self) -> Vec<(&str, &str)> {
        let definitions = self.resource.items("AttributeDefinitions");
        let kind = |name: &str| {
            let found = definitions.iter().find(|d| d["AttributeName"] == name);
            found.and_then(|d| d["AttributeType"].as_str()).unwrap_or("S")
        };
        let schema = self.resource.items("KeySchema");
        schema.iter().filter_map(|key| key["AttributeName"].as_str()).map(|name| (name, kind(name))).collect()
    }

    /// Checks the key attributes of an item or key.
    fn check(&self, item: &Item, exactly: bool) -> Result<(), ApiError> {
        let keys = self.keys();
        if exactly && (item.len() != keys.len() || keys.iter().any(|(name, _)| !item.contains_key(*name))) {
            return Err(invalid("The provided key element does not match the schema"));
        }
        for (name, kind) in keys {
            let value = item.get(name).ok_or_else(|| invalid_value(format!("Missing the key {name} in the item")))?;
            match parts(value) {
                Some((actual, _)) if actual != kind && exactly => {
                    return Err(invalid("The provided key element does not match the schema"));
                }
                Some((actual, _)) if actual != kind => {
                    return Err(invalid_value(format!(
                        "Type mismatch for key {name} expected: {kind} actual: {actual}"
                    )));
                }
                Some((_, Value::String(text))) if text.is_empty() => {
                    return Err(invalid(format!(
                        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: {name}"
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The id under which an item with this key is kept.
    pub(crate) fn id(&self, item: &Item) -> String {
        let texts =
            self.keys().into_iter().filter_map(|(name, _)| parts(item.get(name)?)?.1.as_str().map(str::to_owned));
        [self.name.clone()].into_iter().chain(texts).collect::<Vec<_>>().join("\u{1f}")
    }

    /// The key attributes of an item.
    pub(crate) fn key_of(&self, item: &Item) -> Item {
        let keys = self.keys();
        item.iter().filter(|(n, _)| keys.iter().any(|(key, _)| key == n)).map(|(n, v)| (n.clone(), v.clone())).collect()
    }

    fn is_key(&self, name: &str) -> bool {
        self.keys().iter().any(|(key, _)| *key == name)
    }
}

/// The attributes of a stored item.
pub(crate) fn stored(resource: &Resource) -> Item {
    resource.attrs.get("Item").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn given(input: &Input, name: &str) -> Result<Item, ApiError> {
    let item = input.opt(name).and_then(Value::as_object).ok_or_else(|| input.missing(name))?;
    normal_item(item)
}

/// The value of a table's partition key in a raw item, for the authoriser.
fn leading<'a>(ctx: &Ctx<'_>, table: &str, item: &'a Item) -> Option<&'a Value> {
    let table = ctx.get("dynamodb.table", table)?;
    item.get(table.items("KeySchema").first()?["AttributeName"].as_str()?)
}

/// A write of one item, understood and checked but not yet done.
pub(crate) struct Write {
    pub(crate) table: Table,
    pub(crate) id: String,
    before: Option<Item>,
    key: Item,
    condition: Option<Condition>,
    pub(crate) show_on_failure: bool,
    effect: Effect,
}

enum Effect {
    Put(Item),
    Update(Option<Update>),
    Delete,
    Check,
}

impl Write {
    /// Understands a write; `action` is the operation (or IAM action) of one item.
    pub(crate) fn read(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<Self, ApiError> {
        let name = table_name(input)?;
        let item = given(input, if action == "PutItem" { "Item" } else { "Key" })?;
        let leading = leading(ctx, &name, &item);
        let table = Table::open(ctx, action, &name, leading)?;
        table.check(&item, action != "PutItem")?;
        let scope = Scope::of(input)?;
        let update = match input.opt_str("UpdateExpression") {
            Some(text) => Some(Update::parse(text, &scope)?),
            None => None,
        };
        let condition = match input.opt_str("ConditionExpression") {
            Some(text) => Some(Condition::parse("ConditionExpression", text, &scope)?),
            None => None,
        };
        scope.all_used()?;
        if let Some(name) = update.iter().flat_map(Update::touched).find(|name| table.is_key(name)) {
            return Err(invalid_value(format!("Cannot update attribute {name}. This attribute is part of the key")));
        }
        let show_on_failure = choice(input, "ReturnValuesOnConditionCheckFailure", &["NONE", "ALL_OLD"])? == "ALL_OLD";
        let id = table.id(&item);
        let before = ctx.get("dynamodb.item", &id).map(|resource| stored(&resource));
        let key = table.key_of(&item);
        let effect = match action {
            "PutItem" => {
                bearable(&item)?;
                Effect::Put(item)
            }
            "UpdateItem" => Effect::Update(update),
            "DeleteItem" => Effect::Delete,
            _ => Effect::Check,
        };
        Ok(Self { table, id, before, key, condition, show_on_failure, effect })
    }

    /// Whether its condition holds.
    pub(crate) fn may(&self) -> bool {
        let nothing = Item::new();
        self.condition.as_ref().is_none_or(|condition| condition.holds(self.before.as_ref().unwrap_or(&nothing)))
    }

    /// The item as it was, where the caller asked to see it when its condition fails.
    pub(crate) fn reason(&self) -> Option<&Item> {
        self.before.as_ref().filter(|_| self.show_on_failure)
    }

    /// Does it; the item as it is afterwards.
    pub(crate) fn perform(&self, ctx: &mut Ctx<'_>) -> Result<Option<Item>, ApiError> {
        let after = match &self.effect {
            Effect::Check => return Ok(self.before.clone()),
            Effect::Delete => None,
            Effect::Put(item) => Some(item.clone()),
            Effect::Update(update) => Some(applied(update.as_ref(), self.before.as_ref().unwrap_or(&self.key))?),
        };
        match &after {
            None => ctx.remove("dynamodb.item", &self.id),
            Some(item) if self.before.is_some() => {
                ctx.update("dynamodb.item", &self.id, |r| r.set("Item", item.clone()));
            }
            Some(item) => {
                let new = ctx.resource("dynamodb.item", &self.id, json!({"Item": item, "TableName": self.table.name}));
                ctx.insert(new);
            }
        }
        Ok(after)
    }
}

fn choice<'a>(input: &'a Input, name: &str, known: &[&'a str]) -> Result<&'a str, ApiError> {
    let value = input.opt_str(name).unwrap_or("NONE");
    if known.contains(&value) {
        return Ok(value);
    }
    let lower: String = name.chars().take(1).flat_map(char::to_lowercase).chain(name.chars().skip(1)).collect();
    Err(invalid(format!(
        "1 validation error detected: Value '{value}' at '{lower}' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
        known.join(", ")
    )))
}

/// `ReturnConsumedCapacity` and `ReturnItemCollectionMetrics` as far as they exist here.
pub(crate) fn no_capacity(input: &Input) -> Result<(), ApiError> {
    for name in ["ReturnConsumedCapacity", "ReturnItemCollectionMetrics"] {
        if input.opt_str(name).is_some_and(|value| value != "NONE") {
            return Err(ApiError::not_simulated(format!("{name} other than NONE")));
        }
    }
    Ok(())
}

fn carry_out(ctx: &mut Ctx<'_>, input: &Input, action: &str, returns: &[&str]) -> Outcome {
    no_capacity(input)?;
    let write = Write::read(ctx, input, action)?;
    let wanted = input.opt_str("ReturnValues").unwrap_or("NONE").to_owned();
    if !returns.contains(&wanted.as_str()) {
        return Err(invalid("Return values set to invalid value"));
    }
    if !write.may() {
        let refused = refuse("ConditionalCheckFailedException", "The conditional request failed");
        return Err(match write.reason() {
            Some(item) => refused.member("Item", item.clone()),
            None => refused,
        });
    }
    let after = write.perform(ctx)?;
    let pick = |item: &Item| match &write.effect {
        Effect::Update(Some(update)) if wanted.starts_with("UPDATED") => changed(update, item),
        Effect::Update(None) if wanted.starts_with("UPDATED") => Item::new(),
        _ => item.clone(),
    };
    let shown = match wanted.as_str() {
        "ALL_OLD" | "UPDATED_OLD" => write.before.as_ref().map(pick),
        "ALL_NEW" | "UPDATED_NEW" => after.as_ref().map(pick),
        _ => None,
    };
    Ok(match shown.filter(|item| !item.is_empty()) {
        Some(item) => json!({"Attributes": item}),
        None => json!({}),
    })
}

pub(crate) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    carry_out(ctx, input, "PutItem", &["NONE", "ALL_OLD"])
}

pub(crate) fn update(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    carry_out(ctx, input, "UpdateItem", &["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"])
}

pub(crate) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    carry_out(ctx, input, "DeleteItem", &["NONE", "ALL_OLD"])
}

/// A read without `ConsistentRead` may show an older state:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html>
pub(crate) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    no_capacity(input)?;
    let name = table_name(input)?;
    let key = given(input, "Key")?;
    let leading = leading(ctx, &name, &key);
    let table = Table::open(ctx, "GetItem", &name, leading)?;
    table.check(&key, true)?;
    let scope = Scope::of(input)?;
    let kept = projection(input.opt_str("ProjectionExpression"), &scope)?;
    scope.all_used()?;
    let id = table.id(&key);
    let found = if input.bool_or("ConsistentRead", false)? {
        ctx.get("dynamodb.item", &id)
    } else {
        ctx.visible_one("dynamodb.item", &id)
    };
    Ok(match found {
        Some(resource) => json!({"Item": project(&stored(&resource), kept.as_ref())}),
        None => json!({}),
    })
}
