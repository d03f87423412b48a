//! `[database]`: PostgreSQL on RDS.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A PostgreSQL database in the private subnets, encrypted, reachable by the tasks alone, over TLS alone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// PostgreSQL's version: a major one (`17`), within which RDS moves on by itself, or an exact one (`17.4`).
    #[schemars(extend("format" = "postgres-version"))]
    pub engine_version: String,
    /// The instance class, such as `db.t4g.medium`.
    #[schemars(extend("format" = "instance-class"))]
    pub class: String,
    /// Storage to begin with (gp3), in GiB.
    #[schemars(range(min = 20, max = 65536))]
    pub storage_gib: u32,
    /// How far RDS may grow the storage by itself, in GiB. Four times `storage_gib` if not given; the same as
    /// `storage_gib` for no growth.
    #[schemars(range(min = 20, max = 65536))]
    pub max_storage_gib: Option<u32>,
    /// Whether a synchronous standby in another zone takes over when the first fails.
    pub multi_az: bool,
    /// How many days back the database can be restored to any second.
    #[schemars(range(min = 1, max = 35))]
    pub backup_days: u8,
    /// When the daily backup is taken, in UTC.
    #[schemars(extend("format" = "daily-window"))]
    pub backup_window: String,
    /// When AWS may restart the database for maintenance, in UTC.
    #[schemars(extend("format" = "weekly-window"))]
    pub maintenance_window: String,
    /// The name of the database inside the server. Changing it replaces the server.
    #[schemars(extend("format" = "database-name"))]
    pub name: String,
    /// The name of the master user. Changing it replaces the server.
    #[schemars(extend("format" = "database-user"))]
    pub username: String,
    /// The port it listens on.
    #[schemars(range(min = 1150, max = 65535))]
    pub port: u16,
    /// Whether AWS refuses to delete it until this is switched off.
    pub deletion_protection: bool,
    /// Add one to have a new password generated.
    #[schemars(range(min = 1))]
    pub password_rotation: u32,
    /// How much of Database Insights to keep: `standard` (7 days) or `advanced` (15 months).
    pub insights: Insights,
    /// How many days to keep PostgreSQL's logs: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or more.
    #[schemars(extend("enum" = super::LOG_DAYS))]
    pub log_days: u16,
}

/// How much of Database Insights to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Insights {
    /// Seven days of history.
    Standard,
    /// Fifteen months of history, at a price.
    Advanced,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            engine_version: "17".to_owned(),
            class: "db.t4g.medium".to_owned(),
            storage_gib: 50,
            max_storage_gib: None,
            multi_az: true,
            backup_days: 14,
            backup_window: "03:00-04:00".to_owned(),
            maintenance_window: "sun:04:30-sun:05:30".to_owned(),
            name: "app".to_owned(),
            username: "app".to_owned(),
            port: 5432,
            deletion_protection: true,
            password_rotation: 1,
            insights: Insights::Standard,
            log_days: 30,
        }
    }
}

impl Database {
    /// How far the storage may grow, in GiB; equal to `storage_gib` for no growth.
    #[must_use]
    pub fn storage_limit_gib(&self) -> u32 {
        self.max_storage_gib.unwrap_or_else(|| self.storage_gib.saturating_mul(4).min(65536))
    }

    /// The major version, which names the parameter group's family.
    #[must_use]
    pub fn major_version(&self) -> &str {
        self.engine_version.split('.').next().unwrap_or(&self.engine_version)
    }
}
