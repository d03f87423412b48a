//! DynamoDB: tables, their settings, and items with conditions.

mod condition;
mod expression;
mod item;
mod lexer;
mod number;
mod query;
mod reserved;
mod settings;
mod table;
mod tags;
mod transact;
mod update;
mod value;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Operation, Service, not_authorised, read, read_one, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, refuse};
use crate::input::Input;
use crate::store::Resource;
use crate::weather::Bucket;

/// An item, or a key: attribute names and typed values (`{"S": "x"}`), as on the wire.
pub(crate) type Item = Map<String, Value>;

pub(crate) static SERVICE: Service = Service {
    name: "dynamodb",
    namespace: "",
    global: false,
    operations: &[
        write("CreateTable", table::create),
        read_one("DescribeTable", table::describe),
        write("UpdateTable", table::update),
        write("DeleteTable", table::delete),
        read("ListTables", table::list),
        write("UpdateTimeToLive", settings::update_time_to_live),
        read_one("DescribeTimeToLive", settings::describe_time_to_live),
        write("UpdateContinuousBackups", settings::update_continuous_backups),
        read_one("DescribeContinuousBackups", settings::describe_continuous_backups),
        write("TagResource", tags::tag),
        write("UntagResource", tags::untag),
        read_one("ListTagsOfResource", tags::list),
        read_one("GetItem", item::get),
        write("PutItem", item::put),
        write("UpdateItem", item::update),
        write("DeleteItem", item::delete),
        read_one("Query", query::query),
        read_one("Scan", query::scan),
        write("TransactWriteItems", transact::write),
    ],
    on_timer: table::on_timer,
    bucket,
    throttled: || refuse("ThrottlingException", "Rate of requests exceeds the allowed throughput."),
    denied: |caller, action, resource| refuse("AccessDeniedException", not_authorised(caller, action, resource)),
};

/// Control-plane calls: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html>.
/// The data plane of an on-demand table takes 4000 writes and 12000 reads a second from the start.
fn bucket(operation: &Operation, _: &Input) -> Bucket {
    match operation.name {
        "GetItem" | "Query" | "Scan" => Bucket { name: "dynamodb reads", burst: 12_000.0, rate: 12_000.0 },
        "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems" => {
            Bucket { name: "dynamodb writes", burst: 4_000.0, rate: 4_000.0 }
        }
        "UpdateContinuousBackups" => Bucket { name: "dynamodb backups", burst: 50.0, rate: 10.0 },
        "TagResource" | "UntagResource" => Bucket { name: "dynamodb tags", burst: 5.0, rate: 5.0 },
        _ => Bucket { name: "dynamodb control", burst: 500.0, rate: 500.0 },
    }
}

/// What DynamoDB says to a request that can never work.
fn invalid(message: impl Into<String>) -> ApiError {
    refuse("ValidationException", message)
}

fn invalid_value(message: impl AsRef<str>) -> ApiError {
    invalid(format!("One or more parameter values were invalid: {}", message.as_ref()))
}

fn not_found(name: &str) -> ApiError {
    refuse("ResourceNotFoundException", format!("Requested resource not found: Table: {name} not found"))
}

/// The table's name, also where its ARN was given instead.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html>
fn table_name(input: &Input) -> Result<String, ApiError> {
    let given = input.str("TableName")?;
    Ok(given.rsplit_once(":table/").map_or(given, |(_, name)| name).to_owned())
}

/// The table that a control-plane call names, once the caller may do this to it.
fn permitted(ctx: &mut Ctx<'_>, action: &str, name: &str) -> Result<Arc<Resource>, ApiError> {
    let table = ctx.get("dynamodb.table", name);
    let grant = Grant::new(format!("dynamodb:{action}"), ctx.arn("dynamodb", format!("table/{name}")));
    ctx.authorise(match &table {
        Some(table) => grant.resource_tags(&table.tags),
        None => grant,
    })?;
    table.ok_or_else(|| not_found(name))
}

#[cfg(test)]
mod tests;
