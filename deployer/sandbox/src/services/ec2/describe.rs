//! What all of EC2's describe operations share: ids, filters, order, pages.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Noun, tags};
use crate::account::Ctx;
use crate::authorise::like;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;

/// Answers a describe: the objects asked for by id or filter, a page of them.
pub(crate) fn describe(ctx: &Ctx<'_>, input: &Input, noun: &Noun) -> Outcome {
    describe_as(ctx, input, noun, |_, resource| shown(noun, resource))
}

/// The same, with objects shown in the noun's own way.
pub(crate) fn describe_as(
    ctx: &Ctx<'_>,
    input: &Input,
    noun: &Noun,
    show: impl Fn(&Ctx<'_>, &Resource) -> Value,
) -> Outcome {
    let ids = input.strings(noun.ids);
    let filters = filters(input)?;
    let mut found = Vec::new();
    for resource in ctx.visible(noun.kind) {
        if ids.is_empty() || ids.contains(&resource.id) {
            let value = show(ctx, &resource);
            if all_match(&filters, noun.filters, &value, &resource)? {
                found.push(value);
            }
        }
    }
    for id in &ids {
        noun.well_formed(id)?;
        ctx.visible_one(noun.kind, id).ok_or_else(|| noun.not_found(id))?;
    }
    // A filter's name is judged even when there is nothing to judge it by.
    let nobody = ctx.resource(noun.kind, "", json!({}));
    all_match(&filters, noun.filters, &json!({}), &nobody)?;
    page(input, noun.set, found)
}

/// An object as AWS shows it: its attributes without what is hidden, and its tags.
pub(crate) fn shown(noun: &Noun, resource: &Resource) -> Value {
    let mut map: Map<String, Value> =
        resource.attrs.iter().filter(|(key, _)| !key.starts_with('_')).map(|(k, v)| (k.clone(), v.clone())).collect();
    map.insert(noun.id_attr.to_owned(), resource.id.clone().into());
    map.insert("tagSet".to_owned(), tags::set(&resource.tags));
    Value::Object(map)
}

/// A filter: one name, and values of which one must fit.
#[derive(Debug)]
pub(crate) struct Filter {
    name: String,
    values: Vec<String>,
}

pub(crate) fn filters(input: &Input) -> Result<Vec<Filter>, ApiError> {
    input
        .objects("Filter")
        .iter()
        .map(|filter| Ok(Filter { name: filter.string("Name")?, values: filter.strings("Value") }))
        .collect()
}

/// Whether all filters fit; one whose name the noun does not have is an error, as at AWS.
pub(crate) fn all_match(
    filters: &[Filter],
    known: &[(&str, &str)],
    value: &Value,
    resource: &Resource,
) -> Result<bool, ApiError> {
    let mut fits = true;
    for filter in filters {
        let present: Vec<String> = if let Some(key) = filter.name.strip_prefix("tag:") {
            resource.tags.get(key).cloned().into_iter().collect()
        } else if filter.name == "tag-key" {
            resource.tags.keys().cloned().collect()
        } else if filter.name == "tag-value" {
            resource.tags.values().cloned().collect()
        } else {
            let path = known.iter().find(|(name, _)| *name == filter.name).map(|(_, path)| *path);
            let path = path
                .ok_or_else(|| refuse("InvalidParameterValue", format!("The filter '{}' is invalid", filter.name)))?;
            at(value, path)
        };
        fits &= present.iter().any(|text| filter.values.iter().any(|pattern| like(pattern, text)));
    }
    Ok(fits)
}

/// All texts under a path; lists on the way are gone through.
fn at(value: &Value, path: &str) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(|item| at(item, path)).collect(),
        Value::Object(map) if !path.is_empty() => {
            let (name, rest) = path.split_once('.').unwrap_or((path, ""));
            map.get(name).map(|value| at(value, rest)).unwrap_or_default()
        }
        Value::String(text) if path.is_empty() => vec![text.clone()],
        Value::Null | Value::Object(_) | Value::String(_) => Vec::new(),
        other => vec![other.to_string()],
    }
}

/// Cuts a page out of a list, as `MaxResults` and `NextToken` ask.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html#api-pagination>
pub(crate) fn page(input: &Input, set: &str, mut items: Vec<Value>) -> Outcome {
    let size = match input.opt_int("MaxResults")? {
        Some(size @ 5..=1000) => usize::try_from(size).unwrap_or(1000),
        Some(size) => {
            return Err(refuse(
                "InvalidParameterValue",
                format!("Value ( {size} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000."),
            ));
        }
        None => 1000,
    };
    let start = match input.opt_str("NextToken") {
        Some(token) => STANDARD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok())
            .ok_or_else(|| refuse("InvalidNextToken", "The token is not valid"))?,
        None => 0_usize,
    };
    let mut items = items.split_off(start.min(items.len()));
    let more = items.len() > size;
    items.truncate(size);
    let mut answer = Map::new();
    answer.insert(set.to_owned(), items.into());
    if more {
        answer.insert("nextToken".to_owned(), STANDARD.encode((start + size).to_string()).into());
    }
    Ok(Value::Object(answer))
}
