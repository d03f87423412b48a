//! The platform: what a stack file becomes, module by module.

mod builder;

pub use builder::{BuildError, Builder};

/// Where a stack stands: what the stack file leaves to the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The account's twelve digits.
    pub account: String,
    /// The region.
    pub region: String,
    /// The availability zones that the account has in the region, sorted.
    pub zones: Vec<String>,
}
