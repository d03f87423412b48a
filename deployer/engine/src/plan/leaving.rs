//! What goes: leftovers and the replaced, who uses whom among them, and what may not go.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::error::Blocker;
use super::matching::{Stray, held_by, outputs};
use super::order::Certainty;
use super::types::{Gone, Kept, KeptBecause};
use super::verdict::{Judge, Verdict, What};
use crate::id::LogicalId;
use crate::world::{Found, World};

/// The resources that go.
pub(super) struct Leaving<'a> {
    /// Ordered by id, then by AWS's name.
    pub(super) removals: Vec<Stray<'a>>,
    /// Who uses whom among them: a user goes before what it uses.
    pub(super) uses: Vec<Use>,
    /// What would go, but stays.
    pub(super) kept: Vec<Kept>,
    index: Index<'a>,
}

/// One removal uses another.
#[derive(Clone, Copy)]
pub(super) struct Use {
    pub(super) user: usize,
    pub(super) used: usize,
    pub(super) certainty: Certainty,
}

impl<'a> Leaving<'a> {
    pub(super) fn of(
        judge: &Judge<'a>,
        verdicts: &[Verdict<'a>],
        world: &'a World,
        blockers: &mut Vec<Blocker>,
    ) -> Self {
        let replaced = verdicts.iter().enumerate().filter(|(_, verdict)| matches!(verdict.what, What::Replace(_)));
        let replaced = replaced.filter_map(|(number, verdict)| {
            Some(Stray { found: verdict.found?, desired: Some(number), because: Some(Gone::Replaced) })
        });
        let mut removals: Vec<Stray<'a>> = judge.matches.strays.iter().copied().chain(replaced).collect();
        removals.sort_by_key(|stray| (&stray.found.id, &stray.found.physical));

        let index = Index::of(&removals, world);
        let uses = uses(judge, &removals, &index);
        let stays = protected(judge, &removals, &uses, blockers);
        let mut all = Self { removals, uses, kept: Vec::new(), index };
        if !stays.is_empty() {
            all.keep(&stays, judge, world);
        }
        all
    }

    /// Takes what stays out again.
    fn keep(&mut self, stays: &BTreeMap<usize, KeptBecause>, judge: &Judge<'a>, world: &'a World) {
        self.kept = stays.iter().map(|(removal, because)| kept(self.removals[*removal].found, because)).collect();
        let mut place = 0..;
        self.removals.retain(|_| place.next().is_none_or(|place| !stays.contains_key(&place)));
        self.index = Index::of(&self.removals, world);
        self.uses = uses(judge, &self.removals, &self.index);
    }

    /// The removals of a logical id.
    pub(super) fn of_id(&self, id: &LogicalId) -> &[usize] {
        self.index.of_id(id)
    }

    /// The removals whose identity a resource holds.
    pub(super) fn held_by(&self, found: &'a Found) -> impl Iterator<Item = usize> {
        held_by(found).flat_map(|text| self.index.named(text)).copied()
    }
}

fn kept(found: &Found, because: &KeptBecause) -> Kept {
    Kept {
        id: found.id.clone(),
        kind: found.rules.kind.to_owned(),
        physical: found.physical.clone(),
        because: because.clone(),
    }
}

/// Removals by the texts that name them.
#[derive(Default)]
struct Index<'a> {
    by_id: HashMap<&'a LogicalId, Vec<usize>>,
    physical: HashMap<&'a str, Vec<usize>>,
    outputs: HashMap<&'a str, Vec<usize>>,
    /// AWS's names of everything found: such a text means that resource, and not another one that has it as an
    /// output too (a subnet has its VPC's id).
    taken: HashSet<&'a str>,
}

impl<'a> Index<'a> {
    fn of(removals: &[Stray<'a>], world: &'a World) -> Self {
        let mut all = Self::default();
        if removals.is_empty() {
            return all;
        }
        all.taken = world.found.iter().map(|found| found.physical.as_str()).collect();
        for (number, Stray { found, .. }) in removals.iter().enumerate() {
            all.by_id.entry(&found.id).or_default().push(number);
            all.physical.entry(&found.physical).or_default().push(number);
            for text in outputs(found).filter(|text| !all.taken.contains(text)) {
                all.outputs.entry(text).or_default().push(number);
            }
        }
        all
    }

    fn of_id(&self, id: &LogicalId) -> &[usize] {
        self.by_id.get(id).map_or(&[], Vec::as_slice)
    }

    fn named(&self, text: &str) -> &[usize] {
        let map = if self.taken.contains(text) { &self.physical } else { &self.outputs };
        map.get(text).map_or(&[], Vec::as_slice)
    }
}

/// Who uses whom: as has been observed, as the stack said when it was last applied, and as it says. What AWS is
/// deleting already waits for nobody.
fn uses<'a>(judge: &Judge<'a>, removals: &[Stray<'a>], index: &Index<'a>) -> Vec<Use> {
    let mut all = Vec::new();
    for (user, stray) in removals.iter().enumerate() {
        let mut said: BTreeMap<usize, Certainty> = BTreeMap::new();
        let mut say = |used: &[usize], certainty: Certainty| {
            for &used in used.iter().filter(|&&used| used != user && removals[used].because.is_some()) {
                let confirmed = certainty == Certainty::Observed && said.contains_key(&used);
                let certainty = if confirmed { Certainty::Confirmed } else { certainty };
                said.entry(used).and_modify(|before| *before = certainty.min(*before)).or_insert(certainty);
            }
        };
        if let (Some(number), false) = (stray.desired, stray.because == Some(Gone::KindChanged)) {
            for target in &judge.graph.needs[number] {
                say(index.of_id(&judge.graph.resources[*target].id), Certainty::Desired);
            }
        }
        for id in judge.last.and_then(|last| last.needs.get(&stray.found.id)).into_iter().flatten() {
            say(index.of_id(id), Certainty::Applied);
        }
        let held: BTreeSet<&str> = held_by(stray.found).collect();
        held.into_iter().for_each(|text| say(index.named(text), Certainty::Observed));
        all.extend(said.into_iter().map(|(used, certainty)| Use { user, used, certainty }));
    }
    all
}

/// Finds what may not go: a blocker each, or, where the caller chose to keep it, it and all that it uses stays.
fn protected<'a>(
    judge: &Judge<'a>,
    removals: &[Stray<'a>],
    uses: &[Use],
    blockers: &mut Vec<Blocker>,
) -> BTreeMap<usize, KeptBecause> {
    let mut stays = BTreeMap::new();
    for (number, Stray { found, because, .. }) in removals.iter().enumerate() {
        let Some(because) = because else { continue };
        if found.rules.protected && !judge.options.allow_destroy.allows(&found.id) {
            if judge.options.keep_protected && *because == Gone::NoLongerInStack {
                stays.insert(number, KeptBecause::Protected);
            } else {
                blockers.push(protected_blocker(found, *because));
            }
        }
    }
    let mut open: Vec<usize> = stays.keys().copied().collect();
    let mut used_by: HashMap<usize, Vec<usize>> = HashMap::new();
    uses.iter().for_each(|edge| used_by.entry(edge.user).or_default().push(edge.used));
    while let Some(user) = open.pop() {
        for used in used_by.get(&user).into_iter().flatten() {
            if !stays.contains_key(used) {
                stays.insert(*used, KeptBecause::UsedBy(removals[user].found.id.clone()));
                open.push(*used);
            }
        }
    }
    for (_, Stray { found, .. }) in
        removals.iter().enumerate().filter(|(number, stray)| stray.because.is_some() && !stays.contains_key(number))
    {
        blockers.extend(found.blockers.iter().map(|why| refused(found, why)));
    }
    stays
}

fn protected_blocker(found: &Found, because: Gone) -> Blocker {
    let why = match because {
        Gone::Replaced => "only a new one can be as the stack says",
        Gone::NoLongerInStack => "the stack does not name it any more",
        Gone::Duplicate => "there is another of the same id, nearer to what the stack says",
        Gone::KindChanged => "the stack uses its id for another kind",
    };
    Blocker::Protected {
        id: found.id.clone(),
        kind: found.rules.kind,
        physical: found.physical.clone(),
        why: why.to_owned(),
    }
}

fn refused(found: &Found, why: &str) -> Blocker {
    Blocker::Refused {
        id: found.id.clone(),
        kind: found.rules.kind,
        physical: found.physical.clone(),
        why: why.to_owned(),
    }
}
