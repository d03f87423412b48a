//! `wharf completions <shell>`.

use clap::Args;
use clap_complete::Shell;

use super::Done;
use crate::report::{Failure, Printer, Stop};

/// Which shell.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The shell
    pub shell: Shell,
}

/// Prints completions for a shell.
pub(super) fn completions(arguments: &Arguments, mut command: clap::Command, printer: &Printer) -> Result<Done, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "wharf", &mut script);
    let script = String::from_utf8(script).map_err(|error| Failure::ours("the script is no text").because(&error))?;
    printer.raw(script.trim_end())?;
    Ok(Done::Well)
}
