//! Snapshots and backups are checked on a schedule.

fn main() {}
