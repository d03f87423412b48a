//! Holding what is desired against what is observed, field by field, by the rules of the kind.

use std::collections::BTreeMap;

use crate::document;
use crate::plan::{Because, FieldChange, Inputs};
use crate::rules::{Change, Compare, Field, Owner, Rules};
use crate::value::Value;
use crate::world::Found;

const NULL: &Value = &Value::Null;

/// The fields of a found resource that are not as desired. What the stack does not own never differs, and a field
/// that the desired inputs do not have must be unset.
#[must_use]
pub fn diff(rules: &Rules, desired: &Inputs, found: &Found) -> Vec<FieldChange> {
    remaining(rules, desired, &found.inputs, &BTreeMap::new())
}

/// The same, where entries of shared fields also have to go, by field.
pub(crate) fn remaining(
    rules: &Rules,
    desired: &Inputs,
    has: &Inputs,
    removed: &BTreeMap<String, Vec<Value>>,
) -> Vec<FieldChange> {
    let changed = rules.fields.iter().filter_map(|field| {
        let (want, has) = (get(desired, field), get(has, field));
        let removed = removed.get(field.name).map_or(&[][..], Vec::as_slice);
        let to = settle(field, want, has, removed);
        let goes = !removed.is_empty() && !entries_lost(has, &to).is_empty();
        (differs(field, want, has) || goes).then(|| change(field, has, to))
    });
    changed.collect()
}

/// A field's change, its reason still to be found.
pub(crate) fn change(field: &Field, from: &Value, to: Value) -> FieldChange {
    FieldChange {
        field: field.name.to_owned(),
        from: from.clone(),
        to,
        because: Because::Differs,
        forces_replacement: field.change == Change::Replace,
    }
}

/// The value of a field; one that is not there is not set.
pub(crate) fn get<'a>(inputs: &'a Inputs, field: &Field) -> &'a Value {
    inputs.get(field.name).unwrap_or(NULL)
}

/// True when the stack has a say in the field.
pub(crate) fn is_ours(field: &Field) -> bool {
    matches!(field.owner, Owner::Stack | Owner::Shared)
}

/// True when an observed value is not what is desired.
pub(crate) fn differs(field: &Field, want: &Value, has: &Value) -> bool {
    match field.owner {
        Owner::Aws | Owner::Autoscaler | Owner::Rollouts => false,
        Owner::Shared => !includes(has, want),
        Owner::Stack => !satisfies(field.compare, want, has),
    }
}

fn satisfies(compare: Compare, want: &Value, has: &Value) -> bool {
    match (compare, want, has) {
        (Compare::Set, Value::List(want), Value::List(has)) => within(want, has) && within(has, want),
        (Compare::AtLeast, Value::Int(want), Value::Int(has)) => has >= want,
        (Compare::VersionPrefix, want, has) => match (want.as_text(), has.as_text()) {
            (Some(want), Some(has)) => {
                has.strip_prefix(&want).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
            _ => want.same(has),
        },
        (Compare::Document, want, has) => document::same(want, has),
        _ => want.same(has),
    }
}

fn within(some: &[Value], all: &[Value]) -> bool {
    some.iter().all(|item| contains(all, item))
}

fn contains(all: &[Value], item: &Value) -> bool {
    all.iter().any(|other| other.same(item))
}

/// True when a shared field has all entries that are desired.
fn includes(has: &Value, want: &Value) -> bool {
    match (want, has) {
        (Value::Null, _) => true,
        (Value::List(want), Value::List(has)) => within(want, has),
        (Value::List(want), Value::Null) => want.is_empty(),
        (Value::Map(want), Value::Map(has)) => want.iter().all(|(k, v)| has.get(k).unwrap_or(NULL).same(v)),
        (Value::Map(want), Value::Null) => want.values().all(|value| *value == Value::Null),
        _ => want.same(has),
    }
}

/// What a field shall be once it is changed: the desired value, together with what others own of it.
/// Of a shared field, the `removed` entries go (of a map: the removed keys, as texts).
pub(crate) fn settle(field: &Field, want: &Value, has: &Value, removed: &[Value]) -> Value {
    match field.owner {
        Owner::Aws | Owner::Autoscaler | Owner::Rollouts => has.clone(),
        Owner::Shared => merge(want, has, removed),
        Owner::Stack => match field.compare {
            Compare::AtLeast | Compare::VersionPrefix if satisfies(field.compare, want, has) => has.clone(),
            _ => want.clone(),
        },
    }
}

fn merge(want: &Value, has: &Value, removed: &[Value]) -> Value {
    match (want, has) {
        (Value::List(_) | Value::Null, Value::List(has)) => {
            let want = if let Value::List(want) = want { want.as_slice() } else { &[] };
            let stays = |item: &&Value| !contains(removed, item) && !contains(want, item);
            Value::List(has.iter().filter(stays).chain(want).cloned().collect())
        }
        (Value::Map(_) | Value::Null, Value::Map(has)) => {
            let gone = |key: &str| removed.iter().any(|item| item.as_text().as_deref() == Some(key));
            let stays = has.iter().filter(|(key, _)| !gone(key));
            let mut all: BTreeMap<String, Value> = stays.map(|(k, v)| (k.clone(), v.clone())).collect();
            if let Value::Map(want) = want {
                all.extend(want.iter().map(|(k, v)| (k.clone(), v.clone())));
            }
            Value::Map(all)
        }
        _ => want.clone(),
    }
}

/// All inputs as they should be after an update. `removed` are entries of shared fields that go, by field.
pub(crate) fn settled(rules: &Rules, want: &Inputs, has: &Inputs, removed: &BTreeMap<String, Vec<Value>>) -> Inputs {
    let present = |field: &&Field| want.contains_key(field.name) || has.contains_key(field.name);
    let value = |field: &Field| {
        let removed = removed.get(field.name).map_or(&[][..], Vec::as_slice);
        (field.name.to_owned(), settle(field, get(want, field), get(has, field), removed))
    };
    rules.fields.iter().filter(present).map(value).collect()
}

/// True when two lists have the same entries, in whatever order.
pub(crate) fn same_entries(some: &Value, others: &Value) -> bool {
    matches!((some, others), (Value::List(some), Value::List(others)) if within(some, others) && within(others, some))
}

/// The entries of a list that go but are still used until others have moved over: those in whose place another comes.
pub(crate) fn held(field: &Field, from: &Value, to: &Value) -> Vec<Value> {
    let (Value::List(wanted), Some(members)) = (to, field.overlaps) else { return Vec::new() };
    let agree = |lost: &Value, other: &Value| match (lost, other) {
        (Value::Map(lost), Value::Map(other)) => members.iter().all(|name| {
            let null = Value::Null;
            lost.get(*name).unwrap_or(&null).same(other.get(*name).unwrap_or(&null))
        }),
        _ => members.is_empty(),
    };
    let mut lost = entries_lost(from, to);
    lost.retain(|lost| wanted.iter().any(|other| agree(lost, other)));
    lost
}

/// The entries of a list, or the keys of a map (as texts), that `from` has and `to` has not.
pub(crate) fn entries_lost(from: &Value, to: &Value) -> Vec<Value> {
    match (from, to) {
        (Value::List(from), Value::List(to)) => from.iter().filter(|item| !contains(to, item)).cloned().collect(),
        (Value::Map(from), Value::Map(to)) => {
            from.keys().filter(|key| !to.contains_key(*key)).map(Value::text).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[&str]) -> Value {
        Value::List(items.iter().map(|item| Value::text(*item)).collect())
    }

    fn map(items: &[(&str, &str)]) -> Value {
        Value::Map(items.iter().map(|(k, v)| ((*k).to_owned(), Value::text(*v))).collect())
    }

    #[test]
    fn a_version_prefix_is_satisfied_by_a_more_exact_version_only() {
        let field = Field::new("version").compared(Compare::VersionPrefix);
        assert!(!differs(&field, &Value::text("17"), &Value::text("17.4")));
        assert!(!differs(&field, &Value::text("17.4"), &Value::text("17.4")));
        assert!(differs(&field, &Value::text("17"), &Value::text("170.1")));
        assert!(differs(&field, &Value::text("17.4"), &Value::text("17")));
        assert!(differs(&field, &Value::Null, &Value::text("17")));
    }

    #[test]
    fn grown_storage_is_kept_and_shrunk_storage_differs() {
        let field = Field::new("gib").compared(Compare::AtLeast);
        assert!(!differs(&field, &Value::Int(50), &Value::Int(80)));
        assert!(differs(&field, &Value::Int(50), &Value::Int(20)));
        assert_eq!(settle(&field, &Value::Int(50), &Value::Int(80), &[]), Value::Int(80));
    }

    #[test]
    fn a_set_is_equal_in_any_order() {
        let field = Field::new("zones").compared(Compare::Set);
        assert!(!differs(&field, &list(&["a", "b"]), &list(&["b", "a"])));
        assert!(differs(&field, &list(&["a", "b"]), &list(&["b"])));
        assert!(differs(&field, &list(&["a"]), &list(&["b", "a"])));
        assert!(differs(&Field::new("ordered"), &list(&["a", "b"]), &list(&["b", "a"])));
    }

    #[test]
    fn a_field_that_the_stack_does_not_own_never_differs_and_keeps_its_observed_value() {
        for owner in [Owner::Aws, Owner::Autoscaler, Owner::Rollouts] {
            let field = Field::new("count").owned_by(owner);
            assert!(!differs(&field, &Value::Int(2), &Value::Int(5)));
            assert_eq!(settle(&field, &Value::Int(2), &Value::Int(5), &[]), Value::Int(5));
        }
    }

    #[test]
    fn a_shared_map_keeps_foreign_entries_and_loses_only_the_removed_ones() {
        let field = Field::new("tags").owned_by(Owner::Shared);
        let has = map(&[("mine", "old"), ("theirs", "x"), ("was-mine", "y")]);
        let want = map(&[("mine", "new")]);
        assert!(differs(&field, &want, &has));
        let merged = settle(&field, &want, &has, &[Value::text("was-mine")]);
        assert_eq!(merged, map(&[("mine", "new"), ("theirs", "x")]));
        assert!(!differs(&field, &want, &merged));
    }

    #[test]
    fn a_shared_list_keeps_foreign_entries() {
        let field = Field::new("policies").owned_by(Owner::Shared);
        assert!(!differs(&field, &list(&["a"]), &list(&["b", "a"])));
        assert_eq!(settle(&field, &list(&["c"]), &list(&["b", "a"]), &list_items(&["a"])), list(&["b", "c"]));
    }

    fn list_items(items: &[&str]) -> Vec<Value> {
        items.iter().map(|item| Value::text(*item)).collect()
    }

    #[test]
    fn an_unset_field_equals_an_absent_one() {
        assert!(!differs(&Field::new("key"), &Value::Null, &Value::Null));
        assert!(differs(&Field::new("key"), &Value::Null, &Value::text("x")));
        assert!(!differs(&Field::new("tags").owned_by(Owner::Shared), &Value::Null, &map(&[("theirs", "x")])));
    }
}
