//! The steps of a rollout: signals in, commands out. It calls nothing and knows no clock.
//!
//! A service is looked at twice: before its record is claimed, so that nothing to do costs no write, and after, because
//! another rollout or an apply may have come between. What the second look shows decides.

use std::time::Duration;

/// What is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    /// The digest.
    pub digest: String,
    /// The repository's address with the digest, as a container has it.
    pub image: String,
    /// How many tasks a service gets that has none.
    pub least: i32,
    /// A command is run in a task of its own before ECS is told.
    pub prepares: bool,
}

/// A service as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The revision that it is to run.
    pub revision: String,
    /// The digest in that revision, if its image exists.
    pub digest: Option<String>,
    /// How many tasks there should be.
    pub desired: i32,
    /// How many run.
    pub running: i32,
    /// The deployment that brought the revision out.
    pub deployment: String,
    /// How far that has come.
    pub state: Deployment,
}

/// How far a deployment has come, by ECS's own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// It is done.
    Completed,
    /// It is on its way.
    InProgress,
    /// It was given up.
    Failed,
}

/// How far the rollout's deployment has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// On its way.
    Going,
    /// No instance has room for a task of it: why.
    NoRoom(String),
    /// And none will have: why.
    NeverRoom(String),
    /// It runs.
    Done,
    /// It was given up: why.
    Failed(String),
    /// Another deployment took its place.
    Overtaken,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The service was looked at.
    Seen(Seen),
    /// The record is claimed.
    Claimed,
    /// The revision is registered.
    Registered(String),
    /// The command before the rollout has ended: well, or why not.
    Prepared(Result<(), String>),
    /// ECS was told, and calls the deployment this.
    Told(String),
    /// It was written down.
    Noted,
    /// The deployment was looked at, so long after it began.
    Progress(Progress, Duration),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Look at the service.
    Look,
    /// Claim its record.
    Claim,
    /// Register a revision like this one, with the goal's image.
    Register(String),
    /// Run the command before the rollout in a task of this revision, to its end.
    Prepare(String),
    /// Tell ECS.
    Tell(Change),
    /// Write down which deployment it is.
    Note(String),
    /// Look at the deployment after a while.
    Watch(String),
    /// Write down how it ended.
    Close(Ending),
    /// It is over.
    Stop(Ending),
}

/// What ECS is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// To run this revision.
    pub revision: Option<String>,
    /// With so many tasks.
    pub count: Option<i32>,
    /// To begin a deployment even if nothing changes.
    pub force: bool,
}

/// How a rollout ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It ran before.
    NothingToDo,
    /// It runs.
    Settled,
    /// It does not: why.
    Failed(String),
    /// ECS was not even told: why.
    NotBegun(String),
}

/// A signal that the machine cannot have caused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rollout that is {state} cannot take {signal}")]
pub struct Illegal {
    state: String,
    signal: String,
}

/// So long an instance may take to come for tasks that find no room: it starts in about three minutes.
pub const ROOM_WITHIN: Duration = Duration::from_secs(8 * 60);

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Looking,
    Claiming,
    Checking,
    Registering,
    Preparing(Change),
    Telling,
    Noting(String),
    Watching { deployment: String, no_room_since: Option<Duration> },
    TakingBack(Ending),
    Closing(Ending),
    Over,
}

/// A rollout on its way.
#[derive(Clone, Debug)]
pub struct Machine {
    goal: Goal,
    /// A rollout's end is not written down yet.
    open: bool,
    /// The revision that ran before, if any task did.
    before: Option<String>,
    /// What ECS is told when the revision is there.
    count: Option<i32>,
    state: State,
}

impl Machine {
    /// A rollout to this goal, and the first thing to do. `open`: the record has a rollout whose end is not known.
    #[must_use]
    pub fn new(goal: Goal, open: bool) -> (Self, Command) {
        (Self { goal, open, before: None, count: None, state: State::Looking }, Command::Look)
    }

    /// The next thing to do.
    ///
    /// # Errors
    /// The signal does not follow from the last command.
    pub fn step(&mut self, signal: Signal) -> Result<Command, Illegal> {
        let (next, command) = match (std::mem::replace(&mut self.state, State::Over), signal) {
            (State::Looking, Signal::Seen(seen)) if self.runs(&seen) && !self.open => {
                (State::Over, Command::Stop(Ending::NothingToDo))
            }
            (State::Looking, Signal::Seen(_)) => (State::Claiming, Command::Claim),
            (State::Claiming, Signal::Claimed) => (State::Checking, Command::Look),
            (State::Checking, Signal::Seen(seen)) => self.begin(seen),
            (State::Registering, Signal::Registered(revision)) => {
                let change = Change { revision: Some(revision.clone()), count: self.count, force: false };
                self.bring_out(change, revision)
            }
            (State::Preparing(change), Signal::Prepared(Ok(()))) => (State::Telling, Command::Tell(change)),
            (State::Preparing(_), Signal::Prepared(Err(why))) => close(Ending::NotBegun(why)),
            (State::Telling, Signal::Told(deployment)) => {
                (State::Noting(deployment.clone()), Command::Note(deployment))
            }
            (State::Noting(deployment), Signal::Noted) => watch(deployment, None),
            (State::Watching { deployment, no_room_since }, Signal::Progress(progress, at)) => {
                self.watched(deployment, no_room_since, progress, at)
            }
            (State::TakingBack(ending), Signal::Told(_)) => close(ending),
            (State::Closing(ending), Signal::Noted) => (State::Over, Command::Stop(ending)),
            (state, signal) => {
                return Err(Illegal { state: format!("{state:?}"), signal: format!("{signal:?}") });
            }
        };
        self.state = next;
        Ok(command)
    }

    fn runs(&self, seen: &Seen) -> bool {
        let well = seen.state == Deployment::Completed && seen.running >= seen.desired;
        self.wanted(seen) && well && (seen.desired > 0 || self.goal.least == 0)
    }

    fn wanted(&self, seen: &Seen) -> bool {
        seen.digest.as_deref() == Some(self.goal.digest.as_str())
    }

    /// The record is ours: what is to be done about the service as it is now.
    fn begin(&mut self, seen: Seen) -> (State, Command) {
        if self.runs(&seen) {
            return close(Ending::NothingToDo);
        }
        self.count = (seen.desired == 0).then_some(self.goal.least);
        if !self.wanted(&seen) {
            self.before = (seen.desired > 0).then(|| seen.revision.clone());
            return (State::Registering, Command::Register(seen.revision));
        }
        if seen.state == Deployment::InProgress && seen.desired > 0 {
            // Somebody began it and did not see its end.
            return (State::Noting(seen.deployment.clone()), Command::Note(seen.deployment));
        }
        let change = Change { revision: None, count: self.count, force: true };
        self.bring_out(change, seen.revision)
    }

    /// Tells ECS, after the command that is run before it.
    fn bring_out(&self, change: Change, revision: String) -> (State, Command) {
        if self.goal.prepares {
            return (State::Preparing(change), Command::Prepare(revision));
        }
        (State::Telling, Command::Tell(change))
    }

    fn watched(
        &self,
        deployment: String,
        no_room_since: Option<Duration>,
        progress: Progress,
        at: Duration,
    ) -> (State, Command) {
        match progress {
            Progress::Going => watch(deployment, None),
            Progress::Done => close(Ending::Settled),
            Progress::Failed(why) if self.count.is_some() => self.take_back(why),
            Progress::Failed(why) => close(Ending::Failed(why)),
            Progress::NeverRoom(why) => self.take_back(why),
            Progress::Overtaken => close(Ending::Failed("another deployment took its place".to_owned())),
            Progress::NoRoom(why) => match no_room_since {
                Some(since) if at.saturating_sub(since) >= ROOM_WITHIN => self.take_back(why),
                since => watch(deployment, Some(since.unwrap_or(at))),
            },
        }
    }

    /// What ECS does not take back by itself: a first version goes back to no task at all, and tasks that find no room
    /// are not waited for until they do.
    fn take_back(&self, why: String) -> (State, Command) {
        let count = self.count.map(|_| 0);
        let revision = self.before.clone();
        let ending = Ending::Failed(why);
        if count.is_none() && revision.is_none() {
            return close(ending);
        }
        (State::TakingBack(ending), Command::Tell(Change { revision, count, force: false }))
    }
}

fn watch(deployment: String, no_room_since: Option<Duration>) -> (State, Command) {
    (State::Watching { deployment: deployment.clone(), no_room_since }, Command::Watch(deployment))
}

fn close(ending: Ending) -> (State, Command) {
    (State::Closing(ending.clone()), Command::Close(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goal() -> Goal {
        Goal { digest: "new".to_owned(), image: "r/web@new".to_owned(), least: 2, prepares: false }
    }

    fn seen(digest: &str) -> Seen {
        Seen {
            revision: "web:1".to_owned(),
            digest: Some(digest.to_owned()),
            desired: 3,
            running: 3,
            deployment: "d1".to_owned(),
            state: Deployment::Completed,
        }
    }

    /// Sends signals in turn; answers the last command.
    fn after(open: bool, signals: Vec<Signal>) -> Command {
        towards(goal(), open, signals)
    }

    fn towards(goal: Goal, open: bool, signals: Vec<Signal>) -> Command {
        let (mut machine, mut command) = Machine::new(goal, open);
        for signal in signals {
            command = machine.step(signal).unwrap();
        }
        command
    }

    /// Up to the moment when the deployment is watched, of a service that was seen so.
    fn watching(now: Seen) -> Vec<Signal> {
        let told = Signal::Told("d2".to_owned());
        let begun = [Signal::Seen(now.clone()), Signal::Claimed, Signal::Seen(now)];
        begun.into_iter().chain([Signal::Registered("web:2".to_owned()), told, Signal::Noted]).collect()
    }

    fn none() -> Seen {
        Seen { digest: None, desired: 0, running: 0, ..seen("") }
    }

    fn progress(progress: Progress, seconds: u64) -> Signal {
        Signal::Progress(progress, Duration::from_secs(seconds))
    }

    #[test]
    fn what_runs_and_is_well_is_nothing_to_do_and_claims_nothing() {
        assert_eq!(after(false, vec![Signal::Seen(seen("new"))]), Command::Stop(Ending::NothingToDo));
    }

    #[test]
    fn a_rollout_without_an_end_gets_one_even_when_its_image_runs() {
        let look = || Signal::Seen(seen("new"));
        assert_eq!(after(true, vec![look()]), Command::Claim);
        assert_eq!(after(true, vec![look(), Signal::Claimed, look()]), Command::Close(Ending::NothingToDo));
    }

    #[test]
    fn what_came_between_the_look_and_the_claim_counts() {
        let signals = vec![Signal::Seen(seen("old")), Signal::Claimed, Signal::Seen(seen("new"))];
        assert_eq!(after(false, signals), Command::Close(Ending::NothingToDo));
        let moved = Seen { revision: "web:7".to_owned(), ..seen("other") };
        let signals = vec![Signal::Seen(seen("old")), Signal::Claimed, Signal::Seen(moved)];
        assert_eq!(after(false, signals), Command::Register("web:7".to_owned()));
    }

    #[test]
    fn a_service_with_tasks_keeps_its_count_and_one_without_gets_the_least() {
        for (now, count) in [(seen("old"), None), (none(), Some(2))] {
            let mut signals = watching(now);
            signals.truncate(4);
            let change = Change { revision: Some("web:2".to_owned()), count, force: false };
            assert_eq!(after(false, signals), Command::Tell(change));
        }
    }

    #[test]
    fn ecs_is_told_when_the_command_before_it_has_ended_well_and_not_at_all_when_it_has_not() {
        let goal = || Goal { prepares: true, ..goal() };
        for (now, revision, change) in [
            (seen("old"), "web:2", Change { revision: Some("web:2".to_owned()), ..Change::default() }),
            (none(), "web:2", Change { revision: Some("web:2".to_owned()), count: Some(2), force: false }),
            // The same image, which did not come through.
            (Seen { running: 1, ..seen("new") }, "web:1", Change { force: true, ..Change::default() }),
        ] {
            let mut signals = vec![Signal::Seen(now.clone()), Signal::Claimed, Signal::Seen(now.clone())];
            if revision == "web:2" {
                signals.push(Signal::Registered(revision.to_owned()));
            }
            assert_eq!(towards(goal(), false, signals.clone()), Command::Prepare(revision.to_owned()));
            let with = |last: Signal| signals.iter().cloned().chain([last]).collect();
            assert_eq!(towards(goal(), false, with(Signal::Prepared(Ok(())))), Command::Tell(change));
            let why = || "exit code 3".to_owned();
            let failed = with(Signal::Prepared(Err(why())));
            assert_eq!(towards(goal(), false, failed), Command::Close(Ending::NotBegun(why())));
        }
    }

    #[test]
    fn no_command_is_run_for_what_runs_or_is_on_its_way() {
        let goal = || Goal { prepares: true, ..goal() };
        assert_eq!(towards(goal(), false, vec![Signal::Seen(seen("new"))]), Command::Stop(Ending::NothingToDo));
        let now = Seen { state: Deployment::InProgress, running: 1, ..seen("new") };
        let signals = vec![Signal::Seen(now.clone()), Signal::Claimed, Signal::Seen(now)];
        assert_eq!(towards(goal(), false, signals), Command::Note("d1".to_owned()));
    }

    #[test]
    fn a_deployment_of_the_same_image_that_is_on_its_way_is_followed_and_none_is_begun() {
        let now = Seen { state: Deployment::InProgress, running: 1, ..seen("new") };
        let signals = vec![Signal::Seen(now.clone()), Signal::Claimed, Signal::Seen(now)];
        assert_eq!(after(false, signals), Command::Note("d1".to_owned()));
    }

    #[test]
    fn the_same_image_that_failed_is_tried_again_without_another_revision() {
        for now in [Seen { state: Deployment::Failed, ..seen("new") }, Seen { running: 1, ..seen("new") }] {
            let signals = vec![Signal::Seen(now.clone()), Signal::Claimed, Signal::Seen(now)];
            assert_eq!(after(false, signals), Command::Tell(Change { force: true, ..Change::default() }));
        }
    }

    #[test]
    fn it_ends_when_its_deployment_has_ended_and_the_record_says_how() {
        let why = || "exit code 1".to_owned();
        for (last, ending) in [
            (Progress::Done, Ending::Settled),
            (Progress::Failed(why()), Ending::Failed(why())),
            (Progress::Overtaken, Ending::Failed("another deployment took its place".to_owned())),
        ] {
            let mut signals = watching(seen("old"));
            signals.extend([progress(Progress::Going, 5), progress(last, 10)]);
            assert_eq!(after(false, signals.clone()), Command::Close(ending.clone()));
            signals.push(Signal::Noted);
            assert_eq!(after(false, signals), Command::Stop(ending));
        }
    }

    #[test]
    fn a_first_version_that_fails_goes_back_to_no_task() {
        let mut signals = watching(none());
        signals.push(progress(Progress::Failed("exit code 1".to_owned()), 60));
        let change = Change { count: Some(0), ..Change::default() };
        assert_eq!(after(false, signals), Command::Tell(change));
    }

    #[test]
    fn tasks_without_room_are_waited_for_until_an_instance_could_have_come_and_then_taken_back() {
        let no_room = |seconds| progress(Progress::NoRoom("insufficient memory".to_owned()), seconds);
        let limit = ROOM_WITHIN.as_secs();
        let with = |more: Vec<Signal>| after(false, watching(seen("old")).into_iter().chain(more).collect());
        let watch = Command::Watch("d2".to_owned());
        assert_eq!(with(vec![no_room(10), no_room(9 + limit)]), watch);
        assert_eq!(with(vec![no_room(10), progress(Progress::Going, 15), no_room(20), no_room(10 + limit)]), watch);
        let back = Change { revision: Some("web:1".to_owned()), ..Change::default() };
        assert_eq!(with(vec![no_room(10), no_room(10 + limit)]), Command::Tell(back.clone()));
        let never = progress(Progress::NeverRoom("insufficient memory".to_owned()), 12);
        assert_eq!(with(vec![no_room(10), never]), Command::Tell(back));
    }

    #[test]
    fn a_signal_that_nothing_asked_for_is_refused() {
        let (mut machine, _) = Machine::new(goal(), false);
        assert!(machine.step(Signal::Claimed).is_err());
        assert!(machine.step(Signal::Seen(seen("new"))).is_err(), "and it is over");
    }
}
