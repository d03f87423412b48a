//! An image that was pushed becomes a rollout.

pub mod choice;
pub mod record;
