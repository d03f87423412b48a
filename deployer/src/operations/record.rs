//! What a run leaves in the stack's table.

use std::collections::BTreeSet;

use wharf_engine::{LastApplied, LogicalId, Outcome, Step};

use super::{Apply, Error, Planned, Session};
use crate::ledger::{Entry, Verdict};

impl Session {
    /// Writes what is applied now, and the run into the history.
    pub(super) async fn record(&self, request: &Apply<'_>, planned: &Planned, outcome: &Outcome) -> Result<(), Error> {
        let verdict = match outcome {
            outcome if outcome.complete() => Verdict::Done,
            outcome if outcome.interrupted && outcome.failed.is_empty() => Verdict::Interrupted,
            _ => Verdict::Failed,
        };
        let mut entry = Entry::new(self.aws.run(), &request.who.at, &request.who.name, request.command, verdict);
        let of = |step: &&Step| outcome.done.contains(&step.number);
        entry.steps = planned.plan.steps.iter().filter(of).map(line).collect();
        let failed = outcome.failed.iter();
        entry.failures = failed.map(|(number, failure)| format!("step {number}: {}", failure.message)).collect();
        self.ledger.set_applied(applied(request, planned, outcome)).await?;
        Ok(self.ledger.add(&entry).await?)
    }
}

fn line(step: &Step) -> String {
    use wharf_engine::Action;
    let verb = match &step.action {
        Action::Create { .. } => "create",
        Action::Update { .. } => "update",
        Action::Adopt { .. } => "adopt",
        Action::Delete { .. } => "delete",
        Action::Wait { .. } => "wait",
    };
    format!("{verb} {}", step.id)
}

/// The stack's inputs, where a resource whose step is not done keeps what was applied before.
fn applied(request: &Apply<'_>, planned: &Planned, outcome: &Outcome) -> LastApplied {
    let mut applied = LastApplied::of(request.stack);
    let done: BTreeSet<_> = outcome.done.iter().collect();
    let undone = planned.plan.steps.iter().filter(|step| !done.contains(&step.number)).map(|step| &step.id);
    let kept = planned.plan.kept.iter().map(|kept| &kept.id);
    for id in undone.chain(kept) {
        keep(&mut applied, planned.last.as_ref(), id);
    }
    applied
}

fn keep(applied: &mut LastApplied, last: Option<&LastApplied>, id: &LogicalId) {
    match last.and_then(|last| last.inputs.get(id)) {
        Some(inputs) => applied.inputs.insert(id.clone(), inputs.clone()),
        None => applied.inputs.remove(id),
    };
    if let Some(needs) = last.and_then(|last| last.needs.get(id)) {
        applied.needs.entry(id.clone()).or_default().extend(needs.iter().cloned());
    }
}
