//! `wharf plan`: what apply would do; nothing is written but the plan's own file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use wharf_engine::{LogicalId, Options, Plan};

use super::Done;
use super::context::{Code, Context, Open, allow_destroy, logical_id};
use crate::config::Config;
use crate::operations::{Planned, Session};
use crate::report::{Failure, Printer, Stop, json, plan as shown};

/// What a plan may do.
#[derive(Clone, Debug, Default, Args)]
pub struct Allowances {
    /// Let a protected resource (the database, a key, a repository) be deleted or replaced: its logical id, or `all`
    #[arg(long, value_name = "ID|all")]
    pub allow_destroy: Vec<String>,
    /// Take over an existing resource that has a name this stack needs: its logical id
    #[arg(long, value_name = "ID", value_parser = logical_id)]
    pub adopt: Vec<LogicalId>,
}

impl Allowances {
    /// The engine's form.
    pub(super) fn options(&self) -> Result<Options, Failure> {
        let adopt: BTreeSet<_> = self.adopt.iter().cloned().collect();
        Ok(Options { adopt, allow_destroy: allow_destroy(&self.allow_destroy)?, keep_protected: false })
    }
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Save the plan: `wharf apply FILE` then does this, or nothing if the world has moved
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// What the plan may do
    #[command(flatten)]
    pub allowances: Allowances,
}

/// A saved plan, with what it was made under.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    /// The form of this file.
    pub(super) version: u32,
    /// The stack's name.
    pub(super) stack: String,
    /// The account.
    pub(super) account: String,
    /// The region.
    pub(super) region: String,
    /// `--allow-destroy`.
    pub(super) allow_destroy: Vec<String>,
    /// `--adopt`.
    pub(super) adopt: Vec<LogicalId>,
    /// The plan.
    pub(super) plan: Plan,
}

/// Shows what apply would do.
pub(super) async fn plan(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let options = arguments.allowances.options()?;
    let open = context.open(Code::Needed).await?;
    let planned = open.session.plan(&open.stack, &options).await.map_err(Failure::from)?;
    if let Some(path) = &arguments.out {
        save(path, arguments, &open, &planned.plan)?;
        context.printer.note(format!("saved to {}", path.display()));
    }
    context.printer.document(&json::document("plan", with_place(&open, json::plan(&planned.plan))))?;
    context.printer.result(text(&planned, context.printer).trim_end())?;
    Ok(Done::Well)
}

/// The plan as people read it on stdout.
pub(super) fn text(planned: &Planned, printer: &Printer) -> String {
    shown::render(&planned.plan, printer.out, printer.verbose)
}

/// A document that says which stack it is about.
pub(super) fn with_place(open: &Open, body: serde_json::Value) -> serde_json::Value {
    placed(&open.config, &open.session, body)
}

/// The same for what needs no whole stack.
pub(super) fn placed(config: &Config, session: &Session, mut body: serde_json::Value) -> serde_json::Value {
    body["stack"] = serde_json::json!({
        "name": config.stack.name.as_str(), "region": config.stack.region.as_str(),
        "account": session.connection().account,
    });
    body
}

fn save(path: &Path, arguments: &Arguments, open: &Open, plan: &Plan) -> Result<(), Failure> {
    let saved = Saved {
        version: json::VERSION,
        stack: open.config.stack.name.to_string(),
        account: open.session.connection().account.clone(),
        region: open.config.stack.region.to_string(),
        allow_destroy: arguments.allowances.allow_destroy.clone(),
        adopt: arguments.allowances.adopt.clone(),
        plan: plan.clone(),
    };
    let text = serde_json::to_string_pretty(&saved)
        .map_err(|error| Failure::ours("the plan cannot be written down").because(&error))?;
    std::fs::write(path, text + "\n")
        .map_err(|error| Failure::config(format!("cannot write {}", path.display())).because(&error))
}

/// Reads a saved plan, and refuses one of another stack.
pub(super) fn read(path: &Path, open: &Open) -> Result<Saved, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::config(format!("cannot read the plan {shown}")).because(&error))?;
    let saved: Saved = serde_json::from_str(&text).map_err(|error| {
        let hint = "`wharf plan --out FILE` writes one; a plan of another version of wharf has to be made again";
        Failure::config(format!("{shown} is not a plan that this wharf can read")).because(&error).hint(hint)
    })?;
    if saved.version != json::VERSION {
        let message = format!("{shown} has the form {}, this wharf reads {}", saved.version, json::VERSION);
        return Err(Failure::config(message).hint("make the plan again"));
    }
    let here = (open.config.stack.name.as_str(), &open.session.connection().account, open.config.stack.region.as_str());
    if (saved.stack.as_str(), &saved.account, saved.region.as_str()) != here {
        let message = format!(
            "{shown} is a plan of stack {} in account {}, {}; here it is stack {} in account {}, {}",
            saved.stack, saved.account, saved.region, here.0, here.1, here.2
        );
        return Err(Failure::new(crate::report::Kind::Conflict, message));
    }
    Ok(saved)
}
