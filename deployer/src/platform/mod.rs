//! The platform: what a stack file becomes, module by module. Each reads like its part of the architecture diagram.

mod builder;
mod database;
mod encryption;
mod network;
mod registry;
pub(crate) mod variables;

pub use builder::{BuildError, Builder};

use wharf_engine::Stack;

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
    registry::registry(b, config, &key)?;
    variables::variables(b, config, database.as_ref(), &key)?;
    Ok(builder.finish())
}
