//! What the example stack costs in calls and time, on the sandbox: `cargo run -p wharf-tests --example figures`.
//!
//! Every call takes the same time here, in calm weather but under AWS's published rates, so that round trips one after
//! another can be counted off the clock. Durations are the sandbox's model of AWS, not a promise.

#![expect(clippy::disallowed_macros, reason = "it prints for people")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::time::Instant;
use wharf::aws::connect::Options as Connect;
use wharf::operations::{Apply, Approval, Planned, Session, Who};
use wharf_engine::{AllowDestroy, Event, Limits, Options, Plan, Stack, StepNumber};
use wharf_sandbox::{Sandbox, Weather};
use wharf_tests::stack::{in_virtual_time, users_config, virtual_timing};

/// How long each call takes.
const CALL: Duration = Duration::from_millis(50);

fn main() -> Result<(), Box<dyn Error>> {
    in_virtual_time(figures())
}

async fn figures() -> Result<(), Box<dyn Error>> {
    let weather = Weather { buckets: true, latency: Duration::ZERO, ..Weather::calm() };
    let sandbox = Sandbox::builder().seed(1).weather(weather).build();
    let config = users_config();
    let transport = SharedHttpClient::new(Steady(sandbox.clone()));
    let connect = Connect { region: config.stack.region.to_string(), transport: Some(transport), ..Connect::default() };

    let meter = Meter::start(&sandbox);
    let session = Session::open(&connect, config.stack.name.as_str(), None, "figures", Arc::new(|_| {})).await?;
    let session = session.without_final_snapshots();
    let stack = wharf::platform::stack(&config, &session.connection().site())?;
    println!("{} resources, {} ms a call", stack.resources.len(), CALL.as_millis());
    meter.print("connect");

    run("first apply", &session, &sandbox, &stack).await?;

    let meter = Meter::start(&sandbox);
    let planned = session.plan(&stack, &Options::default()).await?;
    meter.print("plan, nothing to do");
    println!("  in round trips, at most {:>8}", meter.round_trips());
    if !planned.plan.steps.is_empty() {
        return Err(format!("{} steps are left after an apply", planned.plan.steps.len()).into());
    }

    run("destroy", &session, &sandbox, &Stack::default()).await
}

/// Applies, and prints what it took beside what it would take if calls cost nothing.
async fn run(name: &str, session: &Session, sandbox: &Sandbox, stack: &Stack) -> Result<(), Box<dyn Error>> {
    let options = Options { allow_destroy: AllowDestroy::All, ..Options::default() };
    let took = RefCell::new(BTreeMap::new());
    let first = RefCell::new(None);
    let meter = Meter::start(sandbox);
    let request = Apply {
        stack,
        options: &options,
        command: "figures",
        who: Who { name: "figures".to_owned(), at: sandbox.now().to_string() },
        approval: Approval::Given,
        timing: virtual_timing(),
        limits: Limits::default(),
        on_plan: &|planned: &Planned| {
            first.borrow_mut().get_or_insert_with(|| (planned.plan.clone(), Instant::now()));
        },
        on_event: &|event| {
            if let Event::StepDone { step, took: time } = event {
                took.borrow_mut().insert(*step, (*time, Instant::now()));
            }
        },
        on_wait: &|_| {},
    };
    let applied = session.apply(request, std::future::pending()).await?;
    meter.print(name);
    if !applied.complete() || applied.runs.len() > 1 {
        return Err(format!("{name} did not come to its end in one run").into());
    }
    if let Some((plan, begun)) = first.take() {
        let took = took.take();
        let end = took.values().map(|(_, at)| *at).max().unwrap_or(begun);
        let (makespan, critical) = (end - begun, critical_path(&plan, &took));
        println!("  steps, last one done    {:>8.1} s", makespan.as_secs_f64());
        println!("  critical path of these  {:>8.1} s", critical.as_secs_f64());
        println!("  ratio                   {:>8.3}", makespan.as_secs_f64() / critical.as_secs_f64());
    }
    Ok(())
}

/// The longest chain of steps, by the time that each took.
fn critical_path(plan: &Plan, took: &BTreeMap<StepNumber, (Duration, Instant)>) -> Duration {
    let mut ends: BTreeMap<StepNumber, Duration> = BTreeMap::new();
    for step in &plan.steps {
        let begin = step.needs.iter().filter_map(|need| ends.get(need)).max().copied().unwrap_or_default();
        ends.insert(step.number, begin + took.get(&step.number).map_or(Duration::ZERO, |(time, _)| *time));
    }
    ends.into_values().max().unwrap_or_default()
}

/// Counts calls and the account's time.
struct Meter<'a> {
    sandbox: &'a Sandbox,
    calls: u64,
    begun: Instant,
}

impl<'a> Meter<'a> {
    fn start(sandbox: &'a Sandbox) -> Self {
        Self { sandbox, calls: sandbox.calls(), begun: Instant::now() }
    }

    fn print(&self, name: &str) {
        println!("\n{name}");
        println!("  calls                   {:>8}", self.sandbox.calls() - self.calls);
        println!("  model time              {:>8.1} s", self.begun.elapsed().as_secs_f64());
    }

    /// How many calls went one after the other at most: waiting for a rate counts as if calls did.
    fn round_trips(&self) -> u128 {
        self.begun.elapsed().as_millis().div_ceil(CALL.as_millis())
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
