//! Event patterns: read with AWS's own complaints, and held against events.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html>

use serde_json::{Map, Value};

use super::matcher::Rule;
use crate::error::{ApiError, refuse};

/// A pattern as ways in which an event can fit: each a rule set for every path that it names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern(Vec<Way>);

type Way = Vec<(String, Vec<Rule>)>;

/// So many ways at most come of the alternatives in a pattern.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-complex-example-or>
const MOST_WAYS: usize = 1000;

pub(super) fn wrong(reason: impl AsRef<str>) -> ApiError {
    let message = format!("Event pattern is not valid. Reason: {}", reason.as_ref());
    refuse("InvalidEventPatternException", message)
}

impl Pattern {
    /// Reads a pattern.
    pub(crate) fn read(text: &str) -> Result<Self, ApiError> {
        let parsed: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let object = parsed.as_object().ok_or_else(|| wrong("Filter is not an object"))?;
        Ok(Self(ways(object, "")?))
    }

    /// Whether an event fits.
    pub(crate) fn fits(&self, event: &Value) -> bool {
        let mut fields = Vec::new();
        flatten(event, String::new(), &[], &mut 0, &mut fields);
        self.0.iter().any(|way| fits_from(way, &fields, &[]))
    }
}

/// The ways in which an object of a pattern can be satisfied.
fn ways(object: &Map<String, Value>, place: &str) -> Result<Vec<Way>, ApiError> {
    if object.is_empty() {
        return Err(wrong("Empty objects are not allowed"));
    }
    let mut all: Vec<Way> = vec![Vec::new()];
    for (name, value) in object {
        let path = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
        let more = match value {
            Value::Array(choices) if name == "$or" && alternatives(choices) => {
                let mut more = Vec::new();
                for choice in choices.iter().filter_map(Value::as_object) {
                    more.extend(ways(choice, place)?);
                }
                more
            }
            Value::Array(values) if values.is_empty() => return Err(wrong("Empty arrays are not allowed")),
            Value::Array(values) => {
                let rules = values.iter().map(Rule::read).collect::<Result<Vec<_>, _>>()?;
                vec![vec![(path, rules)]]
            }
            Value::Object(inner) => ways(inner, &path)?,
            _ => return Err(wrong(format!("\"{name}\" must be an object or an array"))),
        };
        all = all.iter().flat_map(|way| more.iter().map(|more| [way.as_slice(), more].concat())).collect();
        if all.len() > MOST_WAYS {
            return Err(wrong("Too many combinations of $or: 1000 are allowed"));
        }
    }
    Ok(all)
}

/// `$or` is a field's name like any other unless two objects or more stand there.
fn alternatives(choices: &[Value]) -> bool {
    choices.len() >= 2 && choices.iter().all(Value::is_object)
}

/// One value of an event: where it is, and in which elements of which arrays.
struct Field<'a> {
    path: String,
    value: &'a Value,
    inside: Vec<(usize, usize)>,
}

fn flatten<'a>(
    value: &'a Value,
    path: String,
    inside: &[(usize, usize)],
    arrays: &mut usize,
    fields: &mut Vec<Field<'a>>,
) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(member, path, inside, arrays, fields);
            }
        }
        Value::Array(items) => {
            *arrays += 1;
            let array = *arrays;
            for (i, item) in items.iter().enumerate() {
                let inside = [inside, &[(array, i)]].concat();
                flatten(item, path.clone(), &inside, arrays, fields);
            }
        }
        value => fields.push(Field { path, value, inside: inside.to_vec() }),
    }
}

/// Whether an event has, for the rest of a way, values that fit and that stand in the same elements of its arrays.
/// <https://github.com/aws/event-ruler#and-and-or-relationship-among-fields-with-event-ruler>
fn fits_from(way: &[(String, Vec<Rule>)], fields: &[Field<'_>], inside: &[(usize, usize)]) -> bool {
    let Some(((path, rules), rest)) = way.split_first() else { return true };
    let mut here = fields.iter().filter(|field| field.path == *path).peekable();
    if here.peek().is_none() {
        return rules.contains(&Rule::Exists(false)) && fits_from(rest, fields, inside);
    }
    here.any(|field| {
        let apart = |(array, i): &(usize, usize)| field.inside.iter().any(|(other, j)| other == array && i != j);
        rules.iter().any(|rule| rule.fits(field.value))
            && !inside.iter().any(apart)
            && fits_from(rest, fields, &[inside, &field.inside].concat())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fits(pattern: Value, event: Value) -> bool {
        Pattern::read(&pattern.to_string()).unwrap().fits(&event)
    }

    #[test]
    fn every_named_field_must_have_one_of_its_values() {
        let event = json!({"source": "aws.ecr", "detail": {"result": "SUCCESS", "count": 3, "none": null}});
        assert!(fits(json!({"source": ["aws.ec2", "aws.ecr"], "detail": {"result": ["SUCCESS"]}}), event.clone()));
        assert!(!fits(json!({"source": ["aws.ecr"], "detail": {"result": ["FAILURE"]}}), event.clone()));
        assert!(fits(json!({"detail": {"count": [3.0], "none": [null]}}), event.clone()));
        assert!(!fits(json!({"detail": {"count": ["3"]}}), event.clone()));
        assert!(fits(json!({"detail.result": ["SUCCESS"]}), event));
    }

    #[test]
    fn one_element_of_a_list_is_enough_and_it_must_be_one_and_the_same() {
        let event = json!({"resources": ["a", "b"], "detail": {"all": [{"x": 1, "y": 1}, {"x": 2, "y": 2}]}});
        assert!(fits(json!({"resources": ["b", "c"]}), event.clone()));
        assert!(fits(json!({"detail": {"all": {"x": [2], "y": [2]}}}), event.clone()));
        assert!(!fits(json!({"detail": {"all": {"x": [1], "y": [2]}}}), event));
    }

    #[test]
    fn what_is_not_there_fits_only_where_it_must_not_be_there() {
        let event = json!({"detail": {"a": 1, "empty": []}});
        assert!(fits(json!({"detail": {"b": [{"exists": false}]}}), event.clone()));
        assert!(fits(json!({"other": {"c": [{"exists": false}]}}), event.clone()));
        assert!(fits(json!({"detail": {"empty": [{"exists": false}]}}), event.clone()));
        assert!(!fits(json!({"detail": {"a": [{"exists": false}]}}), event.clone()));
        assert!(!fits(json!({"detail": {"b": [{"anything-but": 1}]}}), event));
    }

    #[test]
    fn of_alternatives_one_is_enough() {
        let pattern = json!({"source": ["s"], "$or": [{"detail": {"a": [1]}}, {"detail": {"b": [{"prefix": "x"}]}}]});
        assert!(fits(pattern.clone(), json!({"source": "s", "detail": {"a": 1}})));
        assert!(fits(pattern.clone(), json!({"source": "s", "detail": {"b": "xyz"}})));
        assert!(!fits(pattern.clone(), json!({"source": "s", "detail": {"a": 2, "b": "y"}})));
        assert!(!fits(pattern, json!({"source": "t", "detail": {"a": 1}})));
    }

    #[test]
    fn a_pattern_that_can_never_be_one_is_refused_with_its_reason() {
        let reason = |pattern: &str| Pattern::read(pattern).unwrap_err().message;
        assert!(reason(r#"{"a": 1}"#).ends_with("\"a\" must be an object or an array"));
        assert!(reason(r#"{"a": []}"#).ends_with("Empty arrays are not allowed"));
        assert!(reason("[]").ends_with("Filter is not an object"));
    }
}
