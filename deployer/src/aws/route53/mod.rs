//! Route 53: the zone of the stack's domain, and its records.

pub mod delegation;
pub mod record;
pub mod zone;

mod owners;
pub mod public_dns;
#[cfg(test)]
mod tests;
