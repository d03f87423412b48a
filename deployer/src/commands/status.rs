//! `wharf status`: what the stack has, and whether it is well.

use serde_json::json;
use wharf_engine::{Found, Health, Identity};

use super::context::{Code, Context};
use super::{Done, plan as planning};
use crate::report::{Failure, Paint, Stop, json};

/// Shows what the stack has.
pub(super) async fn status(context: &Context<'_>) -> Result<Done, Stop> {
    let open = context.open(Code::IfAtHand).await?;
    let look = open.session.look(&open.stack).await.map_err(Failure::from)?;
    let holder = open.session.ledger.holder().await.map_err(Failure::from)?;
    let mut found: Vec<&Found> = look.0.found.iter().filter(|found| found.identity != Identity::Foreign).collect();
    found.sort_by_key(|found| (&found.id, &found.physical));
    let missing: Vec<_> =
        open.stack.resources.keys().filter(|id| !found.iter().any(|found| found.id == **id)).collect();

    let resource = |found: &&Found| {
        let (health, why) = health(&found.health);
        json!({ "id": found.id, "kind": found.rules.kind, "physical": found.physical, "health": health, "why": why })
    };
    let resources: Vec<_> = found.iter().map(resource).collect();
    let body = json!({ "resources": resources, "missing": missing, "lock": holder, "last_run": look.2 });
    context.printer.document(&json::document("status", planning::with_place(&open, body)))?;

    let paint = context.printer.out;
    for found in &found {
        context.printer.result(line(found, paint))?;
    }
    for id in &missing {
        context.printer.result(format!("  {} {id}  {}", paint.dim("·"), paint.dim("does not exist")))?;
    }
    if let Some(holder) = holder {
        let text = format!("locked by {} ({}) since {}", holder.who, holder.command, holder.since);
        context.printer.result(paint.yellow(text))?;
    }
    let well = found.iter().filter(|found| found.health == Health::Ready).count();
    context.printer.result(paint.bold(format!("{well} of {} resources are well", open.stack.resources.len())))?;
    Ok(Done::Well)
}

fn health(health: &Health) -> (&'static str, Option<&str>) {
    match health {
        Health::Ready => ("ready", None),
        Health::Settling(what) => ("settling", Some(what)),
        Health::Deleting => ("deleting", None),
        Health::Failed(why) => ("failed", Some(why)),
    }
}

fn line(found: &Found, paint: Paint) -> String {
    let (name, why) = health(&found.health);
    let sign = match found.health {
        Health::Ready => paint.green("✓"),
        Health::Settling(_) | Health::Deleting => paint.cyan("…"),
        Health::Failed(_) => paint.red("✗"),
    };
    let state = match (name, why) {
        ("ready", _) => String::new(),
        (name, why) => format!("  {name}{}", why.map(|why| format!(": {why}")).unwrap_or_default()),
    };
    format!("  {sign} {}  {}{state}", found.id, paint.dim(format!("{} {}", found.rules.kind, found.physical)))
}
