//! What is written down: rollouts that begin and end, and what people are told of them.

use jiff::Timestamp;
use wharf_events::{Notice, Severity, State as Standing};

use super::{Change, Command, End, Failed, Phase, State, Then};
use crate::record::{Done, Holder, PUSH, Push, Record, Rollout, Status};

/// Who tells.
const SOURCE: &str = "on-image-push";

impl State {
    pub(super) fn holder(&self, now: Timestamp) -> Holder {
        Holder { run: self.me.run.clone(), who: self.me.who.clone(), command: PUSH.to_owned(), since: now.to_string() }
    }

    /// The rollout of a pushed image, of which nothing is done yet.
    pub(super) fn rollout(&self, push: &Push, now: Timestamp) -> Rollout {
        let (before, count) = self.before();
        Rollout {
            digest: push.digest.clone(),
            tag: push.tag.clone(),
            // One look can begin one after the other.
            run: format!("{}/{}", self.me.run, self.record.version + 1),
            who: self.me.who.clone(),
            command: PUSH.to_owned(),
            at: now.to_string(),
            deployment: None,
            status: Status::Preparing,
            why: None,
            done: Done { before, count, ..Done::default() },
        }
    }

    /// What runs before a rollout, if anything does, and how many tasks it starts if nothing does.
    pub(super) fn before(&self) -> (Option<String>, Option<i32>) {
        let runs = self.seen.desired > 0;
        (runs.then(|| self.seen.revision.clone()), (!runs && self.goal.least > 0).then_some(self.goal.least))
    }

    /// A rollout is under way: that is written down, and people are told once.
    pub(super) fn begun(&mut self, mut next: Record, how: &str, now: Timestamp) -> Command {
        next.holder = None;
        self.outdated = true;
        if let Some(rollout) = &self.record.rollout {
            let done = format!("{} {how}", rollout.name());
            if !rollout.done.prepared {
                next.untold.push(self.notice(rollout, Severity::Info, &done, "begun", now));
            }
            self.did = Some(done);
        }
        self.write(next, Then::Care)
    }

    /// A rollout has come through. Where it was the first, scaling gets its lower bound before that is written down: who
    /// dies in between leaves it to the next look.
    pub(super) fn settle(&mut self, index: usize, now: Timestamp) -> Command {
        match self.record.lower_bound {
            Some(least) => self.ask(Phase::Raising(index), Command::Raise(least)),
            None => self.settled(index, now),
        }
    }

    /// Writes down that a rollout has come through.
    pub(super) fn settled(&mut self, index: usize, now: Timestamp) -> Command {
        let mut next = self.record.clone();
        next.lower_bound = None;
        if let Some(rollout) = next.all_mut().nth(index) {
            rollout.status = Status::Settled;
            rollout.done.ended = Some(now);
        }
        if let Some(rollout) = self.record.all().nth(index) {
            let how = if self.goal.periodic { "is what runs next" } else { "runs" };
            let done = format!("{} {how}", rollout.name());
            next.untold.push(self.notice(rollout, Severity::Info, &done, "settled", now));
            self.did = Some(done);
        }
        self.write(next, Then::Care)
    }

    /// A rollout does not come through. What ECS does not take back by itself is taken back first: a first version goes
    /// back to no task at all, and tasks that find no room make way for those that ran before.
    pub(super) fn fail(&mut self, end: End, now: Timestamp) -> Command {
        let done = self.record.all().nth(end.index).map(|rollout| rollout.done.clone()).unwrap_or_default();
        let begun = end.index == 0 && matches!(end.failed, Failed::GivenUp | Failed::NoRoom);
        let change = Change {
            revision: done.before.filter(|_| end.failed == Failed::NoRoom),
            count: done.count.filter(|_| self.seen.desired > 0).map(|_| 0),
        };
        if !begun || change == Change::default() {
            return self.end(&end, now);
        }
        let mut next = self.record.clone();
        next.holder = Some(self.holder(now));
        self.write(next, Then::TakeBack(end, change))
    }

    /// Writes down that a rollout has failed.
    pub(super) fn end(&mut self, end: &End, now: Timestamp) -> Command {
        let mut next = self.record.clone();
        next.holder = None;
        let Some(rollout) = next.all_mut().nth(end.index) else { return self.again() };
        rollout.status = self.status(end, rollout);
        rollout.why = Some(end.why.clone());
        // What was overtaken has not failed: a push of it, from whenever, is tried.
        rollout.done.ended = (end.failed != Failed::Overtaken).then(|| end.at.unwrap_or(now));
        let (ended, newer) = (rollout.clone(), end.index > 0 || next.next.is_some());
        let how = match (ended.status, end.failed) {
            (Status::RolledBack, _) => "was rolled back",
            (_, Failed::NotBegun) => "was not deployed",
            (_, Failed::Overtaken) => "was overtaken",
            _ => "failed",
        };
        let done = format!("{} {how}", ended.name());
        // That a newer push took its place is what whoever pushed it wanted.
        if !(newer && end.failed == Failed::Overtaken) {
            let serves =
                ended.status == Status::RolledBack || (ended.done.before.is_some() && end.failed != Failed::GivenUp);
            let severity = if serves { Severity::Warning } else { Severity::Critical };
            let mut notice = self.notice(&ended, severity, &done, "failed", now);
            notice.text.clone_from(&end.why);
            next.untold.push(notice);
        }
        self.did = Some(done);
        self.write(next, Then::Care)
    }

    /// What a rollout that ended so is called: it was rolled back if what ran before runs again, or soon will.
    fn status(&self, end: &End, rollout: &Rollout) -> Status {
        let back = match end.failed {
            Failed::NotBegun | Failed::Overtaken => false,
            Failed::NoRoom => rollout.done.before.is_some(),
            Failed::GivenUp => {
                let primary = self.seen.primary().map(|primary| primary.id.as_str());
                let other = primary.is_some() && primary != rollout.deployment.as_deref() && self.seen.desired > 0;
                rollout.done.count.is_none() && (other || (self.seen.rolls_back && rollout.done.before.is_some()))
            }
        };
        if back { Status::RolledBack } else { Status::Failed }
    }

    fn notice(&self, rollout: &Rollout, severity: Severity, what: &str, phase: &str, now: Timestamp) -> Notice {
        let service = &self.goal.service;
        let notice = Notice {
            severity,
            state: Standing::Once,
            title: format!("{service}: {what}"),
            text: String::new(),
            facts: Vec::new(),
            links: Vec::new(),
            subject: format!("rollout {service}"),
            key: format!("rollout {service} {} {phase}", rollout.run),
            at: now,
            source: SOURCE.to_owned(),
        };
        let notice = notice.fact("service", service.as_str()).fact("image", &rollout.digest);
        let notice = rollout.tag.iter().fold(notice, |notice, tag| notice.fact("tag", tag));
        rollout.deployment.iter().fold(notice, |notice, deployment| notice.fact("deployment", deployment))
    }
}
