//! One step being carried out: what it is to reach, what is known, and the next call that follows from both.

use std::collections::BTreeMap;
use std::time::Duration;

use super::patience::{GiveUp, dense, longest_wait, pause, poll_interval};
use super::types::{Call, Class, Failure, IllegalTransition, OpId, Reply};
use crate::diff;
use crate::id::Generation;
use crate::plan::{Because, FieldChange, Inputs};
use crate::rules::{Order, Rules};
use crate::value::{Reference, Value};
use crate::world::{Found, Health, Identity, Outputs};

/// What a step is to reach.
#[derive(Clone, Debug)]
pub(super) enum Goal {
    /// A new resource of this generation exists, with the desired fields.
    Created { generation: Generation, order: Option<Order> },
    /// The resource has the desired fields.
    Updated,
    /// The resource has our identity.
    Adopted { generation: Generation },
    /// The resource does not exist; whether it is for us to delete it.
    Absent { delete: bool },
}

/// What a task is made of; none of it changes.
#[derive(Clone, Debug)]
pub(super) struct Brief {
    pub(super) goal: Goal,
    pub(super) rules: &'static Rules,
    /// Desired inputs, references unresolved.
    pub(super) inputs: Inputs,
    /// Entries of shared fields that are to go, by field.
    pub(super) removed: BTreeMap<String, Vec<Value>>,
    /// Why fields differ, as planned.
    pub(super) because: BTreeMap<String, Because>,
    /// Resources of the same id that other steps remove.
    pub(super) leaving: Vec<String>,
    pub(super) estimate: Duration,
}

/// What a task knows.
#[derive(Clone, Debug, Default)]
struct Memory {
    /// AWS's name for what the step is about.
    physical: Option<String>,
    /// What was last read of it; at first, what the sweep found.
    found: Option<Box<Found>>,
    /// What has our name without our identity.
    foreign: Option<String>,
    /// When AWS last accepted a change: reads may be older than that for a while.
    accepted: Option<Duration>,
    /// How many updates AWS accepted.
    updates: u32,
    /// Since when a creation may have happened without our knowing.
    unsure: Option<Duration>,
    /// Since when something that existed has not been seen.
    lost: Option<Duration>,
    waiting: Option<Duration>,
    /// How much longer than with this step and what follows it the run will be busy, by estimates.
    slack: Duration,
    glances: u32,
    /// Failures in a row, of reads and of writes: first time and number.
    failures: BTreeMap<(bool, Class), (Duration, u32)>,
    /// There may be two now.
    ambiguous: bool,
}

/// A step's task: what is to be reached, and what is known.
#[derive(Clone, Debug)]
pub(super) struct Work {
    brief: Brief,
    memory: Memory,
}

impl Work {
    /// A task that starts from what the sweep found, if the step is about something that exists.
    pub(super) fn new(brief: Brief, found: Option<&Found>) -> Self {
        let physical = found.map(|found| found.physical.clone());
        Self { brief, memory: Memory { physical, found: found.cloned().map(Box::new), ..Memory::default() } }
    }

    pub(super) fn kind(&self) -> &'static str {
        self.brief.rules.kind
    }

    /// True when there may be two of it now.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.memory.ambiguous
    }

    pub(super) fn read(&self) -> Call {
        Call::Read { physical: self.memory.physical.clone() }
    }

    /// Tells how much longer than with this step and what follows it the run will be busy.
    pub(super) fn has_slack(&mut self, slack: Duration) {
        self.memory.slack = slack;
    }

    pub(super) fn wait(&mut self, now: Duration, what: String) -> Decision {
        self.memory.wait(&self.brief, now, what)
    }

    pub(super) fn decide(&mut self, now: Duration, outputs: &dyn Fn(&Reference) -> Option<Value>) -> Decision {
        decide(&self.brief, &mut self.memory, now, outputs)
    }

    pub(super) fn hear(
        &mut self,
        give_up: &GiveUp,
        now: Duration,
        asked: (OpId, Asked),
        result: Result<Reply, Failure>,
    ) -> Result<Next, IllegalTransition> {
        hear(&self.brief, &mut self.memory, give_up, now, asked, result)
    }
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Decision {
    Call(Call),
    /// Read again after a pause.
    Wait {
        pause: Duration,
        since: Duration,
        what: String,
    },
    /// Done, with the outputs if the resource exists.
    Done(Option<Outputs>),
    Fail(Failure),
}

/// What follows from a reply.
#[derive(Debug)]
pub(super) enum Next {
    /// Decide by what is known now.
    Decide,
    /// Read after AWS accepted a change.
    Await(&'static str),
    /// Try again after a pause: by what is known where `sure` that AWS did nothing, else by what is read then.
    Retry {
        failure: Failure,
        after: Duration,
        sure: bool,
    },
    Done(Option<Outputs>),
    Fail(Failure),
}

/// The call that is in flight, without its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Create,
    Update,
    Adopt,
    Delete,
    Read,
}

impl Asked {
    pub(super) fn of(call: &Call) -> Self {
        match call {
            Call::Create { .. } => Self::Create,
            Call::Update { .. } => Self::Update,
            Call::Adopt { .. } => Self::Adopt,
            Call::Delete { .. } => Self::Delete,
            Call::Read { .. } => Self::Read,
        }
    }
}

/// Takes a reply in: all legal transitions of a step in flight.
fn hear(
    brief: &Brief,
    memory: &mut Memory,
    give_up: &GiveUp,
    now: Duration,
    (op, asked): (OpId, Asked),
    result: Result<Reply, Failure>,
) -> Result<Next, IllegalTransition> {
    use Class::{Ambiguous, Exists, Internal, Invalid, Missing, Quota, Refused};
    if result.is_ok() {
        memory.failures.retain(|(read, _), _| *read != (asked == Asked::Read));
    }
    Ok(match (asked, result) {
        (Asked::Create, Ok(Reply::Created { outputs: Some(outputs), .. })) => Next::Done(Some(outputs)),
        (Asked::Create, Ok(Reply::Created { physical, outputs: None })) => {
            memory.physical = Some(physical);
            memory.accept(now);
            Next::Await("creating")
        }
        (Asked::Update, Ok(Reply::Updated { outputs: Some(outputs) })) => Next::Done(Some(outputs)),
        (Asked::Update, Ok(Reply::Updated { outputs: None })) => {
            memory.updates += 1;
            memory.accept(now);
            Next::Await("updating")
        }
        (Asked::Adopt, Ok(Reply::Adopted)) => Next::Done(memory.found.as_ref().map(|found| found.outputs.clone())),
        (Asked::Delete, Ok(Reply::Deleted { gone: true }) | Err(Failure { class: Missing, .. })) => Next::Done(None),
        (Asked::Delete, Ok(Reply::Deleted { gone: false })) => {
            memory.accept(now);
            Next::Await("deleting")
        }
        (Asked::Read, Ok(Reply::Read(found))) => {
            memory.remember(brief, now, found);
            Next::Decide
        }
        (Asked::Read, Err(Failure { class: Missing, .. })) => {
            memory.remember(brief, now, Vec::new());
            Next::Decide
        }
        // Missing: something that it refers to, or a part that was just made, is not seen everywhere yet.
        (Asked::Create, Err(failure @ Failure { class: Ambiguous | Exists | Missing, .. })) => {
            memory.unsure = Some(now);
            memory.ambiguous |= failure.class == Ambiguous;
            memory.retry(give_up, now, asked, failure)
        }
        (Asked::Update | Asked::Adopt | Asked::Delete | Asked::Read, Err(failure @ Failure { class: Exists, .. }))
        | (_, Err(failure @ Failure { class: Refused | Invalid | Quota | Internal, .. })) => Next::Fail(failure),
        (_, Err(failure)) => memory.retry(give_up, now, asked, failure),
        (_, Ok(reply)) => {
            return Err(IllegalTransition { op, reply: name(&reply), why: "it answers another call" });
        }
    })
}

fn name(reply: &Reply) -> &'static str {
    match reply {
        Reply::Created { .. } => "created",
        Reply::Updated { .. } => "updated",
        Reply::Adopted => "adopted",
        Reply::Deleted { .. } => "deleted",
        Reply::Read(_) => "read",
    }
}

/// The next thing to do, by what is known.
fn decide(
    brief: &Brief,
    memory: &mut Memory,
    now: Duration,
    outputs: &dyn Fn(&Reference) -> Option<Value>,
) -> Decision {
    let found = memory.found.clone();
    match (&brief.goal, found) {
        (Goal::Absent { .. }, None) => Decision::Done(None),
        (Goal::Absent { delete }, Some(found)) => leave(brief, memory, now, *delete, found),
        (Goal::Created { generation, .. }, None) => create(brief, memory, now, generation, outputs),
        (_, None) => missing(brief, memory, now),
        (_, Some(found)) if found.health == Health::Deleting => {
            Decision::Fail(gone(&found.physical, "is being deleted"))
        }
        (Goal::Adopted { generation }, Some(found)) => match found.identity {
            Identity::Foreign => Decision::Call(Call::Adopt { found, generation: generation.clone() }),
            Identity::Ours(_) => Decision::Done(Some(found.outputs)),
        },
        (Goal::Created { .. } | Goal::Updated, Some(found)) => match found.health.clone() {
            Health::Failed(why) => Decision::Fail(failure(Class::Refused, format!("AWS gave up on it: {why}"))),
            Health::Settling(what) => memory.watch(brief, now, what),
            Health::Ready | Health::Deleting => converge(brief, memory, now, found, outputs),
        },
    }
}

fn leave(brief: &Brief, memory: &mut Memory, now: Duration, delete: bool, found: Box<Found>) -> Decision {
    if found.health == Health::Deleting {
        memory.wait(brief, now, "deleting".to_owned())
    } else if !delete || memory.recently_accepted(brief, now) {
        memory.wait(brief, now, "not gone yet".to_owned())
    } else {
        Decision::Call(Call::Delete { found })
    }
}

fn create(
    brief: &Brief,
    memory: &mut Memory,
    now: Duration,
    generation: &Generation,
    outputs: &dyn Fn(&Reference) -> Option<Value>,
) -> Decision {
    if memory.physical.is_some() {
        return memory.glance(brief, now, "created, not seen yet");
    }
    if memory.unsure.is_some_and(|since| now < since + brief.rules.visible_within) {
        return memory.glance(brief, now, "looking whether it was created");
    }
    if let Some(physical) = &memory.foreign {
        let message = format!("`{physical}` exists but does not belong to this stack");
        let hint = Some("plan again: it can be adopted with `--adopt`".to_owned());
        return Decision::Fail(Failure { hint, ..failure(Class::Exists, message) });
    }
    memory.unsure = None;
    match resolve(brief, outputs) {
        Ok(inputs) => Decision::Call(Call::Create { inputs, generation: generation.clone() }),
        Err(failure) => Decision::Fail(failure),
    }
}

fn missing(brief: &Brief, memory: &mut Memory, now: Duration) -> Decision {
    let since = *memory.lost.get_or_insert(now);
    if now < since + brief.rules.visible_within {
        return memory.glance(brief, now, "not seen any more");
    }
    Decision::Fail(gone(memory.physical.as_deref().unwrap_or_default(), "does not exist any more"))
}

/// Changes what still differs, until nothing does.
fn converge(
    brief: &Brief,
    memory: &mut Memory,
    now: Duration,
    found: Box<Found>,
    outputs: &dyn Fn(&Reference) -> Option<Value>,
) -> Decision {
    let want = match resolve(brief, outputs) {
        Ok(want) => want,
        Err(failure) => return Decision::Fail(failure),
    };
    let mut changes = diff::remaining(brief.rules, &want, &found.inputs, &brief.removed);
    if changes.is_empty() {
        return Decision::Done(Some(found.outputs));
    }
    let names = changes.iter().map(|change| change.field.as_str()).collect::<Vec<_>>().join(", ");
    if memory.recently_accepted(brief, now) && !left_by_creation(brief, memory, &changes) {
        return memory.glance(brief, now, &format!("AWS does not show {names} as asked yet"));
    }
    if let Some(change) = changes.iter().find(|change| change.forces_replacement) {
        let message = format!("{} differs, and only a new resource could change that", change.field);
        let hint = Some("plan again".to_owned());
        return Decision::Fail(Failure { hint, ..failure(Class::Invalid, message) });
    }
    if memory.updates >= 3 {
        return Decision::Fail(failure(
            Class::Internal,
            format!("AWS accepted a change of {names} but does not show it"),
        ));
    }
    for change in &mut changes {
        if let Some(because) = brief.because.get(&change.field) {
            change.because = because.clone();
        }
    }
    let inputs = diff::settled(brief.rules, &want, &found.inputs, &brief.removed);
    Decision::Call(Call::Update { found, inputs, changes })
}

/// True of what was created and differs only in what its creation was not to set: no later look shows that otherwise.
fn left_by_creation(brief: &Brief, memory: &Memory, changes: &[FieldChange]) -> bool {
    let left = |change: &FieldChange| brief.rules.field(&change.field).is_some_and(|field| field.once_ready);
    memory.updates == 0 && matches!(brief.goal, Goal::Created { .. }) && changes.iter().all(left)
}

fn resolve(brief: &Brief, outputs: &dyn Fn(&Reference) -> Option<Value>) -> Result<Inputs, Failure> {
    let mut all = Inputs::new();
    for (name, value) in &brief.inputs {
        let value = value.resolve(outputs);
        if let Some(unknown) = value.references().first() {
            let message =
                format!("{name} needs output `{}` of `{}`, which has no such output", unknown.output, unknown.id);
            return Err(failure(Class::Internal, message));
        }
        all.insert(name.clone(), value);
    }
    Ok(all)
}

pub(super) fn failure(class: Class, message: String) -> Failure {
    Failure { class, message, code: None, hint: None }
}

fn gone(physical: &str, what: &str) -> Failure {
    let hint = Some("plan again".to_owned());
    Failure { hint, ..failure(Class::Missing, format!("`{physical}` {what}")) }
}

impl Memory {
    fn accept(&mut self, now: Duration) {
        self.accepted = Some(now);
        self.unsure = None;
        self.glances = 0;
    }

    /// True while reads may be older than the last accepted change.
    fn recently_accepted(&self, brief: &Brief, now: Duration) -> bool {
        self.accepted.is_some_and(|at| now < at + brief.rules.visible_within)
    }

    /// Takes a read in: the one resource among those read that the step is about.
    fn remember(&mut self, brief: &Brief, now: Duration, read: Vec<Found>) {
        let of_kind = read.into_iter().filter(|found| found.rules.kind == brief.rules.kind);
        let mut mine: Vec<Found> = match (&self.physical, &brief.goal) {
            (Some(physical), _) => of_kind.filter(|found| found.physical == *physical).collect(),
            (None, Goal::Created { generation, order }) => {
                let (ours, foreign): (Vec<_>, Vec<_>) = of_kind.partition(|found| found.identity != Identity::Foreign);
                self.foreign = foreign.into_iter().map(|found| found.physical).next();
                // After a delete-first replacement the new one may have the old one's name; but a read may also be
                // older than the deletion.
                let settled = self.unsure.is_some_and(|since| now >= since + brief.rules.visible_within);
                let may_be_old = *order == Some(Order::DeleteFirst) && settled;
                let fits = |found: &Found| match &found.identity {
                    Identity::Ours(Some(theirs)) => theirs == generation,
                    Identity::Ours(None) => true,
                    Identity::Foreign => false,
                };
                let leaves = |found: &Found| brief.leaving.contains(&found.physical) && !may_be_old;
                let mine = ours.into_iter().filter(|found| found.health != Health::Deleting);
                mine.filter(|found| fits(found) && !leaves(found)).collect()
            }
            (None, _) => Vec::new(),
        };
        mine.sort_by(|a, b| a.physical.cmp(&b.physical));
        self.ambiguous |= mine.len() > 1;
        self.found = mine.into_iter().next().map(Box::new);
        if self.found.is_some() {
            self.lost = None;
        }
    }

    fn retry(&mut self, give_up: &GiveUp, now: Duration, asked: Asked, failure: Failure) -> Next {
        let key = (asked == Asked::Read, failure.class);
        let (first, tries) = self.failures.get(&key).copied().unwrap_or((now, 0));
        self.failures.insert(key, (first, tries + 1));
        let after = pause(failure.class, tries + 1, self.slack);
        // What is in use or busy was not touched.
        let sure = asked == Asked::Delete && matches!(failure.class, Class::Draining | Class::Busy);
        match give_up.of(failure.class) {
            Some(limit) if now + after <= first + limit => Next::Retry { failure, after, sure },
            _ => Next::Fail(failure),
        }
    }

    /// Waits for AWS at work.
    fn wait(&mut self, brief: &Brief, now: Duration, what: String) -> Decision {
        let since = *self.waiting.get_or_insert(now);
        let waited = now.saturating_sub(since);
        if waited > longest_wait(brief.estimate) {
            let message = format!("still `{what}` after {} minutes", waited.as_secs() / 60);
            let hint = Some("see what AWS says about it; the next run carries on from here".to_owned());
            return Decision::Fail(Failure { hint, ..failure(Class::Busy, message) });
        }
        let pause = poll_interval(waited, brief.estimate, self.slack);
        Decision::Wait { pause, since: waited, what }
    }

    /// Waits for AWS at work on something that may fail.
    fn watch(&mut self, brief: &Brief, now: Duration, what: String) -> Decision {
        let most = brief.rules.estimate.watch.unwrap_or(Duration::MAX);
        match self.wait(brief, now, what) {
            Decision::Wait { pause, since, what } => Decision::Wait { pause: pause.min(most), since, what },
            other => other,
        }
    }

    /// Waits for something that should be seen within seconds.
    fn glance(&mut self, brief: &Brief, now: Duration, what: &str) -> Decision {
        self.glances += 1;
        let short = dense(self.glances);
        match self.wait(brief, now, what.to_owned()) {
            Decision::Wait { since, what, .. } => Decision::Wait { pause: short, since, what },
            other => other,
        }
    }
}
