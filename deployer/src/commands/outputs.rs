//! `wharf outputs`: what the stack's resources are called in AWS.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Value, json};
use wharf_engine::{Found, Health, Identity, LogicalId};

use super::context::{Code, Context, logical_id};
use super::{Done, plan as planning};
use crate::report::{Failure, Stop, json, value};

/// Arguments of `outputs`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only this resource
    #[arg(value_parser = logical_id)]
    pub id: Option<LogicalId>,
}

/// Shows the outputs of what exists.
pub(super) async fn outputs(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let open = context.open(Code::IfAtHand).await?;
    let (world, _, _) = open.session.look(&open.stack).await.map_err(Failure::from)?;
    let ours = |found: &&Found| found.identity != Identity::Foreign && found.health == Health::Ready;
    let wanted = |found: &&Found| arguments.id.as_ref().is_none_or(|id| *id == found.id);
    let found: BTreeMap<&LogicalId, &Found> =
        world.found.iter().filter(ours).filter(wanted).map(|found| (&found.id, found)).collect();
    if let (Some(id), true) = (&arguments.id, found.is_empty()) {
        return Err(Failure::config(format!("`{id}` does not exist, or is not ready"))
            .hint("see `wharf status`")
            .into());
    }
    let one = |found: &Found| -> Value {
        found.outputs.iter().map(|(name, value)| (name.clone(), plain(value))).collect::<serde_json::Map<_, _>>().into()
    };
    let all: serde_json::Map<String, Value> = found.iter().map(|(id, found)| (id.to_string(), one(found))).collect();
    context.printer.document(&json::document("outputs", planning::with_place(&open, json!({ "outputs": all }))))?;
    for (id, found) in found {
        for (name, output) in &found.outputs {
            let text = output.as_text().unwrap_or_else(|| value::show(output));
            context.printer.result(format!("{id}.{name} = {text}"))?;
        }
    }
    Ok(Done::Well)
}

/// A value without the marks of references.
fn plain(value: &wharf_engine::Value) -> Value {
    match value {
        wharf_engine::Value::Known(text) => json!(text),
        wharf_engine::Value::List(items) => items.iter().map(plain).collect(),
        value => value.to_json(),
    }
}
