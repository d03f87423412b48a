//! Rollouts: which image a service runs, decided apart from all else that its stack file says of it.
//!
//! Everything here is pure. [`record`] is what is written down of a service's rollouts and [`choice`] which image is
//! meant, both shared with the function that acts on pushes; [`machine`] is what a run does next.
//! `operations/rollout.rs` does it.

pub mod machine;

pub use wharf_on_image_push::{choice, record};
