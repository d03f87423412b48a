//! How long a run is patient: with failures that pass, and with AWS at work.

use std::time::Duration;

use super::types::Class;

/// What a run may use, and how long it is patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Operations at one time. Waiting takes none.
    pub in_flight: usize,
    /// How long each class of failure is tried again.
    pub give_up: GiveUp,
}

impl Default for Limits {
    fn default() -> Self {
        Self { in_flight: 16, give_up: GiveUp::default() }
    }
}

/// How long each class of failure is tried again, from its first time in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GiveUp {
    /// [`Class::NotYetVisible`], and [`Class::Missing`] where something was there before.
    pub not_yet_visible: Duration,
    /// [`Class::Draining`].
    pub draining: Duration,
    /// [`Class::Busy`].
    pub busy: Duration,
    /// [`Class::Throttled`].
    pub throttled: Duration,
    /// [`Class::Ambiguous`], and [`Class::Exists`] where nothing is found under the name.
    pub ambiguous: Duration,
}

impl Default for GiveUp {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self {
            not_yet_visible: minutes(1),
            // Some changes AWS takes once an hour.
            draining: minutes(65),
            busy: minutes(20),
            throttled: minutes(10),
            ambiguous: minutes(10),
        }
    }
}

impl GiveUp {
    /// How long a class is tried again; `None` for what trying again does not help.
    pub(super) fn of(&self, class: Class) -> Option<Duration> {
        match class {
            Class::NotYetVisible | Class::Missing => Some(self.not_yet_visible),
            Class::Draining => Some(self.draining),
            Class::Busy => Some(self.busy),
            Class::Throttled => Some(self.throttled),
            Class::Ambiguous | Class::Exists => Some(self.ambiguous),
            Class::Refused | Class::Invalid | Class::Quota | Class::Internal => None,
        }
    }
}

/// The pause before the next try, after this many of a class in a row (from 1).
pub(super) fn pause(class: Class, tries: u32) -> Duration {
    let doubling = |from: u64, most: u64| {
        let factor = 1_u64.checked_shl(tries.saturating_sub(1)).unwrap_or(u64::MAX);
        Duration::from_millis(from.saturating_mul(factor).min(most))
    };
    match class {
        Class::NotYetVisible | Class::Missing => dense(tries),
        Class::Draining => doubling(2_000, 20_000),
        Class::Busy => doubling(1_000, 15_000),
        Class::Throttled => doubling(500, 30_000),
        _ => doubling(500, 15_000),
    }
}

/// Short pauses, for what should be there within seconds: a half, 1, 2, 3, 3, … seconds.
pub(super) fn dense(tries: u32) -> Duration {
    Duration::from_millis(match tries {
        0 | 1 => 500,
        2 => 1_000,
        3 => 2_000,
        _ => 3_000,
    })
}

/// The pause between two reads while AWS is at work: dense around the time when it typically ends.
pub(super) fn poll_interval(waited: Duration, estimate: Duration) -> Duration {
    (waited.abs_diff(estimate) / 4).clamp(Duration::from_secs(1), Duration::from_secs(15))
}

/// When waiting becomes pointless.
pub(super) fn longest_wait(estimate: Duration) -> Duration {
    estimate * 4 + Duration::from_secs(600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_dense_where_the_end_is_expected_and_never_more_than_fifteen_seconds_apart() {
        let (estimate, mut now, mut reads) = (Duration::from_secs(720), Duration::ZERO, 0);
        while now < Duration::from_secs(720) {
            let pause = poll_interval(now, estimate);
            assert!(pause >= Duration::from_secs(1) && pause <= Duration::from_secs(15));
            now += pause;
            reads += 1;
        }
        assert!(now - estimate <= Duration::from_secs(1), "the end is seen within a second");
        assert!(reads < 80, "{reads} reads");
    }

    #[test]
    fn pauses_grow_to_their_limit_and_stay_there() {
        for (class, least, most) in
            [(Class::Draining, 2_000, 20_000), (Class::Busy, 1_000, 15_000), (Class::NotYetVisible, 500, 3_000)]
        {
            assert_eq!(pause(class, 1), Duration::from_millis(least));
            assert_eq!(pause(class, 200), Duration::from_millis(most));
        }
    }
}
