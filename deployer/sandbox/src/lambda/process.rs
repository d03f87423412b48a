//! The child process of an environment.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What runs the code of a function: a program that speaks Lambda's Runtime API.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    most: usize,
}

impl Program {
    /// A program without arguments. Up to sixteen of it run at once, where the function's concurrency allows.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), arguments: Vec::new(), variables: Vec::new(), most: 16 }
    }

    /// One more argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// A variable that is added to the function's environment, or takes the place of one in it.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// How many of it run at once at most. More invocations than that wait.
    #[must_use]
    pub fn at_most(mut self, processes: usize) -> Self {
        self.most = processes.max(1);
        self
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }
}

/// A process that was started. A clone is another handle on the same; the last one that goes takes the process along.
#[derive(Clone, Debug)]
pub(super) struct Process(Arc<Mutex<Running>>);

#[derive(Debug)]
struct Running {
    child: Child,
    /// What it writes. A file and no pipe: what was written before an answer is there when the answer is.
    output: File,
    rest: Vec<u8>,
}

impl Process {
    pub(super) fn start(program: &Program, variables: &[(String, String)]) -> std::io::Result<Self> {
        // Accounts of one process can have functions and environments of the same names.
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wharf-{}-{number}", std::process::id()));
        let written = OpenOptions::new().append(true).create_new(true).open(&path)?;
        let output = File::open(&path);
        // Nobody else needs its name.
        std::fs::remove_file(&path)?;
        let own = program.variables.iter();
        let child = Command::new(&program.path)
            .args(&program.arguments)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .envs(own.map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(written.try_clone()?)
            .stderr(written)
            .spawn()?;
        Ok(Self(Arc::new(Mutex::new(Running { child, output: output?, rest: Vec::new() }))))
    }

    /// How it ended, if it did.
    pub(super) fn exited(&self) -> Option<String> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.child.try_wait().ok().flatten().map(said)
    }

    /// The lines that it wrote since it was asked last.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Vec::new();
        // What cannot be read was not written.
        let _ = running.output.read_to_end(&mut new);
        running.rest.extend(new);
        let Some(end) = running.rest.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let whole: Vec<u8> = running.rest.drain(..=end).collect();
        String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect()
    }

    pub(super) fn kill(&self) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have ended by itself.
        let _ = running.child.kill();
        let _ = running.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As Lambda says it: `exit status 1`, `signal: killed`.
fn said(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit status {code}"),
        None => status.to_string(),
    }
}
