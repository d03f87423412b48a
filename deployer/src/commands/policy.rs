//! `wharf policy`: the IAM policies that a run needs, from what each kind says it calls.

use clap::{Args, ValueEnum};

use super::Done;
use super::context::Context;
use crate::aws::Scope;
use crate::policy::{For, policies};
use crate::report::{Failure, Stop};

/// What the policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Purpose {
    /// What only reads: plan, drift, status
    Plan,
    /// Everything
    Apply,
    /// Another image of a service: deploy, rollback
    Deploy,
    /// The database as it was: restore
    Restore,
    /// What works with the services that run: logs, run, exec
    Operate,
}

/// Arguments of `policy`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What it is for
    #[arg(long = "for", value_enum, default_value_t = Purpose::Apply)]
    pub purpose: Purpose,
    /// Only this one, from 1, where IAM's limit of 6144 characters makes it several
    #[arg(long, value_name = "N")]
    pub part: Option<usize>,
}

/// Prints the policy, which is JSON in either form: one document, or a list of them when there are several.
pub(super) fn policy(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let config = context.config()?;
    let region = config.stack.region.to_string();
    let scope = Scope {
        stack: config.stack.name.to_string(),
        account: config.stack.account.as_ref().map_or("*", |account| account.as_str()).to_owned(),
        partition: partition(&region).to_owned(),
        region,
    };
    let purpose = match arguments.purpose {
        Purpose::Plan => For::Plan,
        Purpose::Apply => For::Apply,
        Purpose::Deploy => For::Deploy,
        Purpose::Restore => For::Restore,
        Purpose::Operate => For::Operate,
    };
    let documents = policies(&scope, purpose);
    let count = documents.len();
    let text = match (arguments.part, documents.as_slice()) {
        (Some(part), documents) => {
            let one = part.checked_sub(1).and_then(|index| documents.get(index));
            let missing = || Failure::config(format!("there are {count} policies, no number {part}"));
            format!("{:#}", one.ok_or_else(missing)?)
        }
        (None, [one]) => format!("{one:#}"),
        (None, several) => {
            context.printer.note(format!("{count} policies, all of which the role needs: `--part N` prints one"));
            format!("{:#}", serde_json::Value::from(several.to_vec()))
        }
    };
    context.printer.raw(text)?;
    Ok(Done::Well)
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
fn partition(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        Some("us") if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}
