//! How a module says what it wants: resources are added by kind, and what `add` answers is what others refer to.

use std::collections::{BTreeMap, BTreeSet};

use wharf_engine::{BadLogicalId, LogicalId, Resource, Stack};

use crate::aws::erased::to_fields;
use crate::aws::kind::Kind;
use crate::aws::tags::Tags;
use crate::aws::{CallError, Handle};

/// A stack in the making.
#[derive(Debug)]
pub struct Builder {
    resources: BTreeMap<LogicalId, Resource>,
    tags: Tags,
}

/// A stack that cannot be described: a fault in a module, or a service's name that makes no logical id.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A name that is no logical id.
    #[error(transparent)]
    Id(#[from] BadLogicalId),
    /// Two resources of one name.
    #[error("two resources are called `{0}`")]
    Twice(LogicalId),
    /// The region has too few zones for the stack.
    #[error("`network.zones = {wanted}`, but {region} has only {} for this account: {}", .found.len(), .found.join(", "))]
    Zones {
        /// The region.
        region: String,
        /// `network.zones`.
        wanted: usize,
        /// The zones it has.
        found: Vec<String>,
    },
    /// The zone that the stack's names are to stand in is not there.
    #[error("there is no public Route 53 zone `{0}` in this account: make it, or write `edge.create_zone = true`")]
    Zone(String),
    /// The account is not set as the stack file counts on.
    #[error(
        "`cluster.trunking = true`, but the account setting `awsvpcTrunking` is off in {0}: switch it on for all roles \
         (`aws ecs put-account-setting-default --name awsvpcTrunking --value enabled`), or write `trunking = false`"
    )]
    Trunking(String),
    /// Inputs that the engine cannot hold.
    #[error("`{0}`: {1}")]
    Inputs(LogicalId, CallError),
}

impl Builder {
    /// An empty stack, whose resources all get these tags.
    #[must_use]
    pub fn new(tags: Tags) -> Self {
        Self { resources: BTreeMap::new(), tags }
    }

    /// The user's tags, for every resource that can have some.
    #[must_use]
    pub fn tags(&self) -> Tags {
        self.tags.clone()
    }

    /// Adds a resource.
    ///
    /// # Errors
    /// A bad name, or one that is taken.
    pub fn add<K: Kind>(&mut self, id: &str, inputs: K) -> Result<Handle<K>, BuildError> {
        self.add_after(id, inputs, [])
    }

    /// Adds a resource that has to wait for others to which no field of it refers.
    ///
    /// # Errors
    /// A bad name, or one that is taken.
    pub fn add_after<K: Kind>(
        &mut self,
        id: &str,
        inputs: K,
        after: impl IntoIterator<Item = LogicalId>,
    ) -> Result<Handle<K>, BuildError> {
        let id = LogicalId::new(id)?;
        let inputs = to_fields(&inputs).map_err(|error| BuildError::Inputs(id.clone(), error))?;
        let after: BTreeSet<_> = after.into_iter().collect();
        let resource = Resource { id: id.clone(), rules: K::RULES, inputs, after };
        if self.resources.insert(id.clone(), resource).is_some() {
            return Err(BuildError::Twice(id));
        }
        Ok(Handle::new(id))
    }

    /// The stack.
    #[must_use]
    pub fn finish(self) -> Stack {
        Stack { resources: self.resources }
    }
}
