//! What comes in, read tolerantly, and the notice that goes out.

mod notice;

pub use notice::{Fact, Link, Malformed, Notice, Severity, State};
