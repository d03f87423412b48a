//! `wharf unlock`: who holds the stack's lock, and taking it away.

use clap::Args;
use serde_json::json;

use super::context::{Code, Context};
use super::{Done, plan as planning};
use crate::report::{Failure, Kind, Stop, json};

/// Arguments of `unlock`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Take the lock away from this run; it stops before its next write
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
}

/// Shows the lock's holder, and takes the lock away when its run is named.
pub(super) async fn unlock(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let open = context.open(Code::IfAtHand).await?;
    let holder = open.session.ledger.holder().await.map_err(Failure::from)?;
    let taken = match (&holder, &arguments.run) {
        (Some(holder), Some(run)) if holder.run == *run => {
            open.session.ledger.break_lock(holder).await.map_err(Failure::from)?;
            true
        }
        (Some(holder), Some(run)) => {
            let message = format!("the lock is not held by run {run} but by run {}", holder.run);
            return Err(Failure::new(Kind::Conflict, message).hint("look again with `wharf unlock`").into());
        }
        _ => false,
    };
    let body = planning::with_place(&open, json!({ "lock": holder, "taken": taken }));
    context.printer.document(&json::document("unlock", body))?;
    context.printer.result(match holder {
        None => "the stack is not locked".to_owned(),
        Some(holder) if taken => format!("the lock of {} (run {}) is gone", holder.who, holder.run),
        Some(holder) => format!(
            "locked by {} ({}) since {}, run {run}\na run that has died loses the lock by itself within a minute; to \
             take it from one that lives: wharf unlock --run {run}",
            holder.who,
            holder.command,
            holder.since,
            run = holder.run
        ),
    })?;
    Ok(Done::Well)
}
