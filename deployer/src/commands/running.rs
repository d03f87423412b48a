//! What apply and destroy have in common: the plan shown, somebody asked, the run shown, its end told.

use std::time::Duration;

use serde_json::json;
use wharf_engine::{Limits, Options, Outcome, Plan, Stack};

use super::context::{Context, Open};
use super::{Done, plan as planning};
use crate::ledger::Holder;
use crate::operations::{Applied, Apply, Approval, Planned};
use crate::report::{Failure, Printer, Progress, Stop, json, plan as shown};
use crate::surroundings;

/// How often live lines are written anew.
const TICK: Duration = Duration::from_millis(500);

/// How somebody agrees to the plan.
pub(super) enum Consent<'a> {
    /// `--yes`.
    Given,
    /// The plan was shown and saved before.
    Saved(&'a Plan),
    /// At the terminal.
    Ask(&'static str),
}

impl Consent<'_> {
    /// Without a terminal nobody can be asked.
    pub(super) fn ask(yes: bool, question: &'static str, printer: &Printer) -> Result<Self, Failure> {
        match (yes, printer.interactive) {
            (true, _) => Ok(Self::Given),
            (false, true) => Ok(Self::Ask(question)),
            (false, false) => {
                let hint = "pass `--yes`, or save a plan with `wharf plan --out FILE` and apply that";
                Err(Failure::config("there is no terminal to ask at").hint(hint))
            }
        }
    }
}

/// Applies `stack`, which is empty to destroy.
pub(super) async fn run(
    context: &Context<'_>,
    open: &Open,
    stack: &Stack,
    options: &Options,
    command: &'static str,
    consent: Consent<'_>,
) -> Result<Done, Stop> {
    let printer = context.printer;
    let progress = Progress::new(printer);
    let ask = |question: &str, planned: &Planned| {
        printer.note(shown::render(&planned.plan, printer.err, printer.verbose).trim_end());
        printer.ask(question)
    };
    let asked = std::cell::Cell::new(false);
    let agree = |planned: &Planned| {
        asked.set(true);
        if let Consent::Ask(question) = consent { ask(question, planned) } else { true }
    };
    let on_plan = |planned: &Planned| {
        if !asked.replace(true) {
            printer.note(shown::render(&planned.plan, printer.err, printer.verbose).trim_end());
        }
        progress.plan(&planned.plan);
    };
    let approval = match &consent {
        Consent::Given => Approval::Given,
        Consent::Saved(plan) => Approval::For(plan),
        Consent::Ask(_) => Approval::Ask(&agree),
    };
    let request = Apply {
        stack,
        options,
        command,
        who: surroundings::who(&context.global.user),
        approval,
        timing: surroundings::timing(),
        limits: Limits::default(),
        on_plan: &on_plan,
        on_event: &|event| progress.event(event),
        on_wait: &watched(printer),
    };
    let loud = printer.clone();
    let interrupt = surroundings::interrupted(move || {
        loud.note("stopping: calls in flight finish, none is started (again to stop at once)");
    });
    let applied = with_ticks(open.session.apply(request, interrupt), &progress).await;
    progress.end();
    let applied = applied.map_err(Failure::from)?;
    report(context, open, command, &applied)
}

/// Says whose lock is being watched.
pub(super) fn watched(printer: &Printer) -> impl Fn(&Holder) {
    |holder| {
        printer.note(format!(
            "{} ({}) has the stack since {}: waiting to see whether it is alive",
            holder.who, holder.command, holder.since
        ));
    }
}

/// Writes the live lines anew while something runs.
async fn with_ticks<T>(work: impl Future<Output = T>, progress: &Progress<'_>) -> T {
    let mut work = std::pin::pin!(work);
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => progress.tick(),
        }
    }
}

fn report(context: &Context<'_>, open: &Open, command: &str, applied: &Applied) -> Result<Done, Stop> {
    let printer = context.printer;
    let run = |(planned, outcome): &(Planned, Outcome)| json!({ "plan": json::plan(&planned.plan), "outcome": json::outcome(&planned.plan, outcome) });
    let runs: Vec<_> = applied.runs.iter().map(run).collect();
    let body = json!({
        "runs": runs, "declined": applied.declined, "complete": applied.complete(), "left": applied.left,
    });
    printer.document(&json::document(command, planning::with_place(open, body)))?;
    if applied.declined {
        printer.result("nothing was done")?;
        return Ok(Done::Declined);
    }
    if let Some((planned, outcome)) = applied.runs.last() {
        printer.result(ending(command, planned, outcome, printer).trim_end())?;
    }
    for left in &applied.left {
        printer.result(format!("  {} {} {}: {}", printer.out.cyan("left"), left.kind, left.physical, left.why))?;
    }
    let Some((_, outcome)) = applied.runs.last() else { return Ok(Done::Well) };
    Ok(match outcome {
        outcome if outcome.interrupted => Done::Interrupted,
        outcome if outcome.complete() => Done::Well,
        _ => Done::Failed,
    })
}

/// How it ended, and what is left.
pub(super) fn ending(command: &str, planned: &Planned, outcome: &Outcome, printer: &Printer) -> String {
    let paint = printer.out;
    let plan = &planned.plan;
    let mut text = if outcome.complete() {
        paint.green(format!("{command} complete: {} steps done", outcome.done.len())) + "\n"
    } else {
        let left = outcome.failed.len() + outcome.skipped.len() + outcome.left.len();
        let why = if outcome.interrupted { "interrupted" } else { "incomplete" };
        paint.red(format!("{command} {why}: {} steps done, {left} not", outcome.done.len())) + "\n"
    };
    let name = |number| {
        let step = plan.steps.iter().find(|step| step.number == number);
        step.map_or_else(String::new, |step| step.id.to_string())
    };
    for (number, failure) in &outcome.failed {
        text.push_str(&format!("  {} {}: {}\n", paint.red("failed"), name(*number), failure.message));
        if let Some(hint) = &failure.hint {
            text.push_str(&format!("    {} {hint}\n", paint.cyan("hint:")));
        }
    }
    let left: Vec<String> = outcome.left.iter().chain(&outcome.skipped).map(|number| name(*number)).collect();
    if !left.is_empty() {
        text.push_str(&format!("  {} {}\n", paint.yellow("not begun:"), left.join(", ")));
    }
    for kept in &plan.kept {
        text.push_str(&format!("  {}\n", shown::kept_line(kept)));
    }
    if !outcome.complete() {
        text.push_str(&format!("the next `wharf {command}` carries on\n"));
    }
    text
}
