//! The platform: what a stack file becomes, module by module. Each reads like its part of the architecture diagram.

mod builder;
mod cluster;
mod database;
mod edge;
mod encryption;
mod network;
mod observability;
mod protection;
mod registry;
mod services;
#[cfg(test)]
mod tests;
mod trust;
pub(crate) mod variables;

pub use builder::{BuildError, Builder};
pub(crate) use services::log_group_name as service_log_group;

use wharf_engine::Stack;

use self::services::Ground;
use crate::config::Config;
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
    b.add(TABLE, ledger::table(b.tags()))?;
    let key = encryption::encryption(b, config, site)?;
    let network = network::network(b, config, site, &key)?;
    let database = match &config.database {
        Some(wanted) => Some(database::database(b, config, site, wanted, &network, &key)?),
        None => None,
    };
    let repositories = registry::registry(b, config, &key)?;
    let variables = variables::variables(b, config, database.as_ref(), &key)?;
    let mut watched = match &config.alerts {
        Some(wanted) => Some(observability::observability(b, config, site, wanted, &key)?),
        None => None,
    };
    let cluster = match &config.cluster {
        Some(wanted) => Some(cluster::cluster(b, config, site, wanted, &network, &key)?),
        None => None,
    };
    let edge = match &config.edge {
        Some(wanted) => Some(edge::edge(b, config, site, wanted, &network)?),
        None => None,
    };
    if let Some(cluster) = &cluster {
        let (edge, network, key) = (edge.as_ref(), &network, &key);
        let ground =
            Ground { config, site, key, network, cluster, edge, repositories: &repositories, variables: &variables };
        services::services(b, &ground, watched.as_mut())?;
    }
    if let Some(wanted) = &config.backups.volumes {
        protection::protection(b, config, site, wanted)?;
    }
    if let Some(watched) = watched {
        let database = database.as_ref().map(|database| &database.instance);
        watched.rest(b, config, edge.as_ref(), cluster.as_ref(), database)?;
    }
    Ok(builder.finish())
}
