//! The platform: what a stack file becomes, module by module. Each reads like its part of the architecture diagram.

mod builder;
mod checks;
mod cluster;
mod database;
mod edge;
mod encryption;
mod network;
mod observability;
mod protection;
mod reactions;
mod registry;
mod services;
#[cfg(test)]
mod tests;
mod trust;
pub(crate) mod variables;

pub use builder::{BuildError, Builder};
pub use checks::demands;
pub(crate) use database::identifier as database_identifier;
pub(crate) use services::log_group_name as service_log_group;

use std::collections::BTreeMap;
use std::sync::Arc;

use wharf_engine::Stack;

use self::observability::Observability;
use self::services::Ground;
use crate::aws::Handle;
use crate::aws::lambda::package::Packages;
use crate::aws::scheduler::group::ScheduleGroup;
use crate::config::{Config, Function, Service};
use crate::ledger;
use crate::operations::TABLE;

/// Where a stack stands: what the stack file leaves to the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The account's twelve digits.
    pub account: String,
    /// The region.
    pub region: String,
    /// The availability zones that the account has in the region, sorted.
    pub zones: Vec<String>,
    /// The public Route 53 zone that the stack file names, when the account has it.
    pub zone: Option<HostedZone>,
    /// Whether the account setting `awsvpcTrunking` is on, where the stack file counts on it.
    pub trunking: bool,
    /// The code of the functions, as far as it is at hand.
    pub packages: Arc<Packages>,
}

/// A hosted zone of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedZone {
    /// Its id, without `/hostedzone/`.
    pub id: String,
    /// Its domain, without a dot at the end.
    pub name: String,
}

/// The resources that a stack file describes.
///
/// # Errors
/// The region has fewer zones than the file asks for, or a name cannot be a logical id.
pub fn stack(config: &Config, site: &Site) -> Result<Stack, BuildError> {
    let mut builder = Builder::new(config.stack.tags.clone());
    let b = &mut builder;
    let table = b.add(TABLE, ledger::table(b.tags()))?;
    let key = encryption::encryption(b, config, site)?;
    let network = network::network(b, config, site, &key)?;
    let database = match &config.database {
        Some(wanted) => Some(database::database(b, config, site, wanted, &network, &key)?),
        None => None,
    };
    let repositories = registry::registry(b, config, &key)?;
    let variables = variables::variables(b, config, database.as_ref(), &key)?;
    let signals = reactions::signals(b, config, site, &key)?;
    let mut watched = match &config.alerts {
        Some(wanted) => Some(observability::observability(b, config, site, wanted, &key, signals.as_ref())?),
        None => None,
    };
    let schedules = schedules(b, config)?;
    let cluster = match &config.cluster {
        Some(wanted) => Some(cluster::cluster(b, config, site, wanted, &network, &key)?),
        None => None,
    };
    let edge = match &config.edge {
        Some(wanted) => Some(edge::edge(b, config, site, wanted, &network)?),
        None => None,
    };
    let logs = match &cluster {
        Some(cluster) => {
            let (edge, network, key, schedules) = (edge.as_ref(), &network, &key, schedules.as_ref());
            let (repositories, variables) = (&repositories, &variables);
            let ground = Ground { config, site, key, network, cluster, edge, repositories, variables, schedules };
            services::services(b, &ground, watched.as_mut())?
        }
        None => BTreeMap::new(),
    };
    let volumes = match &config.backups.volumes {
        Some(wanted) => Some(protection::protection(b, config, site, wanted)?),
        None => None,
    };
    let database = database.as_ref().map(|database| &database.instance);
    if let Some(signals) = &signals {
        let ground = reactions::Ground {
            config,
            site,
            key: &key,
            table: &table,
            signals,
            people: watched.as_ref().map(Observability::people),
            schedules: schedules.as_ref(),
            logs: &logs,
            repositories: &repositories,
            database: config.database.as_ref().map(|_| database::identifier(config)),
            volumes: volumes.as_ref(),
        };
        reactions::reactions(b, &ground, watched.as_mut())?;
    }
    if let Some(watched) = watched {
        watched.rest(b, config, edge.as_ref(), cluster.as_ref(), database)?;
    }
    Ok(builder.finish())
}

/// The group that the stack's schedules stand in, when there are some.
fn schedules(b: &mut Builder, config: &Config) -> Result<Option<Handle<ScheduleGroup>>, BuildError> {
    let periodic = config.cluster.is_some() && config.services.values().any(Service::is_periodic);
    let woken = [Function::OnImagePush, Function::CheckSnapshots];
    if !periodic && !woken.into_iter().any(|function| config.has_function(function)) {
        return Ok(None);
    }
    b.add("cluster.schedules", ScheduleGroup { tags: b.tags() }).map(Some)
}
