//! `wharf import`: an existing resource joins the stack by being tagged.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;
use wharf_engine::{Found, Health, Identity, LogicalId, Outputs, Resource};

use super::context::{Code, Context, Open, logical_id};
use super::{Done, plan as planning};
use crate::aws::ec2::foreign;
use crate::aws::{Wanted, tags};
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
    let open = context.open(Code::IfAtHand).await?;
    let Arguments { id, aws_id } = arguments;
    let Some(resource) = open.stack.resources.get(id) else {
        let near: Vec<&str> = open.stack.resources.keys().map(LogicalId::as_str).collect();
        let hint = format!("the stack has {}", near.join(", "));
        return Err(Failure::config(format!("the stack has no resource `{id}`")).hint(hint).into());
    };
    let kind = open.session.kinds.get(resource.rules.kind);
    let kind = kind.ok_or_else(|| Failure::ours(format!("no kind is named {}", resource.rules.kind)))?;
    let found = find(&open, resource, aws_id).await?;
    if let Identity::Ours(_) = found.identity {
        let body = planning::with_place(&open, json!({ "id": found.id, "physical": aws_id }));
        context.printer.document(&json::document("import", body))?;
        context.printer.result(format!("{aws_id} is already this stack's `{}`", found.id))?;
        return Ok(Done::Well);
    }
    let (world, _, _) = open.session.look(&open.stack).await.map_err(Failure::from)?;
    let taken = |other: &&Found| other.id == *id && other.identity != Identity::Foreign;
    if let Some(other) = world.found.iter().find(taken) {
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

/// What is to be imported. Some kinds are found by their name; what EC2 has is known by its id alone.
async fn find(open: &Open, resource: &Resource, aws_id: &str) -> Result<Found, Failure> {
    let (aws, kind) = (&open.session.aws, resource.rules.kind);
    let any = open.session.kinds.get(kind).ok_or_else(|| Failure::ours(format!("no kind is named {kind}")))?;
    let wanted = Wanted::from([(resource.id.clone(), resource.inputs.clone())]);
    let found = any.find(aws, wanted, Some((resource.id.clone(), Some(aws_id.to_owned())))).await?;
    if let Some(found) = found.into_iter().find(|found| found.physical == aws_id) {
        return Ok(found);
    }
    if !foreign::can_be(kind, aws_id) {
        let hint = format!(
            "`{}` is the {kind} that the stack names so; one of another name can only be replaced by it",
            resource.id
        );
        return Err(Failure::config(format!("`{aws_id}` cannot become `{}`", resource.id)).hint(hint));
    }
    let now = foreign::tags(aws, aws_id).await?;
    if let Some(other) = now.get(tags::STACK) {
        let whose = now.get(tags::ID).map_or("", String::as_str);
        return Err(Failure::new(Kind::Conflict, format!("`{aws_id}` is `{whose}` of the stack `{other}`")));
    }
    Ok(Found {
        id: resource.id.clone(),
        rules: resource.rules,
        physical: aws_id.to_owned(),
        identity: Identity::Foreign,
        health: Health::Ready,
        // It is about to be tagged, and read after that.
        inputs: resource.inputs.clone(),
        outputs: Outputs::new(),
        blockers: BTreeSet::new(),
    })
}
