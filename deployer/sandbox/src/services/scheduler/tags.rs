//! Tags of schedule groups; schedules have none.
//! <https://docs.aws.amazon.com/scheduler/latest/APIReference/API_TagResource.html>

use std::sync::Arc;

use serde_json::json;

use super::{group, invalid, missing};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::tag_list;
use crate::store::{Resource, Tags};

/// The tags that a request carries.
pub(super) fn requested(input: &Input) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in input.objects("Tags") {
        let (key, value) = (tag.string("Key")?, tag.string("Value")?);
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys must not begin with aws:"));
        }
        tags.insert(key, value);
    }
    limited(&tags)?;
    Ok(tags)
}

fn limited(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > 50 {
        return Err(invalid("A schedule group can have no more than 50 tags."));
    }
    Ok(())
}

fn by_arn(
    ctx: &mut Ctx<'_>,
    input: &Input,
    action: &str,
    more: impl FnOnce(Grant) -> Grant,
) -> Result<Arc<Resource>, ApiError> {
    let arn = input.string("ResourceArn")?;
    let found = ctx.those(group::KIND, |group| group.text("Arn") == arn).first().cloned();
    let grant = more(Grant::new(format!("scheduler:{action}"), arn.clone()));
    ctx.authorise(match &found {
        Some(group) => grant.resource_tags(&group.tags),
        None => grant,
    })?;
    found.ok_or_else(|| missing(format!("Resource {arn} does not exist.")))
}

pub(super) fn tag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = requested(input)?;
    let group = by_arn(ctx, input, "TagResource", |grant| grant.request_tags(&tags))?;
    let mut all = group.tags.clone();
    all.extend(tags);
    limited(&all)?;
    ctx.update(group::KIND, &group.id, |group| group.tags = all);
    Ok(nothing())
}

pub(super) fn untag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let keys = input.strings("TagKeys");
    let group = by_arn(ctx, input, "UntagResource", |grant| grant.tag_keys(&keys))?;
    ctx.update(group::KIND, &group.id, |group| group.tags.retain(|key, _| !keys.contains(key)));
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = by_arn(ctx, input, "ListTagsForResource", |grant| grant)?;
    Ok(json!({"Tags": tag_list(&group.tags, "Key", "Value")}))
}
