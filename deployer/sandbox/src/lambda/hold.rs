//! Holding tokio's clock while real code computes.
//!
//! Under paused time tokio leaps to the next timer whenever nothing is left to do, and a child process that computes is
//! nothing to tokio. As long as a blocking task runs it does not leap: such a task is what a hold is. It also is what
//! looks after the real time that passes and the process that may die meanwhile.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::process::Process;

/// How often a held process is looked at.
const TICK: Duration = Duration::from_millis(5);

/// Keeps the clock until it is dropped.
#[derive(Debug)]
pub(super) struct Hold(#[expect(dead_code, reason = "its end is what counts")] Sender<()>);

/// How a hold came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By who held it.
    Released,
    /// The process exited.
    Exited(String),
    /// The process did not come to an end in the real time that it had.
    Overdue,
}

impl Hold {
    /// Holds the clock for at most `limit` of real time; `then` hears how it ended.
    pub(super) fn new(process: Option<Process>, limit: Duration, then: impl FnOnce(Ended) + Send + 'static) -> Self {
        let (hold, held) = channel::<()>();
        let watch = tokio::task::spawn_blocking(move || {
            let mut left = limit;
            loop {
                match held.recv_timeout(TICK.min(left)) {
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ended::Released,
                    Err(RecvTimeoutError::Timeout) => {}
                }
                if let Some(status) = process.as_ref().and_then(Process::exited) {
                    return Ended::Exited(status);
                }
                left = left.saturating_sub(TICK);
                if left.is_zero() {
                    return Ended::Overdue;
                }
            }
        });
        tokio::spawn(async move {
            if let Ok(ended) = watch.await {
                then(ended);
            }
        });
        Self(hold)
    }
}
