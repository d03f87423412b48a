//! CloudWatch: alarms and the dashboard.

pub mod alarm;
pub mod composite_alarm;
pub mod dashboard;

mod describe;
mod tagging;
#[cfg(test)]
mod tests;
