//! `wharf history`: the stack's past runs.

use clap::Args;
use serde_json::json;

use super::context::{Code, Context};
use super::{Done, plan as planning};
use crate::ledger::{Entry, Verdict};
use crate::report::{Failure, Paint, Stop, json};

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many runs to show, newest first
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i32).range(1..=1000))]
    pub last: i32,
}

/// Shows the past runs.
pub(super) async fn history(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let open = context.open(Code::IfAtHand).await?;
    let runs = open.session.ledger.history(arguments.last).await.map_err(Failure::from)?;
    let body = planning::with_place(&open, json!({ "runs": runs }));
    context.printer.document(&json::document("history", body))?;
    if runs.is_empty() {
        context.printer.result("no run yet")?;
    }
    for entry in &runs {
        context.printer.result(text(entry, context.printer.out, context.printer.verbose).trim_end())?;
    }
    Ok(Done::Well)
}

fn text(entry: &Entry, paint: Paint, verbose: bool) -> String {
    let verdict = match entry.verdict {
        Verdict::Done => paint.green("done"),
        Verdict::Failed => paint.red("failed"),
        Verdict::Interrupted => paint.yellow("interrupted"),
    };
    let about = paint.dim(format!("run {}, wharf {}", entry.run, entry.wharf));
    let mut text =
        format!("{}  {} {verdict}: {} steps  {}  {about}\n", entry.at, entry.command, entry.steps.len(), entry.who);
    if verbose {
        entry.steps.iter().for_each(|step| text.push_str(&format!("    {step}\n")));
    }
    entry.failures.iter().for_each(|failure| text.push_str(&format!("    {}\n", paint.red(failure))));
    text
}
