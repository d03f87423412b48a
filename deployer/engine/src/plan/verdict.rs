//! What is to be done about each desired resource: its found counterpart compared field by field.

use std::collections::BTreeMap;

use super::error::{Blocker, PlanError};
use super::matching::{Matches, identities};
use super::options::{LastApplied, Options};
use super::types::{Because, FieldChange, Inputs};
use crate::diff;
use crate::graph::Graph;
use crate::id::{Generation, LogicalId};
use crate::rules::{Change, Field, Order, Owner};
use crate::stack::Resource;
use crate::value::{Reference, Value};
use crate::world::{Found, Health, Identity};

/// What is to be done about one desired resource.
pub(super) struct Verdict<'a> {
    /// What exists of it.
    pub(super) found: Option<&'a Found>,
    pub(super) what: What,
    /// The fields that differ.
    pub(super) changes: Vec<FieldChange>,
    /// Its inputs, references to what exists resolved; for an update, merged with what others own.
    pub(super) inputs: Inputs,
}

/// The kinds of verdict.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// It is as it should be.
    Nothing,
    /// It does not exist.
    Create,
    /// Only a new one can be as it should be.
    Replace(Order),
    /// It is to be adopted, waited for or updated, or several of these.
    Mend,
}

impl Verdict<'_> {
    /// True when its outputs are unknown until apply.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.what, What::Create | What::Replace(_))
    }

    /// True when this output is unknown until apply: it is new, or what changes in place gives it another value.
    fn makes(&self, output: &str) -> bool {
        let Some(found) = self.found else { return true };
        let mut fields = self.changes.iter().filter_map(|change| found.rules.field(&change.field));
        self.is_new() || fields.any(|field| field.renews.contains(&output))
    }
}

/// Everything that verdicts are made of.
pub(super) struct Judge<'a> {
    pub(super) graph: &'a Graph<'a>,
    pub(super) generations: &'a [Generation],
    pub(super) matches: &'a Matches<'a>,
    pub(super) last: Option<&'a LastApplied>,
    pub(super) options: &'a Options,
}

impl<'a> Judge<'a> {
    /// The verdicts on all desired resources; what must not be done goes to `blockers`.
    pub(super) fn all(&self, blockers: &mut Vec<Blocker>) -> Result<Vec<Verdict<'a>>, PlanError> {
        let mut verdicts: Vec<Option<Verdict<'a>>> = self.graph.resources.iter().map(|_| None).collect();
        for &number in &self.graph.order {
            let verdict = self.one(number, &verdicts)?;
            self.check(number, &verdict, blockers);
            verdicts[number] = Some(verdict);
        }
        Ok(verdicts.into_iter().flatten().collect())
    }

    fn one(&self, number: usize, before: &[Option<Verdict<'a>>]) -> Result<Verdict<'a>, PlanError> {
        let resource = self.graph.resources[number];
        let inputs = self.resolve(resource, before)?;
        let Some(found) = self.matches.chosen[number] else {
            return Ok(Verdict { found: None, what: What::Create, changes: Vec::new(), inputs });
        };
        let (changes, removed) = self.compare(resource, found, &inputs, before);
        let replace = matches!(found.health, Health::Failed(_)) || changes.iter().any(|c| c.forces_replacement);
        if replace {
            let order = self.replacement_order(number, found, before);
            return Ok(Verdict { found: Some(found), what: What::Replace(order), changes, inputs });
        }
        let settling = matches!(found.health, Health::Settling(_));
        if changes.is_empty() && !settling && found.identity != Identity::Foreign {
            return Ok(Verdict { found: Some(found), what: What::Nothing, changes, inputs: Inputs::new() });
        }
        let inputs = diff::settled(resource.rules, &inputs, &found.inputs, &removed);
        Ok(Verdict { found: Some(found), what: What::Mend, changes, inputs })
    }

    /// The desired inputs with all references to what stays resolved.
    fn resolve(&self, resource: &Resource, before: &[Option<Verdict<'a>>]) -> Result<Inputs, PlanError> {
        let target = |reference: &Reference| before[self.graph.number(&reference.id)?].as_ref();
        for reference in resource.inputs.values().flat_map(Value::references) {
            let Some(Verdict { what: What::Nothing, found: Some(found), .. }) = target(reference) else { continue };
            if !found.outputs.contains_key(&reference.output) {
                return Err(PlanError::NoOutput {
                    from: resource.id.clone(),
                    to: reference.id.clone(),
                    output: reference.output.clone(),
                });
            }
        }
        let lookup = |reference: &Reference| {
            let verdict = target(reference).filter(|verdict| !verdict.makes(&reference.output))?;
            verdict.found?.outputs.get(&reference.output).cloned()
        };
        Ok(resource.inputs.iter().map(|(name, value)| (name.clone(), value.resolve(&lookup))).collect())
    }

    /// What differs, and which entries of shared fields were ours and are not wanted any more.
    fn compare(
        &self,
        resource: &Resource,
        found: &Found,
        inputs: &Inputs,
        before: &[Option<Verdict<'a>>],
    ) -> (Vec<FieldChange>, BTreeMap<String, Vec<Value>>) {
        let mut changes = Vec::new();
        let mut all_removed = BTreeMap::new();
        for field in resource.rules.fields.iter().filter(|field| diff::is_ours(field)) {
            let (want, has) = (diff::get(inputs, field), diff::get(&found.inputs, field));
            let removed = self.removed(resource, field, want, has);
            let because = if want.is_unknown() {
                self.follows(want, field.change, before).map(Because::Follows)
            } else if diff::differs(field, want, has) || !removed.is_empty() {
                Some(self.because(resource, field, want, has))
            } else {
                None
            };
            if let Some(because) = because {
                let to = diff::settle(field, want, has, &removed);
                changes.push(FieldChange { because, ..diff::change(field, has, to) });
            }
            if !removed.is_empty() {
                all_removed.insert(field.name.to_owned(), removed);
            }
        }
        (changes, all_removed)
    }

    /// The target that makes a value unknown: it is new, or gives its output another value in place. An output that a
    /// target lacks only because AWS is still busy with it is no reason to replace anything.
    fn follows(&self, want: &Value, change: Change, before: &[Option<Verdict<'a>>]) -> Option<LogicalId> {
        let unknown = want.references();
        let makes = |reference: &&&Reference| {
            let target = self.graph.number(&reference.id).and_then(|number| before[number].as_ref());
            target.is_some_and(|target| target.makes(&reference.output))
        };
        let first = unknown.iter().find(makes).or(if change == Change::InPlace { unknown.first() } else { None });
        first.map(|reference| reference.id.clone())
    }

    /// Why a field differs.
    fn because(&self, resource: &Resource, field: &Field, want: &Value, has: &Value) -> Because {
        let Some(last) = self.last.and_then(|last| last.inputs.get(&resource.id)) else { return Because::Differs };
        let raw = diff::get(&resource.inputs, field);
        if !raw.same(diff::get(last, field)) {
            return Because::ConfigChanged;
        }
        match raw.references().into_iter().find(|reference| self.holds_another(has, &reference.id)) {
            Some(reference) => Because::Follows(reference.id.clone()),
            None => Because::Drifted { was: want.clone() },
        }
    }

    /// True when a value holds a resource of this id that no longer stands for it.
    fn holds_another(&self, has: &Value, id: &LogicalId) -> bool {
        let chosen = self.graph.number(id).and_then(|number| self.matches.chosen[number]);
        let others = self.matches.by_id.get(id).into_iter().flatten().copied();
        let mut others = others.filter(|found| chosen.is_none_or(|chosen| !std::ptr::eq(chosen, *found)));
        others.any(|found| has.known().iter().any(|held| identities(found).any(|text| text == *held)))
    }

    /// Observed entries of a shared field that were applied by us and are not desired any more.
    fn removed(&self, resource: &Resource, field: &Field, want: &Value, has: &Value) -> Vec<Value> {
        if field.owner != Owner::Shared {
            return Vec::new();
        }
        let Some(last) = self.last.and_then(|last| last.inputs.get(&resource.id)?.get(field.name)) else {
            return Vec::new();
        };
        match (last, has) {
            (Value::Map(last), Value::Map(has)) => {
                let set =
                    |key: &str| matches!(want, Value::Map(want) if want.get(key).is_some_and(|v| *v != Value::Null));
                let gone = last.iter().filter(|(key, value)| **value != Value::Null && !set(key));
                gone.filter(|(key, _)| has.contains_key(*key)).map(|(key, _)| Value::text(key)).collect()
            }
            (Value::List(last), Value::List(has)) => {
                let wanted = |item: &Value| matches!(want, Value::List(want) if want.iter().any(|w| w.same(item)));
                let were: Vec<Value> = last.iter().flat_map(|entry| self.meanings(entry)).collect();
                let ours = |item: &&Value| were.iter().any(|was| was.same(item)) && !wanted(item);
                has.iter().filter(ours).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    /// What an entry that was applied may look like in AWS: one value for each resource found under the ids that it
    /// refers to.
    fn meanings(&self, entry: &Value) -> Vec<Value> {
        let references = entry.references();
        let Some(first) = references.first() else { return vec![entry.clone()] };
        let of = |id: &LogicalId| self.matches.by_id.get(id).into_iter().flatten().copied();
        let with = |target: &Found| {
            entry.resolve(&|reference| {
                let found = if reference.id == first.id { Some(target) } else { of(&reference.id).next() };
                found?.outputs.get(&reference.output).cloned()
            })
        };
        of(&first.id).map(with).filter(|value| !value.is_unknown()).collect()
    }

    /// Create-first where the kind allows it, unless the new one would get the old one's name, or the old one has
    /// to go because something that it uses has to go first.
    fn replacement_order(&self, number: usize, found: &Found, before: &[Option<Verdict<'a>>]) -> Order {
        let order = self.graph.resources[number].rules.order;
        let same_name =
            order != Order::Numbered && found.identity == Identity::Ours(Some(self.generations[number].clone()));
        let goes_first =
            |target: &usize| matches!(&before[*target], Some(Verdict { what: What::Replace(Order::DeleteFirst), .. }));
        if same_name || self.graph.needs[number].iter().any(goes_first) {
            return Order::DeleteFirst;
        }
        order.planned()
    }

    /// What stands against a verdict; deletions are checked where they are planned.
    fn check(&self, number: usize, verdict: &Verdict<'a>, blockers: &mut Vec<Blocker>) {
        let resource = self.graph.resources[number];
        let (id, kind) = (resource.id.clone(), resource.rules.kind);
        match (verdict.what, verdict.found) {
            (What::Replace(_), Some(found)) if found.identity == Identity::Foreign => {
                let fields = verdict.changes.iter().filter(|change| change.forces_replacement);
                let fields: Vec<String> = fields.map(|change| change.field.clone()).collect();
                blockers.push(Blocker::AdoptionReplaces { id, kind, physical: found.physical.clone(), fields });
            }
            (What::Create | What::Replace(_), _) => {
                if let Some(foreign) = self.matches.foreign[number] {
                    blockers.push(Blocker::Foreign { id, kind, physical: foreign.physical.clone() });
                }
            }
            _ => {}
        }
    }

    /// True when the last applied stack had this resource.
    pub(super) fn was_applied(&self, id: &LogicalId) -> bool {
        self.last.is_some_and(|last| last.inputs.contains_key(id))
    }
}
