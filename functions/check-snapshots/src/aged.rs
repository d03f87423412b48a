//! How long ago something was, as people say it.

use jiff::{SignedDuration, Timestamp};

/// A time span in its two greatest units, rounded down: `3 d 4 h`.
pub(crate) fn span(span: SignedDuration) -> String {
    let minutes = span.as_mins().unsigned_abs();
    let (days, hours, rest) = (minutes / (24 * 60), minutes / 60 % 24, minutes % 60);
    let two = |a: u64, unit: &str, b: u64, smaller: &str| match b {
        0 => format!("{a} {unit}"),
        b => format!("{a} {unit} {b} {smaller}"),
    };
    match (days, hours) {
        (0, 0) => format!("{rest} min"),
        (0, hours) => two(hours, "h", rest, "min"),
        (days, hours) => two(days, "d", hours, "h"),
    }
}

/// How old what is of this moment is. A moment that has not come yet is zero minutes old.
pub(crate) fn age(at: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(at).max(SignedDuration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_its_two_greatest_units() {
        let said = |seconds| span(SignedDuration::from_secs(seconds));
        assert_eq!(said(59), "0 min");
        assert_eq!(said(3 * 3600), "3 h");
        assert_eq!(said(3 * 3600 + 125), "3 h 2 min");
        assert_eq!(said(26 * 3600 + 1800), "1 d 2 h");
    }
}
