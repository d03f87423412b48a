//! Cloud Map: the names under which services find each other.

pub mod namespace;
pub mod service;

mod operation;
mod tagging;
#[cfg(test)]
mod tests;
