//! `wharf stacks`: the stacks of the account's region, by their tables.

use serde_json::json;

use super::Done;
use super::context::Context;
use crate::aws::{CallError, connect};
use crate::ledger::{Entry, Ledger, table_name};
use crate::report::{Failure, Stop, json};

/// Shows the stacks of the account's region.
pub(super) async fn stacks(context: &Context<'_>) -> Result<Done, Stop> {
    let region = match &context.global.region {
        Some(region) => region.clone(),
        None => context.config()?.stack.region.to_string(),
    };
    let observer = context.observer();
    let connection = connect(&context.connect(&region), observer.clone()).await;
    let connection = connection.map_err(|error| Failure::from(crate::operations::Error::from(error)))?;
    let aws = connection.scoped("", "stacks", observer.clone());
    let prefix = table_name("");
    let names: Result<Vec<String>, CallError> = aws
        .pages(
            "dynamodb:ListTables",
            "",
            |token| aws.dynamodb.list_tables().set_exclusive_start_table_name(token).send(),
            |answer| (answer.table_names.unwrap_or_default(), answer.last_evaluated_table_name),
        )
        .await;
    let mut stacks: Vec<(String, Option<Entry>)> = Vec::new();
    for table in names.map_err(Failure::from)? {
        if let Some(stack) = table.strip_prefix(&prefix) {
            let ledger = Ledger::new(&connection.scoped(stack, "stacks", observer.clone()));
            // A table of that name that holds no history is somebody else's.
            let last = ledger.history(1).await.map(|runs| runs.into_iter().next()).unwrap_or_default();
            stacks.push((stack.to_owned(), last));
        }
    }
    let list: Vec<_> = stacks.iter().map(|(name, last)| json!({ "name": name, "last_run": last })).collect();
    let body = json!({ "account": connection.account, "region": region, "stacks": list });
    context.printer.document(&json::document("stacks", body))?;
    if stacks.is_empty() {
        context.printer.result(format!("no stack in account {}, {region}", connection.account))?;
    }
    for (name, last) in stacks {
        let last = last.map(|run| format!("  {} {} by {}", run.at, run.command, run.who)).unwrap_or_default();
        context.printer.result(format!("{name}{}", context.printer.out.dim(last)))?;
    }
    Ok(Done::Well)
}
