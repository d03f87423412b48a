//! `wharf apply`: the stack becomes what its stack file says.

use std::path::PathBuf;

use clap::Args;

use super::Done;
use super::context::{Code, Context};
use super::plan::{Allowances, read};
use super::running::{Consent, run};
use crate::report::{Failure, Stop};

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A plan that `wharf plan --out` saved: it is done as it was shown, or not at all
    #[arg(value_name = "PLAN")]
    pub plan: Option<PathBuf>,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// What the plan may do
    #[command(flatten)]
    pub allowances: Allowances,
}

/// Applies the stack file.
pub(super) async fn apply(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let Some(path) = &arguments.plan else {
        let options = arguments.allowances.options()?;
        let consent = Consent::ask(arguments.yes, "apply this plan?", context.printer)?;
        let open = context.open(Code::Needed).await?;
        return run(context, &open, &open.stack, &options, "apply", consent).await;
    };
    if !arguments.allowances.allow_destroy.is_empty() || !arguments.allowances.adopt.is_empty() {
        let hint = "a saved plan holds what it may do; pass `--allow-destroy` and `--adopt` to `wharf plan --out`";
        return Err(Failure::config("a saved plan takes no allowances").hint(hint).into());
    }
    let open = context.open(Code::Needed).await?;
    let saved = read(path, &open)?;
    let options = Allowances { allow_destroy: saved.allow_destroy, adopt: saved.adopt }.options()?;
    run(context, &open, &open.stack, &options, "apply", Consent::Saved(&saved.plan)).await
}
