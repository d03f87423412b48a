//! What comes in, read tolerantly, and the notice that goes out.

mod alarm;
mod ecr;
mod ecs;
mod envelope;
mod event;
mod json;
mod mend;
mod notice;
mod tell;

pub use alarm::{Alarm, AlarmState, Contributor, Evidence, Measure, Metric, Watched};
pub use ecr::ImageAction;
pub use ecs::{DeploymentChange, Progress, TaskChange};
pub use envelope::{Arrival, Content};
pub use event::Event;
pub use notice::{Fact, Link, Malformed, Notice, Severity, State};
pub use tell::{Told, tell};
