//! Tables.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html>

use std::time::Duration;

use serde_json::{Value, json};

use super::{invalid, invalid_value, not_found, permitted, table_name, tags};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::kms;
use crate::services::shared::{seconds, shown};
use crate::store::{Resource, Timer};

/// What DynamoDB does with a customer's key in the caller's name.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html#dynamodb-kms-authz>
const KEY_ACTIONS: &[&str] = &["DescribeKey", "CreateGrant"];

pub(crate) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = table_name(input)?;
    let arn = ctx.arn("dynamodb", format!("table/{name}"));
    let tags = tags::requested(input)?;
    ctx.authorise(Grant::new("dynamodb:CreateTable", arn.clone()).request_tags(&tags))?;
    if !tags.is_empty() {
        // <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Tagging.Operations.html>
        ctx.authorise(Grant::new("dynamodb:TagResource", arn.clone()).request_tags(&tags))?;
    }
    well_named(&name)?;
    let (schema, definitions) = schema(input)?;
    if let Some(other) = ctx.get("dynamodb.table", &name) {
        return Err(in_use(match other.text("TableStatus") {
            "DELETING" => format!("Table is being deleted: {name}"),
            _ => format!("Table already exists: {name}"),
        }));
    }
    let id = ctx.account.rng.uuid();
    let mut table = ctx.resource(
        "dynamodb.table",
        &name,
        json!({
            "TableName": name,
            "TableArn": arn,
            "TableId": id,
            "TableStatus": "CREATING",
            "CreationDateTime": seconds(ctx.now),
            "AttributeDefinitions": definitions,
            "KeySchema": schema,
            "ItemCount": 0,
            "TableSizeBytes": 0,
            "DeletionProtectionEnabled": input.bool_or("DeletionProtectionEnabled", false)?,
            "_ttl": {"TimeToLiveStatus": "DISABLED"},
            "_pitr": false,
        }),
    );
    billing(&mut table, input, None)?;
    if let Some(class) = input.opt_str("TableClass").filter(|class| *class != "STANDARD") {
        table.set("TableClassSummary", json!({"TableClass": class}));
    }
    if let Some(sse) = input.object("SSESpecification")
        && let Some(description) = encryption(ctx, &sse)?
    {
        table.set("SSEDescription", description);
    }
    table.tags = tags;
    let mut answer = shown(&table);
    if let Some(billing) = answer.get_mut("BillingModeSummary").and_then(Value::as_object_mut) {
        // The moment shows only once the table is there.
        billing.remove("LastUpdateToPayPerRequestDateTime");
    }
    ctx.insert(table);
    ctx.after(Duration::from_secs(8), "dynamodb.table", &name, "active");
    Ok(json!({"TableDescription": answer}))
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>
fn well_named(name: &str) -> Result<(), ApiError> {
    let fine = (3..=255).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if fine {
        return Ok(());
    }
    Err(invalid(format!(
        "Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.': {name}"
    )))
}

fn schema(input: &Input) -> Result<(Vec<Value>, Vec<Value>), ApiError> {
    let mut schema = Vec::new();
    let mut definitions = Vec::new();
    for (at, key) in input.objects("KeySchema").iter().enumerate() {
        let (name, kind) = (key.string("AttributeName")?, key.string("KeyType")?);
        if kind != ["HASH", "RANGE"].get(at).copied().unwrap_or_default() {
            return Err(invalid(
                "Invalid KeySchema: The first KeySchemaElement is not a HASH key type, or the second is not RANGE",
            ));
        }
        schema.push(json!({"AttributeName": name, "KeyType": kind}));
    }
    for definition in input.objects("AttributeDefinitions") {
        let (name, kind) = (definition.string("AttributeName")?, definition.string("AttributeType")?);
        if !matches!(kind.as_str(), "S" | "N" | "B") {
            return Err(definition.invalid("AttributeType", &Value::from(kind)));
        }
        definitions.push(json!({"AttributeName": name, "AttributeType": kind}));
    }
    if schema.is_empty() {
        return Err(input.missing("KeySchema"));
    }
    for key in &schema {
        if !definitions.iter().any(|definition| definition["AttributeName"] == key["AttributeName"]) {
            return Err(invalid_value("Some index key attributes are not defined in AttributeDefinitions."));
        }
    }
    if definitions.len() != schema.len() {
        return Err(invalid_value(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
        ));
    }
    Ok((schema, definitions))
}

/// Sets how the table is paid for, from a creation or a change.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/capacity-mode.html>
fn billing(table: &mut Resource, input: &Input, current: Option<&str>) -> Result<(), ApiError> {
    let mode = input.opt_str("BillingMode");
    let throughput = input.object("ProvisionedThroughput");
    let units = match &throughput {
        Some(given) => Some((given.int("ReadCapacityUnits")?, given.int("WriteCapacityUnits")?)),
        None => None,
    };
    let (read, write) = match (mode.or(current).unwrap_or("PROVISIONED"), units) {
        ("PAY_PER_REQUEST", Some((1.., 1..))) => {
            return Err(invalid_value(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
            ));
        }
        ("PAY_PER_REQUEST", _) => {
            if current != Some("PAY_PER_REQUEST") {
                table.set(
                    "BillingModeSummary",
                    json!({
                        "BillingMode": "PAY_PER_REQUEST",
                        "LastUpdateToPayPerRequestDateTime": seconds(table.created),
                    }),
                );
            }
            (0, 0)
        }
        ("PROVISIONED", Some((read @ 1.., write @ 1..))) => {
            if table.attrs.contains_key("BillingModeSummary") {
                table.attrs["BillingModeSummary"]["BillingMode"] = "PROVISIONED".into();
            }
            (read, write)
        }
        ("PROVISIONED", None) if current == Some("PROVISIONED") && mode.is_none() => return Ok(()),
        ("PROVISIONED", _) => {
            return Err(invalid_value(
                "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
            ));
        }
        (other, _) => return Err(input.invalid("BillingMode", &Value::from(other))),
    };
    table.set(
        "ProvisionedThroughput",
        json!({"NumberOfDecreasesToday": 0, "ReadCapacityUnits": read, "WriteCapacityUnits": write}),
    );
    Ok(())
}

/// What a table that is there can take at once.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html>
fn warm(table: &mut Resource) {
    let units = |name: &str| table.attrs["ProvisionedThroughput"][name].as_i64().unwrap_or(0);
    let (read, write) = match (units("ReadCapacityUnits"), units("WriteCapacityUnits")) {
        (0, 0) => (12_000, 4_000),
        units => units,
    };
    table.set("WarmThroughput", json!({"ReadUnitsPerSecond": read, "WriteUnitsPerSecond": write, "Status": "ACTIVE"}));
}

/// What the answer says of encryption with a KMS key; nothing for the key that DynamoDB owns.
fn encryption(ctx: &mut Ctx<'_>, sse: &Input) -> Result<Option<Value>, ApiError> {
    let (kind, wanted) = (sse.opt_str("SSEType"), sse.opt_str("KMSMasterKeyId"));
    if !sse.bool_or("Enabled", false)? {
        return match (kind, wanted) {
            (None, None) => Ok(None),
            _ => Err(invalid_value("SSEType and KMSMasterKeyId are only allowed when SSE is enabled")),
        };
    }
    if let Some(other) = kind.filter(|kind| *kind != "KMS") {
        return Err(sse.invalid("SSEType", &Value::from(other)));
    }
    let arn = match wanted {
        Some(wanted) => {
            let key = kms::usable(ctx, wanted)
                .map_err(|error| invalid(format!("KMS key access denied error: {}", error.message)))?;
            kms::authorise_via(ctx, &key, KEY_ACTIONS, "dynamodb")?;
            key.text("Arn").to_owned()
        }
        None => kms::managed(ctx, "dynamodb"),
    };
    Ok(Some(json!({"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn})))
}

fn in_use(message: impl Into<String>) -> ApiError {
    refuse("ResourceInUseException", message)
}

/// A table takes one change at a time.
pub(crate) fn settled(table: &Resource) -> Result<(), ApiError> {
    let state = match table.text("TableStatus") {
        "ACTIVE" => return Ok(()),
        "CREATING" => "created",
        "DELETING" => "deleted",
        _ => "updated",
    };
    Err(in_use(format!("Attempt to change a resource which is still in use: Table is being {state}: {}", table.id)))
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let table = permitted(ctx, "DescribeTable", &table_name(input)?)?;
    Ok(json!({"Table": shown(&table)}))
}

pub(crate) fn update(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = table_name(input)?;
    let table = permitted(ctx, "UpdateTable", &name)?;
    settled(&table)?;
    let mut changed = Resource::clone(&table);
    let mode = table.attrs.get("BillingModeSummary").and_then(|s| s["BillingMode"].as_str()).unwrap_or("PROVISIONED");
    if input.has("BillingMode") || input.has("ProvisionedThroughput") {
        billing(&mut changed, input, Some(mode))?;
        if let Some(at) = changed.attrs.get_mut("BillingModeSummary").filter(|_| mode == "PROVISIONED") {
            at["LastUpdateToPayPerRequestDateTime"] = seconds(ctx.now);
        }
        warm(&mut changed);
    }
    if let Some(protect) = input.opt_bool("DeletionProtectionEnabled")? {
        changed.set("DeletionProtectionEnabled", protect);
    }
    if let Some(definitions) = input.opt("AttributeDefinitions")
        && table.attrs.get("AttributeDefinitions") != Some(definitions)
    {
        return Err(ApiError::not_simulated("changing AttributeDefinitions"));
    }
    if let Some(class) = input.opt_str("TableClass") {
        changed.set("TableClassSummary", json!({"TableClass": class, "LastUpdateDateTime": seconds(ctx.now)}));
    }
    if let Some(sse) = input.object("SSESpecification") {
        match encryption(ctx, &sse)? {
            Some(description) => changed.set("SSEDescription", description),
            None => {
                changed.attrs.remove("SSEDescription");
            }
        }
    }
    if changed == *table {
        return Err(invalid(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
        ));
    }
    // Deletion protection alone needs no time.
    let at_once = {
        let mut same = changed.clone();
        same.attrs.insert("DeletionProtectionEnabled".to_owned(), table.flag("DeletionProtectionEnabled").into());
        same == *table
    };
    if !at_once {
        changed.set("TableStatus", "UPDATING");
        ctx.after(Duration::from_secs(6), "dynamodb.table", &name, "active");
    }
    let answer = shown(&changed);
    ctx.update("dynamodb.table", &name, |table| *table = changed);
    Ok(json!({"TableDescription": answer}))
}

pub(crate) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = table_name(input)?;
    let table = permitted(ctx, "DeleteTable", &name)?;
    settled(&table)?;
    // <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithTables.Basics.html#WorkingWithTables.Basics.DeletionProtection>
    if table.flag("DeletionProtectionEnabled") {
        return Err(invalid(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
        ));
    }
    ctx.update("dynamodb.table", &name, |table| table.set("TableStatus", "DELETING"));
    ctx.after(Duration::from_secs(6), "dynamodb.table", &name, "gone");
    let mut answer = shown(&table);
    for name in ["AttributeDefinitions", "KeySchema", "CreationDateTime", "WarmThroughput"] {
        answer.remove(name);
    }
    answer.insert("TableStatus".to_owned(), "DELETING".into());
    Ok(json!({"TableDescription": answer}))
}

pub(crate) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    match timer.event {
        "active" => {
            ctx.update("dynamodb.table", &timer.id, |table| {
                table.set("TableStatus", "ACTIVE");
                warm(table);
            });
            // Backups become available a little after the table: see `settings`.
            ctx.after(Duration::from_secs(6), "dynamodb.table", &timer.id, "backups");
        }
        "backups" => ctx.update("dynamodb.table", &timer.id, |table| table.set("_backups", true)),
        "ttl" => super::settings::ttl_settled(ctx, &timer.id),
        _ => {
            for item in ctx.those("dynamodb.item", |item| item.text("TableName") == timer.id) {
                ctx.remove("dynamodb.item", &item.id);
            }
            ctx.remove("dynamodb.table", &timer.id);
        }
    }
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTables.html>
pub(crate) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let limit = match input.opt_int("Limit")? {
        None => 100,
        Some(limit @ 1..=100) => usize::try_from(limit).unwrap_or(100),
        Some(other) => return Err(input.invalid("Limit", &Value::from(other))),
    };
    let start = input.opt_str("ExclusiveStartTableName").unwrap_or("").to_owned();
    let names: Vec<String> = ctx.all("dynamodb.table").iter().map(|t| t.id.clone()).filter(|id| *id > start).collect();
    let page: Vec<&String> = names.iter().take(limit).collect();
    let mut answer = json!({"TableNames": page});
    if names.len() > limit
        && let Some(last) = page.last()
    {
        answer["LastEvaluatedTableName"] = (*last).clone().into();
    }
    Ok(answer)
}

/// The table with this ARN.
pub(crate) fn by_arn(ctx: &Ctx<'_>, arn: &str) -> Result<String, ApiError> {
    let name = arn.strip_prefix(&ctx.arn("dynamodb", "table/"));
    name.map(str::to_owned).ok_or_else(|| not_found(arn))
}
