//! Tags of all that RDS has.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Tagging.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{NOUNS, Noun, invalid, wire};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::tag_list;
use crate::store::{Resource, Tags};

pub(super) fn list_of(tags: &Tags) -> Value {
    tag_list(tags, "Key", "Value")
}

pub(super) fn requested(input: &Input) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in input.objects("Tags") {
        let key = tag.string("Key")?;
        if key.starts_with("aws:") || key.starts_with("rds:") {
            return Err(invalid(format!("Tag keys can't start with \"aws:\" or \"rds:\": {key}")));
        }
        if key.chars().count() > 128 {
            return Err(invalid(format!("Tag key is too long: {key}")));
        }
        tags.insert(key, tag.opt_str("Value").unwrap_or_default().to_owned());
    }
    limit(&tags)?;
    Ok(tags)
}

fn limit(tags: &Tags) -> Result<(), ApiError> {
    match tags.len() {
        0..=50 => Ok(()),
        _ => Err(refuse("TagQuotaExceeded", "A resource can have at most 50 tags")),
    }
}

/// The object behind `ResourceName`, which is an ARN, once the caller may do this to it.
fn permitted(
    ctx: &mut Ctx<'_>,
    input: &Input,
    action: &str,
    asked: &Tags,
) -> Result<(&'static Noun, Arc<Resource>), ApiError> {
    let arn = input.str("ResourceName")?;
    let unknown = || invalid(format!("Unexpected ARN format: {arn}"));
    let prefix = ctx.arn("rds", "");
    let (resource_type, id) = arn.strip_prefix(&prefix).and_then(|rest| rest.split_once(':')).ok_or_else(unknown)?;
    let noun = NOUNS.iter().copied().find(|noun| noun.resource_type == resource_type).ok_or_else(unknown)?;
    let found = ctx.usable(noun.kind, id);
    let mut grant = Grant::new(format!("rds:{action}"), arn).request_tags(asked);
    if let Some(found) = &found {
        grant = grant.resource_tags(&found.tags);
    }
    ctx.authorise(grant)?;
    Ok((noun, found.ok_or_else(|| noun.missing(id))?))
}

pub(super) fn add(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = requested(input)?;
    let (noun, found) = permitted(ctx, input, "AddTagsToResource", &tags)?;
    let mut all = found.tags.clone();
    all.append(&mut tags.clone());
    limit(&all)?;
    ctx.update(noun.kind, &found.id, |resource| resource.tags = all);
    Ok(nothing())
}

pub(super) fn remove(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let keys = input.strings("TagKeys");
    let gone = keys.iter().map(|key| (key.clone(), String::new())).collect();
    let (noun, found) = permitted(ctx, input, "RemoveTagsFromResource", &gone)?;
    ctx.update(noun.kind, &found.id, |resource| resource.tags.retain(|key, _| !keys.contains(key)));
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (_, found) = permitted(ctx, input, "ListTagsForResource", &Tags::new())?;
    Ok(wire(json!({"TagList": list_of(&found.tags)})))
}
