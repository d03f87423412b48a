//! Snapshots and backups are checked on a schedule.
