//! `wharf import`: an existing resource joins the stack by being tagged.

use clap::Args;
use serde_json::json;
use wharf_engine::{Identity, LogicalId};

use super::context::{Context, logical_id};
use super::{Done, plan as planning};
use crate::aws::tags;
use crate::report::{Failure, Kind, Stop, json};

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Its logical id: what the stack file makes of it, as `wharf plan` shows it
    #[arg(value_parser = logical_id)]
    pub id: LogicalId,
    /// AWS's name for it: an id, a name or an ARN
    pub aws_id: String,
}

/// Tags an existing resource as the stack's own.
pub(super) async fn import(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let open = context.open().await?;
    let Arguments { id, aws_id } = arguments;
    let Some(resource) = open.stack.resources.get(id) else {
        let near: Vec<&str> = open.stack.resources.keys().map(LogicalId::as_str).collect();
        let hint = format!("the stack has {}", near.join(", "));
        return Err(Failure::config(format!("the stack has no resource `{id}`")).hint(hint).into());
    };
    let kind = open.session.kinds.get(resource.rules.kind);
    let kind = kind.ok_or_else(|| Failure::ours(format!("no kind is named {}", resource.rules.kind)))?;
    let wanted = crate::aws::Wanted::from([(id.clone(), resource.inputs.clone())]);
    let found = kind.find(&open.session.aws, wanted, Some((id.clone(), Some(aws_id.clone())))).await;
    let found = found.map_err(Failure::from)?.into_iter().find(|found| found.physical == *aws_id);
    let Some(found) = found else {
        let message = format!("there is no {} `{aws_id}` in {}", resource.rules.kind, open.config.stack.region);
        return Err(Failure::config(message).hint("give AWS's own id, as the console or the AWS CLI show it").into());
    };
    if let Identity::Ours(_) = found.identity {
        context.printer.result(format!("{aws_id} is already this stack's `{}`", found.id))?;
        return Ok(Done::Well);
    }
    if let Some(other) = open
        .session
        .look(&open.stack)
        .await
        .map_err(Failure::from)?
        .0
        .found
        .iter()
        .find(|other| other.id == *id && other.identity != Identity::Foreign)
    {
        let message = format!("`{id}` exists already: {} `{}`", other.rules.kind, other.physical);
        return Err(Failure::new(Kind::Conflict, message).into());
    }
    let identity = tags::identity(open.config.stack.name.as_str(), id, None);
    kind.adopt(&open.session.aws, found, identity).await.map_err(Failure::from)?;
    let body = planning::with_place(&open, json!({ "id": id, "physical": aws_id }));
    context.printer.document(&json::document("import", body))?;
    context.printer.result(format!("{aws_id} is this stack's `{id}` now; `wharf plan` shows what differs"))?;
    Ok(Done::Well)
}
