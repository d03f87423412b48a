//! What a stack costs in calls and time, on the sandbox.
//!
//! Every call is counted: those that make and delete, those that look, those that only wait, the lock's renewals, and
//! the ones that had to be sent again.

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
use wharf::aws::CallEvent;
use wharf::config::Config;
use wharf::operations::{Apply, Approval, Planned, Session, Who};
use wharf_engine::{AllowDestroy, Limits, Options, Stack};
use wharf_sandbox::{Sandbox, Weather};

use crate::critical::{self, Course, Path};
use crate::stack::{reach, virtual_timing, with_zone};

/// How long each call takes in steady weather.
pub const CALL: Duration = Duration::from_millis(50);

/// A call, from its sending to its answer.
#[derive(Clone, Debug)]
struct Sent {
    action: &'static str,
    begun: Instant,
    ended: Instant,
    /// Why it was of no use.
    error: Option<String>,
}

/// How often an operation was called.
#[derive(Clone, Debug, Default)]
pub struct Share {
    /// All calls of it.
    pub calls: usize,
    /// Those that AWS refused or did not answer, by reason.
    pub in_vain: BTreeMap<String, usize>,
}

/// The calls of a part of a stack's life.
#[derive(Clone, Debug, Default)]
pub struct Calls(Vec<Sent>);

impl Calls {
    /// How many there were.
    #[must_use]
    pub fn number(&self) -> usize {
        self.0.len()
    }

    /// How many there were of each operation.
    #[must_use]
    pub fn by_operation(&self) -> BTreeMap<&'static str, Share> {
        let mut all = BTreeMap::<_, Share>::new();
        for sent in &self.0 {
            let share = all.entry(sent.action).or_default();
            share.calls += 1;
            sent.error.iter().for_each(|error| *share.in_vain.entry(error.clone()).or_default() += 1);
        }
        all
    }

    /// Sequential round trips: the length of the longest chain of calls of which each began after the one before it
    /// had ended. Calls that were under way at the same time are never in one chain, whoever made them; calls that
    /// waited for their turn at a rate are, although they need nothing of each other.
    #[must_use]
    pub fn round_trips(&self) -> usize {
        let mut calls = self.0.clone();
        // Of all calls that could be next in a chain, the one that ends first leaves most room for more.
        calls.sort_by_key(|sent| sent.ended);
        let mut last: Option<Instant> = None;
        let mut chain = 0;
        let mut rest = calls.iter();
        while let Some(sent) = rest.by_ref().find(|sent| last.is_none_or(|ended| sent.begun >= ended)) {
            last = Some(sent.ended);
            chain += 1;
        }
        chain
    }
}

/// What one part of a stack's life took.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its calls.
    pub calls: Calls,
    /// How long it took.
    pub took: Duration,
    /// Its steps' makespan beside the shortest that there could have been; none where there were no steps.
    pub path: Option<Path>,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  calls                   {:>8}", self.calls.number())?;
        writeln!(f, "  one after the other     {:>8}", self.calls.round_trips())?;
        writeln!(f, "  model time              {:>8.1} s", self.took.as_secs_f64())?;
        match &self.path {
            Some(path) => path.fmt(f),
            None => Ok(()),
        }
    }
}

/// A stack's life: from nothing to nothing.
#[derive(Clone, Debug)]
pub struct Life {
    /// How many resources it has.
    pub resources: usize,
    /// To know the account.
    pub connect: Figure,
    /// The first apply.
    pub apply: Figure,
    /// A plan of what stands, which finds nothing to do.
    pub plan: Figure,
    /// Down to nothing.
    pub destroy: Figure,
}

impl Life {
    /// Its parts by name, in their order.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, &Figure); 4] {
        [
            ("connect", &self.connect),
            ("first apply", &self.apply),
            ("plan, nothing to do", &self.plan),
            ("destroy", &self.destroy),
        ]
    }
}

/// How the account behaves while it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sky {
    /// Nothing goes wrong; AWS's published rates are kept, and every call takes [`CALL`], so that calls of one level
    /// begin and end together.
    Steady,
    /// The same where AWS does everything a hundred times as fast, as emulators do: what is left are the calls that a
    /// run makes however long AWS takes, and hardly any that only wait.
    Swift,
    /// As on an ordinary day.
    Typical,
}

/// Lives a stack's whole life. Only in virtual time.
///
/// # Panics
/// When a part of it does not come to its end in one run.
pub async fn life(config: &Config, seed: u64, sky: Sky) -> Life {
    let bench = Bench::new(config, seed, sky);
    let begun = Instant::now();
    let (session, stack) = bench.connect("figures").await;
    let connect = bench.figure(begun, None);
    let apply = bench.run(&session, &stack).await;
    let begun = Instant::now();
    let planned = session.plan(&stack, &Options::default()).await.expect("the stack can be planned");
    assert!(planned.plan.steps.is_empty(), "after an apply there is more to do: {:#?}", planned.plan.steps);
    let plan = bench.figure(begun, None);
    let destroy = bench.run(&session, &Stack::default()).await;
    Life { resources: stack.resources.len(), connect, apply, plan, destroy }
}

/// An account, and who is measured in it.
struct Bench<'a> {
    config: &'a Config,
    sandbox: Sandbox,
    transport: SharedHttpClient,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl<'a> Bench<'a> {
    fn new(config: &'a Config, seed: u64, sky: Sky) -> Self {
        let steady = Weather { buckets: true, latency: Duration::ZERO, ..Weather::calm() };
        let weather = match sky {
            Sky::Steady => steady,
            Sky::Swift => Weather { pace: 0.01, ..steady },
            Sky::Typical => Weather::typical(),
        };
        let sandbox = with_zone(Sandbox::builder().seed(seed).weather(weather), config).build();
        let transport = match sky {
            Sky::Steady | Sky::Swift => SharedHttpClient::new(Steady(sandbox.clone())),
            Sky::Typical => SharedHttpClient::new(sandbox.http_client()),
        };
        Self { config, sandbox, transport, sent: Arc::default() }
    }

    async fn connect(&self, run: &str) -> (Session, Stack) {
        let sent = Arc::clone(&self.sent);
        let observer = Arc::new(move |event: &CallEvent| {
            if let CallEvent::Answered { action, took, error } = event {
                let ended = Instant::now();
                let one = Sent { action, begun: ended - *took, ended, error: error.clone() };
                sent.lock().unwrap_or_else(PoisonError::into_inner).push(one);
            }
        });
        let connect = reach(self.config, &self.sandbox, self.transport.clone());
        let session = Session::open(&connect, self.config.stack.name.as_str(), None, run, observer).await;
        let session = session.expect("the account can be reached").without_final_snapshots();
        let stack = wharf::platform::stack(self.config, &session.connection().site());
        (session, stack.expect("the stack can be described"))
    }

    /// What was sent since the last figure.
    fn figure(&self, begun: Instant, path: Option<Path>) -> Figure {
        let calls = Calls(std::mem::take(&mut *self.sent.lock().unwrap_or_else(PoisonError::into_inner)));
        Figure { calls, took: begun.elapsed(), path }
    }

    /// Applies, and is told what it took beside what it would take somebody who knows at once when AWS is done.
    async fn run(&self, session: &Session, stack: &Stack) -> Figure {
        let (course, options) = (Course::default(), Options { allow_destroy: AllowDestroy::All, ..Options::default() });
        let begun = Instant::now();
        let request = Apply {
            stack,
            options: &options,
            command: "figures",
            who: Who { name: "figures".to_owned(), at: self.sandbox.now().to_string() },
            approval: Approval::Given,
            timing: virtual_timing(),
            limits: Limits::default(),
            on_plan: &|planned: &Planned| course.planned(&planned.plan),
            on_event: &|event| course.heard(event),
            on_wait: &|_| {},
        };
        let watched = critical::watch(&self.sandbox, self.config, stack, &course);
        let applied = tokio::select! {
            applied = session.apply(request, std::future::pending()) => applied.expect("the stack can be applied"),
            never = watched => never,
        };
        let whole = applied.complete() && applied.runs.len() == 1;
        assert!(whole, "{:?}", applied.runs.iter().map(|(_, outcome)| &outcome.failed).collect::<Vec<_>>());
        self.figure(begun, course.path())
    }
}

/// The sandbox, each call of which takes exactly [`CALL`].
#[derive(Clone, Debug)]
struct Steady(Sandbox);

impl HttpClient for Steady {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(SteadyConnector(self.0.http_client().http_connector(settings, parts)))
    }
}

#[derive(Debug)]
struct SteadyConnector(SharedHttpConnector);

impl HttpConnector for SteadyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let inner = self.0.clone();
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(CALL).await;
            inner.call(request).await
        })
    }
}
