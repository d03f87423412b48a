//! Rollouts: which image a service runs, decided apart from all else that its stack file says of it.
//!
//! Everything here is pure. [`record`] is what is written down of a service's rollouts, [`choice`] which image is meant,
//! [`machine`] what is done next. `operations/rollout.rs` does it.

pub mod choice;
pub mod machine;
pub mod record;
