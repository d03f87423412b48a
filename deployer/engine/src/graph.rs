//! The graph of a stack: who needs whom, an order that respects it, and the generations along it.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::id::{Generation, LogicalId};
use crate::plan::PlanError;
use crate::rules::{Change, Compare, Field, Owner};
use crate::stack::{Resource, Stack};
use crate::value::{Reference, Value};

/// The resources of a stack by number (in the order of their ids), with their edges.
pub(crate) struct Graph<'a> {
    pub(crate) resources: Vec<&'a Resource>,
    /// What each needs, directly.
    pub(crate) needs: Vec<Vec<usize>>,
    /// All, each after what it needs.
    pub(crate) order: Vec<usize>,
    numbers: HashMap<&'a LogicalId, usize>,
}

impl<'a> Graph<'a> {
    /// Reads the graph of a stack.
    pub(crate) fn of(stack: &'a Stack) -> Result<Self, PlanError> {
        let resources: Vec<&Resource> = stack.resources.values().collect();
        let numbers: HashMap<&LogicalId, usize> = stack.resources.keys().zip(0..).collect();
        let mut needs = Vec::with_capacity(resources.len());
        for resource in &resources {
            let number = |to: &LogicalId| {
                let unknown = || PlanError::UnknownReference { from: resource.id.clone(), to: to.clone() };
                numbers.get(to).copied().ok_or_else(unknown)
            };
            needs.push(resource.needs().into_iter().map(number).collect::<Result<Vec<_>, _>>()?);
            check_rules(resource)?;
        }
        let order = sort(&needs).map_err(|cycle| {
            PlanError::Cycle(cycle.into_iter().map(|number| resources[number].id.clone()).collect())
        })?;
        Ok(Self { resources, needs, order, numbers })
    }

    /// The number of a resource.
    pub(crate) fn number(&self, id: &LogicalId) -> Option<usize> {
        self.numbers.get(id).copied()
    }

    /// A resource and all that refers to it, however far away.
    pub(crate) fn users(&self, number: usize) -> Vec<usize> {
        let mut uses = vec![false; self.resources.len()];
        uses[number] = true;
        for &other in &self.order {
            uses[other] |= self.needs[other].iter().any(|&needs| uses[needs]);
        }
        (0..uses.len()).filter(|&other| uses[other]).collect()
    }

    /// The generation of each resource.
    pub(crate) fn generations(&self) -> Vec<Generation> {
        let mut all = vec![Generation::from_tag(""); self.resources.len()];
        for &number in &self.order {
            let resource = self.resources[number];
            let by_generation = |reference: &Reference| {
                let generation = &all[self.number(&reference.id)?];
                Some(Value::Text(format!("{}@{generation}#{}", reference.id, reference.output)))
            };
            let decides =
                |field: &&Field| field.change == Change::Replace && matches!(field.owner, Owner::Stack | Owner::Shared);
            let mut inputs: Vec<(&str, Value)> = Vec::new();
            for field in resource.rules.fields.iter().filter(decides) {
                match resource.inputs.get(field.name) {
                    None | Some(Value::Null) => {}
                    Some(value) => inputs.push((field.name, canonical(field, &value.resolve(&by_generation)))),
                }
            }
            inputs.sort_by_key(|(name, _)| *name);
            all[number] = Generation::of(inputs.iter().map(|(name, value)| (*name, value)));
        }
        all
    }
}

fn check_rules(resource: &Resource) -> Result<(), PlanError> {
    match resource.inputs.keys().find(|name| resource.rules.field(name).is_none()) {
        None => Ok(()),
        Some(field) => {
            Err(PlanError::NoRule { id: resource.id.clone(), kind: resource.rules.kind, field: field.clone() })
        }
    }
}

/// The same value in one spelling: what means nothing must not change a generation.
fn canonical(field: &Field, value: &Value) -> Value {
    fn plain(value: &Value) -> Cow<'_, Value> {
        match value {
            Value::Known(text) => Cow::Owned(Value::Text(text.clone())),
            Value::List(items) => Cow::Owned(Value::List(items.iter().map(|item| plain(item).into_owned()).collect())),
            Value::Map(map) => {
                let set = map.iter().filter(|(_, value)| **value != Value::Null);
                Cow::Owned(Value::Map(set.map(|(k, v)| (k.clone(), plain(v).into_owned())).collect()))
            }
            other => Cow::Borrowed(other),
        }
    }
    let mut value: Value = plain(value).into_owned();
    if let (Compare::Set, Value::List(items)) = (field.compare, &mut value) {
        items.sort();
        items.dedup();
    }
    value
}

/// All numbers, each after its needs and otherwise ascending; or a circle, its first member again at its end.
fn sort(needs: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut users = vec![Vec::new(); needs.len()];
    let mut missing: Vec<usize> = needs.iter().map(Vec::len).collect();
    for (number, targets) in needs.iter().enumerate() {
        targets.iter().for_each(|&target| users[target].push(number));
    }
    let mut order: Vec<usize> = (0..needs.len()).filter(|&number| missing[number] == 0).collect();
    let mut next = 0;
    while let Some(&number) = order.get(next) {
        next += 1;
        for &user in &users[number] {
            missing[user] -= 1;
            if missing[user] == 0 {
                order.push(user);
            }
        }
    }
    if order.len() == needs.len() { Ok(order) } else { Err(circle(needs, &missing)) }
}

/// Walks needs that cannot be met until one comes again.
fn circle(needs: &[Vec<usize>], missing: &[usize]) -> Vec<usize> {
    let stuck = |number: &usize| missing[*number] > 0;
    let mut path: Vec<usize> = (0..needs.len()).find(stuck).into_iter().collect();
    while let Some(next) = path.last().and_then(|&last| needs[last].iter().copied().find(stuck)) {
        let seen = path.iter().position(|&number| number == next);
        path.push(next);
        if let Some(start) = seen {
            return path.split_off(start);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_comes_after_all_needs() {
        assert_eq!(sort(&[vec![2], vec![], vec![1]]).unwrap(), [1, 2, 0]);
    }

    #[test]
    fn a_circle_is_named_without_those_that_only_lead_to_it() {
        assert_eq!(sort(&[vec![1], vec![2], vec![3], vec![1]]).unwrap_err(), [1, 2, 3, 1]);
        assert_eq!(sort(&[vec![0]]).unwrap_err(), [0, 0]);
    }
}
