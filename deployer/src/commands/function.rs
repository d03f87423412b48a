//! `wharf function`: the code of one of the stack's functions, the same that runs on Lambda, for whatever speaks Lambda's
//! Runtime API. The sandbox starts it so; nobody has to build the functions' own programs to see them at work.

use std::process::ExitCode;

use clap::Args;

/// Arguments of `function`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Which one
    #[arg(value_parser = [wharf_on_image_push::NAME, wharf_on_alarm::NAME, wharf_check_snapshots::NAME])]
    pub name: String,
}

/// Runs a function until whoever started it ends it.
pub(super) fn function(arguments: &Arguments) -> ExitCode {
    match arguments.name.as_str() {
        wharf_on_image_push::NAME => wharf_shell::block_on(wharf_on_image_push::main()),
        wharf_on_alarm::NAME => wharf_shell::block_on(wharf_on_alarm::main()),
        _ => wharf_shell::block_on(wharf_check_snapshots::main()),
    }
}
