//! Lengths of time in the units that AWS counts them in, as inputs have them: a whole number whose unit is its type.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const DAY: u64 = 24 * 60 * 60;

/// Whole days: retention, rotation, waiting periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Days(pub i32);

/// Whole seconds: sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub i32);

/// One hour: the least that a role's session can last at most.
pub const HOUR: Seconds = Seconds(3600);

impl From<Days> for Duration {
    fn from(days: Days) -> Self {
        Self::from_secs(u64::from(days.0.unsigned_abs()) * DAY)
    }
}

impl From<Seconds> for Duration {
    fn from(seconds: Seconds) -> Self {
        Self::from_secs(u64::from(seconds.0.unsigned_abs()))
    }
}
