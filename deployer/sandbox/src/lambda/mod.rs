//! Running the code of functions.
//!
//! The account accepts invocations and says what becomes of them; what a function does is for its *host* to say, which
//! is outside the account. [`Hosts`] is the one that runs real code: it serves Lambda's Runtime API, starts a child
//! process for each environment as Lambda would, and gives it invocations one at a time. A test that wants to play the
//! function itself uses [`Sandbox::host_function`] and the functions beside it.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use wharf_sandbox::lambda::{Hosts, Program};
//! use wharf_sandbox::{Pace, Sandbox};
//!
//! let sandbox = Sandbox::new(7);
//! let hosts = Hosts::start(&sandbox, Pace::Stepped).await?; // under tokio's paused time; Pace::Slept elsewhere
//! hosts.run("shop-on-image-push", Program::new("target/debug/on-image-push"));
//! // A call, an alarm, a message, a schedule now run that program.
//! hosts.idle().await;
//! # Ok(()) }
//! ```

mod environment;
mod hold;
mod hosts;
mod process;
mod runtime_api;

use std::time::Duration;

use jiff::Timestamp;

use crate::sandbox::Sandbox;
use crate::services::lambda::work;

pub use hosts::Hosts;
pub use process::Program;

/// An invocation, as the code of the function gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    pub(crate) id: String,
    /// The request id: the same when an asynchronous invocation is tried again.
    pub request_id: String,
    /// The function's name.
    pub function: String,
    /// The function's ARN.
    pub function_arn: String,
    /// The event, as it came.
    pub payload: String,
    /// The tracing header.
    pub trace: String,
    /// How long it may take.
    pub timeout: Duration,
}

/// What comes of an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The function's answer.
    Done(String),
    /// What the function's runtime says went wrong.
    Failed(String),
    /// The runtime is gone, or never came.
    Crashed {
        /// Such as `Runtime.ExitError`.
        kind: String,
        /// Such as `Runtime exited with error: exit status: 1`.
        message: String,
    },
    /// It took longer than it may.
    TimedOut,
}

/// An invocation that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoked {
    /// The request id.
    pub request_id: String,
    /// The function's name.
    pub function: String,
    /// The event.
    pub payload: String,
    /// What the function, or Lambda in its place, answered.
    pub result: String,
    /// The kind of error, if it is one.
    pub error: Option<String>,
    /// When the code got it.
    pub started: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
}

/// Where invocations of a function run, one at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// What it is known by.
    pub id: String,
    /// What its code finds in its environment, but for the addresses that its host adds.
    pub variables: Vec<(String, String)>,
}

impl Sandbox {
    /// Says that somebody runs the code of a function from now on: its invocations wait to be taken. A fork is run by
    /// nobody.
    pub fn host_function(&self, function: &str) {
        self.with(|ctx| work::host(ctx, function, true));
    }

    /// Says that nobody runs the code of a function any more.
    pub fn unhost_function(&self, function: &str) {
        self.with(|ctx| work::host(ctx, function, false));
    }

    /// A new environment for a function, with credentials of its role.
    ///
    /// # Errors
    /// The function cannot be run: what its next invocation has to end with.
    pub fn open_environment(&self, function: &str) -> Result<Environment, Answer> {
        let opened = self.with_quietly(|ctx| work::open_environment(ctx, function));
        opened.map(|(id, variables)| Environment { id, variables })
    }

    /// Takes the oldest waiting invocation of the function that an environment belongs to. The account ends it when it
    /// has not been finished within the function's timeout.
    pub fn take_invocation(&self, environment: &str) -> Option<Invocation> {
        // Real code lives in real time, however fast the account's goes.
        let second = self.clock().real(Duration::from_secs(1)).as_secs_f64().clamp(f64::MIN_POSITIVE, 1.0);
        self.with_quietly(|ctx| work::take(ctx, environment, |timeout| timeout.div_f64(second)))
    }

    /// What the code in an environment wrote to its standard output and error.
    pub fn wrote(&self, environment: &str, lines: &[String]) {
        self.with_quietly(|ctx| work::wrote(ctx, environment, lines));
    }

    /// Ends an invocation. One that is over already, because it took too long, stays as it was.
    pub fn finish_invocation(&self, invocation: &Invocation, answer: &Answer) {
        self.with(|ctx| work::finish(ctx, &invocation.id, answer));
    }

    /// Every invocation that is over, in the order in which they were accepted.
    pub fn invocations(&self) -> Vec<Invoked> {
        self.with_quietly(|ctx| work::all_over(&ctx.account.store))
    }
}
