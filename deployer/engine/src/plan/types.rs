//! What a plan is made of. All of it can be saved and read back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{Generation, LogicalId};
use crate::rules::Order;
use crate::value::Value;

/// Input fields by name.
pub type Inputs = BTreeMap<String, Value>;

/// The steps from what exists to what is desired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of the saved form. Reading another one fails.
    pub format: PlanFormat,
    /// What to do, each step after all that it needs.
    pub steps: Vec<Step>,
    /// How many resources are as they should be.
    pub unchanged: usize,
    /// What stays although the stack no longer wants it.
    pub kept: Vec<Kept>,
}

/// The version of a saved plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct PlanFormat;

impl PlanFormat {
    /// The version that this engine writes and reads.
    pub const VERSION: u32 = 1;
}

impl From<PlanFormat> for u32 {
    fn from(_: PlanFormat) -> Self {
        PlanFormat::VERSION
    }
}

impl TryFrom<u32> for PlanFormat {
    type Error = UnknownFormat;

    fn try_from(version: u32) -> Result<Self, UnknownFormat> {
        if version == Self::VERSION { Ok(Self) } else { Err(UnknownFormat { version, known: Self::VERSION }) }
    }
}

/// A saved form that another version of wharf wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("format {version} is not known here (this wharf reads {known}): use the wharf that wrote it, or plan again")]
pub struct UnknownFormat {
    /// The version found.
    pub version: u32,
    /// The version that can be read.
    pub known: u32,
}

/// A step's place in its plan: steps are numbered from 1 in an order that respects their needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepNumber(pub usize);

impl fmt::Display for StepNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One thing to do to one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its place in the plan.
    pub number: StepNumber,
    /// The resource.
    pub id: LogicalId,
    /// The resource's kind, such as `ec2.vpc`.
    pub kind: String,
    /// What to do.
    pub action: Action,
    /// Why, most important first.
    pub reasons: Vec<Reason>,
    /// The steps that must be done before.
    pub needs: BTreeSet<StepNumber>,
    /// How long AWS typically takes.
    pub estimate: Duration,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Make it, with its identity in the same call.
    Create {
        /// Written to its tag `wharf:gen`.
        generation: Generation,
        /// Its inputs; references to what this plan creates are still in them.
        inputs: Inputs,
        /// The resource that it stands in for, when this is one half of a replacement.
        replaces: Option<Replaces>,
    },
    /// Change fields of it in place.
    Update {
        /// AWS's name for it.
        physical: String,
        /// What changes.
        changes: Vec<FieldChange>,
        /// All its inputs as they should be after, with what others own as it was observed.
        inputs: Inputs,
    },
    /// Give a resource that has our name our identity too.
    Adopt {
        /// AWS's name for it.
        physical: String,
        /// Written to its tag `wharf:gen`.
        generation: Generation,
    },
    /// Delete it.
    Delete {
        /// AWS's name for it.
        physical: String,
        /// Why it goes.
        because: Gone,
    },
    /// Wait for something that AWS has already begun.
    Wait {
        /// AWS's name for it.
        physical: String,
        /// What to wait for.
        until: Until,
    },
}

impl Action {
    /// AWS's name for the resource that the step is about, if it exists already.
    #[must_use]
    pub fn physical(&self) -> Option<&str> {
        match self {
            Self::Create { .. } => None,
            Self::Update { physical, .. }
            | Self::Adopt { physical, .. }
            | Self::Delete { physical, .. }
            | Self::Wait { physical, .. } => Some(physical),
        }
    }

    /// True for what makes a resource go, or waits until it has gone.
    #[must_use]
    pub fn is_removal(&self) -> bool {
        matches!(self, Self::Delete { .. } | Self::Wait { until: Until::Gone, .. })
    }
}

/// The other half of a replacement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replaces {
    /// AWS's name for the old resource.
    pub physical: String,
    /// Which comes first in this plan. It can be delete-first where the kind says create-first: the new one would
    /// get the same name, or something it uses has to be deleted first.
    pub order: Order,
    /// The fields that differ; those that force the replacement say so.
    pub changes: Vec<FieldChange>,
}

/// Why a resource is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gone {
    /// A new one stands in for it.
    Replaced,
    /// The stack does not name it any more.
    NoLongerInStack,
    /// There is another of the same logical id that is nearer to what is desired.
    Duplicate,
    /// Its logical id now names a resource of another kind.
    KindChanged,
}

/// What a wait ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// It is usable, and has the desired fields.
    Ready,
    /// It does not exist any more.
    Gone,
}

/// A field that is not as it should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field's name.
    pub field: String,
    /// What AWS has.
    pub from: Value,
    /// What it shall be; a reference in it is unknown until apply.
    pub to: Value,
    /// Why it is not so.
    pub because: Because,
    /// Only a new resource can have the new value.
    pub forces_replacement: bool,
}

/// Why a field differs. The last applied inputs choose between these; they never decide whether something is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// The stack says something else than when it was last applied.
    ConfigChanged,
    /// Somebody changed it outside.
    Drifted {
        /// What was last applied.
        was: Value,
    },
    /// It differs; there is no record of what was last applied.
    Differs,
    /// It refers to a resource that is created or replaced.
    Follows(LogicalId),
}

/// Why a step is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It does not exist yet.
    New,
    /// It was applied before and does not exist any more.
    Vanished,
    /// These fields differ; [`Action`] has the details.
    Fields(Vec<String>),
    /// AWS gave up on it; the text is AWS's reason.
    Failed(String),
    /// AWS is still busy with it; the text is what AWS calls that.
    Settling(String),
    /// AWS is deleting it.
    Deleting,
    /// It exists without our identity, and is to be adopted.
    Adopted,
    /// It goes, for this reason.
    Gone(Gone),
}

/// A resource that stays although the stack no longer wants it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Its logical id.
    pub id: LogicalId,
    /// Its kind.
    pub kind: String,
    /// AWS's name for it.
    pub physical: String,
    /// Why it stays.
    pub because: KeptBecause,
}

/// Why a resource stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeptBecause {
    /// It holds data that cannot be made again, and is not among those that may be destroyed.
    Protected,
    /// A resource that stays uses it.
    UsedBy(LogicalId),
}
