//! Tags of topics. <https://docs.aws.amazon.com/sns/latest/api/API_TagResource.html>

use serde_json::json;

use super::{TOPIC, invalid, permitted_arn};
use crate::account::Ctx;
use crate::dispatch::empty_result;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::{is_tag, tag_list};
use crate::store::Tags;

/// The tags that a request carries.
pub(super) fn requested(input: &Input) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in input.objects("Tags") {
        let (key, value) = (tag.string("Key")?, tag.opt_str("Value").unwrap_or_default().to_owned());
        if !is_tag(&key, &value) {
            return Err(invalid(format!("Tags Reason: the tag {key} is not valid")));
        }
        if tags.insert(key, value).is_some() {
            return Err(invalid("Duplicated keys are not allowed."));
        }
    }
    limited(&tags)?;
    Ok(tags)
}

fn limited(tags: &Tags) -> Result<(), ApiError> {
    match tags.len() {
        0..=50 => Ok(()),
        _ => Err(refuse("TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded")),
    }
}

/// Only these operations say that it is a resource that is not there.
fn of_tags(error: ApiError) -> ApiError {
    match error.code.as_str() {
        "NotFound" => ApiError::with_status(404, "ResourceNotFound", "Resource does not exist"),
        _ => error,
    }
}

pub(super) fn tag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = requested(input)?;
    let arn = input.str("ResourceArn")?;
    let topic = permitted_arn(ctx, "ResourceArn", arn, "TagResource", |grant| grant.request_tags(&tags));
    let topic = topic.map_err(of_tags)?;
    let mut all = topic.tags.clone();
    all.extend(tags);
    limited(&all)?;
    ctx.update(TOPIC, &topic.id, |topic| topic.tags = all);
    Ok(empty_result())
}

pub(super) fn untag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let keys = input.strings("TagKeys");
    let arn = input.str("ResourceArn")?;
    let topic = permitted_arn(ctx, "ResourceArn", arn, "UntagResource", |grant| grant.tag_keys(&keys));
    let topic = topic.map_err(of_tags)?;
    ctx.update(TOPIC, &topic.id, |topic| topic.tags.retain(|key, _| !keys.contains(key)));
    Ok(empty_result())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let topic = permitted_arn(ctx, "ResourceArn", input.str("ResourceArn")?, "ListTagsForResource", |grant| grant);
    let topic = topic.map_err(of_tags)?;
    Ok(json!({"Tags": tag_list(&topic.tags, "Key", "Value")}))
}
