//! `wharf check`: the stack file alone; no call is made.

use serde_json::json;

use super::Done;
use super::context::Context;
use crate::report::{Stop, json};

/// Checks the stack file.
pub(super) fn check(context: &Context<'_>) -> Result<Done, Stop> {
    let config = context.config()?;
    let (stack, services) = (&config.stack, config.services.len());
    let file = context.file().display().to_string();
    context.printer.document(&json::document(
        "check",
        json!({
            "file": file, "stack": stack.name.as_str(), "region": stack.region.as_str(),
            "services": config.services.keys().collect::<Vec<_>>(),
        }),
    ))?;
    let things = if services == 1 { "service" } else { "services" };
    let text = format!("{file} is good: stack {} in {}, {services} {things}", stack.name, stack.region);
    context.printer.result(context.printer.out.green(text))?;
    Ok(Done::Well)
}
