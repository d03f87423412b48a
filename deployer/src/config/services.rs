//! `[services.<name>]`: the containers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::edge::HostName;
use super::format::{Fault, SourceRange, wrong};
use super::tasks::{Checks, Deploy, Permission, Rollout, Scaling, Tasks};
use super::template::Template;

/// One service: an image and what its tasks are given.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The ECR repository that its images are pushed to; the service's name if not given. Two services may share one.
    #[schemars(extend("format" = "repository"))]
    pub repository: Option<String>,
    /// The port that the load balancer sends requests to. A service without one is a worker.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Further ports, which only the stack's other services reach.
    #[serde(default)]
    #[schemars(inner(range(min = 1, max = 65535)))]
    pub internal_ports: Vec<u16>,
    /// The address ranges that may reach it from outside. Every service with a `port` needs it, but one: the one
    /// that is open to the world.
    pub allow: Option<Vec<SourceRange>>,
    /// Environment variables. `${database.host}` and the like are filled in.
    #[serde(default)]
    pub env: BTreeMap<String, Template>,
    /// Environment variables that hold a secret: `${database.password}`, or `${secret.NAME}` for one that is
    /// generated. They are kept in SSM Parameter Store, never in this file.
    #[serde(default)]
    pub secrets: BTreeMap<String, Template>,
    /// An `.env.example`, relative to this file: every key in it must stand in `env` or `secrets`.
    pub env_file: Option<String>,
    /// Which images count, and how long they are kept.
    #[serde(default)]
    pub images: Images,
    /// The name that it has outside: `NAME.DOMAIN` if not given, and `edge.domain` for the one that is open to the
    /// world.
    pub host: Option<HostName>,
    /// What the image runs, if not its own entry point.
    #[serde(default)]
    pub entry_point: Vec<String>,
    /// What is handed to the entry point, if not the image's own command.
    #[serde(default)]
    pub command: Vec<String>,
    /// How much CPU each task has: 1024 is one vCPU.
    #[serde(default = "cpu")]
    #[schemars(range(min = 128, max = 196_608))]
    pub cpu: u32,
    /// How much memory each task has, in MiB. A task that takes more is stopped.
    #[serde(default = "memory")]
    #[schemars(range(min = 32, max = 786_432))]
    pub memory: u32,
    /// How many tasks there are.
    #[serde(default)]
    pub tasks: Tasks,
    /// What decides how many tasks there are between least and most.
    #[serde(default)]
    pub scaling: Scaling,
    /// How a new version takes over: `rolling`, `blue-green`, `canary` or `linear`.
    #[serde(default)]
    pub deploy: Deploy,
    /// How carefully a new version takes over.
    #[serde(default)]
    pub rollout: Rollout,
    /// What runs once with a pushed image before it takes over, such as `["python", "manage.py", "migrate"]`: a task
    /// beside the service's own. If it fails, the old version stays.
    #[serde(default)]
    pub before_deploy: Vec<String>,
    /// How many minutes that may take.
    #[serde(default = "before_deploy_minutes")]
    #[schemars(range(min = 1, max = 1440))]
    pub before_deploy_minutes: u16,
    /// The path at which a task tells the load balancer that it is well; `/` if not given.
    #[schemars(extend("format" = "health-path"))]
    pub health: Option<String>,
    /// How the load balancer asks.
    #[serde(default)]
    pub checks: Checks,
    /// What is run inside the container to see whether it is well, such as `["CMD-SHELL", "curl -f localhost:8000"]`.
    /// ECS replaces a task that is not.
    #[serde(default)]
    pub health_command: Vec<String>,
    /// For how many seconds after its start a task is not put out for being unwell.
    #[serde(default = "grace_seconds")]
    #[schemars(range(min = 0, max = 3600))]
    pub grace_seconds: u16,
    /// How many seconds a task has to end by itself when it is told to.
    #[serde(default = "stop_seconds")]
    #[schemars(range(min = 2, max = 120))]
    pub stop_seconds: u16,
    /// Whether `wharf exec` gets into its tasks.
    #[serde(default = "yes")]
    pub exec: bool,
    /// Whether the containers' own file system is read-only; `/tmp` can be written to even so.
    #[serde(default)]
    pub read_only: bool,
    /// Who the containers run as, if not as the image says: a name or number, with a group after a colon if wanted.
    pub user: Option<String>,
    /// When it runs, for a periodic task: `rate(1 hour)` or `cron(0 3 * * ? *)`.
    #[schemars(extend("format" = "schedule"))]
    pub schedule: Option<String>,
    /// The time zone of `schedule`, such as `Europe/Berlin`.
    #[serde(default = "utc")]
    #[schemars(extend("format" = "time-zone"))]
    pub time_zone: String,
    /// What its tasks may do in AWS beside what they need to run, such as
    /// `[{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::shop-uploads/*"] }]`.
    #[serde(default)]
    pub permissions: Vec<Permission>,
    /// How many days to keep its logs: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or more.
    #[serde(default = "log_days")]
    #[schemars(extend("enum" = super::LOG_DAYS))]
    pub log_days: u16,
}

const fn cpu() -> u32 {
    256
}

const fn memory() -> u32 {
    512
}

const fn before_deploy_minutes() -> u16 {
    15
}

const fn grace_seconds() -> u16 {
    60
}

const fn stop_seconds() -> u16 {
    30
}

const fn log_days() -> u16 {
    30
}

const fn yes() -> bool {
    true
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Which images of a repository count, and how long they are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Images {
    /// Which tags are releases, with `*` for anything: they are kept longer than the rest.
    #[schemars(extend("format" = "tag-pattern"))]
    pub tags: String,
    /// How many releases to keep.
    #[schemars(range(min = 1, max = 1000))]
    pub keep: u16,
}

impl Default for Images {
    fn default() -> Self {
        Self { tags: "v*".to_owned(), keep: 30 }
    }
}

impl Service {
    /// The repository, or the service's own name.
    #[must_use]
    pub fn repository_or<'a>(&'a self, name: &'a str) -> &'a str {
        self.repository.as_deref().unwrap_or(name)
    }

    /// Every port a task listens on.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        self.port.into_iter().chain(self.internal_ports.iter().copied()).collect()
    }

    /// True for the one service that is open to the world.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.port.is_some() && self.allow.is_none()
    }

    /// True for a periodic task, which has no service in ECS.
    #[must_use]
    pub fn is_periodic(&self) -> bool {
        self.schedule.is_some()
    }

    /// How many of its tasks there are at most while a new version takes over, when `tasks` are wanted.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html>
    #[must_use]
    pub fn at_rollout(&self, tasks: u16) -> u32 {
        let tasks = u32::from(tasks);
        if self.deploy.doubles() { tasks * 2 } else { tasks * u32::from(self.rollout.max_percent) / 100 }
    }
}

/// A repository's name.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>
pub(super) fn repository(text: &str) -> Result<(), Fault> {
    let instead = "use lower-case letters and digits, with single `.`, `_`, `-` or `/` between them, such as `web`";
    let plain = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if text.contains(".dkr.ecr.") {
        let name = text.split_once('/').map_or("web", |(_, name)| name.split([':', '@']).next().unwrap_or(name));
        wrong("is an image's address", format!("write the repository's name alone: `{name}`"))
    } else if text.bytes().any(|b| b.is_ascii_uppercase()) {
        wrong("has upper-case letters", format!("write `{}`", text.to_ascii_lowercase()))
    } else if let Some((name, tag)) = text.split_once(':') {
        wrong("has a tag", format!("write `{name}`; which tags count is `images = {{ tags = \"{tag}\" }}`"))
    } else if !text.split(['.', '_', '-', '/']).all(plain) {
        wrong("is not a repository name", instead)
    } else if text.len() < 2 || text.len() > 200 {
        wrong("is not between 2 and 200 characters long", instead)
    } else {
        Ok(())
    }
}

/// A time zone by its name in the IANA database; AWS knows whether there is one.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#time-zones>
pub(super) fn time_zone(text: &str) -> Result<(), Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    let word = text.split('/').all(|part| part.starts_with(|c: char| c.is_ascii_uppercase()));
    if text.len() <= 50 && text.chars().all(plain) && word {
        return Ok(());
    }
    wrong("is not a time zone", "write `UTC`, or a place such as `Europe/Berlin`")
}

/// A pattern of image tags, as ECR's lifecycle policies take them.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html> (`tagPatternList`)
pub(super) fn tag_pattern(text: &str) -> Result<(), Fault> {
    let instead = "write a tag with at most four `*` for anything, such as `v*`";
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-*".contains(&b);
    if text.is_empty() || text.len() > 128 || !text.bytes().all(plain) || text.starts_with(['.', '-']) {
        wrong("is not a pattern of image tags", instead)
    } else if text.matches('*').count() > 4 {
        wrong("has more than four `*`", instead)
    } else {
        Ok(())
    }
}
