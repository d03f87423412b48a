//! What is: the resources that one sweep of the account found.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{Generation, LogicalId};
use crate::rules::Rules;
use crate::value::Value;

/// A resource's outputs by name (`id`, `arn`, `endpoint`, …).
pub type Outputs = BTreeMap<String, Value>;

/// How far a found resource has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Usable.
    Ready,
    /// Being created or changed by AWS; the text says what AWS calls it.
    Settling(String),
    /// Being deleted; it still holds its name and its neighbours.
    Deleting,
    /// AWS gave up on it; only replacing it helps. The text is AWS's reason.
    Failed(String),
}

/// Whose a found resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// It carries this stack's identity, with the generation it was created for.
    Ours(Option<Generation>),
    /// It has a name that the stack needs, but not the stack's identity.
    Foreign,
}

/// A resource that exists.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its logical id: by its identity, or by the name that the stack wants it under.
    pub id: LogicalId,
    /// Its kind's rules.
    pub rules: &'static Rules,
    /// AWS's own name for it: an id, a name or an ARN; unique within the kind.
    pub physical: String,
    /// Whose it is.
    pub identity: Identity,
    /// How far it has come.
    pub health: Health,
    /// Its fields as AWS has them, in the shape of the kind's inputs.
    pub inputs: BTreeMap<String, Value>,
    /// What others may refer to.
    pub outputs: Outputs,
    /// Why AWS would refuse to delete it as it stands (deletion protection, images in a repository), in words that
    /// say what to do.
    pub blockers: BTreeSet<String>,
}

/// Everything one sweep found. Two of one id are both here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// The resources, in no particular order.
    pub found: Vec<Found>,
}
