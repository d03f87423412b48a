//! ECS: the cluster, what runs on it, and on which capacity.

pub mod capacity_provider;
pub mod cluster;
pub mod cluster_capacity_providers;
pub mod rollout;
mod room;
pub mod service;
pub mod strategy;
pub mod task_definition;

mod claim;
mod running;
mod tagging;
#[cfg(test)]
mod tests;
