//! Virtual time. Nothing else in this crate asks what time it is.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

/// Where the account's time comes from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The account's present moment.
    fn now(&self) -> Timestamp;

    /// How long to really wait for `duration` of account time.
    fn real(&self, duration: Duration) -> Duration {
        duration
    }
}

/// A clock that starts at a given moment and runs with tokio's time.
///
/// Under tokio's paused time (`start_paused = true`) a database that takes twelve minutes is there in
/// microseconds; when serving, `at_speed` makes twelve minutes pass in a second.
#[derive(Clone, Debug)]
pub struct SimClock {
    base: Timestamp,
    start: tokio::time::Instant,
    speed: f64,
}

impl SimClock {
    /// A clock that reads `base` now and goes at the speed of tokio's time.
    pub fn new(base: Timestamp) -> Self {
        Self { base, start: tokio::time::Instant::now(), speed: 1.0 }
    }

    /// The same clock, with account time going `speed` times as fast.
    #[must_use]
    pub fn at_speed(mut self, speed: f64) -> Self {
        self.speed = if speed.is_finite() && speed > 0.0 { speed } else { 1.0 };
        self
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        later(self.base, self.start.elapsed().mul_f64(self.speed))
    }

    fn real(&self, duration: Duration) -> Duration {
        duration.div_f64(self.speed)
    }
}

/// How time passes while a call is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// As in the runtime that calls and waits: by sleeping, which under tokio's paused time takes none.
    #[default]
    Slept,
    /// Under tokio's paused time, while a process that lives in real time is waited for: tokio's clock stands still then,
    /// and each call steps it by as long as the call takes.
    Stepped,
}

impl Pace {
    /// Lets time pass.
    pub(crate) async fn pass(self, by: Duration) {
        match self {
            Self::Slept => tokio::time::sleep(by).await,
            Self::Stepped => tokio::time::advance(by).await,
        }
    }
}

/// `at` plus `by`, stopping at the end of time instead of failing.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
