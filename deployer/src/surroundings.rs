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

/// The time of day.
#[must_use]
pub fn time_of_day() -> Timestamp {
    now()
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

/// This program.
///
/// # Errors
/// The operating system does not say where it is.
pub fn own_program() -> std::io::Result<std::path::PathBuf> {
    std::env::current_exe()
}

/// The directory that this program is in.
#[must_use]
pub fn own_directory() -> Option<std::path::PathBuf> {
    own_program().ok()?.parent().map(std::path::Path::to_owned)
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

/// Ends when somebody wants to stop: Ctrl-C, or the signal that a CI system sends. It listens from now on, also while
/// nobody waits for it yet. The second time it is final.
pub fn interrupted(on_first: impl Fn() + Send + 'static) -> impl Future<Output = ()> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let signals = Signals::listen();
    tokio::spawn(async move {
        let Ok(mut signals) = signals else { return std::future::pending().await };
        signals.next().await;
        on_first();
        let _ = tell.send(());
        signals.next().await;
        std::process::exit(130);
    });
    async move {
        if told.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Starts a program and waits for its end. What is typed to interrupt, quit or suspend is for the program, not for this
/// one; both get it from the terminal.
///
/// # Errors
/// The program is not there, or cannot be started.
pub fn hand_over(program: &str, arguments: &[String]) -> std::io::Result<std::process::ExitStatus> {
    let _caught = catch()?;
    std::process::Command::new(program).args(arguments).status()
}

/// Whether a program is on the `PATH`: it is started with nothing to do.
///
/// # Errors
/// It cannot be started, though it may be there.
pub fn is_installed(program: &str) -> std::io::Result<bool> {
    use std::process::{Command, Stdio};
    let started = Command::new(program).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match started {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// From now on these signals end nothing here. A program that is started has them as usual.
#[cfg(unix)]
fn catch() -> std::io::Result<Vec<tokio::signal::unix::Signal>> {
    use tokio::signal::unix::{SignalKind, signal};
    // Ctrl-Z, which tokio has no name for.
    const SUSPEND: i32 = if cfg!(target_os = "linux") { 20 } else { 18 };
    [SignalKind::interrupt(), SignalKind::quit(), SignalKind::from_raw(SUSPEND)].into_iter().map(signal).collect()
}

#[cfg(not(unix))]
fn catch() -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
