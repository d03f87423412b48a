//! `[reactions]`: the functions that run the stack from then on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Architecture, Config};

/// The functions that react to what happens: a pushed image is rolled out, an alarm reaches people, snapshots are
/// checked each day. Each is there when the stack has what it reacts to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reactions {
    /// Whether there are any. Without them images are brought out by `wharf deploy` alone, and alarms go to
    /// `alerts.email` as CloudWatch writes them.
    pub enabled: bool,
    /// The processors that they run on and are built for: `arm64`, which costs less, or `x86_64`.
    pub architecture: Architecture,
    /// The directory with their code, relative to this file: `NAME/bootstrap.zip`, or `NAME/bootstrap`. If not given,
    /// it is looked for beside `wharf` and in `target/lambda`.
    pub code: Option<String>,
    /// How many days to keep their logs: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or more.
    #[schemars(extend("enum" = super::LOG_DAYS))]
    pub log_days: u16,
    /// When the snapshots are checked each day, in UTC.
    #[schemars(extend("format" = "time-of-day"))]
    pub check_at: String,
    /// Whether X-Ray traces what they do.
    pub tracing: bool,
    /// Whether they keep a part of the account's concurrent invocations for themselves. An account that was made a
    /// moment ago has none to spare.
    pub reserved_concurrency: bool,
}

impl Default for Reactions {
    fn default() -> Self {
        Self {
            enabled: true,
            architecture: Architecture::Arm64,
            code: None,
            log_days: 30,
            check_at: "06:00".to_owned(),
            tracing: false,
            reserved_concurrency: true,
        }
    }
}

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Function {
    /// Rolls out what is pushed.
    OnImagePush,
    /// Tells people what happens.
    OnAlarm,
    /// Checks the snapshots.
    CheckSnapshots,
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OnImagePush, Self::OnAlarm, Self::CheckSnapshots];

    /// Its name, without the stack's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnImagePush => "on-image-push",
            Self::OnAlarm => "on-alarm",
            Self::CheckSnapshots => "check-snapshots",
        }
    }
}

impl Config {
    /// Whether the stack has this function: there is something to react to, and for what only tells, somebody to tell.
    #[must_use]
    pub fn has_function(&self, function: Function) -> bool {
        self.reactions.enabled
            && match function {
                Function::OnImagePush => self.cluster.is_some() && !self.services.is_empty(),
                Function::OnAlarm => self.alerts.is_some(),
                Function::CheckSnapshots => {
                    self.alerts.is_some() && (self.database.is_some() || self.backups.volumes.is_some())
                }
            }
    }

    /// The functions that the stack has.
    #[must_use]
    pub fn functions(&self) -> Vec<Function> {
        Function::ALL.into_iter().filter(|function| self.has_function(*function)).collect()
    }
}
