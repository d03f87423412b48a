//! Which found resource stands for which desired one, and which are left over.

use std::collections::{HashMap, HashSet};

use super::types::Gone;
use crate::graph::Graph;
use crate::id::{Generation, LogicalId};
use crate::value::Value;
use crate::world::{Found, Health, Identity, World};

/// The world held against the stack.
pub(super) struct Matches<'a> {
    /// For each desired resource what stands for it, if anything does.
    pub(super) chosen: Vec<Option<&'a Found>>,
    /// For each desired resource what has its name, but neither our identity nor leave to be adopted.
    pub(super) foreign: Vec<Option<&'a Found>>,
    /// What is left over and has to go, or is going.
    pub(super) strays: Vec<Stray<'a>>,
    /// Everything found, by logical id.
    pub(super) by_id: HashMap<&'a LogicalId, Vec<&'a Found>>,
}

/// A found resource that nothing desired stands for.
#[derive(Clone, Copy)]
pub(super) struct Stray<'a> {
    pub(super) found: &'a Found,
    /// The desired resource of the same id, if there is one.
    pub(super) desired: Option<usize>,
    /// Why it goes; `None` when AWS is deleting it already.
    pub(super) because: Option<Gone>,
}

impl<'a> Matches<'a> {
    pub(super) fn of(
        graph: &Graph<'a>,
        generations: &[Generation],
        world: &'a World,
        may_adopt: impl Fn(&LogicalId) -> bool,
    ) -> Self {
        let mut by_id: HashMap<&LogicalId, Vec<&Found>> = HashMap::with_capacity(world.found.len());
        for found in &world.found {
            by_id.entry(&found.id).or_default().push(found);
        }
        by_id.values_mut().for_each(|same| same.sort_by(|a, b| a.physical.cmp(&b.physical)));
        let twice = by_id.values().any(|same| same.len() > 1);
        let held = if twice { identities_held(world) } else { HashSet::new() };

        let count = graph.resources.len();
        let mut all = Self { chosen: vec![None; count], foreign: vec![None; count], strays: Vec::new(), by_id };
        for (number, resource) in graph.resources.iter().enumerate() {
            let Some(same) = all.by_id.get(&resource.id) else { continue };
            let of_kind = same.iter().copied().filter(|found| found.rules.kind == resource.rules.kind);
            let of_other_kind = same.iter().filter(|found| found.rules.kind != resource.rules.kind && is_ours(found));
            let gone = |found, because| Stray { found, desired: Some(number), because };
            all.strays.extend(of_other_kind.map(|found| gone(found, removal(found, Gone::KindChanged))));

            let (mut alive, deleting): (Vec<_>, Vec<_>) =
                of_kind.clone().filter(|found| is_ours(found)).partition(|found| found.health != Health::Deleting);
            all.strays.extend(deleting.into_iter().map(|found| gone(found, None)));
            alive.sort_by_cached_key(|found| rank(found, &generations[number], &held));
            let mut alive = alive.into_iter();
            all.chosen[number] = alive.next();
            all.strays.extend(alive.map(|found| gone(found, Some(Gone::Duplicate))));

            for foreign in of_kind.filter(|found| !is_ours(found)) {
                if foreign.health == Health::Deleting {
                    // Somebody deleted it: as soon as AWS is done with that, the name is free.
                    all.strays.push(gone(foreign, None));
                } else if all.chosen[number].is_some() || !may_adopt(&resource.id) {
                    all.foreign[number].get_or_insert(foreign);
                } else {
                    all.chosen[number] = Some(foreign);
                }
            }
        }
        let unwanted = world.found.iter().filter(|found| is_ours(found) && graph.number(&found.id).is_none());
        let stray = |found| Stray { found, desired: None, because: removal(found, Gone::NoLongerInStack) };
        all.strays.extend(unwanted.map(stray));
        all
    }
}

fn is_ours(found: &Found) -> bool {
    found.identity != Identity::Foreign
}

fn removal(found: &Found, because: Gone) -> Option<Gone> {
    (found.health != Health::Deleting).then_some(because)
}

/// Two of one id: the desired generation first, then what others refer to, then what works.
fn rank(found: &Found, desired: &Generation, held: &HashSet<&str>) -> (bool, bool, u8, String) {
    let current = found.identity == Identity::Ours(Some(desired.clone()));
    let is_held = identities(found).any(|text| held.contains(text));
    let health = match found.health {
        Health::Ready => 0,
        Health::Settling(_) => 1,
        Health::Failed(_) => 2,
        Health::Deleting => 3,
    };
    (!current, !is_held, health, found.physical.clone())
}

/// The texts by which others may hold a resource.
pub(super) fn identities(found: &Found) -> impl Iterator<Item = &str> {
    std::iter::once(found.physical.as_str()).chain(outputs(found))
}

/// The texts among its outputs.
pub(super) fn outputs(found: &Found) -> impl Iterator<Item = &str> {
    found.outputs.values().filter_map(|value| match value {
        Value::Text(text) | Value::Known(text) => Some(text.as_str()),
        _ => None,
    })
}

/// The identities of others that a resource holds.
pub(super) fn held_by(found: &Found) -> impl Iterator<Item = &str> {
    found.inputs.values().flat_map(Value::known)
}

fn identities_held(world: &World) -> HashSet<&str> {
    world.found.iter().flat_map(held_by).collect()
}
