//! Identity and Access Management.

pub mod instance_profile;
pub mod role;

mod sweep;
mod tagging;

/// Where a stack's own identities are, so that policies can name them all.
fn path(stack: &str) -> String {
    format!("/wharf/{stack}/")
}
