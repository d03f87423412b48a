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
    /// Where in Slack they are told. None if not given.
    pub slack: Option<Slack>,
    /// From where on something counts as wrong.
    pub thresholds: Thresholds,
}

/// Where in Slack people are told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    /// The SSM parameter (a `SecureString`, which you make) that holds the address of an incoming webhook; or, with
    /// `channel`, the token of a bot.
    #[schemars(extend("format" = "parameter-name"))]
    pub secret: String,
    /// The id of the channel that a bot posts to, such as `C0123456789`. A bot may have to be invited to it. With it,
    /// what ends an alarm is shown at the alarm itself.
    #[schemars(extend("format" = "slack-channel"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Who is called when it is critical: `<!here>`, `<!channel>`, or `<@U0123456789>`. Nobody if not given.
    #[schemars(extend("format" = "slack-mention"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mention: Option<String>,
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

/// The name of a parameter in SSM Parameter Store, with its path.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html#sysman-parameter-name-constraints>
pub(super) fn parameter_name(text: &str) -> Result<(), Fault> {
    let instead = "write the parameter's whole name, such as `/shop/slack/webhook`";
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if text.starts_with("https://") || text.starts_with("xox") {
        return wrong("is the secret itself", "put it into an SSM parameter, and write that parameter's name here");
    }
    match text.strip_prefix('/') {
        None => wrong("does not begin with a slash", instead),
        Some(rest) if !rest.split('/').all(plain) || text.len() > 1000 || rest.split('/').count() > 15 => {
            wrong("is not the name of an SSM parameter", instead)
        }
        Some(rest) if ["aws", "ssm"].iter().any(|word| rest.to_ascii_lowercase().starts_with(word)) => {
            wrong("begins with what AWS keeps for itself", instead)
        }
        Some(_) => Ok(()),
    }
}

/// <https://docs.slack.dev/reference/methods/chat.postMessage>
pub(super) fn slack_channel(text: &str) -> Result<(), Fault> {
    let id = |text: &str| text.len() >= 9 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if text.starts_with(['C', 'G', 'D']) && id(text) {
        return Ok(());
    }
    wrong("is not the id of a channel", "write the id at the end of the channel's address, such as `C0123456789`")
}

/// <https://docs.slack.dev/messaging/formatting-message-text>
pub(super) fn slack_mention(text: &str) -> Result<(), Fault> {
    let id = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let inside = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
    let known = match inside {
        Some("!here" | "!channel" | "!everyone") => true,
        Some(inside) => [inside.strip_prefix('@'), inside.strip_prefix("!subteam^")].into_iter().flatten().any(id),
        None => false,
    };
    match (known, text.trim_start_matches(['@', '!'])) {
        (true, _) => Ok(()),
        (false, word @ ("here" | "channel" | "everyone")) => {
            wrong("is not how Slack writes it", format!("write `<!{word}>`"))
        }
        (false, _) => wrong("calls nobody", "write `<!here>`, `<!channel>`, or a member's id such as `<@U0123456789>`"),
    }
}
