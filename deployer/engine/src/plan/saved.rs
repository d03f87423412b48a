//! Saved plans: whether what they are about is still as it was.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::error::PlanError;
use super::options::{LastApplied, Options};
use super::types::{Action, FieldChange, Inputs, Plan, Step, Until};
use crate::diff::entries_lost;
use crate::id::LogicalId;
use crate::stack::Stack;
use crate::value::Value;
use crate::world::World;

/// Something that moved under a saved plan.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Moved {
    /// The stack cannot be planned any more.
    #[error("the saved plan cannot be checked: {0}")]
    NoPlan(#[from] PlanError),
    /// A step of the plan is not needed any more, or is another one now.
    #[error("`{id}` moved since the plan was made ({what}): plan again")]
    Resource {
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
        let mut hash = Sha256::new();
        for (key, aspects) in essence(self) {
            hash.update(key.0.as_str());
            for text in [key.1, key.2].into_iter().chain(aspects.iter().flat_map(|(k, v)| [k.as_str(), v.as_str()])) {
                hash.update([0]);
                hash.update(text);
            }
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Checks a saved plan against the world of now. Fields that the stack does not own, and entries of shared
    /// fields that are not its own, may have changed.
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
        let now = super::plan(stack, world, last, options)?;
        let (then, now) = (essence(self), essence(&now));
        let moved = |id: &LogicalId, what: String| Err(Moved::Resource { id: id.clone(), what });
        for (key, aspects) in &then {
            let Some(current) = now.get(key) else {
                return moved(key.0, format!("the plan to {} it is out of date", key.1));
            };
            let names = aspects.keys().chain(current.keys());
            if let Some(name) = names.into_iter().find(|name| aspects.get(*name) != current.get(*name)) {
                return moved(key.0, name.clone());
            }
        }
        match now.keys().find(|key| !then.contains_key(*key)) {
            None => Ok(()),
            Some(key) => moved(key.0, format!("the plan does not {} it", key.1)),
        }
    }
}

/// A step by resource, action and AWS's name.
type Key<'a> = (&'a LogicalId, &'static str, &'a str);

/// What a plan does and relies on, named: without reasons, and without what the stack does not own.
fn essence(plan: &Plan) -> BTreeMap<Key<'_>, BTreeMap<String, String>> {
    let mut all = BTreeMap::<_, BTreeMap<_, String>>::new();
    for step in &plan.steps {
        let known = all.entry(key(step)).or_default();
        for (name, what) in aspects(&step.action) {
            // A resource can change twice: what it lets go of comes last.
            known.entry(name).and_modify(|before| *before = format!("{before}, then {what}")).or_insert(what);
        }
    }
    all
}

fn key(step: &Step) -> Key<'_> {
    let action = match &step.action {
        Action::Create { .. } => "create",
        Action::Update { .. } => "update",
        Action::Adopt { .. } => "adopt",
        Action::Delete { .. } => "delete",
        Action::Wait { until: Until::Ready, .. } => "wait for",
        Action::Wait { until: Until::Gone, .. } => "wait for the end of",
    };
    (&step.id, action, step.action.physical().unwrap_or_default())
}

fn aspects(action: &Action) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    match action {
        Action::Create { generation, inputs, replaces } => {
            all.insert("its generation".to_owned(), generation.to_string());
            all.extend(inputs.iter().map(|(name, value)| (format!("field {name}"), value.to_json().to_string())));
            if let Some(replaces) = replaces {
                all.insert("the one it replaces".to_owned(), replaces.physical.clone());
                all.insert("the order of its replacement".to_owned(), format!("{:?}", replaces.order));
                all.extend(replaces.changes.iter().map(aspect));
            }
        }
        Action::Update { changes, .. } => all.extend(changes.iter().map(aspect)),
        Action::Adopt { generation, .. } => {
            all.insert("its generation".to_owned(), generation.to_string());
        }
        Action::Delete { because, .. } => {
            all.insert("why it goes".to_owned(), format!("{because:?}"));
        }
        Action::Wait { .. } => {}
    }
    all
}

/// A change as what it does: of a list or a map the entries that come, go and change, so that foreign entries that
/// stay do not count.
fn aspect(change: &FieldChange) -> (String, String) {
    let what = match (&change.from, &change.to) {
        (from @ Value::List(_), to @ Value::List(_)) => {
            format!("{:?} {:?}", entries_lost(from, to), entries_lost(to, from))
        }
        (Value::Map(from), Value::Map(to)) => format!("{} {}", differing(from, to), differing(to, from)),
        (from, to) => format!("{} {}", from.to_json(), to.to_json()),
    };
    (format!("field {}", change.field), what)
}

fn differing(some: &Inputs, others: &Inputs) -> String {
    let null = Value::Null;
    let differ = some.iter().filter(|(key, value)| !others.get(*key).unwrap_or(&null).same(value));
    let differ: BTreeMap<_, _> = differ.map(|(key, value)| (key, value.to_json().to_string())).collect();
    format!("{differ:?}")
}
