//! What the caller of a plan allows and remembers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::types::{Inputs, PlanFormat};
use crate::id::LogicalId;
use crate::stack::Stack;

/// What the caller allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Existing resources without our identity that may be taken over.
    pub adopt: BTreeSet<LogicalId>,
    /// Protected resources that may be deleted or replaced.
    pub allow_destroy: AllowDestroy,
    /// Leave protected resources that the stack no longer names, and what they use, where they are (and say so in
    /// [`Plan::kept`]) instead of refusing.
    pub keep_protected: bool,
}

/// Protected resources that may be deleted or replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AllowDestroy {
    /// None.
    #[default]
    Nothing,
    /// These.
    These(BTreeSet<LogicalId>),
    /// All.
    All,
}

impl AllowDestroy {
    /// True when this resource may go.
    #[must_use]
    pub fn allows(&self, id: &LogicalId) -> bool {
        match self {
            Self::Nothing => false,
            Self::These(ids) => ids.contains(id),
            Self::All => true,
        }
    }
}

/// What was last applied, from the history record. It chooses reasons, orders deletions, and knows which entries of
/// shared fields were ours; without it the plan is the same but for those.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LastApplied {
    format: PlanFormat,
    /// The inputs, references unresolved, secrets left out.
    pub inputs: BTreeMap<LogicalId, Inputs>,
    /// What each resource needed.
    pub needs: BTreeMap<LogicalId, BTreeSet<LogicalId>>,
}

impl LastApplied {
    /// What to record once this stack has been applied.
    #[must_use]
    pub fn of(stack: &Stack) -> Self {
        let resources = || stack.resources.values();
        Self {
            format: PlanFormat,
            inputs: resources().map(|r| (r.id.clone(), r.inputs.clone())).collect(),
            needs: resources().map(|r| (r.id.clone(), r.needs().into_iter().cloned().collect())).collect(),
        }
    }
}
