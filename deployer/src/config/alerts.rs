//! `[alerts]`: who hears of what goes wrong, and when something counts as wrong.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format::{Fault, wrong};

/// Alarms, a dashboard, and who is told. Without this section there are neither.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alerts {
    /// Addresses that get each alarm by e-mail. AWS asks each once whether it wants that.
    #[schemars(extend("items" = serde_json::json!({ "type": "string", "format": "email" })))]
    pub email: BTreeSet<String>,
    /// From where on something counts as wrong.
    pub thresholds: Thresholds,
}

/// From where on something counts as wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// How many requests in five minutes may end in an error of the load balancer's or the tasks' (5xx).
    #[schemars(range(min = 1, max = 1_000_000))]
    pub errors: u32,
    /// In how many milliseconds 95 of 100 requests have to be answered.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub latency_ms: u32,
    /// How much of their CPU a service's tasks may use for a quarter of an hour, in percent.
    #[schemars(range(min = 1, max = 400))]
    pub cpu_percent: u16,
    /// How much of their memory a service's tasks may use for a quarter of an hour, in percent.
    #[schemars(range(min = 1, max = 100))]
    pub memory_percent: u8,
    /// How much of its CPU the database may use for a quarter of an hour, in percent.
    #[schemars(range(min = 1, max = 100))]
    pub database_cpu_percent: u8,
    /// How much storage the database must have left, in percent of `database.storage_gib`.
    #[schemars(range(min = 1, max = 90))]
    pub database_storage_percent: u8,
    /// How much memory the database must have left, in MiB.
    #[schemars(range(min = 16, max = 1_000_000))]
    pub database_memory_mib: u32,
    /// How many connections the database may have.
    #[schemars(range(min = 1, max = 100_000))]
    pub database_connections: u32,
    /// How many days before its end a certificate that has not been renewed is told of.
    #[schemars(range(min = 1, max = 60))]
    pub certificate_days: u8,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            errors: 10,
            latency_ms: 1000,
            cpu_percent: 85,
            memory_percent: 85,
            database_cpu_percent: 80,
            database_storage_percent: 20,
            database_memory_mib: 256,
            database_connections: 200,
            certificate_days: 21,
        }
    }
}

/// An address that SNS can write to.
pub(super) fn email(text: &str) -> Result<(), Fault> {
    let instead = "write one address, such as `ops@example.com`";
    let domain = |domain: &str| domain.contains('.') && domain.split('.').all(|label| !label.is_empty());
    match text.split_once('@') {
        Some((name, host)) if !name.is_empty() && domain(host) && !host.contains('@') && !text.contains([' ', ',']) => {
            Ok(())
        }
        _ => wrong("is not an e-mail address", instead),
    }
}

/// `hh:mm`.
pub(super) fn time_of_day(text: &str) -> Result<(), Fault> {
    let two = |part: &str, below: u32| part.len() == 2 && part.parse::<u32>().is_ok_and(|number| number < below);
    match text.split_once(':') {
        Some((hours, minutes)) if two(hours, 24) && two(minutes, 60) => Ok(()),
        _ => wrong("is not a time of day", "write hours and minutes in UTC, such as `03:00`"),
    }
}
