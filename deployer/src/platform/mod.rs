//! The platform: what a stack file becomes, module by module. Each reads like its part of the architecture diagram.

mod builder;
mod database;
mod encryption;
mod network;
mod registry;
pub(crate) mod variables;

pub use builder::{BuildError, Builder};

use wharf_engine::Stack;

use crate::aws::dynamodb::table::Table;
use crate::aws::units::Days;
use crate::config::Config;
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
    b.add(TABLE, table(b.tags()))?;
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

/// The stack's own table: lock, history, and what the stack remembers while it runs. It is made before the stack's
/// key, so it is encrypted with DynamoDB's own.
fn table(tags: crate::aws::Tags) -> Table {
    Table {
        partition_key: "pk".to_owned(),
        sort_key: "sk".to_owned(),
        expires: Some("expires".to_owned()),
        recovery: Some(Days(35)),
        key: None,
        deletion_protection: true,
        tags,
    }
}
