//! The platform: what a stack file becomes, module by module.

mod builder;

pub use builder::{BuildError, Builder};
