//! SNS: who hears of what happens.

pub mod subscription;
pub mod topic;

mod tagging;
#[cfg(test)]
mod tests;
