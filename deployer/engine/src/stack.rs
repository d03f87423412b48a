//! What should be: the resources of a stack.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::LogicalId;
use crate::rules::Rules;
use crate::value::Value;

/// A resource as the stack wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its name in the stack.
    pub id: LogicalId,
    /// Its kind's rules.
    pub rules: &'static Rules,
    /// Input fields by name. References inside are edges of the graph.
    pub inputs: BTreeMap<String, Value>,
    /// Edges that no field expresses.
    pub after: BTreeSet<LogicalId>,
}

impl Resource {
    /// Every resource that must be ready before this one: referenced or named in `after`.
    #[must_use]
    pub fn needs(&self) -> BTreeSet<&LogicalId> {
        let referenced = self.inputs.values().flat_map(Value::references).map(|reference| &reference.id);
        referenced.chain(&self.after).collect()
    }
}

/// All resources of a stack, by logical id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stack {
    /// The resources.
    pub resources: BTreeMap<LogicalId, Resource>,
}
