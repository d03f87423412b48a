//! SSM Parameter Store.

pub mod parameter;
pub mod secret;

mod sweep;
mod tagging;
