//! RDS: a PostgreSQL database and what it stands on.

pub mod instance;
pub mod parameter_group;
pub mod snapshots;
pub mod subnet_group;

mod tagging;
#[cfg(test)]
mod tests;

use super::call::CallError;
use super::kind::New;

/// A list that is empty when AWS says that what was asked for by name is not there.
fn or_none<T>(answer: Result<Vec<T>, CallError>) -> Result<Vec<T>, CallError> {
    match answer {
        Err(error) if error.class == wharf_engine::Class::Missing => Ok(Vec::new()),
        answer => answer,
    }
}

/// The name of a group that is replaced create-first, in lower case, as RDS keeps it.
fn group_name(new: &New<'_>) -> String {
    format!("{}-{}", new.name(), new.generation).to_lowercase()
}
