//! `wharf`: the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    wharf::commands::main()
}
