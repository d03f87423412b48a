//! `wharf destroy`: everything the stack has goes. What is protected goes only by name; until it is said what becomes of
//! it, nothing does.

use clap::Args;
use wharf_engine::{Options, Stack};

use super::Done;
use super::context::{Code, Context, allow_destroy};
use super::running::{Consent, run};
use crate::report::{Failure, Kind, Stop};

/// Arguments of `destroy`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Let a protected resource (the database, a key, a repository) go too: its logical id, or `all`
    #[arg(long, value_name = "ID|all")]
    pub allow_destroy: Vec<String>,
    /// Delete the rest, and keep what is protected and what it needs
    #[arg(long)]
    pub keep_protected: bool,
    /// Delete the database without a last snapshot: its data is gone for good
    #[arg(long)]
    pub no_final_snapshot: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// Deletes everything the stack has.
pub(super) async fn destroy(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let allow_destroy = allow_destroy(&arguments.allow_destroy)?;
    let options = Options { allow_destroy, keep_protected: arguments.keep_protected, ..Options::default() };
    let consent = Consent::ask(arguments.yes, "delete all this?", context.printer)?;
    let mut open = context.open(Code::IfAtHand).await?;
    if arguments.no_final_snapshot {
        open.session = open.session.without_final_snapshots();
    }
    run(context, &open, &Stack::default(), &options, "destroy", consent).await.map_err(|stop| match stop {
        Stop::Failed(failure) if is_protection(&failure) => {
            failure.hint("or `--keep-protected`, which deletes the rest, and keeps these and what they need").into()
        }
        stop => stop,
    })
}

/// Whether what stands against it is what is protected.
fn is_protection(failure: &Failure) -> bool {
    failure.kind == Kind::Conflict && failure.causes.iter().any(|cause| cause.contains("--allow-destroy"))
}
