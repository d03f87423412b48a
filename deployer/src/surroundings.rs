//! What a command takes from the machine it runs on: time, chance, the host's name. It enters here and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::aws::secret::NoRandomness;
use crate::ledger::Timing;
use crate::operations::Who;

/// Who runs the command, and when.
#[must_use]
pub fn who(user: &str) -> Who {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = if host.trim().is_empty() { user.to_owned() } else { format!("{user}@{}", host.trim()) };
    Who { name, at: now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string() }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the time of day enters")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// The time since 1970.
#[must_use]
pub fn since_epoch() -> Duration {
    Duration::try_from(now().duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default()
}

/// A clock for what a person waits, whatever time the simulated account has.
#[expect(clippy::disallowed_methods, reason = "the tour's own speed is measured by real time, not by the virtual one")]
pub fn stopwatch() -> impl Fn() -> Duration {
    let begun = std::time::Instant::now();
    move || begun.elapsed()
}

/// An id that no other run has.
///
/// # Errors
/// The system has no randomness to give.
pub fn run_id() -> Result<String, NoRandomness> {
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The lock's times, by a clock that goes on while the machine sleeps.
#[must_use]
pub fn timing() -> Timing {
    let begun = tokio::time::Instant::now();
    Timing::new(Arc::new(move || since_boot().unwrap_or_else(|| begun.elapsed())))
}

/// Linux counts the time asleep in `/proc/uptime`.
fn since_boot() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Ends when somebody wants to stop: Ctrl-C, or the signal that a CI system sends. The second time it is final.
pub async fn interrupted(on_first: impl Fn()) {
    stop_signal().await;
    on_first();
    tokio::spawn(async {
        stop_signal().await;
        std::process::exit(130);
    });
}

async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
