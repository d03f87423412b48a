//! One environment: a runtime that asks for invocations, gets them one at a time, and says what came of them.
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Invocation;
use super::hold::Hold;
use super::process::Process;

/// What an environment is at. It goes round: a runtime that has answered asks for the next.
#[derive(Debug)]
pub(super) enum Phase {
    /// Its runtime has not asked for anything yet.
    Starting,
    /// Its runtime waits.
    Idle,
    /// An invocation is for its runtime to fetch, or is with it.
    Busy(Invocation),
    /// Its runtime has answered, and not asked for the next.
    Answered,
    /// It is no more.
    Dead,
}

/// An environment, shared by who serves its runtime and who gives it work.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) id: String,
    pub(super) function: String,
    /// The child process; none where somebody else attached a runtime.
    pub(super) process: Option<Process>,
    state: Mutex<State>,
    /// Tells the runtime that there is an invocation, or that there will be none.
    work: Notify,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    fetched: bool,
    hold: Option<Hold>,
}

/// Why a runtime is refused what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It speaks of an invocation that it does not have.
    RequestId,
    /// It is not its turn.
    State,
}

impl Place {
    pub(super) fn new(id: String, function: String, process: Option<Process>) -> Self {
        let state = State { phase: Phase::Starting, fetched: false, hold: None };
        Self { id, function, process, state: Mutex::new(state), work: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the place of the hold that there is. The new one is there before the old one goes.
    pub(super) fn hold(&self, hold: Option<Hold>) {
        let old = std::mem::replace(&mut self.state().hold, hold);
        drop(old);
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state().phase, Phase::Idle)
    }

    pub(super) fn is_starting(&self) -> bool {
        matches!(self.state().phase, Phase::Starting)
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.state().phase, Phase::Dead)
    }

    /// Whether its runtime is expected to come and ask: it starts, or finishes off its last answer.
    pub(super) fn will_be_idle(&self) -> bool {
        matches!(self.state().phase, Phase::Starting | Phase::Answered)
    }

    /// The invocation that it has.
    pub(super) fn invocation(&self) -> Option<Invocation> {
        match &self.state().phase {
            Phase::Busy(invocation) => Some(invocation.clone()),
            _ => None,
        }
    }

    /// Its runtime asks for the next invocation: it has nothing else to do. False where it is no more.
    pub(super) fn asks(&self) -> bool {
        let mut state = self.state();
        match state.phase {
            Phase::Starting | Phase::Answered => {
                state.phase = Phase::Idle;
                let hold = state.hold.take();
                drop(state);
                drop(hold);
                true
            }
            Phase::Dead => false,
            Phase::Idle | Phase::Busy(_) => true,
        }
    }

    /// Gives it an invocation.
    pub(super) fn give(&self, invocation: Invocation) {
        let mut state = self.state();
        state.phase = Phase::Busy(invocation);
        state.fetched = false;
        drop(state);
        self.work.notify_one();
    }

    /// Waits for the invocation that its runtime asked for; none where it is no more.
    pub(super) async fn next(&self) -> Option<Invocation> {
        loop {
            {
                let mut state = self.state();
                match &state.phase {
                    Phase::Busy(invocation) if !state.fetched => {
                        let invocation = invocation.clone();
                        state.fetched = true;
                        return Some(invocation);
                    }
                    Phase::Dead => return None,
                    _ => {}
                }
            }
            self.work.notified().await;
        }
    }

    /// Its runtime has answered an invocation, which it no longer has.
    pub(super) fn answers(&self, request_id: &str) -> Result<Invocation, Refused> {
        let mut state = self.state();
        let Phase::Busy(invocation) = &state.phase else { return Err(Refused::State) };
        if invocation.request_id != request_id {
            return Err(Refused::RequestId);
        }
        let invocation = invocation.clone();
        state.phase = Phase::Answered;
        Ok(invocation)
    }

    /// Ends it; answers the invocation that it had.
    pub(super) fn end(&self) -> Option<Invocation> {
        let mut state = self.state();
        let phase = std::mem::replace(&mut state.phase, Phase::Dead);
        let hold = state.hold.take();
        drop(state);
        drop(hold);
        self.work.notify_one();
        if let Some(process) = &self.process {
            process.kill();
        }
        match phase {
            Phase::Busy(invocation) => Some(invocation),
            _ => None,
        }
    }
}
