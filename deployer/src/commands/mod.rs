//! The commands, one file each: its arguments beside its function.

pub mod apply;
mod check;
pub mod check_snapshots;
pub mod completions;
mod context;
pub mod deploy;
pub mod destroy;
pub mod drift;
pub mod env;
pub mod exec;
pub mod function;
pub mod history;
pub mod import;
pub mod logs;
pub mod outputs;
pub mod plan;
pub mod policy;
pub mod restore;
pub mod rollback;
pub mod run;
mod running;
pub mod sandbox;
mod stacks;
mod status;
pub mod unlock;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::{Cli, Command, Global};
use crate::report::{Failure, Kind, Printer, Stop};
use context::Context;

/// How a command that did what it should ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// All is well.
    Well,
    /// There is drift, or a demand that does not hold or could not be seen.
    Drift,
    /// Steps failed; the report has said which.
    Failed,
    /// Somebody stopped it; the report has said what is left.
    Interrupted,
    /// Somebody was asked and said no.
    Declined,
    /// What it ran ended with this exit code.
    Exited(u8),
}

impl Done {
    const fn exit_code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Failed | Self::Declined => Kind::Refused.exit_code(),
            Self::Drift => 2,
            Self::Exited(code) => code,
            Self::Interrupted => Kind::Interrupted.exit_code(),
        }
    }
}

/// Reads the command line and runs its command.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Function(arguments) = &cli.command {
        return function::function(arguments);
    }
    let Global { json, quiet, verbose, ref no_color, columns, .. } = cli.global;
    let no_colour = no_color.as_ref().is_some_and(|value| !value.is_empty());
    let printer = Printer::new(json, quiet, verbose, no_colour, columns);
    match run(&cli, &printer) {
        Ok(done) => ExitCode::from(done.exit_code()),
        Err(Stop::NobodyReads) => ExitCode::SUCCESS,
        Err(Stop::Failed(failure)) => {
            printer.failure(&failure);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

fn run(cli: &Cli, printer: &Printer) -> Result<Done, Stop> {
    let context = Context { global: &cli.global, printer };
    match &cli.command {
        Command::Check => check::check(&context),
        Command::Completions(arguments) => completions::completions(arguments, Cli::command(), printer),
        Command::Schema => printer.raw(format!("{:#}", crate::config::schema())).map(|()| Done::Well),
        Command::Version => version(printer),
        Command::Policy(arguments) => policy::policy(arguments, &context),
        Command::Sandbox(arguments) => sandbox::sandbox(arguments, &context),
        command => wait(calling(command, &context)),
    }
}

/// The commands that call AWS.
async fn calling(command: &Command, context: &Context<'_>) -> Result<Done, Stop> {
    match command {
        Command::Plan(arguments) => plan::plan(arguments, context).await,
        Command::Apply(arguments) => apply::apply(arguments, context).await,
        Command::Destroy(arguments) => destroy::destroy(arguments, context).await,
        Command::Drift(arguments) => drift::drift(arguments, context).await,
        Command::CheckSnapshots(arguments) => check_snapshots::check_snapshots(arguments, context).await,
        Command::Deploy(arguments) => deploy::deploy(arguments, context).await,
        Command::Restore(arguments) => restore::restore(arguments, context).await,
        Command::Rollback(arguments) => rollback::rollback(arguments, context).await,
        Command::Status => status::status(context).await,
        Command::Stacks => stacks::stacks(context).await,
        Command::Outputs(arguments) => outputs::outputs(arguments, context).await,
        Command::Env(arguments) => env::env(arguments, context).await,
        Command::Import(arguments) => import::import(arguments, context).await,
        Command::Logs(arguments) => logs::logs(arguments, context).await,
        Command::Run(arguments) => run::run(arguments, context).await,
        Command::Exec(arguments) => exec::exec(arguments, context).await,
        Command::History(arguments) => history::history(arguments, context).await,
        Command::Unlock(arguments) => unlock::unlock(arguments, context).await,
        Command::Check
        | Command::Completions(_)
        | Command::Function(_)
        | Command::Schema
        | Command::Version
        | Command::Policy(_)
        | Command::Sandbox(_) => Err(Failure::ours("this command calls nothing").into()),
    }
}

/// Runs a command that waits for calls, on this one thread.
fn wait(command: impl Future<Output = Result<Done, Stop>>) -> Result<Done, Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::ours("cannot begin").because(&error))?;
    runtime.block_on(command)
}

fn version(printer: &Printer) -> Result<Done, Stop> {
    let version = env!("CARGO_PKG_VERSION");
    printer.document(&crate::report::json::document("version", serde_json::json!({ "wharf": version })))?;
    printer.result(format!("wharf {version}"))?;
    Ok(Done::Well)
}
