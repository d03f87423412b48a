//! What programs read. Every document has `version` and `command`; `docs/json.md` describes each.

use serde_json::{Map, Value, json};
use wharf_engine::{Event, Outcome, Plan, StepNumber};

use super::failure::Failure;
use super::plan::{counts, makespan};

/// The version of all documents: it changes when a field goes or means something else, not when one is added.
pub const VERSION: u32 = 1;

/// A document of a command.
#[must_use]
pub fn document(command: &str, body: Value) -> Value {
    let mut all = Map::from_iter([("version".to_owned(), json!(VERSION)), ("command".to_owned(), json!(command))]);
    if let Value::Object(body) = body {
        all.extend(body);
    }
    Value::Object(all)
}

/// An error, one line on stderr.
#[must_use]
pub fn failure(failure: &Failure) -> Value {
    let problems = failure.problems.as_ref().map(|problems| {
        let problem = |problem: &crate::config::Problem| {
            let (line, column) = problems.position(problem);
            json!({
                "severity": if problem.severity == crate::config::Severity::Error { "error" } else { "warning" },
                "message": problem.message, "label": problem.label, "help": problem.help,
                "file": problems.file(), "line": line, "column": column,
            })
        };
        problems.iter().map(problem).collect::<Vec<_>>()
    });
    document(
        "error",
        json!({
            "kind": failure.kind, "exit": failure.kind.exit_code(), "message": failure.message,
            "causes": failure.causes, "hint": failure.hint, "problems": problems,
        }),
    )
}

/// A plan, with its counts.
#[must_use]
pub fn plan(plan: &Plan) -> Value {
    json!({
        "counts": counts(plan), "estimate_seconds": makespan(plan).as_secs(), "steps": plan.steps, "kept": plan.kept,
    })
}

/// How a run of a plan ended.
#[must_use]
pub fn outcome(plan: &Plan, outcome: &Outcome) -> Value {
    let ids = |steps: &[StepNumber]| -> Vec<Value> { steps.iter().map(|step| named(plan, *step)).collect() };
    let failed = outcome.failed.iter().map(|(step, failure)| {
        let mut all = named(plan, *step);
        all["failure"] = json!(failure);
        all
    });
    json!({
        "complete": outcome.complete(), "interrupted": outcome.interrupted, "done": ids(&outcome.done),
        "failed": failed.collect::<Vec<_>>(), "skipped": ids(&outcome.skipped), "left": ids(&outcome.left),
    })
}

/// An event of a run, one line on stderr.
#[must_use]
pub fn event(plan: &Plan, event: &Event) -> Value {
    let mut body = json!(event);
    let step = body.get("step").and_then(Value::as_u64).and_then(|step| usize::try_from(step).ok());
    if let (Some(step), Value::Object(body)) = (step, &mut body) {
        let named = named(plan, StepNumber(step));
        body.insert("id".to_owned(), named["id"].clone());
        body.insert("do".to_owned(), named["do"].clone());
    }
    document("event", body)
}

fn named(plan: &Plan, number: StepNumber) -> Value {
    let step = plan.steps.iter().find(|step| step.number == number);
    let action = step.map(|step| json!(step.action)["do"].clone());
    json!({ "step": number, "id": step.map(|step| &step.id), "do": action })
}
