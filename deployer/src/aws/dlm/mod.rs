//! Data Lifecycle Manager: snapshots of volumes.

pub mod policy;

#[cfg(test)]
mod tests;
