//! Lambda: functions, and what sends them messages.

pub mod event_source_mapping;
pub mod function;
pub mod package;

mod permission;
mod tagging;
#[cfg(test)]
mod tests;

pub use permission::Permission;

use crate::aws::call::Aws;

/// What the names of a stack's functions begin with: Lambda lists functions without tags.
fn prefix(stack: &str) -> String {
    format!("{stack}-")
}

fn arn(aws: &Aws, resource: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:lambda:{}:{}:{resource}", scope.partition, scope.region, scope.account)
}
