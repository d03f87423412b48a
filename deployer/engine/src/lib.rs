//! Wharf's engine: what a stack should be, what exists, the plan from one to the other, and the run that carries
//! the plan out.
//!
//! Everything here is pure: no clock, no network, no environment. [`plan()`] is a function; [`Run`] is a state
//! machine that takes [`Signal`]s and answers [`Effect`]s. One thin driver elsewhere does the I/O.

mod id;
mod rules;
mod stack;
mod value;
mod world;

pub use id::{BadLogicalId, Generation, LogicalId};
pub use rules::{Change, Compare, Estimate, Field, Order, Owner, Rules};
pub use stack::{Resource, Stack};
pub use value::{Reference, Value, ValueError};
pub use world::{Found, Health, Identity, Outputs, World};
