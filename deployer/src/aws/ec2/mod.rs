//! EC2 and VPC.

pub mod vpc;

mod filters;
mod tagging;
