//! The tasks of a run, from its plan.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::task::{Brief, Goal, Work};
use crate::diff::entries_lost;
use crate::id::LogicalId;
use crate::plan::{Action, FieldChange, Plan, Step, Until};
use crate::rules::Owner;
use crate::stack::Stack;
use crate::world::{Found, Identity, Outputs, World};

/// What a task starts from; `None` when the plan is not of this stack and world.
pub(super) fn work(step: &Step, stack: &Stack, index: &Index<'_>) -> Option<Work> {
    let found = match step.action.physical() {
        Some(physical) => Some(index.found(step, physical)?),
        None => None,
    };
    let resource = stack.resources.get(&step.id).filter(|resource| resource.rules.kind == step.kind);
    let rules = found.map(|found| found.rules).or(resource.map(|resource| resource.rules))?;
    let goal = match &step.action {
        Action::Create { generation, replaces, .. } => {
            Goal::Created { generation: generation.clone(), order: replaces.as_ref().map(|replaces| replaces.order) }
        }
        Action::Update { .. } | Action::Wait { until: Until::Ready, .. } => Goal::Updated,
        Action::Adopt { generation, .. } => Goal::Adopted { generation: generation.clone() },
        Action::Delete { .. } => Goal::Absent { delete: true },
        Action::Wait { until: Until::Gone, .. } => Goal::Absent { delete: false },
    };
    let changes = match &step.action {
        Action::Update { changes, .. } => changes.as_slice(),
        _ => &[],
    };
    let is_shared = |change: &&FieldChange| rules.field(&change.field).is_some_and(|f| f.owner == Owner::Shared);
    let lost = |change: &FieldChange| (change.field.clone(), entries_lost(&change.from, &change.to));
    let mut inputs = match goal {
        Goal::Created { .. } | Goal::Updated => resource?.inputs.clone(),
        Goal::Adopted { .. } | Goal::Absent { .. } => BTreeMap::new(),
    };
    // Of these, the step itself says what is still held.
    let overlaps = |change: &&FieldChange| rules.field(&change.field).is_some_and(|f| f.overlaps.is_some());
    inputs.extend(changes.iter().filter(overlaps).map(|change| (change.field.clone(), change.to.clone())));
    let brief = Brief {
        goal,
        rules,
        inputs,
        removed: changes.iter().filter(is_shared).map(lost).collect(),
        because: changes.iter().map(|change| (change.field.clone(), change.because.clone())).collect(),
        leaving: index.leaving.get(&step.id).map(|all| all.iter().map(|&p| p.to_owned()).collect()).unwrap_or_default(),
        estimate: step.estimate,
    };
    Some(Work::new(brief, found))
}

/// The plan and the world, looked up.
pub(super) struct Index<'a> {
    found: HashMap<(&'a LogicalId, &'a str), Vec<&'a Found>>,
    leaving: BTreeMap<&'a LogicalId, BTreeSet<&'a str>>,
    /// What is created: its outputs are unknown, and what has its name is not it.
    created: HashSet<&'a LogicalId>,
    adopted: HashSet<&'a LogicalId>,
}

impl<'a> Index<'a> {
    pub(super) fn of(plan: &'a Plan, world: &'a World) -> Self {
        let mut all =
            Self { found: HashMap::new(), leaving: BTreeMap::new(), created: HashSet::new(), adopted: HashSet::new() };
        for found in &world.found {
            all.found.entry((&found.id, &found.physical)).or_default().push(found);
        }
        for step in &plan.steps {
            match &step.action {
                Action::Create { .. } => drop(all.created.insert(&step.id)),
                Action::Adopt { .. } => drop(all.adopted.insert(&step.id)),
                action => {
                    if let (true, Some(physical)) = (action.is_removal(), action.physical()) {
                        all.leaving.entry(&step.id).or_default().insert(physical);
                    }
                }
            }
        }
        all
    }

    fn found(&self, step: &Step, physical: &str) -> Option<&'a Found> {
        self.found.get(&(&step.id, physical))?.iter().copied().find(|found| found.rules.kind == step.kind)
    }

    /// The outputs of what exists and stays.
    pub(super) fn outputs(&self, stack: &Stack, world: &World) -> BTreeMap<LogicalId, Outputs> {
        let stays = |found: &&Found| {
            let desired = stack.resources.get(&found.id).is_some_and(|r| r.rules.kind == found.rules.kind);
            let ours = found.identity != Identity::Foreign || self.adopted.contains(&found.id);
            let leaves = self.leaving.get(&found.id).is_some_and(|all| all.contains(found.physical.as_str()));
            desired && ours && !leaves && !self.created.contains(&found.id)
        };
        world.found.iter().filter(stays).map(|found| (found.id.clone(), found.outputs.clone())).collect()
    }
}

/// How long each step and what follows it take at least, by place in the plan.
pub(super) fn remaining_paths(plan: &Plan) -> Vec<Duration> {
    let mut all: Vec<Duration> = plan.steps.iter().map(|step| step.estimate).collect();
    let mut after = vec![Duration::ZERO; plan.steps.len()];
    for (place, step) in plan.steps.iter().enumerate().rev() {
        all[place] = step.estimate + after[place];
        for need in &step.needs {
            if let Some(before) = need.0.checked_sub(1).and_then(|place| after.get_mut(place)) {
                *before = (*before).max(all[place]);
            }
        }
    }
    all
}
