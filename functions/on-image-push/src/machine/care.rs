//! What is to be done about what stands in a record: rollouts are followed to their ends, pushes that wait have their
//! turn, people are told.

use std::time::Duration;

use jiff::Timestamp;

use super::{Base, Command, End, Failed, Phase, Progress, State, Then, Told, Traced, Trigger};
use crate::record::{Moment, Push, Rollout, Status};

/// So long an instance may take to come for tasks that find no room: it starts in about three minutes.
pub(super) const ROOM_WITHIN: Duration = Duration::from_secs(8 * 60);
/// A task that was told to stop has stopped within this: ECS kills what does not go by itself.
const STOPPED_WITHIN: Duration = Duration::from_secs(10 * 60);
/// A task that was started is seen by every read within this.
const VISIBLE_WITHIN: Duration = Duration::from_secs(60);

impl State {
    /// All that is to be done, one thing after the other.
    pub(super) fn care(&mut self, now: Timestamp) -> Command {
        self.follow(0, now)
    }

    /// Looks at the deployments of rollouts whose end is not known, from this one on.
    fn follow(&mut self, from: usize, now: Timestamp) -> Command {
        let open: Vec<(usize, Rollout)> = self.record.all().cloned().enumerate().skip(from).collect();
        let open = open.into_iter().filter(|(_, rollout)| rollout.status == Status::Deploying && !self.outdated);
        for (index, rollout) in open.collect::<Vec<_>>() {
            if let Some(command) = self.judge(index, &rollout, now) {
                return command;
            }
        }
        match self.fresh_push().cloned() {
            Some(_) if self.outdated => self.again(),
            Some(push) => self.pushed(push),
            None => self.prepare(now),
        }
    }

    /// What is to be done about a rollout whose deployment ECS is at, if anything is.
    fn judge(&mut self, index: usize, rollout: &Rollout, now: Timestamp) -> Option<Command> {
        let id = rollout.deployment.clone().unwrap_or_default();
        if let Trigger::Failed { deployment, why } = &self.trigger
            && *deployment == id
        {
            let why = why.clone();
            return Some(self.explain(index, &id, why, Some(now)));
        }
        let Some(shown) = self.seen.deployments.iter().find(|one| one.id == id && !id.is_empty()).cloned() else {
            if self.seen.given_up.contains(&id) {
                return Some(self.explain(index, &id, String::new(), None));
            }
            return Some(match rollout.done.trace.clone() {
                _ if !self.is_sure() => self.make_sure(),
                Some(trace) => self.ask(Phase::Tracing(index), Command::Trace(trace)),
                None => self.place(index),
            });
        };
        match shown.progress {
            Progress::Done => Some(self.settle(index, now)),
            Progress::Failed(why) => Some(self.explain(index, &id, why, shown.since)),
            Progress::Going if !shown.primary => Some(self.place(index)),
            Progress::Going | Progress::Unknown => self.without_room(index, rollout, now),
        }
    }

    /// Tasks that find no room are not waited for until they do.
    fn without_room(&mut self, index: usize, rollout: &Rollout, now: Timestamp) -> Option<Command> {
        let why = self.seen.unplaced.clone().filter(|_| rollout.is_push() && index == 0)?;
        let patient = rollout.done.since.is_none_or(|since| !passed(since, ROOM_WITHIN, now));
        (!patient).then(|| self.fail(End { index, failed: Failed::NoRoom, why, at: None }, now))
    }

    fn explain(&mut self, index: usize, deployment: &str, why: String, at: Option<Timestamp>) -> Command {
        let command = Command::Explain { deployment: deployment.to_owned(), why: why.clone() };
        self.ask(Phase::Explaining(End { index, failed: Failed::GivenUp, why, at }), command)
    }

    fn overtaken(&mut self, index: usize, now: Timestamp) -> Command {
        let why = "another deployment took its place".to_owned();
        self.fail(End { index, failed: Failed::Overtaken, why, at: None }, now)
    }

    fn place(&mut self, index: usize) -> Command {
        let revision = self.seen.revision.clone();
        self.ask(Phase::Placing(index), Command::Describe(revision))
    }

    /// ECS's own record of the deployment says what became of it.
    pub(super) fn traced(&mut self, index: usize, traced: Option<Traced>, now: Timestamp) -> Command {
        let id = self.record.all().nth(index).and_then(|rollout| rollout.deployment.clone());
        match traced {
            Some(Traced::Progress(Progress::Done)) => self.settle(index, now),
            Some(Traced::Progress(Progress::Failed(why))) => self.explain(index, &id.unwrap_or_default(), why, None),
            Some(Traced::Progress(Progress::Going)) => self.follow(index + 1, now),
            Some(Traced::Overtaken | Traced::Progress(Progress::Unknown)) | None => self.place(index),
        }
    }

    /// The deployment is gone, and this revision is what the service is to run: with the rollout's image, when an apply
    /// changed something else.
    pub(super) fn placed(&mut self, index: usize, base: Option<Base>, now: Timestamp) -> Command {
        let mut next = self.record.clone();
        let same = |rollout: &Rollout| base.and_then(|base| base.digest).as_deref() == Some(rollout.digest.as_str());
        match (next.rollout.as_mut().filter(|_| index == 0), self.seen.primary()) {
            (Some(rollout), Some(primary)) if same(rollout) => {
                rollout.deployment = Some(primary.id.clone());
                rollout.done.trace = None;
                self.write(next, Then::Care)
            }
            _ => self.overtaken(index, now),
        }
    }

    /// What is to be done before ECS is told of the newest rollout.
    fn prepare(&mut self, now: Timestamp) -> Command {
        let preparing = self.record.rollout.as_ref().filter(|rollout| rollout.status == Status::Preparing);
        let Some(rollout) = preparing.filter(|_| !self.outdated).cloned() else { return self.rest() };
        let other = self.other();
        if rollout.is_push() {
            return match rollout.done.task.filter(|_| !rollout.done.prepared) {
                Some(task) => self.ask(Phase::Asking, Command::Task(task)),
                None => self.resume(now),
            };
        }
        match other {
            // Who deploys is at it; only the scheduled look makes sure that it is alive.
            Some(other) if self.trigger == Trigger::Schedule => self.wait(&other),
            Some(_) => self.rest(),
            None if !self.is_sure() => self.make_sure(),
            None => {
                let revision = self.seen.revision.clone();
                self.ask(Phase::Closing, Command::Describe(revision))
            }
        }
    }

    /// Somebody's deployment ended before ECS was told, and nobody wrote that down.
    pub(super) fn closed(&mut self, base: Option<&Base>, now: Timestamp) -> Command {
        let mut next = self.record.clone();
        next.close(base.and_then(|base| base.digest.as_deref()));
        if let Some(rollout) = &mut next.rollout {
            rollout.done.ended = Some(now);
        }
        next.holder = None;
        self.did = Some("a deployment that nobody followed was closed".to_owned());
        self.write(next, Then::Care)
    }

    /// The task that runs the command before the rollout was looked at.
    pub(super) fn asked(&mut self, progress: Progress, now: Timestamp) -> Command {
        let Some(rollout) = self.record.rollout.clone() else { return self.rest() };
        let since = rollout.done.since.unwrap_or(now);
        let minutes = self.goal.timeout.as_secs().div_ceil(60);
        let late = format!("the command before it did not end within {minutes} minutes");
        let failed = |why: String| End { index: 0, failed: Failed::NotBegun, why, at: None };
        match progress {
            Progress::Going if !passed(since, self.goal.timeout, now) => self.rest(),
            Progress::Going if !rollout.done.stopped => {
                let task = rollout.done.task.unwrap_or_default();
                self.ask(Phase::Halting, Command::Halt(task))
            }
            Progress::Going if passed(since, self.goal.timeout + STOPPED_WITHIN, now) => self.fail(failed(late), now),
            Progress::Going => self.rest(),
            Progress::Unknown if !passed(since, VISIBLE_WITHIN, now) => self.rest(),
            Progress::Unknown => {
                self.fail(failed("nobody knows how the command before it ended: its task is gone".to_owned()), now)
            }
            Progress::Failed(why) if rollout.done.stopped => self.fail(failed(format!("{late}: {why}")), now),
            Progress::Failed(why) => self.fail(failed(format!("the command before it failed: {why}")), now),
            // Told to stop, it says that all is well, and may have left half of it undone.
            Progress::Done if rollout.done.stopped => self.fail(failed(late), now),
            Progress::Done => self.prepared(now),
        }
    }

    /// The command before the rollout has ended well.
    fn prepared(&mut self, now: Timestamp) -> Command {
        if let Some(newer) = &self.record.next {
            let why = format!("{} was pushed meanwhile", newer.tag.as_ref().unwrap_or(&newer.digest));
            return self.fail(End { index: 0, failed: Failed::Overtaken, why, at: None }, now);
        }
        let mut next = self.record.clone();
        if let Some(rollout) = &mut next.rollout {
            rollout.done.prepared = true;
        }
        next.holder = Some(self.holder(now));
        self.resumed = false;
        self.write(next, Then::Check)
    }

    pub(super) fn halted(&mut self) -> Command {
        let mut next = self.record.clone();
        if let Some(rollout) = &mut next.rollout {
            rollout.done.stopped = true;
        }
        self.did = Some("the command before a rollout took too long and was told to stop".to_owned());
        self.write(next, Then::Care)
    }

    /// What failed has been taken back, as far as ECS lets it be.
    pub(super) fn taken_back(&mut self, end: End, told: Result<Told, String>, now: Timestamp) -> Command {
        self.outdated = true;
        let end = match told {
            Ok(_) => end,
            Err(why) => End { why: format!("{}; it could not be taken back: {why}", end.why), ..end },
        };
        self.end(&end, now)
    }

    /// What else there is to do: a push that waits, people to tell, a push that nobody heard of.
    fn rest(&mut self) -> Command {
        let preparing = self.record.rollout.as_ref().is_some_and(|rollout| rollout.status == Status::Preparing);
        if let Some(push) = self.record.next.clone().filter(|_| !preparing && !self.outdated) {
            let revision = self.seen.revision.clone();
            return self.ask(Phase::Basing(push), Command::Describe(revision));
        }
        if !self.record.untold.is_empty() {
            let notices = self.record.untold.clone();
            return self.ask(Phase::Publishing, Command::Publish(notices));
        }
        if self.trigger == Trigger::Schedule && !self.sought {
            self.sought = true;
            return self.ask(Phase::Seeking, Command::Newest);
        }
        let why = match (&self.trigger, &self.record.decided) {
            (Trigger::Push(_), Some(decided)) => format!("nothing newer than the decision of {}", decided.at),
            _ => "nothing is to be done about the service's rollouts".to_owned(),
        };
        self.finish(why)
    }

    /// The newest image: only one that was never decided about counts, for a digest keeps the time of its first push.
    pub(super) fn newest(&mut self, push: Option<Push>) -> Command {
        let known = |push: &Push| self.record.all().any(|rollout| rollout.digest == push.digest);
        let last = self.record.decided.as_ref().map(|Moment { at, .. }| *at).or_else(|| {
            let by_hand = self.record.rollout.as_ref()?;
            by_hand.at.parse().ok()
        });
        match push.filter(|push| !known(push) && last.is_none_or(|last| push.moment.at > last)) {
            Some(push) => self.pushed(push),
            None => self.rest(),
        }
    }

    pub(super) fn published(&mut self, heard: bool) -> Command {
        if !heard {
            // They stay in the record, and the next look tells them.
            return self.finish("people could not be told");
        }
        let mut next = self.record.clone();
        next.untold.clear();
        self.write(next, Then::Care)
    }
}

pub(super) fn passed(since: Timestamp, duration: Duration, now: Timestamp) -> bool {
    now.duration_since(since).unsigned_abs() > duration && now > since
}
