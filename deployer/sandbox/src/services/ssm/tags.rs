//! Tags of parameters.
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AddTagsToResource.html>

use std::sync::Arc;

use serde_json::json;

use super::{arn, invalid};
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
    for tag in input.objects("Tags") {
        let (key, value) = (tag.string("Key")?, tag.opt_str("Value").unwrap_or_default().to_owned());
        if key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(format!("The tag {key} is too long")));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys starting with aws: are reserved"));
        }
        if tags.insert(key, value).is_some() {
            return Err(invalid("Duplicate tag keys are not allowed"));
        }
    }
    limited(&tags)?;
    Ok(tags)
}

fn limited(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > 50 {
        return Err(refuse("TooManyTagsError", "A parameter can have at most 50 tags"));
    }
    Ok(())
}

fn named(ctx: &Ctx<'_>, input: &Input) -> Result<Arc<Resource>, ApiError> {
    match input.str("ResourceType")? {
        "Parameter" => {}
        other => return Err(ApiError::not_simulated(format!("tags of the SSM resource type {other}"))),
    }
    let name = input.str("ResourceId")?;
    ctx.usable("ssm.parameter", name).ok_or_else(|| {
        refuse("InvalidResourceId", format!("The resource ID \"{name}\" is not valid. Verify the ID and try again."))
    })
}

pub(super) fn add(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let parameter = named(ctx, input)?;
    let tags = requested(input)?;
    let grant = Grant::new("ssm:AddTagsToResource", arn(ctx, &parameter.id));
    ctx.authorise(grant.resource_tags(&parameter.tags).request_tags(&tags))?;
    let mut all = parameter.tags.clone();
    all.extend(tags);
    limited(&all)?;
    ctx.update("ssm.parameter", &parameter.id, |parameter| parameter.tags = all);
    Ok(nothing())
}

pub(super) fn remove(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let parameter = named(ctx, input)?;
    let keys = input.strings("TagKeys");
    let grant = Grant::new("ssm:RemoveTagsFromResource", arn(ctx, &parameter.id)).resource_tags(&parameter.tags);
    ctx.authorise(grant.tag_keys(&keys))?;
    ctx.update("ssm.parameter", &parameter.id, |parameter| parameter.tags.retain(|key, _| !keys.contains(key)));
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let parameter = named(ctx, input)?;
    let grant = Grant::new("ssm:ListTagsForResource", arn(ctx, &parameter.id)).resource_tags(&parameter.tags);
    ctx.authorise(grant)?;
    Ok(json!({"TagList": tag_list(&parameter.tags, "Key", "Value")}))
}
