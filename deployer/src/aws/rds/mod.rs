//! RDS: a PostgreSQL database and what it stands on.

pub mod instance;
pub mod parameter_group;
pub mod snapshots;
pub mod subnet_group;

mod groups;
mod tagging;
#[cfg(test)]
mod tests;
