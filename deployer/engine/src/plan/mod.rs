//! The plan: a pure function from what should be and what is to what to do.

mod types;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use types::{
    Action, Because, FieldChange, Gone, Inputs, Kept, KeptBecause, Plan, PlanFormat, Reason, Replaces, Step,
    StepNumber, UnknownFormat, Until,
};

use crate::id::{Generation, LogicalId};
use crate::stack::Stack;
use crate::world::World;

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

/// Why there is no plan. Nothing has been done.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The stack's references run in a circle.
    #[error("these resources need each other in a circle: {}", join(.0, " -> "))]
    Cycle(Vec<LogicalId>),
    /// A reference to nothing.
    #[error("`{from}` refers to `{to}`, which the stack does not have")]
    UnknownReference {
        /// The resource that refers.
        from: LogicalId,
        /// What it refers to.
        to: LogicalId,
    },
    /// A reference to an output that its target does not have.
    #[error("`{from}` refers to output `{output}` of `{to}`, which has no such output")]
    NoOutput {
        /// The resource that refers.
        from: LogicalId,
        /// What it refers to.
        to: LogicalId,
        /// The missing output.
        output: String,
    },
    /// An input that the kind's rules do not know: a fault in the kind.
    #[error("`{id}`: the rules of kind `{kind}` say nothing about its field `{field}`")]
    NoRule {
        /// The resource.
        id: LogicalId,
        /// Its kind.
        kind: &'static str,
        /// The field.
        field: String,
    },
    /// Planning is not built yet.
    #[error("planning is not built yet")]
    NotBuilt,
    /// The plan would do what it must not; all such things at once.
    #[error("{}", join(.0, "\n"))]
    Blocked(Vec<Blocker>),
}

/// Something that the plan must not do, or that AWS would refuse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Blocker {
    /// A name is taken by a resource without our identity.
    #[error(
        "`{id}`: {kind} `{physical}` exists but does not belong to this stack: pass `--adopt {id}` to take it over"
    )]
    Foreign {
        /// The resource that wants the name.
        id: LogicalId,
        /// Its kind.
        kind: &'static str,
        /// AWS's name for what has it.
        physical: String,
    },
    /// A resource to be adopted has fields that only a new one could have as the stack says.
    #[error("`{id}`: {kind} `{physical}` cannot be adopted as the stack describes it: only a new one can change {}", .fields.join(", "))]
    AdoptionReplaces {
        /// The resource.
        id: LogicalId,
        /// Its kind.
        kind: &'static str,
        /// AWS's name for it.
        physical: String,
        /// The fields that differ.
        fields: Vec<String>,
    },
    /// A protected resource would go.
    #[error(
        "`{id}`: {kind} `{physical}` is protected and would be deleted ({why}): pass `--allow-destroy {id}` if that is meant"
    )]
    Protected {
        /// The resource.
        id: LogicalId,
        /// Its kind.
        kind: &'static str,
        /// AWS's name for it.
        physical: String,
        /// Why it would go.
        why: String,
    },
    /// AWS would refuse a deletion.
    #[error("`{id}`: AWS would not delete {kind} `{physical}`: {why}")]
    Refused {
        /// The resource.
        id: LogicalId,
        /// Its kind.
        kind: &'static str,
        /// AWS's name for it.
        physical: String,
        /// AWS's reason, and what to do.
        why: String,
    },
}

/// Something that moved under a saved plan.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Moved {
    /// The stack cannot be planned any more.
    #[error("the saved plan cannot be checked: {0}")]
    NoPlan(#[from] PlanError),
    /// A step of the plan is not needed any more, or is another one now.
    #[error("`{id}` moved since the plan was made ({what}): plan again")]
    Step {
        /// The resource.
        id: LogicalId,
        /// What is different.
        what: String,
    },
}

impl Plan {
    /// A short hash of what the plan does and relies on: two plans that do the same have the same one.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        use sha2::{Digest, Sha256};
        let text = serde_json::to_string(&self.steps).unwrap_or_default();
        Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Checks a saved plan against the world of now.
    ///
    /// # Errors
    /// [`Moved`] when what the plan is about is not as it was: the resource and the field.
    pub fn still_holds(
        &self,
        stack: &Stack,
        world: &World,
        last: Option<&LastApplied>,
        options: &Options,
    ) -> Result<(), Moved> {
        let _now = plan(stack, world, last, options)?;
        Err(Moved::NoPlan(PlanError::NotBuilt))
    }
}

/// Plans the steps from what exists to what is desired. An empty stack plans its destruction.
///
/// # Errors
/// [`PlanError`]: nothing can be planned, for the reasons given there.
pub fn plan(
    _stack: &Stack,
    _world: &World,
    _last: Option<&LastApplied>,
    _options: &Options,
) -> Result<Plan, PlanError> {
    Err(PlanError::NotBuilt)
}

/// A resource that is not as it was applied.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// Its logical id.
    pub id: LogicalId,
    /// Its kind.
    pub kind: String,
    /// AWS's name for it, if it exists.
    pub physical: Option<String>,
    /// What happened to it.
    pub what: Drifted,
}

/// What happened to a resource outside of wharf.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drifted {
    /// It was applied and does not exist any more.
    Missing,
    /// AWS gave up on it; the text is AWS's reason.
    Failed(String),
    /// Fields were changed.
    Changed(Vec<FieldChange>),
    /// It carries the stack's identity, but no stack that was applied named it, or named it once only.
    Unexpected,
}

/// What changed outside of wharf since the stack was last applied. What a changed config will change is not drift;
/// without a record of what was applied the stack stands in for it.
///
/// # Errors
/// [`PlanError`]: the stack cannot be planned.
pub fn drift(
    _stack: &Stack,
    _world: &World,
    _last: Option<&LastApplied>,
    _options: &Options,
) -> Result<Vec<Drift>, PlanError> {
    Err(PlanError::NotBuilt)
}

/// The generation of each resource of the stack: a hash of its replace-only inputs, and of the generations of what
/// these refer to, so that dependants follow a replaced target.
///
/// # Errors
/// [`PlanError`]: references run in a circle, or to nothing.
pub fn generations(_stack: &Stack) -> Result<BTreeMap<LogicalId, Generation>, PlanError> {
    Err(PlanError::NotBuilt)
}

fn join(items: &[impl ToString], with: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(with)
}
