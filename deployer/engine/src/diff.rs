//! Holding what is desired against what is observed, field by field, by the rules of the kind.

use crate::plan::{Because, FieldChange, Inputs};
use crate::rules::Rules;
use crate::value::Value;
use crate::world::Found;

/// The fields of a found resource that are not as desired. What the stack does not own never differs, and a field
/// that the desired inputs do not have must be unset.
#[must_use]
pub fn diff(rules: &Rules, desired: &Inputs, found: &Found) -> Vec<FieldChange> {
    let null = Value::Null;
    let of = |inputs: &Inputs, name: &str| inputs.get(name).unwrap_or(&null).clone();
    rules
        .fields
        .iter()
        .map(|field| (field, of(&found.inputs, field.name), of(desired, field.name)))
        .filter(|(_, from, to)| !from.same(to))
        .map(|(field, from, to)| FieldChange {
            field: field.name.to_owned(),
            from,
            to,
            because: Because::Differs,
            forces_replacement: field.change == crate::rules::Change::Replace,
        })
        .collect()
}
