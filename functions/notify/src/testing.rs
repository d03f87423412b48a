//! What the tests of this crate share.

use jiff::Timestamp;
use wharf_events::{Notice, Severity, State};

/// A moment so many seconds after nine on the fifth of January 2026.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_603_600 + second).unwrap()
}

/// A notice that says no more than this.
pub(crate) fn notice(title: &str, text: &str) -> Notice {
    Notice {
        severity: Severity::Critical,
        state: State::Opened,
        title: title.to_owned(),
        text: text.to_owned(),
        facts: Vec::new(),
        links: Vec::new(),
        subject: "s".to_owned(),
        key: "k".to_owned(),
        at: at(0),
        source: "cloudwatch".to_owned(),
    }
}
