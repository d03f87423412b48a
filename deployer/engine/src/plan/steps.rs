//! From verdicts to steps in order.

use std::time::Duration;

use super::error::PlanError;
use super::leaving::Leaving;
use super::matching::Stray;
use super::order::{Certainty, Edge, sort};
use super::types::{Action, FieldChange, Gone, Inputs, Reason, Replaces, Step, StepNumber, Until};
use super::verdict::{Judge, Verdict, What};
use crate::diff;
use crate::rules::{Order, Rules};
use crate::value::Value;
use crate::world::{Found, Health, Identity};

/// All steps, each after what it needs.
pub(super) fn in_order<'a>(
    judge: &Judge<'a>,
    verdicts: &[Verdict<'a>],
    leaving: &Leaving<'a>,
) -> Result<Vec<Step>, PlanError> {
    let mut draft = Draft::new(judge, verdicts, leaving);
    for number in 0..verdicts.len() {
        draft.make(number);
    }
    draft.remove();
    draft.let_go();
    draft.making();
    draft.removing();
    draft.moving();
    draft.number()
}

/// Steps by node, and the edges between them.
struct Draft<'a, 'p> {
    judge: &'p Judge<'a>,
    verdicts: &'p [Verdict<'a>],
    leaving: &'p Leaving<'a>,
    steps: Vec<Step>,
    edges: Vec<Edge>,
    /// The nodes of each desired resource; all but the last are done to what exists and need nothing.
    made_by: Vec<std::ops::Range<usize>>,
    /// The node of the first removal; the others follow.
    removals: usize,
    /// Old and new of what is replaced create-first, by node.
    successors: Vec<(usize, usize)>,
    /// What resources let go of last: their numbers and nodes.
    last: Vec<(usize, usize)>,
}

impl<'a, 'p> Draft<'a, 'p> {
    fn new(judge: &'p Judge<'a>, verdicts: &'p [Verdict<'a>], leaving: &'p Leaving<'a>) -> Self {
        let (steps, edges, made_by) = (Vec::new(), Vec::new(), Vec::with_capacity(verdicts.len()));
        let (successors, last) = (Vec::new(), Vec::new());
        Self { judge, verdicts, leaving, steps, edges, made_by, removals: 0, successors, last }
    }

    /// The steps that make a desired resource as it should be.
    fn make(&mut self, number: usize) {
        let start = self.steps.len();
        let verdict = &self.verdicts[number];
        match (verdict.what, verdict.found) {
            (What::Nothing, _) => {}
            (What::Create | What::Replace(_), _) => self.create(number),
            (What::Mend, Some(found)) => self.mend(number, found),
            (What::Mend, None) => {}
        }
        self.made_by.push(start..self.steps.len());
    }

    fn create(&mut self, number: usize) {
        let verdict = &self.verdicts[number];
        let id = &self.judge.graph.resources[number].id;
        let replaces = match (verdict.what, verdict.found) {
            (What::Replace(order), Some(found)) => {
                Some(Replaces { physical: found.physical.clone(), order, changes: verdict.changes.clone() })
            }
            _ => None,
        };
        let mut same = self.leaving.of_id(id).iter().map(|&place| &self.leaving.removals[place]);
        let going = same.any(|stray| stray.desired == Some(number) && stray.because.is_none());
        let reasons = match verdict.found {
            Some(found) => replacement_reasons(found, &verdict.changes),
            None if going => vec![Reason::Deleting],
            None if self.judge.was_applied(id) => vec![Reason::Vanished],
            None => vec![Reason::New],
        };
        let generation = self.judge.generations[number].clone();
        let action = Action::Create { generation, inputs: verdict.inputs.clone(), replaces };
        self.push_desired(number, action, reasons, |rules| rules.estimate.create);
    }

    fn mend(&mut self, number: usize, found: &Found) {
        let verdict = &self.verdicts[number];
        let physical = || found.physical.clone();
        if found.identity == Identity::Foreign {
            let action = Action::Adopt { physical: physical(), generation: self.judge.generations[number].clone() };
            self.push_desired(number, action, vec![Reason::Adopted], |_| Duration::from_secs(1));
        }
        if let Health::Settling(what) = &found.health {
            let action = Action::Wait { physical: physical(), until: Until::Ready };
            self.push_desired(number, action, vec![Reason::Settling(what.clone())], |rules| rules.estimate.create);
        }
        let (mut changes, mut inputs) = (verdict.changes.clone(), verdict.inputs.clone());
        for (change, held) in self.held(number) {
            let to = with(&change.to, held);
            // What only lets go has nothing to do before others have moved over.
            changes.retain(|one| one.field != change.field || !diff::same_entries(&change.from, &to));
            changes.iter_mut().filter(|one| one.field == change.field).for_each(|one| one.to = to.clone());
            inputs.insert(change.field, to);
        }
        if !changes.is_empty() {
            let reasons = fields(&changes);
            self.push_desired(number, update(found, changes, inputs), reasons, |rules| rules.estimate.update);
        }
    }

    /// The changes of which entries are held until all that refers to the resource has moved over, and those entries.
    fn held(&self, number: usize) -> Vec<(FieldChange, Vec<Value>)> {
        let (graph, verdict) = (self.judge.graph, &self.verdicts[number]);
        if verdict.what != What::Mend {
            return Vec::new();
        }
        let rules = graph.resources[number].rules;
        let held = verdict.changes.iter().filter_map(|change| {
            let held = diff::held(rules.field(&change.field)?, &change.from, &change.to);
            (!held.is_empty()).then(|| (change.clone(), held))
        });
        let mut held: Vec<_> = held.collect();
        let moves = |user: &usize| *user != number && self.verdicts[*user].what != What::Nothing;
        if !held.is_empty() && !graph.users(number).iter().any(moves) {
            held.clear();
        }
        held
    }

    /// The steps by which resources let go of what was held: each comes after all that refers to it.
    fn let_go(&mut self) {
        for number in 0..self.verdicts.len() {
            let Some(found) = self.verdicts[number].found else { continue };
            let widened = |(change, held): (FieldChange, _)| FieldChange { from: with(&change.to, held), ..change };
            let changes: Vec<FieldChange> = self.held(number).into_iter().map(widened).collect();
            if changes.is_empty() {
                continue;
            }
            let node = self.steps.len();
            let (reasons, inputs) = (fields(&changes), self.verdicts[number].inputs.clone());
            self.push_desired(number, update(found, changes, inputs), reasons, |rules| rules.estimate.update);
            self.last.push((number, node));
            for user in self.judge.graph.users(number) {
                if let Some(made) = self.made_by[user].clone().last() {
                    self.edge(node, made, Certainty::Must);
                }
            }
        }
    }

    /// The steps that make things go.
    fn remove(&mut self) {
        self.removals = self.steps.len();
        let leaving = self.leaving;
        for Stray { found, because, .. } in &leaving.removals {
            let physical = found.physical.clone();
            let (action, reason) = match because {
                Some(because) => (Action::Delete { physical, because: *because }, Reason::Gone(*because)),
                None => (Action::Wait { physical, until: Until::Gone }, Reason::Deleting),
            };
            self.steps.push(step(found.id.clone(), found.rules, action, vec![reason], found.rules.estimate.delete));
        }
    }

    fn push_desired(
        &mut self,
        number: usize,
        action: Action,
        reasons: Vec<Reason>,
        estimate: impl Fn(&Rules) -> Duration,
    ) {
        let resource = self.judge.graph.resources[number];
        self.steps.push(step(resource.id.clone(), resource.rules, action, reasons, estimate(resource.rules)));
    }

    /// A resource is made after what it needs, also where what stands between has no step.
    fn making(&mut self) {
        let mut ready: Vec<Vec<usize>> = vec![Vec::new(); self.verdicts.len()];
        let graph = self.judge.graph;
        for &number in &graph.order {
            let mut before: Vec<usize> = graph.needs[number].iter().flat_map(|&n| ready[n].iter().copied()).collect();
            before.sort_unstable();
            before.dedup();
            let own = self.made_by[number].clone();
            for node in own.clone().skip(1) {
                self.edge(node, node - 1, Certainty::Must);
            }
            ready[number] = match own.last() {
                None => before,
                Some(last) => {
                    before.into_iter().for_each(|needs| self.edge(last, needs, Certainty::Must));
                    vec![last]
                }
            };
        }
    }

    /// Users go before what they use; the old goes before or after the new one.
    fn removing(&mut self) {
        let leaving = self.leaving;
        for edge in &leaving.uses {
            self.edge(self.removals + edge.used, self.removals + edge.user, edge.certainty);
        }
        for (place, stray) in leaving.removals.iter().enumerate() {
            let removal = self.removals + place;
            let Some((number, made)) = stray.desired.and_then(|n| Some((n, self.made_by[n].clone().last()?))) else {
                continue;
            };
            if stray.because == Some(Gone::KindChanged) {
                continue;
            }
            if self.goes_first(number, stray) {
                self.edge(made, removal, Certainty::Must);
            } else if stray.because == Some(Gone::Replaced) {
                self.edge(removal, made, Certainty::Successor);
                self.successors.push((removal, made));
            } else if stray.because == Some(Gone::Duplicate) {
                self.edge(removal, made, Certainty::Moves);
            }
        }
    }

    /// True when a desired resource is made only after this other one of its id has gone.
    fn goes_first(&self, number: usize, stray: &Stray<'a>) -> bool {
        let rules = self.judge.graph.resources[number].rules;
        let other_name = matches!(&stray.found.identity,
            Identity::Ours(Some(generation)) if *generation != self.judge.generations[number]);
        match self.verdicts[number].what {
            What::Nothing | What::Mend => false,
            What::Replace(Order::DeleteFirst) => true,
            What::Create | What::Replace(Order::CreateFirst | Order::Numbered) => {
                let same_name = !other_name && rules.order != Order::Numbered;
                stray.because.is_none() && (rules.order == Order::DeleteFirst || same_name)
            }
        }
    }

    /// Before something goes, those that stay let go of it.
    fn moving(&mut self) {
        let leaving = self.leaving;
        for (number, verdict) in self.verdicts.iter().enumerate() {
            let (What::Mend, Some(found)) = (verdict.what, verdict.found) else { continue };
            let lets_go = self.last.iter().find(|(other, _)| *other == number).map(|(_, node)| *node);
            let Some(update) =
                lets_go.or_else(|| self.made_by[number].clone().last()).filter(|_| !verdict.changes.is_empty())
            else {
                continue;
            };
            let graph = self.judge.graph;
            let id = &graph.resources[number].id;
            let needed = graph.needs[number].iter().map(|&target| &graph.resources[target].id);
            let applied = self.judge.last.and_then(|last| last.needs.get(id)).into_iter().flatten();
            let of_ids = needed.chain(applied).flat_map(|id| leaving.of_id(id).iter().copied());
            for place in of_ids.chain(leaving.held_by(found)) {
                let stray = &leaving.removals[place];
                let first = stray.desired.is_some_and(|number| self.goes_first(number, stray));
                if stray.because.is_some() && !first {
                    self.edge(self.removals + place, update, Certainty::Moves);
                }
            }
        }
    }

    fn edge(&mut self, node: usize, needs: usize, certainty: Certainty) {
        self.edges.push(Edge { node, needs, certainty });
    }

    /// Puts the steps in order and numbers them.
    fn number(self) -> Result<Vec<Step>, PlanError> {
        let Self { mut steps, edges, successors, .. } = self;
        let sorted = sort(steps.len(), edges)
            .map_err(|nodes| PlanError::Cycle(nodes.into_iter().map(|node| steps[node].id.clone()).collect()))?;
        for (old, new) in successors {
            if let (false, Action::Create { replaces: Some(replaces), .. }) =
                (sorted.needs[old].contains(&new), &mut steps[new].action)
            {
                replaces.order = Order::DeleteFirst;
            }
        }
        let mut numbers = vec![StepNumber(0); steps.len()];
        for (place, node) in sorted.order.iter().enumerate() {
            numbers[*node] = StepNumber(place + 1);
        }
        let mut steps: Vec<Step> = steps
            .into_iter()
            .zip(&sorted.needs)
            .enumerate()
            .map(|(node, (step, needs))| Step {
                number: numbers[node],
                needs: needs.iter().map(|&node| numbers[node]).collect(),
                ..step
            })
            .collect();
        steps.sort_by_key(|step| step.number);
        Ok(steps)
    }
}

fn update(found: &Found, changes: Vec<FieldChange>, inputs: Inputs) -> Action {
    Action::Update { physical: found.physical.clone(), changes, inputs }
}

fn fields(changes: &[FieldChange]) -> Vec<Reason> {
    vec![Reason::Fields(changes.iter().map(|change| change.field.clone()).collect())]
}

/// A list with these entries in it, too.
fn with(list: &Value, more: Vec<Value>) -> Value {
    match list {
        Value::List(entries) => Value::List(entries.iter().cloned().chain(more).collect()),
        other => other.clone(),
    }
}

fn step(id: crate::LogicalId, rules: &Rules, action: Action, reasons: Vec<Reason>, estimate: Duration) -> Step {
    let kind = rules.kind.to_owned();
    Step { number: StepNumber(0), id, kind, action, reasons, needs: Default::default(), estimate }
}

fn replacement_reasons(found: &Found, changes: &[FieldChange]) -> Vec<Reason> {
    let forcing = changes.iter().filter(|change| change.forces_replacement);
    let fields: Vec<String> = forcing.map(|change| change.field.clone()).collect();
    let failed = match &found.health {
        Health::Failed(why) => Some(Reason::Failed(why.clone())),
        _ => None,
    };
    failed.into_iter().chain((!fields.is_empty()).then_some(Reason::Fields(fields))).collect()
}
