//! The makespan of a run, beside its critical path: what it takes somebody who knows at once when AWS is done.
//!
//! When AWS is done with a step is looked up in copies of the account, several times a second, so that looking costs
//! the run nothing and changes nothing for it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::time::Instant;
use wharf::config::Config;
use wharf::operations::Session;
use wharf_engine::{Action, Event, Health, LogicalId, Plan, Stack, Step, StepNumber};
use wharf_sandbox::{Sandbox, Weather};

use crate::stack::reach;

/// How often the account is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// What became of a run's steps, as far as it has come.
#[derive(Debug, Default)]
pub(crate) struct Course(RefCell<Told>);

#[derive(Debug, Default)]
struct Told {
    plan: Option<Plan>,
    begun: Option<Instant>,
    started: BTreeMap<StepNumber, Instant>,
    /// Steps that wait for AWS, with the moment since which AWS is done.
    waiting: BTreeMap<StepNumber, Option<Instant>>,
    done: BTreeMap<StepNumber, Instant>,
}

impl Course {
    /// The run that is about to begin.
    pub(crate) fn planned(&self, plan: &Plan) {
        *self.0.borrow_mut() = Told { plan: Some(plan.clone()), begun: Some(Instant::now()), ..Told::default() };
    }

    pub(crate) fn heard(&self, event: &Event) {
        let (mut told, now) = (self.0.borrow_mut(), Instant::now());
        match event {
            Event::StepStarted { step } => drop(told.started.insert(*step, now)),
            Event::StepWaiting { step, .. } => drop(told.waiting.entry(*step).or_default()),
            Event::StepDone { step, .. } => drop(told.done.insert(*step, now)),
            Event::StepRetried { .. } | Event::StepFailed { .. } | Event::StepSkipped { .. } => {}
        }
    }

    /// Steps of which nobody knows yet that AWS is done with them.
    fn open(&self) -> Vec<Step> {
        let told = self.0.borrow();
        let open =
            |step: &&Step| told.waiting.get(&step.number) == Some(&None) && !told.done.contains_key(&step.number);
        told.plan.iter().flat_map(|plan| &plan.steps).filter(open).cloned().collect()
    }

    fn done_by(&self, step: StepNumber, at: Instant) {
        self.0.borrow_mut().waiting.insert(step, Some(at));
    }

    /// The way that the run took, once it is at its end; none when it had no steps.
    pub(crate) fn path(&self) -> Option<Path> {
        let told = self.0.borrow();
        let (plan, begun) = (told.plan.as_ref()?, told.begun?);
        let makespan = *told.done.values().max()? - begun;
        let mut ends: BTreeMap<StepNumber, Duration> = BTreeMap::new();
        let mut database = None;
        for step in &plan.steps {
            let ready = step.needs.iter().filter_map(|need| ends.get(need)).max().copied().unwrap_or_default();
            ends.insert(step.number, ready + told.took(step.number));
            if let Some(started) = told.started.get(&step.number).filter(|_| step.kind == "rds.instance") {
                database = Some((*started - begun, ready));
            }
        }
        let critical = ends.values().max().copied()?;
        Some(Path { makespan, critical, database })
    }
}

impl Told {
    /// How long a step took, without the time in which AWS was done and nobody had looked.
    fn took(&self, step: StepNumber) -> Duration {
        let (Some(started), Some(done)) = (self.started.get(&step), self.done.get(&step)) else {
            return Duration::ZERO;
        };
        let done = self.waiting.get(&step).copied().flatten().map_or(*done, |at| at.min(*done));
        done.saturating_duration_since(*started)
    }
}

/// How long a run took, and how long it would have taken at least.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// From its begin to the end of its last step.
    pub makespan: Duration,
    /// Its longest chain of steps of which each needs the one before it, each counted until AWS was done with it.
    pub critical: Duration,
    /// When the database's step was begun, and when it could have been: if each step that it needs, directly or not, had
    /// been begun as soon as its own needs were there.
    pub database: Option<(Duration, Duration)>,
}

impl Path {
    /// How much longer it took than it had to.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.makespan.as_secs_f64() / self.critical.as_secs_f64()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  steps, last one done    {:>8.1} s", self.makespan.as_secs_f64())?;
        writeln!(f, "  critical path of these  {:>8.1} s", self.critical.as_secs_f64())?;
        writeln!(f, "  ratio                   {:>8.3}", self.ratio())?;
        if let Some((begun, could)) = self.database {
            writeln!(f, "  database's step begun   {:>8.2} s", begun.as_secs_f64())?;
            writeln!(f, "  … could have been       {:>8.2} s", could.as_secs_f64())?;
        }
        Ok(())
    }
}

/// Looks whether AWS is done with the steps that wait for it, for as long as it is polled.
pub(crate) async fn watch<T>(sandbox: &Sandbox, config: &Config, stack: &Stack, course: &Course) -> T {
    let connect =
        reach(config, sandbox, SharedHttpClient::new(Copies { sandbox: sandbox.clone(), last: Arc::default() }));
    let session = Session::open(&connect, config.stack.name.as_str(), None, "watch", Arc::new(|_| {})).await;
    let session = session.expect("the account can be reached");
    loop {
        tokio::time::sleep(LOOK).await;
        for step in course.open() {
            if is_done(&session, stack, &step).await {
                course.done_by(step.number, Instant::now());
            }
        }
    }
}

async fn is_done(session: &Session, stack: &Stack, step: &Step) -> bool {
    let kind = session.kinds.get(&step.kind).expect("a step is of a known kind");
    let wanted: BTreeMap<LogicalId, _> = stack
        .resources
        .get(&step.id)
        .filter(|resource| resource.rules.kind == step.kind.as_str())
        .map(|resource| (step.id.clone(), resource.inputs.clone()))
        .into_iter()
        .collect();
    let physical = step.action.physical().map(str::to_owned);
    let found = kind.find(&session.aws, wanted, Some((step.id.clone(), physical))).await;
    let found = found.expect("the account can be looked at");
    match step.action {
        Action::Delete { .. } => found.is_empty(),
        _ => found.iter().any(|found| found.health == Health::Ready),
    }
}

/// Answers each call out of a copy of the account as it is at that moment, at once and whatever the weather.
#[derive(Clone, Debug)]
struct Copies {
    sandbox: Sandbox,
    /// The copy that was made last, and when: several looks at one moment are looks at one copy.
    last: Arc<Mutex<Option<(Instant, Sandbox)>>>,
}

impl Copies {
    fn now(&self) -> Sandbox {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some((_, copy)) = last.as_ref().filter(|(at, _)| *at == now) {
            return copy.clone();
        }
        let copy = self.sandbox.fork();
        copy.set_weather(Weather { latency: Duration::ZERO, ..Weather::calm() });
        *last = Some((now, copy.clone()));
        copy
    }
}

impl HttpClient for Copies {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Copies {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.now().http_client().call(request)
    }
}
