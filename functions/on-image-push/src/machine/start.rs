//! From a push to the moment when ECS is told: one revision, one task for the command before it, one update.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::care::{ROOM_WITHIN, passed};
use super::{Base, Change, Command, End, Failed, Found, NotRun, Phase, Progress, Read, Seen, State, Then, Told};
use crate::record::{Made, Push, Record, Rollout, Status};

impl State {
    pub(super) fn read(&mut self, read: Read, now: Timestamp) -> Command {
        let Some(seen) = read.seen else {
            let service = &self.goal.service;
            let none = format!("there is no service {service} in ECS yet");
            return self.finish(none);
        };
        self.record = read.record.unwrap_or_else(|| Record::new(&self.goal.service));
        (self.seen, self.no_image, self.outdated) = (seen, read.no_image, false);
        self.care(now)
    }

    /// An image was pushed, and no decision is newer.
    pub(super) fn pushed(&mut self, push: Push) -> Command {
        if let Some(why) = self.no_image.clone() {
            return self.finish(why);
        }
        let name = name(&push).to_owned();
        match &self.record.rollout {
            Some(now) if now.digest == push.digest && is_followed(now) => {
                self.note(&push, format!("{name} is on its way already"))
            }
            // Another tag of it, or a copy: who pushed it did not know yet that it fails.
            Some(now) if now.digest == push.digest && failed_since(now, &push) => {
                self.note(&push, format!("{name} was pushed before it failed"))
            }
            // Two commands at once could be in each other's way.
            Some(now)
                if is_followed(now) && now.status == Status::Preparing && self.goal.prepares && !now.done.prepared =>
            {
                let did = format!("{name} waits until the command before {} has ended", now.name());
                let mut next = self.record.clone();
                next.decide(push.moment.clone());
                next.next = Some(push);
                self.did = Some(did);
                self.write(next, Then::Care)
            }
            _ => {
                let revision = self.seen.revision.clone();
                self.ask(Phase::Basing(push), Command::Describe(revision))
            }
        }
    }

    /// Writes only that this is the newest decision: an older push of another image is not to come after it.
    fn note(&mut self, push: &Push, did: String) -> Command {
        let next = self.decided(push);
        self.did = Some(did);
        self.write(next, Then::Care)
    }

    fn decided(&self, push: &Push) -> Record {
        let mut next = self.record.clone();
        next.decide(push.moment.clone());
        next.next = next.next.filter(|waits| waits != push);
        next
    }

    /// The revision that runs is known: the image is brought out, unless it runs.
    pub(super) fn based(&mut self, push: Push, base: Option<Base>, now: Timestamp) -> Command {
        let base = match self.fitting(base) {
            Ok(base) => base,
            Err(why) if self.record.next.as_ref() == Some(&push) => return self.note(&push, why),
            Err(why) => return self.finish(why),
        };
        let mut next = self.decided(&push);
        let runs = self.runs(&base, &push.digest);
        if runs && !self.is_sure() {
            return self.make_sure();
        }
        if let (true, Some(Rollout { status: Status::Settled, digest, .. })) = (runs, &self.record.rollout)
            && *digest == push.digest
        {
            return self.note(&push, format!("{} runs already", name(&push)));
        }
        if let Some(open) = next.rollout.as_mut().filter(|rollout| rollout.status == Status::Preparing) {
            open.status = Status::Failed;
            open.why = Some(format!("{} was pushed meanwhile", name(&push)));
        }
        let mut rollout = self.rollout(&push, now);
        if runs {
            // Somebody brought it out by hand, or an apply did: what comes of that is followed like any other.
            rollout.deployment = self.seen.primary().map(|primary| primary.id.clone());
            rollout.done.since = Some(now);
            let settled = self.seen.primary().is_some_and(|primary| primary.progress == Progress::Done);
            rollout.status = if settled { Status::Settled } else { Status::Deploying };
            self.did = Some(format!("{} is run already", name(&push)));
            next.follow(rollout);
            return self.write(next, Then::Care);
        }
        next.lower_bound = rollout.done.count.or(next.lower_bound);
        next.follow(rollout);
        next.holder = Some(self.holder(now));
        self.resumed = false;
        self.write(next, Then::Make(base))
    }

    /// The revision that runs, if it is one whose image pushes to the repository decide about.
    fn fitting(&self, base: Option<Base>) -> Result<Base, String> {
        let service = &self.goal.service;
        match base {
            Some(base) if base.repository == self.goal.repository => Ok(base),
            Some(base) => Err(format!("{service} runs {}, which is not the image's repository", base.repository)),
            None => Err(format!("the task definition of {service} names no container whose image pushes decide about")),
        }
    }

    /// Whether the service is to run this image, and does not fail to.
    fn runs(&self, base: &Base, digest: &str) -> bool {
        let fails = self.seen.primary().is_none_or(|primary| matches!(primary.progress, Progress::Failed(_)));
        base.digest.as_deref() == Some(digest) && !fails && (self.seen.desired > 0 || self.goal.least == 0)
    }

    /// A rollout that was begun is gone on with: first by finding out how far it came.
    pub(super) fn resume(&mut self, now: Timestamp) -> Command {
        self.resumed = true;
        let mut next = self.record.clone();
        next.holder = Some(self.holder(now));
        self.write(next, Then::Check)
    }

    /// The record is held, and the service was looked at since.
    pub(super) fn checked(&mut self, read: Read) -> Command {
        let (Some(seen), Some(record)) = (read.seen, read.record) else { return self.again() };
        if record.version != self.record.version || record.by != self.record.by {
            return self.again();
        }
        self.seen = seen;
        match self.made_for(&self.seen.revision).cloned() {
            Some(made) if made.arn == self.seen.revision => self.brought_out(None),
            Some(made) if made.from == self.seen.revision && !self.may_be_out() => self.bring_out(),
            _ => {
                let revision = self.seen.revision.clone();
                self.ask(Phase::Rebasing, Command::Describe(revision))
            }
        }
    }

    /// The revision that was registered for the rollout, if the service runs it or what it was made from.
    fn made_for(&self, revision: &str) -> Option<&Made> {
        let made = self.record.rollout.as_ref()?.done.revision.as_ref()?;
        (made.arn == revision || made.from == revision).then_some(made)
    }

    /// Who died may have told ECS.
    fn may_be_out(&self) -> bool {
        self.resumed && !self.needs_command()
    }

    fn needs_command(&self) -> bool {
        self.goal.prepares && self.record.rollout.as_ref().is_some_and(|rollout| !rollout.done.prepared)
    }

    /// The revision that runs by now is known.
    pub(super) fn rebased(&mut self, base: Option<Base>, now: Timestamp) -> Command {
        let base = match self.fitting(base) {
            Ok(base) => base,
            Err(why) => return self.fail(End { index: 0, failed: Failed::NotBegun, why, at: None }, now),
        };
        if self.runs(&base, &self.digest()) {
            return self.brought_out(None);
        }
        let image = self.image();
        if self.resumed {
            let begun = self.record.rollout.as_ref().and_then(|rollout| rollout.at.parse().ok());
            let command = Command::Find { like: base.arn.clone(), image, since: begun.unwrap_or(now) };
            return self.ask(Phase::Finding(base), command);
        }
        let command = Command::Make { like: base.arn.clone(), image };
        self.ask(Phase::Making(base), command)
    }

    /// What who died had done is known.
    pub(super) fn found(&mut self, base: Base, found: Found, now: Timestamp) -> Command {
        match (found.trace, found.revision) {
            (Some(trace), _) if self.may_be_out() => self.brought_out(Some(trace)),
            (_, Some(revision)) => {
                let seen = self.seen.clone();
                self.made(base, Ok(revision), Some(seen), now)
            }
            (_, None) => {
                let command = Command::Make { like: base.arn.clone(), image: self.image() };
                self.ask(Phase::Making(base), command)
            }
        }
    }

    /// The revision is registered, unless it was made from one that does not run any more.
    pub(super) fn made(
        &mut self,
        base: Base,
        made: Result<String, String>,
        seen: Option<Seen>,
        now: Timestamp,
    ) -> Command {
        let arn = match made {
            Ok(arn) => arn,
            Err(why) => return self.fail(End { index: 0, failed: Failed::NotBegun, why, at: None }, now),
        };
        let Some(seen) = seen else {
            let why = "the service is gone".to_owned();
            return self.fail(End { index: 0, failed: Failed::NotBegun, why, at: None }, now);
        };
        self.seen = seen;
        if self.seen.revision != base.arn {
            let Some(rounds) = self.rounds.checked_sub(1) else { return self.again() };
            (self.rounds, self.resumed) = (rounds, false);
            let revision = self.seen.revision.clone();
            return self.ask(Phase::Rebasing, Command::Describe(revision));
        }
        // It is written with what is done next.
        if let Some(rollout) = &mut self.record.rollout {
            rollout.done.revision = Some(Made { arn, from: base.arn });
        }
        if self.needs_command() {
            let next = self.record.clone();
            return self.write(next, Then::Run);
        }
        self.bring_out()
    }

    /// Runs the command before the rollout, if it has one that has not run, or tells ECS.
    fn bring_out(&mut self) -> Command {
        if self.needs_command() {
            return self.run();
        }
        // The service may have got tasks, or lost them, since the rollout was decided.
        let (before, count) = self.before();
        let mut change = Change { revision: None, count };
        self.record.lower_bound = count.or(self.record.lower_bound);
        if let Some(rollout) = &mut self.record.rollout {
            (rollout.done.before, rollout.done.count) = (before, count);
            change.revision = rollout.done.revision.as_ref().map(|made| made.arn.clone());
        }
        self.ask(Phase::Telling, Command::Tell(change))
    }

    pub(super) fn run(&mut self) -> Command {
        let rollout = self.record.rollout.as_ref();
        let revision = rollout.and_then(|rollout| rollout.done.revision.as_ref()).map(|made| made.arn.clone());
        let run = rollout.map(|rollout| rollout.run.as_str()).unwrap_or_default();
        let token = token(&self.goal.service, run);
        self.ask(Phase::Running, Command::Run { revision: revision.unwrap_or_default(), token })
    }

    pub(super) fn ran(&mut self, ran: Result<String, NotRun>, now: Timestamp) -> Command {
        let decided = self.record.rollout.as_ref().and_then(|rollout| rollout.at.parse().ok()).unwrap_or(now);
        let task = match ran {
            Ok(task) => task,
            Err(NotRun::NoRoom(why)) if !passed(decided, ROOM_WITHIN, now) => {
                let mut next = self.record.clone();
                next.holder = None;
                return self.write(next, Then::Later(format!("the command before it has no room yet: {why}")));
            }
            Err(NotRun::NotAlone(task)) if !passed(decided, self.goal.timeout, now) => {
                let mut next = self.record.clone();
                next.holder = None;
                // Whoever hears that it has ended looks again.
                return self.write(next, Then::Rest(format!("it waits until task {task} of a deployment has ended")));
            }
            Err(not) => {
                let why = match not {
                    NotRun::NotAlone(task) => format!("task {task} of a deployment still runs"),
                    NotRun::NoRoom(why) | NotRun::Refused(why) => why,
                };
                let why = format!("the command before it could not be started: {why}");
                return self.fail(End { index: 0, failed: Failed::NotBegun, why, at: None }, now);
            }
        };
        let mut next = self.record.clone();
        if let Some(rollout) = &mut next.rollout {
            (rollout.done.task, rollout.done.since) = (Some(task), Some(now));
        }
        self.begun(next, "is being prepared: the command before it runs", now)
    }

    pub(super) fn told(&mut self, told: Result<Told, String>, now: Timestamp) -> Command {
        let told = match told {
            Ok(told) => told,
            Err(why) => return self.fail(End { index: 0, failed: Failed::NotBegun, why, at: None }, now),
        };
        let mut next = self.record.clone();
        if let Some(rollout) = &mut next.rollout {
            rollout.status = Status::Deploying;
            rollout.deployment = Some(told.deployment);
            (rollout.done.trace, rollout.done.since) = (told.trace, Some(now));
        }
        self.begun(next, "is on its way", now)
    }

    /// Who died had told ECS: its deployment is followed from here.
    fn brought_out(&mut self, trace: Option<String>) -> Command {
        let mut next = self.record.clone();
        let primary = self.seen.primary().filter(|_| trace.is_none());
        if let Some(rollout) = &mut next.rollout {
            rollout.status = Status::Deploying;
            rollout.deployment = primary.map(|primary| primary.id.clone());
            rollout.done.since = primary.and_then(|primary| primary.since).or(rollout.done.since);
            rollout.done.trace = trace;
        }
        next.holder = None;
        self.did = self.record.rollout.as_ref().map(|rollout| format!("{} was on its way already", rollout.name()));
        self.write(next, Then::Care)
    }

    fn digest(&self) -> String {
        self.record.rollout.as_ref().map(|rollout| rollout.digest.clone()).unwrap_or_default()
    }

    /// The image of the newest rollout, as a container has it.
    pub(super) fn image(&self) -> String {
        format!("{}@{}", self.goal.repository, self.digest())
    }
}

/// Whether a rollout is this function's to follow to its end.
fn is_followed(rollout: &Rollout) -> bool {
    rollout.status == Status::Deploying || (rollout.status == Status::Preparing && rollout.is_push())
}

/// Whether a rollout failed, and the image was pushed before that was known.
fn failed_since(rollout: &Rollout, push: &Push) -> bool {
    let failed = matches!(rollout.status, Status::Failed | Status::RolledBack);
    failed && rollout.done.ended.is_some_and(|ended| push.moment.at <= ended)
}

/// What people call a pushed image.
fn name(push: &Push) -> &str {
    push.tag.as_deref().unwrap_or(&push.digest)
}

/// The token of a rollout's task: the same for all who start it.
fn token(service: &str, run: &str) -> String {
    let digest = Sha256::digest(format!("{service}/{run}").as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl Seen {
    /// The deployment that the service is to be as.
    #[must_use]
    pub fn primary(&self) -> Option<&super::Deployment> {
        self.deployments.iter().find(|deployment| deployment.primary)
    }
}
