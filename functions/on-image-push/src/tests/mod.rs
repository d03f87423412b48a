//! The function against an account in memory: each thing that must be seen of it.

mod account;
mod inputs;
mod kills;
mod laws;
mod preparing;
mod stage;
mod weather;
