//! What a run asks of its driver, and what it hears back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::id::{Generation, LogicalId};
use crate::plan::{FieldChange, Inputs, StepNumber};
use crate::world::{Found, Outputs};

/// The number of an operation within its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct OpId(pub u64);

/// One thing for the driver to do, to be answered by one [`super::Run::reply`].
#[derive(Clone, Debug, PartialEq)]
pub struct Op {
    /// Names this operation in its reply.
    pub id: OpId,
    /// The step that it belongs to.
    pub step: StepNumber,
    /// The resource.
    pub logical: LogicalId,
    /// The resource's kind.
    pub kind: &'static str,
    /// The how-manieth operation of its step this is, from 1.
    pub attempt: u32,
    /// What to do.
    pub call: Call,
}

/// What to do to one resource. A kind tries once; when to try again is the run's business.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Create it, with its identity in the same call.
    Create {
        /// Fully resolved.
        inputs: Inputs,
        /// For the tag `wharf:gen`, and the name of kinds that are replaced create-first.
        generation: Generation,
    },
    /// Change it in place.
    Update {
        /// What was last read of it.
        found: Box<Found>,
        /// All inputs as they should be after, fully resolved; what others own is as it was read.
        inputs: Inputs,
        /// What differs.
        changes: Vec<FieldChange>,
    },
    /// Give it our identity.
    Adopt {
        /// What was last read of it.
        found: Box<Found>,
        /// For the tag `wharf:gen`.
        generation: Generation,
    },
    /// Delete it.
    Delete {
        /// What was last read of it.
        found: Box<Found>,
    },
    /// Read all resources of the logical id; only the one of this name, if there is one.
    Read {
        /// AWS's name for it, where it is known.
        physical: Option<String>,
    },
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// It was created.
    Created {
        /// AWS's name for it.
        physical: String,
        /// Its outputs when it is usable at once; otherwise it is read until it is.
        outputs: Option<Outputs>,
    },
    /// The change was accepted.
    Updated {
        /// Its outputs when the change is complete; otherwise it is read until it is.
        outputs: Option<Outputs>,
    },
    /// It has our identity now.
    Adopted,
    /// The deletion was accepted.
    Deleted {
        /// It does not exist any more; otherwise it is read until that is so.
        gone: bool,
    },
    /// What exists under the logical id, or the physical one that was asked for.
    Read(Vec<Found>),
}

/// An operation that did not succeed, in the engine's terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// How one recovers from it.
    pub class: Class,
    /// What AWS said.
    pub message: String,
    /// AWS's error code.
    pub code: Option<String>,
    /// What the user can do about it.
    pub hint: Option<String>,
}

/// Failures, by how one recovers from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Something just created is not seen yet: again within seconds.
    NotYetVisible,
    /// Something still uses it, and is going: again within minutes.
    Draining,
    /// AWS is busy with it: again within minutes.
    Busy,
    /// Too many calls: later.
    Throttled,
    /// The name is taken: perhaps by our own earlier try.
    Exists,
    /// It is not there.
    Missing,
    /// Nobody knows whether it took effect (a timeout, a reset): read until it is known.
    Ambiguous,
    /// AWS does not permit it.
    Refused,
    /// AWS does not understand it.
    Invalid,
    /// A quota is used up.
    Quota,
    /// A fault of ours.
    Internal,
}

/// What happened in a run, in order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A step's first operation was handed out.
    StepStarted {
        /// The step.
        step: StepNumber,
    },
    /// A step waits for AWS.
    StepWaiting {
        /// The step.
        step: StepNumber,
        /// How long it has been waiting.
        since: Duration,
        /// What AWS says it is doing.
        what: String,
    },
    /// A step tries again.
    StepRetried {
        /// The step.
        step: StepNumber,
        /// The class of the failure.
        class: Class,
        /// What AWS said.
        message: String,
        /// How long it waits before.
        after: Duration,
    },
    /// A step is done.
    StepDone {
        /// The step.
        step: StepNumber,
        /// How long it took from its start.
        took: Duration,
    },
    /// A step failed for good.
    StepFailed {
        /// The step.
        step: StepNumber,
        /// Why.
        failure: Failure,
    },
    /// A step cannot start.
    StepSkipped {
        /// The step.
        step: StepNumber,
        /// The failed step that it needs, directly or not.
        because_of: StepNumber,
    },
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Steps that are done.
    pub done: Vec<StepNumber>,
    /// Steps that failed.
    pub failed: Vec<(StepNumber, Failure)>,
    /// Steps that a failed step kept from starting.
    pub skipped: Vec<StepNumber>,
    /// Steps that an interrupt left undone.
    pub left: Vec<StepNumber>,
    /// The run was interrupted.
    pub interrupted: bool,
    /// A reply was lost somewhere: sweep and plan again, to heal what might exist twice.
    pub ambiguous: bool,
    /// The outputs of all resources that exist.
    pub outputs: BTreeMap<LogicalId, Outputs>,
}

impl Outcome {
    /// True when every step is done.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty() && self.left.is_empty()
    }
}

/// A reply that the run cannot take: a fault in the driver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("operation {} cannot be answered with `{reply}`: {why}", .op.0)]
pub struct IllegalTransition {
    /// The operation answered.
    pub op: OpId,
    /// The reply's name.
    pub reply: &'static str,
    /// What stands against it.
    pub why: &'static str,
}
