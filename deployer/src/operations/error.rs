//! Why an operation did not succeed.

use wharf_engine::{IllegalTransition, Moved, PlanError};

use super::restore::RestoreError;
use super::rollout::RolloutError;
use crate::aws::{CallError, ConnectError};
use crate::ledger::{HistoryError, LockError};

/// Something that does not fit, found before the first write.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The credentials are another account's.
    #[error("these credentials are for account {found}, the stack belongs to account {wanted}")]
    Account {
        /// `[stack] account`.
        wanted: String,
        /// What AWS says.
        found: String,
    },
}

/// Why an operation did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No way to the account.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It does not fit.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The sweep failed.
    #[error("cannot see what exists")]
    Sweep(#[source] CallError),
    /// A record of the stack's table cannot be used.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The stack is locked, or cannot be.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The stack's table cannot be made or deleted.
    #[error("cannot {0} the stack's table: {1}")]
    Table(&'static str, String),
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The plan that was approved is not what would be done now.
    #[error(transparent)]
    Moved(#[from] Moved),
    /// A rollout cannot be carried out.
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    /// The database cannot be restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// A fault in the engine or its driver.
    #[error(transparent)]
    Run(#[from] IllegalTransition),
}
