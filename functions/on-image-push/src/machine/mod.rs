//! The steps of a rollout that a push causes: signals in, commands out. It calls nothing and knows no clock.
//!
//! How far a service's rollout has come stands in its record, which anybody can die behind; a [`State`] is one look
//! after it: whatever woke it, it reads the record and the service, does what is to be done next, writes that down, and
//! ends. Nothing waits for ECS: its events, or the next scheduled look, wake another.

mod care;
mod change;
mod start;
mod types;

use jiff::Timestamp;

pub use self::types::{
    Base, Change, Command, Deployment, Found, Goal, Illegal, Me, NotRun, Outcome, Progress, Read, Seen, Signal, Told,
    Traced, Trigger, Waited,
};
use crate::record::{Holder, Push, Record};

/// So often a look begins anew because others wrote the record.
const ROUNDS: u8 = 12;
/// So often it waits for another push to be done with the record.
const WAITS: u8 = 4;

/// One look after a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    goal: Goal,
    me: Me,
    trigger: Trigger,
    /// As it stands in the table, as far as is known.
    record: Record,
    seen: Seen,
    /// Why what was pushed is no image to deploy, if it is none.
    no_image: Option<String>,
    /// ECS was told something since the service was looked at.
    outdated: bool,
    /// The rollout was begun by another who died: what was done for it may not stand in the record.
    resumed: bool,
    /// Whether a newer image than the last decision's was looked for.
    sought: bool,
    /// The version of a record whose holder is dead.
    dead: Option<u64>,
    /// The version of the record since which the service has been looked at.
    sure: Option<u64>,
    /// The holder that was waited for.
    waited_for: Option<String>,
    rounds: u8,
    waits: u8,
    /// What was done, for the log.
    did: Option<String>,
    phase: Phase,
}

/// What a look waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Reading,
    Waiting,
    /// The revision that runs, to make one with a pushed image after it.
    Basing(Push),
    /// A write, and what comes after it.
    Writing(Box<Record>, Then),
    /// The service, which is looked at again now that its record is held.
    Checking,
    /// The revision that runs by now.
    Rebasing,
    /// Whether a revision was registered by who died.
    Finding(Base),
    Making(Base),
    Running,
    Telling,
    TakingBack(End),
    /// How the task is that runs the command before a rollout.
    Asking,
    Halting,
    /// What became of a deployment that is not shown any more.
    Tracing(usize),
    /// What runs in place of a deployment that is not shown any more.
    Placing(usize),
    Explaining(End),
    /// A rollout has come through, and the service is kept from going back to no task.
    Raising(usize),
    /// What runs, to end a rollout that nobody followed.
    Closing,
    Seeking,
    Publishing,
    Over,
}

/// What comes after a write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Then {
    /// A revision like this one is made.
    Make(Base),
    /// The service is looked at again.
    Check,
    /// The command before the rollout is run.
    Run,
    /// What failed is taken back.
    TakeBack(End, Change),
    /// What else is to be done.
    Care,
    /// It is tried again by a later look, for this reason.
    Later(String),
    /// Nothing, until something wakes another look: what is waited for.
    Rest(String),
}

/// How a rollout ends: which, in the order of the record, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct End {
    index: usize,
    failed: Failed,
    why: String,
    /// When, where ECS says so.
    at: Option<Timestamp>,
}

/// How a rollout failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Failed {
    /// ECS gave it up.
    GivenUp,
    /// Its tasks find no room.
    NoRoom,
    /// ECS never began.
    NotBegun,
    /// Another took its place.
    Overtaken,
}

impl State {
    /// A look after a service, and the first thing to do.
    #[must_use]
    pub fn new(goal: Goal, me: Me, trigger: Trigger) -> (Self, Command) {
        let record = Record::new(&goal.service);
        let state = Self {
            goal,
            me,
            trigger,
            record,
            seen: Seen::default(),
            no_image: None,
            outdated: false,
            resumed: false,
            sought: false,
            dead: None,
            sure: None,
            waited_for: None,
            rounds: ROUNDS,
            waits: WAITS,
            did: None,
            phase: Phase::Reading,
        };
        (state, Command::Read)
    }

    /// The next thing to do.
    ///
    /// # Errors
    /// The signal does not follow from the last command.
    pub fn step(mut self, signal: Signal, now: Timestamp) -> Result<(Self, Command), Illegal> {
        let command = match (std::mem::replace(&mut self.phase, Phase::Over), signal) {
            (Phase::Reading, Signal::Read(read)) => self.read(*read, now),
            (Phase::Waiting, Signal::Waited(waited)) => self.waited(waited),
            (Phase::Basing(push), Signal::Described(base)) => self.based(push, base, now),
            (Phase::Writing(next, then), Signal::Written(true)) => self.written(*next, then, now),
            (Phase::Writing(..), Signal::Written(false)) => self.again(),
            (Phase::Checking, Signal::Read(read)) => self.checked(*read),
            (Phase::Rebasing, Signal::Described(base)) => self.rebased(base, now),
            (Phase::Finding(base), Signal::Found(found)) => self.found(base, found, now),
            (Phase::Making(base), Signal::Made(made, seen)) => self.made(base, made, seen, now),
            (Phase::Running, Signal::Ran(ran)) => self.ran(ran, now),
            (Phase::Telling, Signal::Told(told)) => self.told(told, now),
            (Phase::TakingBack(end), Signal::Told(told)) => self.taken_back(end, told, now),
            (Phase::Asking, Signal::Progress(progress)) => self.asked(progress, now),
            (Phase::Halting, Signal::Halted) => self.halted(),
            (Phase::Tracing(index), Signal::Traced(traced)) => self.traced(index, traced, now),
            (Phase::Placing(index), Signal::Described(base)) => self.placed(index, base, now),
            (Phase::Explaining(end), Signal::Explained(why)) => self.fail(End { why, ..end }, now),
            (Phase::Raising(index), Signal::Raised) => self.settled(index, now),
            (Phase::Closing, Signal::Described(base)) => self.closed(base.as_ref(), now),
            (Phase::Seeking, Signal::Newest(push)) => self.newest(push),
            (Phase::Publishing, Signal::Published(heard)) => self.published(heard),
            (phase, signal) => {
                return Err(Illegal { phase: format!("{phase:?}"), signal: format!("{signal:?}") });
            }
        };
        Ok((self, command))
    }

    fn ask(&mut self, phase: Phase, command: Command) -> Command {
        self.phase = phase;
        command
    }

    fn stop(&mut self, outcome: Outcome) -> Command {
        self.ask(Phase::Over, Command::Stop(outcome))
    }

    /// Ends the look: what was done says more than why there is nothing else to do.
    fn finish(&mut self, otherwise: impl Into<String>) -> Command {
        let outcome = self.did.take().map_or_else(|| Outcome::Ignored(otherwise.into()), Outcome::Done);
        self.stop(outcome)
    }

    /// Begins anew: the record or the service has moved.
    fn again(&mut self) -> Command {
        match self.rounds.checked_sub(1) {
            Some(rounds) => {
                self.rounds = rounds;
                self.ask(Phase::Reading, Command::Read)
            }
            None => self.stop(Outcome::Failed("others changed the service's record again and again".to_owned())),
        }
    }

    /// Whether the service was looked at after the record was written: the two are read at once, so what was seen of the
    /// service can be from before.
    fn is_sure(&self) -> bool {
        self.sure == Some(self.record.version)
    }

    fn make_sure(&mut self) -> Command {
        self.sure = Some(self.record.version);
        self.again()
    }

    /// Writes the record, if nobody else holds it, and goes on from there.
    fn write(&mut self, mut next: Record, then: Then) -> Command {
        if let Some(other) = self.other() {
            return self.wait(&other);
        }
        // Who is dead holds nothing.
        next.holder = next.holder.filter(|holder| holder.run == self.me.run);
        next.version = self.record.version + 1;
        next.by.clone_from(&self.me.run);
        let command = Command::Write(Box::new(next.clone()));
        self.ask(Phase::Writing(Box::new(next), then), command)
    }

    fn written(&mut self, next: Record, then: Then, now: Timestamp) -> Command {
        self.record = next;
        match then {
            Then::Make(base) => {
                let command = Command::Make { like: base.arn.clone(), image: self.image() };
                self.ask(Phase::Making(base), command)
            }
            Then::Check => self.ask(Phase::Checking, Command::Read),
            Then::Run => self.run(),
            Then::TakeBack(end, change) => self.ask(Phase::TakingBack(end), Command::Tell(change)),
            Then::Care => self.care(now),
            Then::Later(why) => self.stop(Outcome::Failed(why)),
            Then::Rest(what) => self.stop(Outcome::Done(what)),
        }
    }

    /// Who else holds the record, and may be alive.
    fn other(&self) -> Option<Holder> {
        let alive = self.dead != Some(self.record.version);
        self.record.holder.clone().filter(|holder| alive && holder.run != self.me.run)
    }

    /// Somebody else holds the record.
    fn wait(&mut self, other: &Holder) -> Command {
        let patient = matches!(self.trigger, Trigger::Push(_) | Trigger::Schedule);
        let goes_on = other.is_push() || self.waited_for.as_ref() != Some(&other.run);
        if patient && goes_on && self.waits > 0 {
            self.waits -= 1;
            self.waited_for = Some(other.run.clone());
            let command = Command::Wait { version: self.record.version, lease: other.lease() };
            return self.ask(Phase::Waiting, command);
        }
        self.held(&format!("{} by {} (run {}) is changing the service", other.command, other.who, other.run))
    }

    fn waited(&mut self, waited: Waited) -> Command {
        match waited {
            Waited::Moved => self.again(),
            Waited::Dead => {
                self.dead = Some(self.record.version);
                self.again()
            }
            Waited::OutOfTime => match &self.trigger {
                Trigger::Push(_) => self.stop(Outcome::Failed("the service's record is held by another".to_owned())),
                _ => self.finish("the service's record is held by another"),
            },
        }
    }

    /// Nothing can be written: a push that was not decided about yet comes again, all else is seen by a later look.
    fn held(&mut self, by: &str) -> Command {
        match self.fresh_push() {
            Some(_) if self.did.is_none() => self.stop(Outcome::Failed(by.to_owned())),
            _ => self.finish(by),
        }
    }

    /// The push that woke this look, as long as it is newer than the last decision.
    fn fresh_push(&self) -> Option<&Push> {
        let Trigger::Push(push) = &self.trigger else { return None };
        Some(push).filter(|push| self.record.decided.as_ref().is_none_or(|decided| *decided < push.moment))
    }
}

#[cfg(test)]
mod tests;
