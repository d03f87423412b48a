//! The command line: its flags and commands, nothing else. What each does is in `commands/`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::commands::{
    apply, check_snapshots, completions, deploy, destroy, drift, env, exec, function, history, import, logs, outputs,
    plan, policy, restore, rollback, run, sandbox, unlock,
};

/// Stands up and keeps a production AWS platform for containerised web applications.
///
/// AWS itself is the state: there is no state file. Exit codes: 0 done, 1 AWS refused or a step failed, 2 the stack
/// file or the command line is wrong (`drift`, `check-snapshots`: something is not as it should be), 3 a conflict (locked, moved, not ours, protected),
/// 4 a fault of wharf's own, 130 interrupted. `run` and `exec` end as what they run does.
#[derive(Debug, Parser)]
#[command(name = "wharf", version, propagate_version = true, disable_help_subcommand = true)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The stack file; `infra/wharf.toml`, or `wharf.toml` here, if not given
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Talk to this endpoint instead of AWS's own
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// The region, for commands that need no stack file; must be the stack's own otherwise
    #[arg(long, global = true)]
    pub region: Option<String>,
    /// A profile of `~/.aws/config`
    #[arg(long, global = true)]
    pub profile: Option<String>,
    /// The functions' code: a directory, or `sandbox` in an account that `wharf sandbox` serves, which needs none
    #[arg(long, global = true, value_name = "DIRECTORY|sandbox")]
    pub functions: Option<PathBuf>,
    /// Print one JSON document on stdout, and progress as JSON lines on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Print results and errors only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more: every input of what is created, every call of AWS
    #[arg(long, short, global = true, action = ArgAction::SetTrue)]
    pub verbose: bool,
    /// No colours
    #[arg(long, global = true, env = "NO_COLOR", hide = true, hide_env = true, num_args = 0..=1, default_missing_value = "1")]
    pub no_color: Option<OsString>,
    /// Who is at work, for the lock and the history
    #[arg(long, global = true, env = "USER", hide = true, hide_env = true, default_value = "somebody")]
    pub user: String,
    /// Columns of the terminal
    #[arg(long, global = true, env = "COLUMNS", hide = true, hide_env = true)]
    pub columns: Option<usize>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the stack file, without calling AWS
    Check,
    /// Show what apply would do
    Plan(plan::Arguments),
    /// Do what the stack file says, or what a saved plan says
    Apply(apply::Arguments),
    /// Delete everything the stack has
    Destroy(destroy::Arguments),
    /// Show what was changed outside of wharf; exit code 2 if anything was
    Drift(drift::Arguments),
    /// Check snapshots and backups; exit code 2 if a demand does not hold or could not be seen
    CheckSnapshots(check_snapshots::Arguments),
    /// Bring out another image of a service, and wait until it runs
    Deploy(deploy::Arguments),
    /// Bring out the image that a service ran before
    Rollback(rollback::Arguments),
    /// Make the database as it was, in a new instance that takes its place; the old one is kept
    Restore(restore::Arguments),
    /// Show what the stack has, and whether it is well
    Status,
    /// Show the stacks of the account's region
    Stacks,
    /// Show what the stack's resources are called in AWS
    Outputs(outputs::Arguments),
    /// Show the environment variables of a service
    Env(env::Arguments),
    /// Take an existing resource into the stack by tagging it
    Import(import::Arguments),
    /// Show what a service's tasks have written
    Logs(logs::Arguments),
    /// Run a command in a task of its own, beside a service's
    Run(run::Arguments),
    /// Get into a running task of a service
    Exec(exec::Arguments),
    /// Print the IAM policy that plan, apply or operating the services needs
    Policy(policy::Arguments),
    /// Show the stack's past runs
    History(history::Arguments),
    /// Show who holds the stack's lock, and take it away
    Unlock(unlock::Arguments),
    /// Show everything in a simulated account, or serve one
    Sandbox(sandbox::Arguments),
    /// Run the code of a function, where something stands in for Lambda
    #[command(hide = true)]
    Function(function::Arguments),
    /// Print completions for a shell
    Completions(completions::Arguments),
    /// Print the JSON schema of the stack file
    Schema,
    /// Print the version
    Version,
}
