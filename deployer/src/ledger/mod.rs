//! The stack's own table: who may write (the lock), and what was done (the history).
//!
//! It is no state: losing it loses reasons and the past, never a resource. One item a record, keys `pk` and `sk`;
//! roles are limited by leading key.

mod history;
mod item;
mod lock;

pub use history::{Applied, Entry, History, HistoryError, Verdict};
pub use lock::{Holder, Lock, LockError, Timing};

use crate::aws::Aws;

/// The name of a stack's table.
#[must_use]
pub fn table_name(stack: &str) -> String {
    format!("wharf-{stack}")
}

/// The table of this stack.
#[derive(Clone, Debug)]
pub struct Ledger {
    aws: Aws,
    table: String,
}

impl Ledger {
    /// The ledger of the stack that `aws` is scoped to.
    #[must_use]
    pub fn new(aws: &Aws) -> Self {
        Self { aws: aws.clone(), table: table_name(&aws.scope.stack) }
    }
}
