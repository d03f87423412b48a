//! EventBridge: what happens in the account, and who hears of it.

pub mod rule;

#[cfg(test)]
mod tests;
