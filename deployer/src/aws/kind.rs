//! What a resource kind is: one file that holds all there is to know about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wharf_engine::{Generation, Health, Identity, LogicalId, Outputs, Rules};

use super::call::{Aws, CallError};
use super::tags::{self, Tags};

/// A resource kind. The type that implements it is the kind's inputs, as the stack wants them and as AWS has them.
///
/// Every method makes its calls through [`Aws::call`], which holds the one retry layer: no kind loops or sleeps.
/// References ([`super::Out`]) in the inputs are resolved before a method that writes is called.
#[expect(async_fn_in_trait, reason = "one thread drives all calls, so no future needs to be Send")]
pub trait Kind: Serialize + DeserializeOwned + Clone + fmt::Debug + 'static {
    /// Field owners, what replaces, order of replacement, protection, durations.
    const RULES: &'static Rules;

    /// Finds the stack's resources of this kind, in as few calls as AWS offers; with
    /// [`Query::only`], just that one, as freshly as AWS tells. Includes foreign resources that have a name the
    /// stack wants ([`Query::wanted`]).
    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError>;

    /// Creates it, with its identity in the same call, and all its fields set.
    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError>;

    /// Changes the fields that `changed` names from what `now` has to what `self` says. Answers the outputs when
    /// the resource is usable at once, none when it has to settle.
    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError>;

    /// Deletes it.
    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError>;

    /// Makes an existing resource the stack's by writing these identity tags.
    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError>;

    /// What stands against making these, as far as AWS tells before it is tried: a quota, a domain that leads elsewhere.
    /// Asked only when a plan makes some, so that a plan of what stands asks nothing more; references to what does not
    /// exist yet are unresolved.
    async fn obstacles(_aws: &Aws, _new: &BTreeMap<LogicalId, Self>) -> Result<Vec<Obstacle>, CallError> {
        Ok(Vec::new())
    }

    /// The IAM actions that the methods above need.
    fn grants() -> Vec<Grant>;
}

/// Something that stands against making a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The resource.
    pub id: LogicalId,
    /// What it is, and what to do.
    pub why: String,
}

/// Which resources to find.
#[derive(Clone, Debug)]
pub struct Query<K> {
    /// What the stack wants of this kind; references may be unresolved.
    pub wanted: BTreeMap<LogicalId, K>,
    /// Only this one: its logical id, and its physical id when that is known.
    pub only: Option<(LogicalId, Option<String>)>,
}

impl<K> Query<K> {
    /// The logical id asked for, when it is only one.
    #[must_use]
    pub fn only_id(&self) -> Option<&LogicalId> {
        self.only.as_ref().map(|(id, _)| id)
    }

    /// The physical id asked for, when it is only one and known.
    #[must_use]
    pub fn only_physical(&self) -> Option<&str> {
        self.only.as_ref().and_then(|(_, physical)| physical.as_deref())
    }

    /// The one that is asked for, as the stack wants it, on which AWS is still at work: as long as it is, nobody looks at
    /// anything else of it, so nothing else has to be read. None unless one is asked for that exists and is wanted.
    #[must_use]
    pub fn at_work(&self, what: &str) -> Option<Found<K>>
    where
        K: Clone,
    {
        let (id, physical) = self.only.as_ref()?;
        Some(Found {
            id: id.clone(),
            physical: physical.clone()?,
            identity: Identity::Ours(None),
            health: Health::Settling(what.to_owned()),
            inputs: self.wanted.get(id)?.clone(),
            outputs: Outputs::new(),
            blockers: BTreeSet::new(),
        })
    }

    /// The logical ids that are asked for, by the names that the stack wants for them. `name` tells the name in a kind's
    /// inputs.
    pub fn by_name(&self, name: impl Fn(&K) -> &str) -> BTreeMap<&str, &LogicalId> {
        self.wanted.iter().filter(|(id, _)| self.asks_for(id)).map(|(id, inputs)| (name(inputs), id)).collect()
    }

    /// True when a resource of this logical id is asked for.
    #[must_use]
    pub fn asks_for(&self, id: &LogicalId) -> bool {
        self.only_id().is_none_or(|only| only == id)
    }
}

/// A resource that exists, with its fields typed.
#[derive(Clone, Debug)]
pub struct Found<K> {
    /// Its logical id.
    pub id: LogicalId,
    /// AWS's name for it.
    pub physical: String,
    /// Whose it is.
    pub identity: Identity,
    /// How far it has come.
    pub health: Health,
    /// Its fields as AWS has them.
    pub inputs: K,
    /// What others may refer to.
    pub outputs: Outputs,
    /// Why AWS would refuse to delete it, in words that say what to do.
    pub blockers: BTreeSet<String>,
}

/// The identity of a resource about to be created.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    /// Its logical id.
    pub id: &'a LogicalId,
    /// Its generation.
    pub generation: &'a Generation,
    /// The stack's name.
    pub stack: &'a str,
    /// The client token, for calls that take one: the same for each attempt of one run.
    pub token: &'a str,
}

impl New<'_> {
    /// Identity, name and the user's tags.
    #[must_use]
    pub fn tags(&self, user: &Tags) -> Tags {
        tags::for_new(self.stack, self.id, self.generation, user)
    }

    /// A name that is this stack's own: `shop-database-instance`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.stack, self.id.as_str().replace('.', "-"))
    }
}

/// What a create call made.
#[derive(Clone, Debug)]
pub struct Made {
    /// AWS's name for it.
    pub physical: String,
    /// Its outputs when it is usable at once; none when it has to settle.
    pub outputs: Option<Outputs>,
}

/// What a delete call left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Nothing.
    Now,
    /// A resource that AWS is still deleting.
    Later,
}

/// The names of the fields that an update changes.
#[derive(Clone, Debug, Default)]
pub struct Changed(pub BTreeSet<String>);

impl Changed {
    /// True when the field changes.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.0.contains(field)
    }

    /// True when one of the fields changes.
    #[must_use]
    pub fn any(&self, fields: &[&str]) -> bool {
        fields.iter().any(|field| self.has(field))
    }
}

/// An IAM permission that a kind needs. `{account}`, `{region}`, `{partition}` and `{stack}` in resources and
/// conditions are filled in when the policy is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The actions, such as `ec2:CreateVpc`.
    pub actions: &'static [&'static str],
    /// The ARNs they are on; `*` where AWS offers nothing narrower.
    pub resources: &'static [&'static str],
    /// Conditions: operator, key, value.
    pub conditions: &'static [(&'static str, &'static str, &'static str)],
    /// Needed for planning too; else for apply alone.
    pub reads: bool,
}

impl Grant {
    /// Actions that only read, on everything.
    #[must_use]
    pub const fn read(actions: &'static [&'static str]) -> Self {
        Self { actions, resources: &["*"], conditions: &[], reads: true }
    }

    /// Actions that write, on these resources.
    #[must_use]
    pub const fn write(actions: &'static [&'static str], resources: &'static [&'static str]) -> Self {
        Self { actions, resources, conditions: &[], reads: false }
    }

    /// The same under conditions.
    #[must_use]
    pub const fn when(self, conditions: &'static [(&'static str, &'static str, &'static str)]) -> Self {
        Self { conditions, ..self }
    }
}

/// On an action on resources that exist: only those that carry the stack's tag.
pub const OF_THIS_STACK: &[(&str, &str, &str)] = &[("StringEquals", "aws:ResourceTag/wharf:stack", "{stack}")];
/// On an action that creates: only with the stack's tag.
pub const TAGGED_WITH_THIS_STACK: &[(&str, &str, &str)] = &[("StringEquals", "aws:RequestTag/wharf:stack", "{stack}")];
