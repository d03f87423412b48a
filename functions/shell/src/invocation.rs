//! One invocation: what Lambda says of it, and how long it may take.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// One invocation.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Lambda's id of it: the same when Lambda tries an event again.
    pub request_id: String,
    /// The trace that it belongs to, as X-Ray writes it.
    pub trace: Option<String>,
    /// The function that was invoked.
    pub function_arn: String,
    handed: Timestamp,
    since: Instant,
    left: Duration,
}

/// What a clock of whole seconds, and the way over a socket, may differ by without telling another time.
const SAME_TIME: SignedDuration = SignedDuration::from_secs(2);

impl Invocation {
    /// An invocation that begins at this moment and has so long.
    pub fn new(
        request_id: impl Into<String>,
        function_arn: impl Into<String>,
        trace: Option<String>,
        handed: Timestamp,
        left: Duration,
    ) -> Self {
        let (request_id, function_arn) = (request_id.into(), function_arn.into());
        Self { request_id, trace, function_arn, handed, since: Instant::now(), left }
    }

    /// How long it may still take before Lambda ends it.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.left.saturating_sub(self.since.elapsed())
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.since.elapsed()).unwrap_or(SignedDuration::MAX);
        self.handed.saturating_add(elapsed).unwrap_or(self.handed)
    }
}

/// The time of day as whoever invokes has it. Lambda's clock is the machine's; a Runtime API whose answers are dated
/// otherwise lives in another time, as that of a simulated account does, and its deadlines with it. A date has whole
/// seconds; what is missing the deadline tells, which is a function's timeout later, and that has whole seconds too.
pub(crate) fn time_of_day(dated: Option<&str>, deadline: Option<Timestamp>, machine: Timestamp) -> Timestamp {
    let read = |text| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    match dated.and_then(read) {
        Some(dated) if machine.duration_since(dated).abs() > SAME_TIME => {
            let rest = deadline.map_or(0, |deadline| deadline.as_millisecond().rem_euclid(1_000));
            dated.saturating_add(SignedDuration::from_millis(rest)).unwrap_or(dated)
        }
        _ => machine,
    }
}

/// When an invocation has to be over, of how the Runtime API says it: in milliseconds since 1970.
pub(crate) fn deadline(milliseconds: u64) -> Option<Timestamp> {
    i64::try_from(milliseconds).ok().and_then(|at| Timestamp::from_millisecond(at).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn time_goes_on_and_what_remains_runs_out() {
        let invocation = Invocation::new("r", "arn", None, at(1_000), Duration::from_secs(30));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(invocation.now(), at(1_010));
        assert_eq!(invocation.remaining(), Duration::from_secs(20));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(invocation.remaining(), Duration::ZERO);
    }

    #[test]
    fn the_machines_clock_is_believed_unless_the_invoker_lives_in_another_time() {
        let machine = at(784_111_778);
        let other = "Mon, 05 Jan 2026 09:00:00 GMT";
        assert_eq!(time_of_day(Some("Sun, 06 Nov 1994 08:49:37 GMT"), None, machine), machine, "a second apart");
        assert_eq!(time_of_day(Some(other), None, machine), at(1_767_603_600));
        assert_eq!(time_of_day(None, None, machine), machine);
        assert_eq!(time_of_day(Some("soon"), None, machine), machine);
        // A timeout of thirty seconds: it was a quarter past.
        let deadline = deadline(1_767_603_630_250);
        let quarter = Timestamp::from_millisecond(1_767_603_600_250).unwrap();
        assert_eq!(time_of_day(Some(other), deadline, machine), quarter);
    }
}
