//! Snapshots and backups are checked on a schedule.
//!
//! The way of one check: [`read`] asks AWS what there is and makes an [`Inventory`] of it; the [`controls`] judge that,
//! each by itself, by what is demanded; a [`Report`] has what they found, for programs and for people; the memory of
//! the last check decides whether somebody has to be told.

mod aged;
mod check;
pub mod controls;
mod demands;
mod html;
mod inventory;
mod memory;
mod notice;
pub mod read;
mod report;
#[cfg(test)]
mod tests_of_inputs;

use std::process::ExitCode;

pub use check::{ACTIONS, CheckSnapshots, INPUT, variable};
pub use demands::{Day, Demands, Exception, Tag};
pub use html::html;
pub use inventory::{
    Database, DatabaseKind, Inventory, Key, Known, Policy, Role, Sharing, Snapshot, SnapshotState, Unknown, Volume,
};
pub use memory::PARTITION;
pub use read::{Clients, Scope};
pub use report::{Counts, Excepted, Finding, Report, Standing, Use, Verdict};

/// The function's name, as its metrics and notices have it.
pub const NAME: &str = "check-snapshots";

/// All of the function's `main`, as Lambda starts it.
pub async fn main() -> ExitCode {
    wharf_shell::serve(NAME, CheckSnapshots::of).await
}
