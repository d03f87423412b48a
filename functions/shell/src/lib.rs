//! What the functions share around their pure cores: settings, the way to AWS, logs, metrics, and the loop that Lambda
//! drives.
//!
//! A function is a [`Function`], made from its [`Environment`]; [`serve`] is all of its `main`:
//!
//! ```no_run
//! use serde_json::Value;
//! use wharf_shell::{Environment, Fault, Function, Invocation};
//!
//! struct Echo;
//!
//! impl Function for Echo {
//!     async fn handle(&self, payload: Value, _: &Invocation) -> Result<Value, Fault> {
//!         Ok(payload)
//!     }
//! }
//!
//! fn build(environment: &Environment) -> Result<Echo, Fault> {
//!     let _table = environment.required(wharf_shell::variable::TABLE)?;
//!     Ok(Echo)
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     wharf_shell::block_on(wharf_shell::serve("echo", build))
//! }
//! ```

mod aws;
pub mod batch;
mod environment;
mod fault;
mod invocation;
pub mod log;
pub mod metrics;
mod run;
#[cfg(test)]
mod tests_of_the_loop;

pub use environment::{Environment, SettingError, variable};
pub use fault::{Fault, chain};
pub use invocation::Invocation;
pub use run::{Function, NotStarted, block_on, run, serve};
