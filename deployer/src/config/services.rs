//! `[services.<name>]`: the containers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format::{Fault, SourceRange, wrong};
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
