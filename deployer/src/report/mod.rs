//! What people and programs see: plans, progress, results, errors.

pub mod failure;
pub mod json;
pub mod plan;
pub mod printer;
pub mod progress;
pub mod value;

pub use failure::{Failure, Kind, Stop};
pub use printer::{Paint, Printer};
pub use progress::Progress;
