//! `wharf env`: the environment variables of a service, filled in from what exists. Secrets are named, never shown.

use clap::Args;
use serde_json::json;
use wharf_engine::{LogicalId, Value, World};

use super::context::{Code, Context, Open};
use super::{Done, plan as planning};
use crate::config::Variable;
use crate::platform::variables;
use crate::report::{Failure, Stop, json};

/// Arguments of `env`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The service; all of them if not given
    pub service: Option<String>,
}

/// Shows the variables.
pub(super) async fn env(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let open = context.open(Code::IfAtHand).await?;
    let services = &open.config.services;
    if let Some(name) = arguments.service.as_ref().filter(|name| !services.contains_key(*name)) {
        let hint = format!("the stack file has {}", services.keys().cloned().collect::<Vec<_>>().join(", "));
        return Err(Failure::config(format!("there is no service `{name}`")).hint(hint).into());
    }
    let (world, _, _) = open.session.look(&open.stack).await.map_err(Failure::from)?;
    let wanted = services.keys().filter(|name| arguments.service.as_ref().is_none_or(|only| only == *name));
    let mut all = serde_json::Map::new();
    for service in wanted {
        let lines = lines(&open, &world, service);
        let of = |line: &Line| json!({ "name": line.name, "value": line.value, "parameter": line.parameter, "secret": line.secret });
        all.insert(service.clone(), lines.iter().map(of).collect());
        context.printer.result(context.printer.out.dim(format!("# {service}")))?;
        for line in lines {
            context.printer.result(match (line.secret, &line.value) {
                (true, _) => format!("# {} is a secret, in the SSM parameter {}", line.name, line.parameter),
                (false, Some(value)) => format!("{}={value}", line.name),
                (false, None) => format!("# {} is known after apply", line.name),
            })?;
        }
    }
    let body = planning::with_place(&open, json!({ "services": all }));
    context.printer.document(&json::document("env", body))?;
    Ok(Done::Well)
}

struct Line {
    name: String,
    value: Option<String>,
    parameter: String,
    secret: bool,
}

fn lines(open: &Open, world: &World, service: &str) -> Vec<Line> {
    let Some(wanted) = open.config.services.get(service) else { return Vec::new() };
    let mut lines = Vec::new();
    for name in wanted.env.keys() {
        let id = variables::variable_id(service, name);
        let value = found_value(world, &id);
        lines.push(Line { name: name.clone(), value, parameter: parameter(open, &id), secret: false });
    }
    for (name, template) in &wanted.secrets {
        let id = match template.sole_variable() {
            Some(Variable::Secret(secret)) => variables::secret_id(secret),
            _ => "database.password".to_owned(),
        };
        lines.push(Line { name: name.clone(), value: None, parameter: parameter(open, &id), secret: true });
    }
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    lines
}

/// What the parameter of a variable holds.
fn found_value(world: &World, id: &str) -> Option<String> {
    let found = world.found.iter().find(|found| found.id.as_str() == id)?;
    found.inputs.get("value").and_then(Value::as_text)
}

/// The name of the SSM parameter of this logical id.
fn parameter(open: &Open, id: &str) -> String {
    let resource = LogicalId::new(id).ok().and_then(|id| open.stack.resources.get(&id));
    resource.and_then(|resource| resource.inputs.get("name")?.as_text()).unwrap_or_default()
}
