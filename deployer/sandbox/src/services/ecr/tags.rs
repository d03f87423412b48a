//! Tags of repositories.
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_TagResource.html>

use std::sync::Arc;

use serde_json::json;

use super::{absent, arn, invalid};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::tag_list;
use crate::store::{Resource, Tags};

/// The tags that a request carries.
pub(super) fn requested(input: &Input) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in input.objects("tags") {
        let (key, value) = (tag.string("Key")?, tag.string("Value")?);
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(refuse("InvalidTagParameterException", format!("the tag {key} is not valid")));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(refuse("InvalidTagParameterException", "tag keys that begin with aws: are AWS's own"));
        }
        tags.insert(key, value);
    }
    limited(&tags)?;
    Ok(tags)
}

fn limited(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > 50 {
        return Err(refuse("TooManyTagsException", "a repository can have no more than 50 tags"));
    }
    Ok(())
}

/// The repository behind an ARN, once its caller may do the action on it.
fn by_arn(
    ctx: &mut Ctx<'_>,
    input: &Input,
    action: &str,
    more: impl FnOnce(Grant) -> Grant,
) -> Result<Arc<Resource>, ApiError> {
    let given = input.string("resourceArn")?;
    let prefix = arn(ctx, "");
    let name = given.strip_prefix(&prefix).ok_or_else(|| invalid(format!("Invalid ARN {given}")))?;
    let found = ctx.get("ecr.repository", name);
    let grant = more(Grant::new(format!("ecr:{action}"), &given));
    ctx.authorise(match &found {
        Some(repository) => grant.resource_tags(&repository.tags),
        None => grant,
    })?;
    found.ok_or_else(|| absent(ctx, name))
}

pub(super) fn tag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = requested(input)?;
    let repository = by_arn(ctx, input, "TagResource", |grant| grant.request_tags(&tags))?;
    let mut all = repository.tags.clone();
    all.extend(tags);
    limited(&all)?;
    ctx.update("ecr.repository", &repository.id, |repository| repository.tags = all);
    Ok(nothing())
}

pub(super) fn untag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let keys = input.strings("tagKeys");
    let repository = by_arn(ctx, input, "UntagResource", |grant| grant.tag_keys(&keys))?;
    ctx.update("ecr.repository", &repository.id, |repository| repository.tags.retain(|key, _| !keys.contains(key)));
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let repository = by_arn(ctx, input, "ListTagsForResource", |grant| grant)?;
    Ok(json!({ "tags": tag_list(&repository.tags, "Key", "Value") }))
}
