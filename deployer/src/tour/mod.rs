//! The tour of `wharf sandbox`: a stack's whole life in a simulated account, act by act.

mod acts;
mod html;
mod names;
mod stage;
mod story;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use wharf_sandbox::Sandbox;

pub(crate) use html::html;

use crate::config::Config;
use crate::report::Printer;

/// A stack, an account, and what has been shown.
pub(crate) struct Tour<'a> {
    sandbox: Sandbox,
    /// Kind and id of what the account had beforehand.
    before: BTreeSet<(String, String)>,
    config: Config,
    file: String,
    printer: &'a Printer,
    acts: Vec<Act>,
}

/// One act, when it is over.
pub(crate) struct Act {
    /// What was shown.
    title: String,
    /// What it looked like, without colours.
    text: String,
    /// How long the account's clock went on.
    simulated: Duration,
    /// How long it took.
    real: Duration,
    /// Calls of AWS.
    calls: u64,
}

impl<'a> Tour<'a> {
    /// A tour of this stack in this empty account.
    pub(crate) fn new(sandbox: Sandbox, config: Config, file: String, printer: &'a Printer) -> Self {
        let before = sandbox.inventory().into_iter().map(|one| (one.kind.to_owned(), one.id)).collect();
        Self { sandbox, before, config, file, printer, acts: Vec::new() }
    }

    /// What programs read of it.
    pub(crate) fn json(&self) -> Value {
        let act = |act: &Act| {
            json!({
                "title": act.title, "text": act.text, "calls": act.calls,
                "simulated_seconds": act.simulated.as_secs_f64(), "real_seconds": act.real.as_secs_f64(),
            })
        };
        json!({ "stack": self.config.stack.name.as_str(), "file": self.file, "acts": self.acts.iter().map(act).collect::<Vec<_>>() })
    }
}
