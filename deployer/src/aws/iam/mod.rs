//! Identity and Access Management.

pub mod role;

mod tagging;
