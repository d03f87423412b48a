//! A plan as people read it: what is done to which resource, and why.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use wharf_engine::{
    Action, Because, Drift, Drifted, FieldChange, Gone, Inputs, Kept, KeptBecause, Order, Plan, Reason, Replaces, Step,
    Until,
};

use super::printer::Paint;
use super::value::{difference, duration, show};

/// How many of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Made.
    pub create: usize,
    /// Changed in place.
    pub update: usize,
    /// Made anew.
    pub replace: usize,
    /// Taken over.
    pub adopt: usize,
    /// Deleted.
    pub delete: usize,
    /// Waited for.
    pub wait: usize,
    /// As they should be.
    pub unchanged: usize,
}

/// What a plan does, counted: the two halves of a replacement are one.
#[must_use]
pub fn counts(plan: &Plan) -> Counts {
    let mut counts = Counts { unchanged: plan.unchanged, ..Counts::default() };
    for step in &plan.steps {
        match &step.action {
            Action::Create { replaces: Some(_), .. } => counts.replace += 1,
            Action::Create { .. } => counts.create += 1,
            Action::Update { .. } => counts.update += 1,
            Action::Adopt { .. } => counts.adopt += 1,
            Action::Delete { because: Gone::Replaced, .. } => {}
            Action::Delete { .. } => counts.delete += 1,
            Action::Wait { .. } => counts.wait += 1,
        }
    }
    counts
}

/// How long the plan takes at least, by what AWS typically needs: its longest chain of steps.
#[must_use]
pub fn makespan(plan: &Plan) -> Duration {
    let mut ends: BTreeMap<_, Duration> = BTreeMap::new();
    for step in &plan.steps {
        let begin = step.needs.iter().filter_map(|need| ends.get(need)).max().copied().unwrap_or_default();
        ends.insert(step.number, begin + step.estimate);
    }
    ends.values().max().copied().unwrap_or_default()
}

/// The plan, module by module. `verbose` shows every input of what is created.
#[must_use]
pub fn render(plan: &Plan, paint: Paint, verbose: bool) -> String {
    let mut modules: BTreeMap<&str, Vec<&Step>> = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| !is_second_half(step)) {
        modules.entry(step.id.as_str().split('.').next().unwrap_or_default()).or_default().push(step);
    }
    let mut text = String::new();
    for (module, mut steps) in modules {
        steps.sort_by_key(|step| (&step.id, step.number));
        let _ = writeln!(text, "{}", paint.bold(module));
        steps.iter().for_each(|step| text.push_str(&entry(step, paint, verbose)));
    }
    for kept in &plan.kept {
        let _ = writeln!(text, "  {} {}", paint.cyan("="), kept_line(kept));
    }
    text.push_str(&summary(plan, paint));
    text
}

/// The deletion of what is replaced is told where its successor is created.
fn is_second_half(step: &Step) -> bool {
    matches!(step.action, Action::Delete { because: Gone::Replaced, .. })
}

fn summary(plan: &Plan, paint: Paint) -> String {
    let counts = counts(plan);
    if plan.steps.is_empty() {
        return paint.green(format!("nothing to do: {} resources are as they should be", counts.unchanged)) + "\n";
    }
    let all = [
        (counts.create, "to create"),
        (counts.update, "to update"),
        (counts.replace, "to replace"),
        (counts.adopt, "to adopt"),
        (counts.delete, "to delete"),
        (counts.wait, "to wait for"),
    ];
    let mut parts: Vec<String> = all.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    parts.push(format!("{} unchanged", counts.unchanged));
    format!("{} {}\n", paint.bold(parts.join(", ")), paint.dim(format!("· about {}", duration(makespan(plan)))))
}

fn entry(step: &Step, paint: Paint, verbose: bool) -> String {
    let (sign, verb) = match &step.action {
        Action::Create { replaces: Some(_), .. } => (paint.yellow("±"), "replace"),
        Action::Create { .. } => (paint.green("+"), "create"),
        Action::Update { .. } => (paint.yellow("~"), "update"),
        Action::Adopt { .. } => (paint.cyan("*"), "adopt"),
        Action::Delete { .. } => (paint.red("-"), "delete"),
        Action::Wait { .. } => (paint.cyan("…"), "wait for"),
    };
    let physical = step.action.physical().map(|name| format!(" {name}")).unwrap_or_default();
    let about = paint.dim(format!("{}{physical}{}", step.kind, why(step)));
    let mut text = format!("  {sign} {verb} {}  {about}\n", paint.bold(&step.id));
    match &step.action {
        Action::Create { replaces: Some(replaces), .. } => text.push_str(&replacement(replaces, paint)),
        Action::Create { inputs, .. } if verbose => text.push_str(&all_inputs(inputs)),
        Action::Update { changes, .. } => changes.iter().for_each(|change| text.push_str(&field(change, paint))),
        _ => {}
    }
    text
}

/// Why, where the fields do not say it.
fn why(step: &Step) -> String {
    if let Action::Delete { because, .. } = &step.action {
        return format!(", {}", gone(*because));
    }
    let reasons = step.reasons.iter().filter_map(|reason| match reason {
        Reason::New | Reason::Fields(_) => None,
        Reason::Vanished => Some("it was there before and is not any more".to_owned()),
        Reason::Failed(why) => Some(format!("AWS gave up on it: {why}")),
        Reason::Settling(what) => Some(format!("AWS is still busy with it: {what}")),
        Reason::Deleting => Some("AWS is deleting it".to_owned()),
        Reason::Adopted => Some("it exists and is taken over".to_owned()),
        Reason::Gone(because) => Some(gone(*because).to_owned()),
    });
    let mut reasons: Vec<String> = reasons.collect();
    if let (true, Action::Wait { until, .. }) = (reasons.is_empty(), &step.action) {
        reasons.push(if *until == Until::Ready { "until it is ready" } else { "until it has gone" }.to_owned());
    }
    reasons.iter().map(|reason| format!(", {reason}")).collect()
}

const fn gone(because: Gone) -> &'static str {
    match because {
        Gone::Replaced => "replaced",
        Gone::NoLongerInStack => "no longer in the stack",
        Gone::Duplicate => "there are two of it",
        Gone::KindChanged => "its name now means something else",
    }
}

fn replacement(replaces: &Replaces, paint: Paint) -> String {
    let order = match replaces.order {
        Order::CreateFirst | Order::Numbered => "the new one first, then",
        Order::DeleteFirst => "before the new one,",
    };
    let mut text = format!("      {}\n", paint.dim(format!("{order} {} is deleted", replaces.physical)));
    replaces.changes.iter().for_each(|change| text.push_str(&field(change, paint)));
    text
}

fn all_inputs(inputs: &Inputs) -> String {
    let set = inputs.iter().filter(|(_, value)| **value != wharf_engine::Value::Null);
    set.map(|(name, value)| format!("      {name}: {}\n", show(value))).collect()
}

fn field(change: &FieldChange, paint: Paint) -> String {
    let forces = if change.forces_replacement { paint.red(" only a new one can have it") } else { String::new() };
    let because = paint.dim(because(&change.because));
    format!("      {}: {}  {because}{forces}\n", change.field, difference(&change.from, &change.to))
}

fn because(because: &Because) -> String {
    match because {
        Because::ConfigChanged => "the stack file changed".to_owned(),
        Because::Drifted { was } => format!("drifted: was {}", show(was)),
        Because::Differs => "differs".to_owned(),
        Because::Follows(id) => format!("follows {id}"),
    }
}

/// What stays, in one line.
#[must_use]
pub fn kept_line(kept: &Kept) -> String {
    let why = match &kept.because {
        KeptBecause::Protected => format!("protected: `--allow-destroy {}` deletes it", kept.id),
        KeptBecause::UsedBy(user) => format!("{user} needs it"),
    };
    format!("keep {}  {} {}, {why}", kept.id, kept.kind, kept.physical)
}

/// What changed outside of Wharf.
#[must_use]
pub fn drift(all: &[Drift], paint: Paint) -> String {
    if all.is_empty() {
        return paint.green("no drift: everything is as it was applied") + "\n";
    }
    let mut text = String::new();
    for drift in all {
        let physical = drift.physical.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        let (sign, what) = match &drift.what {
            Drifted::Missing => (paint.red("-"), "is gone".to_owned()),
            Drifted::Failed(why) => (paint.red("!"), format!("failed: {why}")),
            Drifted::Changed(_) => (paint.yellow("~"), "was changed".to_owned()),
            Drifted::Unexpected => (paint.yellow("+"), "was not made by the last apply".to_owned()),
        };
        let about = paint.dim(format!("{}{physical}", drift.kind));
        let _ = writeln!(text, "  {sign} {} {what}  {about}", paint.bold(&drift.id));
        if let Drifted::Changed(changes) = &drift.what {
            for change in changes {
                let _ = writeln!(text, "      {}: was {}, is {}", change.field, show(&change.to), show(&change.from));
            }
        }
    }
    let things = if all.len() == 1 { "resource is" } else { "resources are" };
    let _ = writeln!(text, "{}", paint.bold(format!("{} {things} not as applied; `wharf apply` mends it", all.len())));
    text
}
