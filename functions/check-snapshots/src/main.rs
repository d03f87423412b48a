//! Snapshots and backups are checked on a schedule.

use std::process::ExitCode;

fn main() -> ExitCode {
    wharf_shell::block_on(wharf_check_snapshots::main())
}
