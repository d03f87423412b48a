//! `wharf.toml`: what a user writes, read and checked before any call is made.
//!
//! [`load`] reads a file in four passes, so that a file with five mistakes shows five: the TOML itself; the shape
//! (which keys there are, what type each has) held against the JSON schema that the types below generate; the text of
//! single values; and the rules between values. Each problem points at its place in the file.

mod alerts;
mod backups;
mod check;
mod check_capacity;
mod check_edge;
mod check_reactions;
mod check_services;
mod check_tasks;
mod cluster;
mod database;
mod database_text;
mod edge;
mod env_file;
mod format;
mod instance_type;
mod later;
mod network;
mod places;
mod problem;
mod reactions;
mod schedule;
mod schema;
mod services;
mod shape;
mod stack;
mod suggest;
mod tasks;
mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

pub use alerts::{Alerts, Slack, Thresholds};
pub use backups::{Backups, Exception, VolumeBackups};
pub use cluster::{Architecture, Cluster, ContainerInsights};
pub use database::{Database, Insights};
pub use edge::{AccessLogs, Edge, HostName};
pub use format::{AccountId, Cidr, Fault, Region, SourceRange, StackName};
pub use instance_type::Spec;
pub use network::{Egress, Network};
pub use places::{Place, Places};
pub use problem::{Problem, Problems, Severity};
pub use reactions::{Function, Reactions};
pub use schema::schema;
pub use services::{Images, Service};
pub use stack::StackSection;
pub(crate) use tasks::RANGES_OF_A_RULE;
pub use tasks::{Checks, Deploy, Permission, Rollout, Scaling, Tasks};
pub use template::{Part, Template, Variable};

/// The numbers of days that CloudWatch Logs can keep events for.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>
const LOG_DAYS: [u16; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// A stack file, read and checked.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "wharf.toml")]
pub struct Config {
    /// What the stack is called and where it is.
    pub stack: StackSection,
    /// The network that everything else stands in.
    #[serde(default)]
    pub network: Network,
    /// A PostgreSQL database. Without this section there is none.
    pub database: Option<Database>,
    /// The ECS cluster that the services run on, and its instances. Without this section nothing runs.
    pub cluster: Option<Cluster>,
    /// The load balancer, its certificate and its names. Without this section nothing is reached from outside.
    pub edge: Option<Edge>,
    /// What is kept beside the database's own backups.
    #[serde(default)]
    pub backups: Backups,
    /// Alarms, a dashboard, and who is told. Without this section there are neither.
    pub alerts: Option<Alerts>,
    /// The functions that react to what happens.
    #[serde(default)]
    pub reactions: Reactions,
    /// The containers to run, by name: lower-case letters, digits and dashes.
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
}

/// A stack file that holds no error, with what it warns of.
#[derive(Debug)]
pub struct Loaded {
    /// The file's contents.
    pub config: Config,
    /// Where each value stands in the file.
    pub places: Places,
    /// What is allowed but probably not meant.
    pub warnings: Option<Problems>,
}

/// Why a stack file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("cannot read the stack file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The file was read and is wrong.
    #[error("{0}")]
    Wrong(Box<Problems>),
}

/// Reads the stack file at `path`, and the `env_file`s it names.
///
/// # Errors
/// [`LoadError::Wrong`] holds every problem that was found, not only the first.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
    let beside = path.parent().unwrap_or(Path::new(""));
    parse(&path.display().to_string(), &text, &|env_file| std::fs::read_to_string(beside.join(env_file)))
        .map_err(|problems| LoadError::Wrong(Box::new(problems)))
}

/// Reads a stack file's text. `read` gives the text of a file named relative to it.
///
/// # Errors
/// Every problem that was found.
pub fn parse(name: &str, text: &str, read: &dyn Fn(&str) -> std::io::Result<String>) -> Result<Loaded, Problems> {
    let fail = |problems: Vec<Problem>| Err(Problems::new(name, text, problems));

    let (table, syntax) = toml::de::DeTable::parse_recoverable(text);
    if !syntax.is_empty() {
        return fail(syntax.iter().map(Problem::from_toml).collect());
    }
    let places = Places::of(table.get_ref());
    let misshapen = shape::check(table.get_ref(), &schema());
    if misshapen.iter().any(|problem| problem.severity == Severity::Error) {
        return fail(misshapen);
    }
    let config: Config = match toml::from_str(text) {
        Ok(config) => config,
        Err(error) => return fail(vec![Problem::from_toml(&error)]),
    };
    let mut problems = check::check(&config, &places);
    problems.extend(check_services::check(&config, &places));
    problems.extend(check_tasks::check(&config, &places));
    problems.extend(check_edge::check(&config, &places));
    problems.extend(check_reactions::check(&config, &places));
    if !problems.iter().any(|problem| problem.severity == Severity::Error) {
        problems.extend(check_capacity::check(&config, &places));
    }
    problems.extend(env_file::check(&config, &places, read));
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return fail(problems);
    }
    let warnings = (!problems.is_empty()).then(|| Problems::new(name, text, problems));
    Ok(Loaded { config, places, warnings })
}

impl Config {
    /// Each ECR repository that the services name, once, with what is done with its images.
    #[must_use]
    pub fn repositories(&self) -> BTreeMap<&str, &Images> {
        self.services.iter().map(|(name, service)| (service.repository_or(name), &service.images)).collect()
    }

    /// The private DNS name under which the stack's other parts find a service.
    #[must_use]
    pub fn service_host(&self, service: &str) -> String {
        format!("{service}.{}.internal", self.stack.name)
    }

    /// The hosted zone that must exist before the stack does.
    #[must_use]
    pub fn hosted_zone(&self) -> Option<String> {
        let edge = self.edge.as_ref().filter(|edge| !edge.create_zone)?;
        edge.zone.as_ref().map(ToString::to_string)
    }

    /// Whether the capacity of the instances rests on the account setting `awsvpcTrunking`.
    #[must_use]
    pub fn counts_on_trunking(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.trunking)
    }

    /// The name that a service has outside, when it has one.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<HostName> {
        let (edge, service) = (self.edge.as_ref()?, self.services.get(name)?);
        service.port?;
        if let Some(host) = &service.host {
            return Some(host.clone());
        }
        let domain = edge.domain.as_ref()?;
        if service.is_public() { Some(domain.clone()) } else { format!("{name}.{domain}").parse().ok() }
    }

    /// True when the stack's other parts find the service by a private DNS name: it has ports for them, or one of
    /// them asks for its name.
    #[must_use]
    pub fn is_discovered(&self, name: &str) -> bool {
        let asked = |template: &Template| {
            template.variables().any(|variable| matches!(variable, Variable::ServiceHost(service) if service == name))
        };
        let Some(service) = self.services.get(name) else { return false };
        let wanted =
            !service.internal_ports.is_empty() || self.services.values().any(|service| service.env.values().any(asked));
        wanted && !service.is_periodic()
    }

    /// Each generated secret (`${secret.NAME}`) that a service asks for.
    #[must_use]
    pub fn generated_secrets(&self) -> std::collections::BTreeSet<&str> {
        let templates = self.services.values().flat_map(|service| service.secrets.values());
        let variables = templates.flat_map(Template::variables);
        variables
            .filter_map(|variable| if let Variable::Secret(name) = variable { Some(name.as_str()) } else { None })
            .collect()
    }
}
