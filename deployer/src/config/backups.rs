//! `[backups]`: what is kept of the instances' volumes. The database's backups stand in `[database]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format::{Fault, wrong};

/// What is kept beside the database's own backups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Backups {
    /// Snapshots of the instances' volumes, by Data Lifecycle Manager. None if not given.
    pub volumes: Option<VolumeBackups>,
    /// What the daily check of the snapshots lets pass, until when and why.
    pub exceptions: Vec<Exception>,
}

/// Something that the check of the snapshots lets pass for a while.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The control that fails, by its id in the report, or `*` for all.
    pub control: String,
    /// What it fails for, by its name in the report, or the beginning of that and `*`.
    pub resource: String,
    /// The last day on which it may fail, such as `2027-01-31`.
    #[schemars(extend("format" = "day"))]
    pub until: String,
    /// Why it may, for those who read the report.
    pub reason: String,
}

/// When snapshots are taken of the instances' volumes, and how many are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VolumeBackups {
    /// When the first of the day is taken, in UTC. DLM begins within an hour of it.
    #[schemars(extend("format" = "time-of-day"))]
    pub at: String,
    /// How many hours lie between two: 1, 2, 3, 4, 6, 8, 12 or 24.
    #[schemars(extend("enum" = EVERY_HOURS))]
    pub every_hours: u8,
    /// How many snapshots are kept of each volume.
    #[schemars(range(min = 1, max = 1000))]
    pub keep: u16,
}

/// <https://docs.aws.amazon.com/dlm/latest/APIReference/API_CreateRule.html>
const EVERY_HOURS: [u8; 8] = [1, 2, 3, 4, 6, 8, 12, 24];

impl Default for VolumeBackups {
    fn default() -> Self {
        Self { at: "03:00".to_owned(), every_hours: 24, keep: 14 }
    }
}

/// A day as `2027-01-31`.
pub(super) fn day(text: &str) -> Result<(), Fault> {
    match text.parse::<jiff::civil::Date>() {
        Ok(day) if day.to_string() == text => Ok(()),
        _ => wrong("is not a day", "write year, month and day, such as `2027-01-31`"),
    }
}
