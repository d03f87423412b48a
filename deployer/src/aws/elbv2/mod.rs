//! Elastic Load Balancing: an application load balancer, its listeners and rules, and the groups that they send to.

pub mod forward;
pub mod listener;
pub mod listener_rule;
pub mod load_balancer;
pub mod target_group;

mod attributes;
mod balancers;
mod tagging;
#[cfg(test)]
mod tests;

use sha2::{Digest, Sha256};

use super::call::CallError;
use super::kind::New;

/// The longest name that AWS takes for a load balancer or a target group.
const LONGEST_NAME: usize = 32;

/// The name of what is replaced create-first: it ends in the generation. A logical id that is too long gives way to
/// a hash of itself.
fn group_name(new: &New<'_>) -> String {
    let whole = format!("{}-{}", new.name(), new.generation);
    if whole.len() <= LONGEST_NAME {
        return whole;
    }
    let hash: String = Sha256::digest(new.name().as_bytes()).iter().take(3).map(|byte| format!("{byte:02x}")).collect();
    let start = start_of_names(new.stack);
    format!("{start}{hash}-{}", new.generation)
}

/// What the names of all of a stack's load balancers begin with, the shortened ones too.
fn start_of_names(stack: &str) -> String {
    let room = LONGEST_NAME - "-0a1b2c-0a1b2c3d".len();
    let stack: String = stack.chars().take(room).collect();
    format!("{}-", stack.trim_end_matches('-'))
}

/// A list that is empty when AWS says that what was asked for by name is not there.
fn or_none<T>(answer: Result<Vec<T>, CallError>) -> Result<Vec<T>, CallError> {
    match answer {
        Err(error) if error.class == wharf_engine::Class::Missing => Ok(Vec::new()),
        answer => answer,
    }
}
