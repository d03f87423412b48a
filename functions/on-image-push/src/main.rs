//! An image that was pushed becomes a rollout.

fn main() {}
