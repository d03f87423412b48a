//! A world in which looks happen: a table, an ECS, tasks, a queue; small enough that every order of events in it can be
//! gone through. Each call is one step, and after each whoever made it can die.

mod judge;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::super::*;
use crate::record::{Moment, Push, Record};

/// What is gone through.
#[derive(Clone, Debug, Default)]
pub(super) struct Scenario {
    /// The pushes, by their event times: which image each is of.
    pub(super) pushes: &'static [char],
    /// The images whose tasks crash.
    pub(super) bad: &'static [char],
    /// The images whose command fails before their rollout; none has one when this is none.
    pub(super) commands: Option<&'static [char]>,
    /// A deployment by hand has died while its command runs, which ends at some time.
    pub(super) left: bool,
    /// Nothing ran before.
    pub(super) first: bool,
    /// So many copies of each push arrive.
    pub(super) copies: usize,
    /// So many may die.
    pub(super) deaths: u8,
    /// ECS tells nobody.
    pub(super) silent: bool,
    /// An apply changes another setting at the same time.
    pub(super) apply: bool,
    /// ECS gets on only while nobody looks.
    pub(super) apart: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Revision {
    image: char,
    setting: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Rollout {
    id: usize,
    revision: usize,
    progress: Progress,
    primary: bool,
    shown: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Task {
    token: String,
    image: char,
    progress: Progress,
}

/// A message of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Message {
    trigger: Trigger,
    attempts: u8,
    waits: bool,
}

/// One look, and the call that it makes next.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Worker {
    message: usize,
    run: String,
    state: State,
    command: Command,
    /// What the first half of two calls at once has read.
    half: Option<Option<Seen>>,
}

impl std::hash::Hash for Worker {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        // The command follows from the state.
        (self.message, &self.run, &self.state, &self.half).hash(hasher);
    }
}

/// How far an apply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Apply {
    None,
    Begins,
    Registered(usize),
    Claimed(usize),
    Told,
    Over { told: bool },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    record: Option<Record>,
    revisions: Vec<Revision>,
    runs: usize,
    desired: i32,
    /// The fewest tasks that scaling goes down to.
    lower_bound: i32,
    rollouts: Vec<Rollout>,
    tasks: Vec<Task>,
    messages: Vec<Message>,
    workers: Vec<Worker>,
    deaths: u8,
    apply: Apply,
    notices: BTreeSet<String>,
    /// The pushes that ECS was told of, by their places.
    told: Vec<usize>,
    apart: bool,
}

/// Something that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Receive(usize),
    Call(usize),
    Die(usize),
    Ecs(usize),
    Forget(usize),
    Task(usize),
    Apply,
    Look,
}

const APPLY: &str = "apply-run";
const BY_HAND: &str = "by-hand";
const LEAST: i32 = 2;

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

fn arn(revision: usize) -> String {
    format!("web:{revision}")
}

fn place(arn: &str) -> usize {
    arn.rsplit(':').next().and_then(|number| number.parse().ok()).unwrap()
}

impl Scenario {
    /// The push at a place: its tag says which it is.
    fn push(&self, place: usize) -> Push {
        let at = Timestamp::from_second(999_000 + i64::try_from(place).unwrap()).unwrap();
        let moment = Moment { at, id: format!("e{place}") };
        Push { digest: self.pushes[place].to_string(), tag: Some(format!("t{place}")), moment }
    }

    pub(super) fn world(&self) -> World {
        let before = Revision { image: '0', setting: 0 };
        let steady = Rollout { id: 0, revision: 0, progress: Progress::Done, primary: true, shown: true };
        let push = |place| Message { trigger: Trigger::Push(self.push(place)), attempts: 0, waits: true };
        let copies = (0..self.pushes.len()).flat_map(|place| (0..self.copies).map(move |_| place));
        World {
            record: None,
            revisions: vec![before],
            runs: 0,
            desired: if self.first { 0 } else { LEAST },
            lower_bound: if self.first { 0 } else { LEAST },
            rollouts: vec![steady],
            tasks: self
                .left
                .then(|| Task { token: BY_HAND.to_owned(), image: '0', progress: Progress::Going })
                .into_iter()
                .collect(),
            messages: copies.map(push).collect(),
            workers: Vec::new(),
            deaths: self.deaths,
            apply: if self.apply { Apply::Begins } else { Apply::None },
            notices: BTreeSet::new(),
            told: Vec::new(),
            apart: self.apart,
        }
    }

    fn goal(&self) -> Goal {
        Goal {
            service: "web".to_owned(),
            repository: "r/web".to_owned(),
            least: LEAST,
            periodic: false,
            prepares: self.commands.is_some(),
            timeout: Duration::from_secs(900),
        }
    }
}

impl World {
    /// All that can happen next. Once all is quiet, a scheduled look is the last thing that does.
    pub(super) fn events(&self, workers: usize) -> Vec<Event> {
        let mut events = Vec::new();
        if self.workers.len() < workers {
            events.extend((0..self.messages.len()).filter(|place| self.messages[*place].waits).map(Event::Receive));
        }
        for place in (0..self.workers.len()).filter(|place| self.can_go_on(*place)) {
            events.push(Event::Call(place));
            if self.deaths > 0 {
                events.push(Event::Die(place));
            }
        }
        if self.apart && !events.is_empty() {
            return events;
        }
        for (place, rollout) in self.rollouts.iter().enumerate() {
            if rollout.primary && rollout.progress == Progress::Going {
                events.push(Event::Ecs(place));
            }
            if rollout.shown && !rollout.primary {
                events.push(Event::Forget(place));
            }
        }
        let going = |place: &usize| self.tasks[*place].progress == Progress::Going;
        events.extend((0..self.tasks.len()).filter(going).map(Event::Task));
        if self.apply_can_go_on() {
            events.push(Event::Apply);
        }
        events
    }

    fn can_go_on(&self, place: usize) -> bool {
        let Command::Wait { version, .. } = &self.workers[place].command else { return true };
        self.record.as_ref().map(|record| record.version) != Some(*version) || !self.holder_lives()
    }

    fn holder_lives(&self) -> bool {
        let holder = self.record.as_ref().and_then(|record| record.holder.as_ref());
        let Some(holder) = holder else { return false };
        let applies = holder.run == APPLY && !matches!(self.apply, Apply::Over { .. });
        applies || self.workers.iter().any(|worker| worker.run == holder.run)
    }

    fn apply_can_go_on(&self) -> bool {
        match self.apply {
            Apply::None | Apply::Over { .. } => false,
            Apply::Registered(_) => !self.holder_lives(),
            Apply::Begins | Apply::Claimed(_) | Apply::Told => true,
        }
    }

    /// Lets something happen.
    pub(super) fn happen(&mut self, event: Event, scenario: &Scenario) {
        match event {
            Event::Receive(message) => self.receive(message, scenario),
            Event::Call(worker) => self.call(worker, scenario, false),
            Event::Die(worker) => {
                self.deaths -= 1;
                self.call(worker, scenario, true);
            }
            Event::Ecs(rollout) => self.come_through(rollout, scenario),
            Event::Forget(rollout) => self.rollouts[rollout].shown = false,
            Event::Task(task) => self.end_task(task, scenario),
            Event::Apply => self.apply_goes_on(),
            Event::Look => {
                self.messages.push(Message { trigger: Trigger::Schedule, attempts: 0, waits: true });
                self.receive(self.messages.len() - 1, scenario);
            }
        }
    }

    fn receive(&mut self, place: usize, scenario: &Scenario) {
        let message = &mut self.messages[place];
        (message.waits, message.attempts) = (false, message.attempts + 1);
        let run = format!("m{place}.{}", message.attempts);
        let me = Me { run: run.clone(), who: "tests".to_owned() };
        let (state, command) = State::new(scenario.goal(), me, message.trigger.clone());
        self.workers.push(Worker { message: place, run, state, command, half: None });
    }

    /// One call of a look; who dies of it has had its effect.
    fn call(&mut self, place: usize, scenario: &Scenario, dies: bool) {
        let worker = self.workers[place].clone();
        if dies {
            if worker.half.is_none() {
                self.effect(&worker, scenario);
            }
            return self.leave(place, true);
        }
        let halves = matches!(worker.command, Command::Read | Command::Make { .. });
        let signal = match (&worker.command, halves, worker.half.is_none()) {
            // Two calls at once: anything can come between them.
            (Command::Read, true, true) => {
                self.workers[place].half = Some(Some(self.seen()));
                return;
            }
            (Command::Make { .. }, true, true) => {
                self.workers[place].half = Some(None);
                return;
            }
            _ => self.effect(&worker, scenario),
        };
        self.workers[place].half = None;
        let (state, command) = worker.state.step(signal, now()).unwrap();
        if let Command::Stop(outcome) = &command {
            return self.leave(place, matches!(outcome, Outcome::Failed(_)));
        }
        (self.workers[place].state, self.workers[place].command) = (state, command);
    }

    fn leave(&mut self, place: usize, again: bool) {
        let worker = self.workers.remove(place);
        let message = &mut self.messages[worker.message];
        message.waits = again;
        assert!(message.attempts < 12, "{:?} fails for ever", message.trigger);
    }

    fn effect(&mut self, worker: &Worker, scenario: &Scenario) -> Signal {
        match &worker.command {
            Command::Read => {
                let seen = worker.half.clone().unwrap_or_else(|| Some(self.seen()));
                Signal::Read(Box::new(Read { record: self.record.clone(), seen, no_image: None }))
            }
            Command::Wait { version, .. } => {
                let stands = self.record.as_ref().map(|record| record.version) == Some(*version);
                Signal::Waited(if stands { Waited::Dead } else { Waited::Moved })
            }
            Command::Describe(arn) => Signal::Described(Some(self.base(place(arn)))),
            Command::Write(record) => Signal::Written(self.write(record)),
            Command::Find { like, image, .. } => Signal::Found(self.find(like, image)),
            Command::Make { like, image } => {
                let like = self.revisions[place(like)].clone();
                self.revisions.push(Revision { image: image.chars().last().unwrap(), ..like });
                Signal::Made(Ok(arn(self.revisions.len() - 1)), Some(self.seen()))
            }
            Command::Run { revision, token } => {
                let left = |task: &Task| task.token == BY_HAND && task.progress == Progress::Going;
                Signal::Ran(match self.tasks.iter().any(left) {
                    true => Err(NotRun::NotAlone(BY_HAND.to_owned())),
                    false => Ok(self.run(revision, token)),
                })
            }
            Command::Tell(change) => {
                self.holds(worker);
                Signal::Told(Ok(self.tell(change, scenario)))
            }
            Command::Task(token) => {
                let task = self.tasks.iter().find(|task| task.token == *token);
                Signal::Progress(task.map_or(Progress::Unknown, |task| task.progress.clone()))
            }
            Command::Halt(_) => Signal::Halted,
            Command::Trace(trace) => {
                let rollout = &self.rollouts[place(trace)];
                Signal::Traced(Some(match (&rollout.progress, rollout.primary) {
                    (Progress::Going, false) => Traced::Overtaken,
                    (progress, _) => Traced::Progress(progress.clone()),
                }))
            }
            Command::Explain { why, .. } => Signal::Explained(format!("explained: {why}")),
            Command::Raise(least) => {
                assert!(self.desired > 0, "scaling would start what is to stand at no task");
                self.lower_bound = *least;
                Signal::Raised
            }
            Command::Newest => Signal::Newest(self.newest(scenario)),
            Command::Publish(notices) => {
                self.notices.extend(notices.iter().map(|notice| notice.key.clone()));
                Signal::Published(true)
            }
            Command::Stop(_) => panic!("it is over"),
        }
    }

    /// Nobody tells ECS, or starts a task, who does not hold the record.
    fn holds(&self, worker: &Worker) {
        let holder = self.record.as_ref().and_then(|record| record.holder.as_ref()).map(|holder| holder.run.as_str());
        assert_eq!(holder, Some(worker.run.as_str()), "{:?}", worker.command);
    }

    fn seen(&self) -> Seen {
        let shown = self.rollouts.iter().filter(|rollout| rollout.shown);
        let failed = self.rollouts.iter().filter(|rollout| matches!(rollout.progress, Progress::Failed(_)));
        Seen {
            revision: arn(self.runs),
            desired: self.desired,
            deployments: shown
                .map(|rollout| Deployment {
                    id: rollout.id.to_string(),
                    primary: rollout.primary,
                    progress: rollout.progress.clone(),
                    since: None,
                })
                .collect(),
            given_up: failed.map(|rollout| rollout.id.to_string()).collect(),
            unplaced: None,
            rolls_back: true,
        }
    }

    fn base(&self, revision: usize) -> Base {
        let digest = Some(self.revisions[revision].image.to_string());
        Base { arn: arn(revision), repository: "r/web".to_owned(), digest }
    }

    fn write(&mut self, record: &Record) -> bool {
        let stands = self.record.as_ref().map_or(0, |now| now.version);
        let written = stands + 1 == record.version;
        if written {
            self.record = Some(record.clone());
        }
        written
    }

    fn find(&self, like: &str, image: &str) -> Found {
        let like = &self.revisions[place(like)];
        let image = image.chars().last().unwrap();
        let wanted = Revision { image, ..like.clone() };
        let newest = self.revisions.len() - 1;
        if self.revisions[newest] != wanted {
            return Found::default();
        }
        let out = self.rollouts.iter().rev().find(|rollout| rollout.revision == newest);
        Found { revision: Some(arn(newest)), trace: out.map(|rollout| format!("trace:{}", rollout.id)) }
    }

    fn run(&mut self, revision: &str, token: &str) -> String {
        if !self.tasks.iter().any(|task| task.token == token) {
            assert!(self.tasks.iter().all(|task| task.progress != Progress::Going), "two commands at once");
            let image = self.revisions[place(revision)].image;
            self.tasks.push(Task { token: token.to_owned(), image, progress: Progress::Going });
        }
        token.to_owned()
    }

    fn tell(&mut self, change: &Change, scenario: &Scenario) -> Told {
        if let Some(count) = change.count {
            self.desired = count;
        }
        if let Some(revision) = change.revision.as_deref().map(place).filter(|revision| *revision != self.runs) {
            self.told_of(revision, scenario);
            self.deploy(revision);
        }
        let primary = self.rollouts.iter().find(|rollout| rollout.primary).unwrap();
        Told { deployment: primary.id.to_string(), trace: Some(format!("trace:{}", primary.id)) }
    }

    fn deploy(&mut self, revision: usize) {
        for rollout in &mut self.rollouts {
            rollout.primary = false;
        }
        self.runs = revision;
        let id = self.rollouts.len();
        self.rollouts.push(Rollout { id, revision, progress: Progress::Going, primary: true, shown: true });
    }

    /// ECS is done with a deployment, in one way or the other.
    fn come_through(&mut self, place: usize, scenario: &Scenario) {
        let id = self.rollouts[place].id.to_string();
        let image = self.revisions[self.rollouts[place].revision].image;
        if !scenario.bad.contains(&image) || self.desired == 0 {
            self.rollouts[place].progress = Progress::Done;
            return self.event(Trigger::Event, scenario);
        }
        let why = "circuit breaker".to_owned();
        self.rollouts[place].progress = Progress::Failed(why.clone());
        let completed = |rollout: &&mut Rollout| rollout.progress == Progress::Done;
        if let Some(good) = self.rollouts.iter_mut().rev().find(completed) {
            (good.primary, good.shown) = (true, true);
            self.runs = good.revision;
            self.rollouts[place].primary = false;
        }
        self.event(Trigger::Failed { deployment: id, why }, scenario);
    }

    fn end_task(&mut self, place: usize, scenario: &Scenario) {
        let task = &mut self.tasks[place];
        let fails = scenario.commands.is_some_and(|failing| failing.contains(&task.image));
        task.progress = if fails { Progress::Failed("exit code 1".to_owned()) } else { Progress::Done };
        self.event(Trigger::Event, scenario);
    }

    fn event(&mut self, trigger: Trigger, scenario: &Scenario) {
        let known = |message: &Message| message.waits && message.trigger == trigger;
        if !scenario.silent && !self.messages.iter().any(known) {
            self.messages.push(Message { trigger, attempts: 0, waits: true });
        }
    }

    fn newest(&self, scenario: &Scenario) -> Option<Push> {
        let last = scenario.pushes.len().checked_sub(1)?;
        Some(scenario.push(last))
    }

    /// What `wharf apply` does about a service: a new revision with the image that runs, the claim, another look, the
    /// update, the release.
    fn apply_goes_on(&mut self) {
        self.apply = match self.apply {
            Apply::Begins => {
                self.revisions.push(Revision { setting: 1, ..self.revisions[self.runs].clone() });
                Apply::Registered(self.revisions.len() - 1)
            }
            Apply::Registered(revision) => {
                let mut record = self.record.clone().unwrap_or_else(|| Record::new("web"));
                record.version += 1;
                record.holder = Some(Holder {
                    run: APPLY.to_owned(),
                    who: "ann".to_owned(),
                    command: "apply".to_owned(),
                    since: String::new(),
                });
                self.record = Some(record);
                Apply::Claimed(revision)
            }
            Apply::Claimed(revision) if self.revisions[revision].image == self.revisions[self.runs].image => {
                self.deploy(revision);
                Apply::Told
            }
            Apply::Claimed(_) => self.release(false),
            Apply::Told => self.release(true),
            over => over,
        };
    }

    fn release(&mut self, told: bool) -> Apply {
        if let Some(record) = &mut self.record {
            record.version += 1;
            record.holder = None;
        }
        Apply::Over { told }
    }
}
