//! SQS: what waits to be worked on.

pub mod queue;

#[cfg(test)]
mod tests;
