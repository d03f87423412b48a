//! ECR: where images are pushed to.

pub mod images;
pub mod repository;

mod tagging;
#[cfg(test)]
mod tests;
