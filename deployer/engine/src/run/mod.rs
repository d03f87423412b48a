//! The run: a state machine that carries a plan out. Replies go in, operations come out.

mod types;

use std::time::Duration;

pub use types::{Call, Class, Event, Failure, IllegalTransition, Op, OpId, Outcome, Reply};

use crate::plan::Plan;
use crate::stack::Stack;
use crate::world::World;

/// What a run may use, and how long it is patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Operations at one time. Waiting takes none.
    pub in_flight: usize,
    /// How long each class of failure is tried again.
    pub give_up: GiveUp,
}

impl Default for Limits {
    fn default() -> Self {
        Self { in_flight: 16, give_up: GiveUp::default() }
    }
}

/// How long each class of failure is tried again, from its first time in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GiveUp {
    /// [`Class::NotYetVisible`].
    pub not_yet_visible: Duration,
    /// [`Class::Draining`].
    pub draining: Duration,
    /// [`Class::Busy`].
    pub busy: Duration,
    /// [`Class::Throttled`].
    pub throttled: Duration,
    /// [`Class::Ambiguous`].
    pub ambiguous: Duration,
}

impl Default for GiveUp {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self {
            not_yet_visible: minutes(1),
            draining: minutes(45),
            busy: minutes(20),
            throttled: minutes(10),
            ambiguous: minutes(10),
        }
    }
}

/// A plan being carried out.
#[derive(Clone, Debug)]
pub struct Run {
    outcome: Outcome,
}

impl Run {
    /// A run of this plan, which was made of this stack and world.
    #[must_use]
    pub fn new(plan: &Plan, _stack: &Stack, _world: &World, _limits: Limits) -> Self {
        let unbuilt = Failure {
            class: Class::Internal,
            message: "running a plan is not built yet".to_owned(),
            code: None,
            hint: None,
        };
        let failed = plan.steps.iter().map(|step| (step.number, unbuilt.clone())).collect();
        Self { outcome: Outcome { failed, ..Outcome::default() } }
    }

    /// The operations to start now, the most urgent first.
    pub fn poll(&mut self, _now: Duration) -> Vec<Op> {
        Vec::new()
    }

    /// Takes the reply to an operation.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the operation is not in flight, or the reply is to another call.
    pub fn reply(
        &mut self,
        _now: Duration,
        op: OpId,
        _result: Result<Reply, Failure>,
    ) -> Result<(), IllegalTransition> {
        Err(IllegalTransition { op, reply: "reply", why: "the operation is not in flight" })
    }

    /// Starts nothing more; what is in flight is still to be answered.
    pub fn interrupt(&mut self) {
        self.outcome.interrupted = true;
    }

    /// When to poll again if no reply comes before.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        None
    }

    /// How the run ended; `None` while it goes on.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        Some(self.outcome.clone())
    }

    /// What happened since this was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        Vec::new()
    }
}
