//! The stack's own table: who may write (the lock), what was done (the history), and what services run (the rollouts).
//!
//! It is no state: losing it loses reasons and the past, never a resource. One item a record, keys `pk` and `sk`;
//! roles are limited by leading key.

mod history;
mod item;
mod lock;
mod rollouts;

pub use history::{Applied, Entry, History, HistoryError, Verdict};
pub use lock::{Holder, Lock, LockError, Timing};
pub use rollouts::{Claim, ClaimError};

use crate::aws::dynamodb::table::Table;
use crate::aws::units::Days;
use crate::aws::{Aws, Tags};

/// The name of a stack's table.
#[must_use]
pub fn table_name(stack: &str) -> String {
    format!("wharf-{stack}")
}

/// The stack's table: lock, history, and what the stack remembers while it runs. It is made before the stack's key, so
/// it is encrypted with DynamoDB's own.
#[must_use]
pub fn table(tags: Tags) -> Table {
    Table {
        partition_key: "pk".to_owned(),
        sort_key: "sk".to_owned(),
        expires: Some("expires".to_owned()),
        recovery: Some(Days(35)),
        key: None,
        deletion_protection: true,
        tags,
    }
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
