//! Wharf stands up and keeps a production AWS platform for containerised web applications.

pub mod aws;
pub mod cli;
pub mod commands;
pub mod config;
pub mod drive;
pub mod ledger;
pub mod operations;
pub mod packages;
pub mod platform;
pub mod policy;
pub mod report;
pub mod rollout;
pub mod surroundings;
mod tour;
