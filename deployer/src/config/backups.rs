//! `[backups]`: what is kept of the instances' volumes. The database's backups stand in `[database]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is kept beside the database's own backups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Backups {
    /// Snapshots of the instances' volumes, by Data Lifecycle Manager. None if not given.
    pub volumes: Option<VolumeBackups>,
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
