//! Wharf's engine: what a stack should be, what exists, the plan from one to the other, and the run that carries
//! the plan out.
//!
//! Everything here is pure: no clock, no network, no environment. [`plan()`] is a function; [`Run`] is a state
//! machine that hands out [`Op`]s and takes [`Reply`]s. One thin driver elsewhere does the I/O.

mod diff;
mod document;
mod graph;
mod id;
mod plan;
mod rules;
mod run;
mod stack;
mod value;
mod world;

pub use diff::diff;
pub use id::{BadLogicalId, Generation, LogicalId};
pub use plan::{
    Action, AllowDestroy, Because, Blocker, Drift, Drifted, FieldChange, Gone, Inputs, Kept, KeptBecause, LastApplied,
    Moved, Options, Plan, PlanError, PlanFormat, Reason, Replaces, Step, StepNumber, UnknownFormat, Until, drift,
    generations, plan,
};
pub use rules::{Change, Compare, Estimate, Field, Order, Owner, Rules};
pub use run::{Call, Class, Event, Failure, GiveUp, IllegalTransition, Limits, Op, OpId, Outcome, Reply, Run};
pub use stack::{Resource, Stack};
pub use value::{Reference, Value, ValueError};
pub use world::{Found, Health, Identity, Outputs, World};
