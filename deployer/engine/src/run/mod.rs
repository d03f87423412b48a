//! The run: a state machine that carries a plan out. Replies go in, operations come out.

mod patience;
mod setup;
mod task;
mod types;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use patience::{GiveUp, Limits};
pub use types::{Call, Class, Event, Failure, IllegalTransition, Op, OpId, Outcome, Reply};

use crate::id::LogicalId;
use crate::plan::{Action, Plan, StepNumber};
use crate::stack::Stack;
use crate::value::Reference;
use crate::world::{Outputs, World};
use setup::Index;
use task::{Asked, Decision, Next, Work};

/// A plan being carried out.
#[derive(Clone, Debug)]
pub struct Run {
    tasks: Vec<Task>,
    limits: Limits,
    /// Tasks that can go on at once, the longest remaining path first.
    ready: BTreeSet<(Reverse<Duration>, usize)>,
    /// Tasks that go on at a time.
    timers: BTreeSet<(Duration, usize)>,
    in_flight: BTreeMap<OpId, (usize, Asked)>,
    next_op: u64,
    interrupted: bool,
    outputs: BTreeMap<LogicalId, Outputs>,
    events: Vec<Event>,
}

/// A step of the plan.
#[derive(Clone, Debug)]
struct Task {
    number: StepNumber,
    id: LogicalId,
    /// `None` when the plan is not of this stack and world: the step fails.
    work: Option<Work>,
    state: State,
    /// How many needs are still to be done.
    unmet: usize,
    users: Vec<usize>,
    /// What it and what follows it take, by estimates.
    remaining: Duration,
    estimate: Duration,
    started: Option<Duration>,
    /// It waits until others have let go of it.
    drains: bool,
    attempt: u32,
    /// The resource is not desired: once it is gone it has no outputs.
    undesired: bool,
    /// An earlier step changes the same resource: how it is by then has to be read.
    reads_first: bool,
}

/// How far a step has come.
#[derive(Clone, Debug, PartialEq)]
enum State {
    /// It needs others that are not done.
    Blocked,
    /// It can go on, at once or at a time, by what is known.
    Decide,
    /// It can go on, at once or at a time, by reading.
    Read,
    InFlight,
    Done,
    Failed(Failure),
    Skipped,
}

impl State {
    fn is_final(&self) -> bool {
        matches!(self, Self::Done | Self::Failed(_) | Self::Skipped)
    }
}

impl Run {
    /// A run of this plan, which was made of this stack and world.
    #[must_use]
    pub fn new(plan: &Plan, stack: &Stack, world: &World, limits: Limits) -> Self {
        let index = Index::of(plan, world);
        let mut run = Self {
            tasks: Vec::with_capacity(plan.steps.len()),
            limits,
            ready: BTreeSet::new(),
            timers: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            next_op: 0,
            interrupted: false,
            outputs: index.outputs(stack, world),
            events: Vec::new(),
        };
        let places: BTreeMap<StepNumber, usize> = plan.steps.iter().map(|step| step.number).zip(0..).collect();
        let mut changed = BTreeSet::new();
        for (step, remaining) in plan.steps.iter().zip(setup::remaining_paths(plan)) {
            let updates = matches!(step.action, Action::Update { .. });
            run.tasks.push(Task {
                number: step.number,
                id: step.id.clone(),
                work: setup::work(step, stack, &index),
                state: State::Blocked,
                unmet: step.needs.len(),
                users: Vec::new(),
                remaining,
                estimate: step.estimate,
                started: None,
                drains: false,
                attempt: 0,
                undesired: !stack.resources.contains_key(&step.id),
                reads_first: updates && !changed.insert((&step.id, step.action.physical())),
            });
        }
        for (place, step) in plan.steps.iter().enumerate() {
            for need in step.needs.iter().filter_map(|need| places.get(need)) {
                run.tasks[*need].users.push(place);
            }
            if step.needs.is_empty() {
                run.go_on(place, State::Decide);
            }
        }
        run
    }

    /// The operations to start now, the most urgent first.
    pub fn poll(&mut self, now: Duration) -> Vec<Op> {
        let mut ops = Vec::new();
        while let Some((at, place)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, place));
            self.ready.insert((Reverse(self.tasks[place].remaining), place));
        }
        while !self.interrupted && self.in_flight.len() < self.limits.in_flight {
            let Some((_, place)) = self.ready.pop_first() else { break };
            ops.extend(self.advance(place, now));
        }
        ops
    }

    /// Takes the reply to an operation.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the operation is not in flight, or the reply is to another call.
    pub fn reply(&mut self, now: Duration, op: OpId, result: Result<Reply, Failure>) -> Result<(), IllegalTransition> {
        let illegal = |why| IllegalTransition { op, reply: "a reply", why };
        let (place, asked) = *self.in_flight.get(&op).ok_or_else(|| illegal("it is not in flight"))?;
        let slack = self.slack(place, now);
        let task = &mut self.tasks[place];
        let work = task.work.as_mut().ok_or_else(|| illegal("its step has no work"))?;
        work.has_slack(slack);
        let next = work.hear(&self.limits.give_up, now, (op, asked), result)?;
        self.in_flight.remove(&op);
        match next {
            Next::Decide => {
                // Deciding at once, and not at the next poll, lets a step end whose last read came after an interrupt.
                if self.decide(place, now).is_some() {
                    self.go_on(place, State::Decide);
                }
            }
            Next::Await(what) => {
                let decision = self.tasks[place].work.as_mut().map(|work| work.wait(now, what.to_owned()));
                decision.into_iter().for_each(|decision| self.settle(place, now, decision));
            }
            Next::Retry { failure, after, sure } => {
                let Failure { class, message, .. } = failure;
                self.tasks[place].drains |= class == Class::Draining;
                self.events.push(Event::StepRetried { step: self.tasks[place].number, class, message, after });
                self.go_on_at(place, if sure { State::Decide } else { State::Read }, now + after);
            }
            Next::Done(outputs) => self.done(place, now, outputs),
            Next::Fail(failure) => self.fail(place, failure),
        }
        Ok(())
    }

    /// Starts nothing more; what is in flight is still to be answered.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// When to poll again if no reply comes before.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        self.timers.first().map(|(at, _)| *at).filter(|_| !self.interrupted)
    }

    /// How the run ended; `None` while something is in flight or can still start.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        let nothing_starts = self.interrupted || (self.ready.is_empty() && self.timers.is_empty());
        if !nothing_starts || !self.in_flight.is_empty() {
            return None;
        }
        let mut outcome = Outcome {
            interrupted: self.interrupted,
            ambiguous: self.tasks.iter().any(|task| task.work.as_ref().is_some_and(Work::is_ambiguous)),
            outputs: self.outputs.clone(),
            ..Outcome::default()
        };
        for task in &self.tasks {
            match &task.state {
                State::Done => outcome.done.push(task.number),
                State::Failed(failure) => outcome.failed.push((task.number, failure.clone())),
                State::Skipped => outcome.skipped.push(task.number),
                State::Blocked | State::Decide | State::Read | State::InFlight => outcome.left.push(task.number),
            }
        }
        Some(outcome)
    }

    /// What happened since this was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Lets a task go on; an operation comes of it unless it waits or has ended.
    fn advance(&mut self, place: usize, now: Duration) -> Option<Op> {
        let task = &mut self.tasks[place];
        if task.started.is_none() {
            task.started = Some(now);
            self.events.push(Event::StepStarted { step: task.number });
        }
        let call = match task.state {
            State::Read => task.work.as_ref().map(Work::read),
            _ => self.decide(place, now),
        }?;
        let task = &mut self.tasks[place];
        let kind = task.work.as_ref()?.kind();
        task.state = State::InFlight;
        task.attempt += 1;
        self.next_op += 1;
        let id = OpId(self.next_op);
        self.in_flight.insert(id, (place, Asked::of(&call)));
        Some(Op { id, step: task.number, logical: task.id.clone(), kind, attempt: task.attempt, call })
    }

    /// Decides by what is known; a call comes of it unless the task waits or has ended.
    fn decide(&mut self, place: usize, now: Duration) -> Option<Call> {
        let Self { tasks, outputs, .. } = self;
        let lookup = |reference: &Reference| outputs.get(&reference.id)?.get(&reference.output).cloned();
        let Some(work) = tasks[place].work.as_mut() else {
            self.fail(place, task::failure(Class::Internal, "the plan is not of this stack and world".to_owned()));
            return None;
        };
        match work.decide(now, &lookup) {
            Decision::Call(call) => Some(call),
            other => {
                self.settle(place, now, other);
                None
            }
        }
    }

    /// Carries out a decision that needs no call now.
    fn settle(&mut self, place: usize, now: Duration, decision: Decision) {
        match decision {
            Decision::Call(_) => self.go_on(place, State::Decide),
            Decision::Wait { pause, since, what } => {
                self.events.push(Event::StepWaiting { step: self.tasks[place].number, since, what });
                self.go_on_at(place, State::Read, now + pause);
            }
            Decision::Done(outputs) => self.done(place, now, outputs),
            Decision::Fail(failure) => self.fail(place, failure),
        }
    }

    /// How much longer than with this task and what follows it the run will be busy, by estimates.
    fn slack(&self, place: usize, now: Duration) -> Duration {
        let left = |task: &Task| {
            let so_far = task.started.map_or(Duration::ZERO, |started| now.saturating_sub(started));
            task.remaining.saturating_sub(so_far.min(task.estimate))
        };
        // Whatever is blocked follows something that is not.
        let open = self.tasks.iter().filter(|task| task.unmet == 0 && !task.state.is_final());
        open.map(left).max().unwrap_or_default().saturating_sub(left(&self.tasks[place]))
    }

    fn go_on(&mut self, place: usize, state: State) {
        self.tasks[place].state = state;
        self.ready.insert((Reverse(self.tasks[place].remaining), place));
    }

    fn go_on_at(&mut self, place: usize, state: State, at: Duration) {
        self.tasks[place].state = state;
        self.timers.insert((at, place));
    }

    fn done(&mut self, place: usize, now: Duration, outputs: Option<Outputs>) {
        let task = &mut self.tasks[place];
        task.state = State::Done;
        let took = task.started.map_or(Duration::ZERO, |started| now.saturating_sub(started));
        self.events.push(Event::StepDone { step: task.number, took });
        let drained = std::mem::take(&mut task.drains);
        if let Some(kind) = task.work.as_ref().map(Work::kind).filter(|_| drained) {
            self.others_that_drain(kind, now);
        }
        let task = &mut self.tasks[place];
        match outputs {
            Some(outputs) => drop(self.outputs.insert(task.id.clone(), outputs)),
            None if task.undesired => drop(self.outputs.remove(&task.id)),
            None => {}
        }
        for user in task.users.clone() {
            self.tasks[user].unmet -= 1;
            if self.tasks[user].unmet == 0 && self.tasks[user].state == State::Blocked {
                let state = if self.tasks[user].reads_first { State::Read } else { State::Decide };
                self.go_on(user, state);
            }
        }
    }

    /// Something of this kind was let go of: what else of it waits for that may go on at once, too.
    fn others_that_drain(&mut self, kind: &'static str, now: Duration) {
        let waits = |task: &Task| task.drains && task.work.as_ref().is_some_and(|work| work.kind() == kind);
        let timers = std::mem::take(&mut self.timers).into_iter();
        self.timers =
            timers.map(|(at, place)| (if waits(&self.tasks[place]) { at.min(now) } else { at }, place)).collect();
    }

    /// A failure stops what needs the step, and nothing else.
    fn fail(&mut self, place: usize, failure: Failure) {
        let because_of = self.tasks[place].number;
        self.events.push(Event::StepFailed { step: because_of, failure: failure.clone() });
        self.tasks[place].state = State::Failed(failure);
        let mut open = self.tasks[place].users.clone();
        while let Some(user) = open.pop() {
            let task = &mut self.tasks[user];
            if !task.state.is_final() {
                task.state = State::Skipped;
                self.events.push(Event::StepSkipped { step: task.number, because_of });
                open.extend(task.users.iter().copied());
            }
        }
    }
}
