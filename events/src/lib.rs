//! What comes in, read tolerantly, and the notice that goes out.

mod envelope;
mod event;
mod json;
mod mend;
mod notice;

pub use envelope::{Arrival, Content, Payload, Record};
pub use event::Event;
pub use notice::{Fact, Link, Malformed, Notice, Severity, State};
