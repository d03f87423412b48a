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

/// The pause before the next try, after this many of a class in a row (from 1). What drains or is busy, the run comes
/// back to less often when it has `slack`.
pub(super) fn pause(class: Class, tries: u32, slack: Duration) -> Duration {
    let doubling = |from: u64, most: u64| {
        let factor = 1_u64.checked_shl(tries.saturating_sub(1)).unwrap_or(u64::MAX);
        Duration::from_millis(from.saturating_mul(factor).min(most))
    };
    match class {
        Class::NotYetVisible | Class::Missing => dense(tries),
        Class::Draining => doubling(2_000, 10_000).max(doubling(2_000, 20_000).min(slack / SHARE_OF_SLACK)),
        Class::Busy => doubling(1_000, 10_000).max(doubling(1_000, 20_000).min(slack / SHARE_OF_SLACK)),
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

/// A wait may take this part of the time that the run has to spare.
const SHARE_OF_SLACK: u32 = 10;
/// When the end is near, it is seen within this part of the time that it took.
const SHARE_OF_WAIT: u32 = 60;
/// Hardly anything is done before this part of the estimate, in percent: until then a few looks are enough.
const EARLIEST: u32 = 55;

/// The pause between two reads while AWS is at work. What ends long before its estimate is seen soon, for the pauses
/// grow with the time waited; where the end is expected, they are a small part of that time, or of what the run has to
/// spare because it waits longer for something else (`slack`).
pub(super) fn poll_interval(waited: Duration, estimate: Duration, slack: Duration) -> Duration {
    let first = Duration::from_secs(1);
    let growing = (waited * 2).max(first);
    let expected = (estimate * EARLIEST / 100).saturating_sub(waited);
    if expected > first {
        return growing.min(expected);
    }
    // A few seconds more are nothing to a run in which something takes minutes.
    let least = (estimate / 12).clamp(first, Duration::from_secs(5));
    (waited / SHARE_OF_WAIT).max(slack / SHARE_OF_SLACK).clamp(least, Duration::from_secs(30)).min(growing)
}

/// When waiting becomes pointless.
pub(super) fn longest_wait(estimate: Duration) -> Duration {
    estimate * 4 + Duration::from_secs(600)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moments at which something is looked at that takes so long.
    fn looks(takes: u64, estimate: u64, slack: u64) -> Vec<Duration> {
        let seconds = Duration::from_secs;
        let mut looks = vec![poll_interval(Duration::ZERO, seconds(estimate), seconds(slack))];
        while let Some(last) = looks.last().copied().filter(|last| *last < seconds(takes)) {
            looks.push(last + poll_interval(last, seconds(estimate), seconds(slack)));
        }
        looks
    }

    #[test]
    fn the_end_is_seen_within_a_sixtieth_of_the_wait_wherever_near_the_estimate_it_is() {
        for takes in [500, 600, 720, 800, 936] {
            let looks = looks(takes, 720, 0);
            let seen = looks[looks.len() - 1];
            assert!(seen <= Duration::from_secs(takes) * 61 / 60 + Duration::from_secs(1), "{takes}: {seen:?}");
            assert!(looks.len() < 65, "{takes}: {} looks", looks.len());
        }
    }

    #[test]
    fn what_is_done_long_before_its_estimate_is_seen_before_three_times_as_long() {
        for takes in [1, 5, 30, 100] {
            let looks = looks(takes, 720, 0);
            assert!(looks[looks.len() - 1] <= Duration::from_secs(takes * 3), "{takes}: {looks:?}");
        }
    }

    #[test]
    fn what_the_run_has_time_for_is_looked_at_less_often() {
        let (urgent, not) = (looks(105, 105, 0).len(), looks(105, 105, 600).len());
        assert!(not * 2 < urgent, "{not} looks instead of {urgent}");
        let last = *looks(105, 105, 600).last().unwrap();
        assert!(last <= Duration::from_secs(105 + 30), "{last:?}");
    }

    #[test]
    fn pauses_grow_to_their_limit_and_stay_there() {
        for (class, least, most) in
            [(Class::Draining, 2_000, 10_000), (Class::Busy, 1_000, 10_000), (Class::NotYetVisible, 500, 3_000)]
        {
            assert_eq!(pause(class, 1, Duration::ZERO), Duration::from_millis(least));
            assert_eq!(pause(class, 200, Duration::ZERO), Duration::from_millis(most));
        }
    }
}
