//! EventBridge Scheduler: what runs at its time.

pub mod group;
pub mod schedule;

#[cfg(test)]
mod tests;

/// The name of the schedule group of a stack: schedules are looked for in it.
fn group_name(stack: &str) -> String {
    format!("wharf-{stack}")
}
