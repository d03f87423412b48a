//! What a kind declares about its fields: who owns each, how it compares, what a change of it takes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Who decides a field's value. What the stack does not own is neither drift nor a moved world, and an update keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The stack: what `wharf.toml` says holds.
    Stack,
    /// AWS: the stack's value counts at creation only (the AMI, a default list).
    Aws,
    /// The autoscaler: the stack's value counts at creation only (desired counts).
    Autoscaler,
    /// Rollouts: the stack's value counts at creation only (the image, listener weights).
    Rollouts,
    /// Shared: the stack owns the entries it names (and those it named before); others are left alone.
    /// The field is a map or a list of texts.
    Shared,
}

/// How a desired value is held against an observed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Equal in meaning.
    Exact,
    /// Equal as sets: the order of the list means nothing.
    Set,
    /// The observed number may have grown (autoscaled storage); only less than desired differs.
    AtLeast,
    /// The observed version may be more exact than the desired one: `17` is `17.4`.
    VersionPrefix,
    /// Texts that hold JSON documents, such as policies: equal in meaning, however AWS re-encodes them. Of a map, each
    /// value is such a text.
    Document,
}

/// What a change of the field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// An update in place.
    InPlace,
    /// A new resource.
    Replace,
}

/// One field of a kind's inputs, and its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name, as in the serialised inputs.
    pub name: &'static str,
    /// Who decides.
    pub owner: Owner,
    /// How it compares.
    pub compare: Compare,
    /// What a change takes.
    pub change: Change,
    /// Outputs that a change in place gives another value: who refers to one is changed after it, in the same run.
    pub renews: &'static [&'static str],
    /// AWS takes it only of what is ready: a creation leaves it unset, and an update follows.
    pub once_ready: bool,
    /// Of a list: an entry in whose place another comes, one that agrees with it in these members, goes only once
    /// everything that refers to the resource has moved over. None where entries come and go at once.
    pub overlaps: Option<&'static [&'static str]>,
}

impl Field {
    /// A field that the stack owns, compared exactly, changed in place.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            owner: Owner::Stack,
            compare: Compare::Exact,
            change: Change::InPlace,
            renews: &[],
            once_ready: false,
            overlaps: None,
        }
    }

    /// The same, where a change needs a new resource.
    #[must_use]
    pub const fn replaces(self) -> Self {
        Self { change: Change::Replace, ..self }
    }

    /// The same, where a change in place gives these outputs another value.
    #[must_use]
    pub const fn renews(self, renews: &'static [&'static str]) -> Self {
        Self { renews, ..self }
    }

    /// The same, where a creation leaves it unset and an update follows.
    #[must_use]
    pub const fn set_once_ready(self) -> Self {
        Self { once_ready: true, ..self }
    }

    /// The same list, in which an entry stays as long as what it stands for is still used: another that agrees with it
    /// in these members has come in its place. Where entries are names, that is any other.
    #[must_use]
    pub const fn overlaps(self, overlaps: &'static [&'static str]) -> Self {
        Self { overlaps: Some(overlaps), ..self }
    }

    /// The same, with another owner.
    #[must_use]
    pub const fn owned_by(self, owner: Owner) -> Self {
        Self { owner, ..self }
    }

    /// The same, with another comparison.
    #[must_use]
    pub const fn compared(self, compare: Compare) -> Self {
        Self { compare, ..self }
    }
}

/// Which of old and new comes first when a resource is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The new one is created, dependants move over, the old one goes last.
    CreateFirst,
    /// The old one holds something unique (a name, a range), so it goes first.
    DeleteFirst,
    /// As [`CreateFirst`](Self::CreateFirst), even where old and new are of one generation and differ only in what others
    /// put out: AWS gives each new one a number of its own, as revisions have. Plans call it create-first.
    Numbered,
}

impl Order {
    /// What plans call it.
    #[must_use]
    pub const fn planned(self) -> Self {
        match self {
            Self::Numbered => Self::CreateFirst,
            Self::CreateFirst | Self::DeleteFirst => self,
        }
    }
}

/// How long AWS typically takes, for the order of a run and its forecast. Never a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Until a created resource is ready.
    pub create: Duration,
    /// Until an update has settled.
    pub update: Duration,
    /// Until a deleted resource is gone.
    pub delete: Duration,
    /// What can turn out badly long before its time is looked at at least so often while it settles.
    pub watch: Option<Duration>,
}

impl Estimate {
    /// Seconds for create, update and delete: the only place where bare numbers of seconds are written, so that a
    /// kind's table stays readable.
    #[must_use]
    pub const fn seconds(create: u64, update: u64, delete: u64) -> Self {
        Self {
            create: Duration::from_secs(create),
            update: Duration::from_secs(update),
            delete: Duration::from_secs(delete),
            watch: None,
        }
    }

    /// The same of what can turn out badly on the way: it is looked at every so many seconds while it settles.
    #[must_use]
    pub const fn watched_every(self, seconds: u64) -> Self {
        Self { watch: Some(Duration::from_secs(seconds)), ..self }
    }
}

/// All that the engine knows about a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The kind's name: service and noun, such as `ec2.vpc`.
    pub kind: &'static str,
    /// Its input fields; every serialised field has a row.
    pub fields: &'static [Field],
    /// The order of a replacement.
    pub order: Order,
    /// Holds data that cannot be made again: never deleted or replaced unless allowed by name.
    pub protected: bool,
    /// How long a resource just created can be invisible to reads: after an ambiguous reply nothing is created again
    /// before that has passed.
    pub visible_within: Duration,
    /// Typical durations.
    pub estimate: Estimate,
}

impl Rules {
    /// The rule of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}
