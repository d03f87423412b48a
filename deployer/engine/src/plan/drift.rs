//! Drift: what changed outside of wharf since the stack was last applied.

use serde::Serialize;

use super::error::PlanError;
use super::matching::{Matches, Stray};
use super::options::{LastApplied, Options};
use super::types::{Because, FieldChange, Gone};
use super::verdict::{Judge, Verdict};
use crate::graph::Graph;
use crate::id::LogicalId;
use crate::stack::Stack;
use crate::world::{Found, Health, World};

/// A resource that is not as it was applied.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// Its logical id.
    pub id: LogicalId,
    /// Its kind.
    pub kind: String,
    /// AWS's name for it, if it exists.
    pub physical: Option<String>,
    /// What happened to it.
    pub what: Drifted,
}

/// What happened to a resource outside of wharf.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drifted {
    /// It was applied and does not exist any more.
    Missing,
    /// AWS gave up on it; the text is AWS's reason.
    Failed(String),
    /// Fields were changed.
    Changed(Vec<FieldChange>),
    /// It carries the stack's identity, but was not applied, or is one too many.
    Unexpected,
}

/// What changed outside of wharf since the stack was last applied. What a changed config will change is not drift;
/// without a record of what was applied the stack stands in for it.
///
/// # Errors
/// [`PlanError`]: the stack cannot be planned.
pub fn drift(
    stack: &Stack,
    world: &World,
    last: Option<&LastApplied>,
    options: &Options,
) -> Result<Vec<Drift>, PlanError> {
    let graph = Graph::of(stack)?;
    let generations = graph.generations();
    let matches = Matches::of(&graph, &generations, world, |_| false);
    let judge = Judge { graph: &graph, generations: &generations, matches: &matches, last, options };
    let verdicts = judge.all(&mut Vec::new())?;

    let mut all = Vec::new();
    for (resource, verdict) in graph.resources.iter().zip(&verdicts) {
        if let Some(what) = of_desired(&judge, &resource.id, verdict) {
            let physical = verdict.found.map(|found| found.physical.clone());
            all.push(Drift { id: resource.id.clone(), kind: resource.rules.kind.to_owned(), physical, what });
        }
    }
    let unexpected = matches.strays.iter().filter(|stray| is_unexpected(&judge, stray));
    all.extend(unexpected.map(|stray| of_found(stray.found)));
    all.sort_by(|a, b| (&a.id, &a.physical).cmp(&(&b.id, &b.physical)));
    Ok(all)
}

fn of_desired(judge: &Judge<'_>, id: &LogicalId, verdict: &Verdict<'_>) -> Option<Drifted> {
    let Some(found) = verdict.found else {
        return (judge.last.is_none() || judge.was_applied(id)).then_some(Drifted::Missing);
    };
    if let Health::Failed(why) = &found.health {
        return Some(Drifted::Failed(why.clone()));
    }
    let outside = |change: &&FieldChange| match change.because {
        Because::Drifted { .. } => true,
        Because::Differs => judge.last.is_none(),
        Because::ConfigChanged | Because::Follows(_) => false,
    };
    let changes: Vec<FieldChange> = verdict.changes.iter().filter(outside).cloned().collect();
    (!changes.is_empty()).then_some(Drifted::Changed(changes))
}

fn is_unexpected(judge: &Judge<'_>, stray: &Stray<'_>) -> bool {
    match stray.because {
        Some(Gone::Duplicate) => true,
        Some(Gone::NoLongerInStack) => !judge.was_applied(&stray.found.id),
        _ => false,
    }
}

fn of_found(found: &Found) -> Drift {
    Drift {
        id: found.id.clone(),
        kind: found.rules.kind.to_owned(),
        physical: Some(found.physical.clone()),
        what: Drifted::Unexpected,
    }
}
