//! Why there is no plan.

use crate::id::LogicalId;

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
    /// AWS would refuse to make something, or it could never work.
    #[error("`{id}`: {kind} cannot be made: {why}")]
    Hopeless {
        /// The resource.
        id: LogicalId,
        /// Its kind.
        kind: &'static str,
        /// What stands against it, and what to do.
        why: String,
    },
}

fn join(items: &[impl ToString], with: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(with)
}
