//! `wharf sandbox`: the whole of Wharf's work in a simulated account, or such an account on a port.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use wharf_sandbox::{ACCOUNT, REGION, Sandbox, SimClock, Weather};

use super::context::Context;
use super::{Done, wait};
use crate::config::{self, Config};
use crate::report::{Failure, Stop, json};
use crate::surroundings;
use crate::tour::{self, Tour};

/// Arguments of `sandbox`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Write what is shown into an HTML file too
    #[arg(long, value_name = "FILE", conflicts_with = "serve")]
    pub report: Option<PathBuf>,
    /// Serve an empty account on a port instead, until interrupted
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:4566")]
    pub serve: Option<SocketAddr>,
    /// The seed of the account's ids, durations and weather: the same seed, the same run
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// How many times as fast the served account's time goes
    #[arg(long, value_name = "TIMES", requires = "serve", default_value_t = 60.0)]
    pub speed: f64,
    /// Serve an account in which no reply is lost, no read is old and nothing is throttled: for tools that do not expect it
    #[arg(long, requires = "serve")]
    pub calm: bool,
}

/// What stands in when there is no stack file here.
const EXAMPLE: &str = include_str!("../../../infra/wharf.toml");
const EXAMPLE_ENV: &str = include_str!("../../../infra/.env.example");

/// Runs the tour, or serves an account.
pub(super) fn sandbox(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    if let Some(address) = arguments.serve {
        return wait(serve(arguments, address, context));
    }
    let (name, config) = stack_file(context)?;
    // Paused time: whoever waits makes the clock jump, so a twenty-minute apply takes a moment.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.map_err(|error| Failure::ours("cannot begin").because(&error))?;
    let tour = runtime.block_on(async {
        let account = config.stack.account.as_ref().map_or(ACCOUNT, |account| account.as_str());
        let sandbox = Sandbox::builder().seed(arguments.seed).account(account).region(config.stack.region.as_str());
        // Whoever names a zone has it, and its registrar knows it.
        let sandbox = config.hosted_zone().into_iter().fold(sandbox, |sandbox, zone| sandbox.zone(zone));
        Tour::new(sandbox.build(), config, name, context.printer).run().await
    })?;
    context.printer.document(&json::document("sandbox", tour.json()))?;
    if let Some(path) = &arguments.report {
        let cannot = |error| Failure::config(format!("cannot write {}", path.display())).because(&error);
        std::fs::write(path, tour::html(&tour)).map_err(cannot)?;
        context.printer.note(format!("report written to {}", path.display()));
    }
    Ok(Done::Well)
}

/// The user's stack file, or the example that comes with Wharf.
fn stack_file(context: &Context<'_>) -> Result<(String, Config), Failure> {
    let path = context.file();
    if context.global.config.is_some() || path.is_file() {
        return Ok((path.display().to_string(), context.config()?));
    }
    let env_file = |_: &str| Ok(EXAMPLE_ENV.to_owned());
    let loaded = config::parse("the example that comes with wharf", EXAMPLE, &env_file);
    let loaded = loaded.map_err(|problems| Failure::from(config::LoadError::Wrong(Box::new(problems))))?;
    Ok(("the example that comes with wharf".to_owned(), loaded.config))
}

async fn serve(arguments: &Arguments, address: SocketAddr, context: &Context<'_>) -> Result<Done, Stop> {
    let region = context.global.region.clone().unwrap_or_else(|| REGION.to_owned());
    let clock = SimClock::new(Timestamp::UNIX_EPOCH + surroundings::since_epoch()).at_speed(arguments.speed);
    let weather = if arguments.calm { Weather::calm() } else { Weather::typical() };
    let sandbox = Sandbox::builder().seed(arguments.seed).region(&region).clock(clock).weather(weather);
    let zone = stack_file(context).ok().and_then(|(_, config)| config.hosted_zone());
    let sandbox = zone.into_iter().fold(sandbox, |sandbox, zone| sandbox.zone(zone)).build();
    let cannot = |error: std::io::Error| Failure::config(format!("cannot listen on {address}")).because(&error);
    let listener = tokio::net::TcpListener::bind(address).await.map_err(cannot)?;
    let url = format!("http://{}", listener.local_addr().map_err(cannot)?);
    context.printer.document(&json::document(
        "sandbox",
        serde_json::json!({ "endpoint_url": url, "account": ACCOUNT, "region": region }),
    ))?;
    context.printer.result(format!(
        "an empty account {ACCOUNT} in {region} at {url}, its time {} times as fast; Ctrl-C ends it\n\n  \
         export AWS_ENDPOINT_URL={url} AWS_REGION={region} AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox\n  \
         wharf apply --yes",
        arguments.speed
    ))?;
    tokio::select! {
        served = wharf_sandbox::serve(sandbox, listener) => {
            served.map_err(|error| Failure::ours("the account cannot be served any more").because(&error))?;
        }
        () = surroundings::interrupted(|| {}) => {}
    }
    Ok(Done::Well)
}
