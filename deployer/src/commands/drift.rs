//! `wharf drift`: what was changed outside of wharf.

use clap::Args;
use serde_json::json;
use wharf_engine::Options;

use super::context::{Code, Context};
use super::{Done, plan as planning};
use crate::report::{Failure, Stop, json, plan as shown};

/// Arguments of `drift`.
#[derive(Debug, Args)]
pub struct Arguments {}

/// Shows what was changed outside of wharf.
pub(super) async fn drift(_: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let open = context.open(Code::IfAtHand).await?;
    let drift = open.session.drift(&open.stack, &Options::default()).await.map_err(Failure::from)?;
    let body = planning::with_place(&open, json!({ "drift": drift }));
    context.printer.document(&json::document("drift", body))?;
    context.printer.result(shown::drift(&drift, context.printer.out).trim_end())?;
    Ok(if drift.is_empty() { Done::Well } else { Done::Drift })
}
