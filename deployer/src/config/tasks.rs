//! The parts of `[services.<name>]` that say how many tasks run, how they are checked, and how a new version gets in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format::{Fault, wrong};

/// How many source ranges one rule of the load balancer takes beside a host.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>
pub(crate) const RANGES_OF_A_RULE: usize = 4;

/// How many tasks a service has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tasks {
    /// How many run at least. With two, one zone or one instance can fail.
    #[schemars(range(min = 0, max = 5000))]
    pub min: u16,
    /// How many run at most; as many as `min` if not given. Between the two, load decides (`scaling`).
    #[schemars(range(min = 1, max = 5000))]
    pub max: Option<u16>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { min: 2, max: None }
    }
}

impl Tasks {
    /// How many run at most.
    #[must_use]
    pub fn most(&self) -> u16 {
        self.max.unwrap_or(self.min)
    }

    /// True when load decides how many there are.
    #[must_use]
    pub fn scale(&self) -> bool {
        self.most() > self.min
    }
}

/// What decides how many tasks there are between `tasks.min` and `tasks.max`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scaling {
    /// How much of their CPU the tasks use on average, in percent.
    #[schemars(range(min = 10, max = 95))]
    pub cpu_percent: u8,
    /// How many requests a minute each task gets; only for a service with a `port` behind the load balancer.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_minute: u32,
    /// How many seconds to wait after tasks were added before more are.
    #[schemars(range(min = 0, max = 3600))]
    pub out_seconds: u16,
    /// How many seconds to wait after tasks were taken away before more are.
    #[schemars(range(min = 0, max = 3600))]
    pub in_seconds: u16,
}

impl Default for Scaling {
    fn default() -> Self {
        Self { cpu_percent: 60, requests_per_minute: 1000, out_seconds: 60, in_seconds: 300 }
    }
}

/// How a new version takes over.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service-options.html>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Deploy {
    /// New tasks take the place of old ones, a few at a time.
    #[default]
    Rolling,
    /// All new tasks come up beside the old ones, then all requests move over at once.
    BlueGreen,
    /// As blue-green, but a small part of the requests moves first.
    Canary,
    /// As blue-green, but the requests move in equal steps.
    Linear,
}

impl Deploy {
    /// True when the new version stands beside the whole old one.
    #[must_use]
    pub const fn doubles(self) -> bool {
        !matches!(self, Self::Rolling)
    }

    /// As a stack file has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rolling => "rolling",
            Self::BlueGreen => "blue-green",
            Self::Canary => "canary",
            Self::Linear => "linear",
        }
    }
}

/// How carefully a new version takes over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rollout {
    /// Of `rolling`: how many tasks must go on serving meanwhile, in percent of those wanted.
    #[schemars(range(min = 0, max = 100))]
    pub min_percent: u8,
    /// Of `rolling`: how many old and new tasks there may be at once, in percent of those wanted.
    #[schemars(range(min = 100, max = 400))]
    pub max_percent: u16,
    /// Whether ECS goes back to the old version by itself when tasks of the new one keep failing.
    pub rollback: bool,
    /// Whether the service's own alarms stop a rollout and take it back. They are there with `[alerts]`.
    pub alarms: bool,
    /// Of `blue-green`, `canary` and `linear`: how many minutes the old version stays ready after the last request
    /// moved.
    #[schemars(range(min = 0, max = 1440))]
    pub bake_minutes: u16,
    /// Of `canary`: how many percent of the requests move first.
    #[schemars(range(min = 1, max = 99))]
    pub canary_percent: u8,
    /// Of `linear`: how many percent of the requests move at each step.
    #[schemars(range(min = 3, max = 99))]
    pub step_percent: u8,
    /// Of `canary` and `linear`: how many minutes each step lasts.
    #[schemars(range(min = 0, max = 1440))]
    pub step_minutes: u16,
    /// How many seconds a task that is leaving may finish its requests.
    #[schemars(range(min = 0, max = 3600))]
    pub draining_seconds: u16,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            min_percent: 100,
            max_percent: 200,
            rollback: true,
            alarms: true,
            bake_minutes: 5,
            canary_percent: 10,
            step_percent: 20,
            step_minutes: 3,
            draining_seconds: 15,
        }
    }
}

/// How the load balancer asks a task whether it is well.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checks {
    /// How many seconds lie between two questions.
    #[schemars(range(min = 5, max = 300))]
    pub every_seconds: u16,
    /// How many seconds the answer may take.
    #[schemars(range(min = 2, max = 120))]
    pub timeout_seconds: u16,
    /// How many good answers in a row let a task in.
    #[schemars(range(min = 2, max = 10))]
    pub healthy: u8,
    /// How many bad ones in a row put it out.
    #[schemars(range(min = 2, max = 10))]
    pub unhealthy: u8,
    /// Which HTTP codes are good answers, such as `200` or `200-299,301`.
    #[schemars(extend("format" = "http-codes"))]
    pub codes: String,
}

impl Default for Checks {
    fn default() -> Self {
        Self { every_seconds: 5, timeout_seconds: 3, healthy: 2, unhealthy: 3, codes: "200-399".to_owned() }
    }
}

/// Something that a service's tasks may do in AWS.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// What: `s3:GetObject`, `sqs:*`.
    #[schemars(extend("items" = serde_json::json!({ "type": "string", "format": "iam-action" })))]
    pub actions: Vec<String>,
    /// On what: ARNs, with `*` for anything in them.
    #[schemars(extend("items" = serde_json::json!({ "type": "string", "format": "iam-resource" })))]
    pub resources: Vec<String>,
}

/// A health check's path.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>
pub(super) fn health_path(text: &str) -> Result<(), Fault> {
    if let Some((_, rest)) = text.split_once("://") {
        let path = rest.find('/').map_or("/", |at| &rest[at..]);
        return wrong("is an address, not a path", format!("write `{path}`"));
    }
    if !text.starts_with('/') {
        return wrong("does not begin with a slash", format!("write `/{text}`"));
    }
    if text.len() > 1024 || text.contains(|c: char| c.is_whitespace() || c == '#' || !c.is_ascii()) {
        return wrong("is not a path", "write one such as `/healthz`");
    }
    Ok(())
}

/// `200`, `200,202`, `200-299`.
pub(super) fn http_codes(text: &str) -> Result<(), Fault> {
    let code = |text: &str| text.parse::<u16>().ok().filter(|code| text.len() == 3 && (200..=499).contains(code));
    let part = |part: &str| match part.split_once('-') {
        Some((from, to)) => code(from).zip(code(to)).is_some_and(|(from, to)| from < to),
        None => code(part).is_some(),
    };
    if text.split(',').all(part) {
        return Ok(());
    }
    wrong("is not a list of HTTP codes between 200 and 499", "write `200`, `200,302` or `200-399`")
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html>
pub(super) fn action(text: &str) -> Result<(), Fault> {
    let instead = "write a service and an action, such as `s3:GetObject`";
    let plain = |text: &str, more: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.as_bytes().contains(&b))
    };
    if text == "*" || text == "*:*" {
        return wrong("is everything that AWS has", "name what the tasks need, such as `s3:GetObject`");
    }
    match text.split_once(':') {
        Some((service, action)) if plain(service, "-") && plain(action, "*?") => Ok(()),
        _ => wrong("is not an IAM action", instead),
    }
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
pub(super) fn resource(text: &str) -> Result<(), Fault> {
    match text.splitn(6, ':').collect::<Vec<_>>().as_slice() {
        ["*"] => Ok(()),
        ["arn", _, service, _, _, resource] if !service.is_empty() && !resource.is_empty() => Ok(()),
        ["s3", rest, ..] => {
            wrong("is an address, not an ARN", format!("write `arn:aws:s3:::{}`", rest.trim_matches('/')))
        }
        _ => wrong("is not an ARN", "write one such as `arn:aws:s3:::shop-uploads/*`"),
    }
}
