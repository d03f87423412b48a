//! The plan: a pure function from what should be and what is to what to do.

mod drift;
mod error;
mod leaving;
mod matching;
mod options;
mod order;
mod saved;
mod steps;
mod types;
mod verdict;

use std::collections::BTreeMap;

pub use drift::{Drift, Drifted, drift};
pub use error::{Blocker, PlanError};
pub use options::{AllowDestroy, LastApplied, Options};
pub use saved::Moved;
pub use types::{
    Action, Because, FieldChange, Gone, Inputs, Kept, KeptBecause, Plan, PlanFormat, Reason, Replaces, Step,
    StepNumber, UnknownFormat, Until,
};

use crate::graph::Graph;
use crate::id::{Generation, LogicalId};
use crate::stack::Stack;
use crate::world::World;
use leaving::Leaving;
use matching::Matches;
use verdict::{Judge, What};

/// Plans the steps from what exists to what is desired. An empty stack plans its destruction.
///
/// # Errors
/// [`PlanError`]: nothing can be planned, for the reasons given there.
pub fn plan(stack: &Stack, world: &World, last: Option<&LastApplied>, options: &Options) -> Result<Plan, PlanError> {
    // Observe: what found stands for what desired?
    let graph = Graph::of(stack)?;
    let generations = graph.generations();
    let matches = Matches::of(&graph, &generations, world, |id| options.adopt.contains(id));

    // Compare: what has to be done about each, and what has to go?
    let mut blockers = Vec::new();
    let judge = Judge { graph: &graph, generations: &generations, matches: &matches, last, options };
    let verdicts = judge.all(&mut blockers)?;
    let leaving = Leaving::of(&judge, &verdicts, world, &mut blockers);
    if !blockers.is_empty() {
        blockers.sort();
        return Err(PlanError::Blocked(blockers));
    }

    // Order and explain.
    let steps = steps::in_order(&judge, &verdicts, &leaving)?;
    let unchanged = verdicts.iter().filter(|verdict| verdict.what == What::Nothing).count();
    Ok(Plan { format: PlanFormat, steps, unchanged, kept: leaving.kept })
}

/// The generation of each resource of the stack: a hash of its replace-only inputs, and of the generations of what
/// these refer to, so that dependants follow a replaced target.
///
/// # Errors
/// [`PlanError`]: references run in a circle, or to nothing.
pub fn generations(stack: &Stack) -> Result<BTreeMap<LogicalId, Generation>, PlanError> {
    let graph = Graph::of(stack)?;
    let ids = graph.resources.iter().map(|resource| resource.id.clone());
    Ok(ids.zip(graph.generations()).collect())
}
