//! Tags of policies. <https://docs.aws.amazon.com/dlm/latest/APIReference/API_TagResource.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{POLICY, invalid, permitted};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::is_tag;
use crate::store::{Resource, Tags};

/// The tags that a request carries.
pub(super) fn requested(input: &Input) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for (key, value) in input.opt("Tags").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if !is_tag(key, value) {
            return Err(invalid(format!("The tag {key} is not valid")));
        }
        tags.insert(key.clone(), value.to_owned());
    }
    match tags.len() {
        0..=50 => Ok(tags),
        _ => Err(invalid("A policy can have at most 50 tags")),
    }
}

fn by_arn(
    ctx: &mut Ctx<'_>,
    input: &Input,
    action: &str,
    more: impl FnOnce(Grant) -> Grant,
) -> Result<Arc<Resource>, ApiError> {
    let arn = input.string("ResourceArn")?;
    let prefix = ctx.arn("dlm", "policy/");
    let id = arn.strip_prefix(&prefix).ok_or_else(|| invalid(format!("{arn} is not the ARN of a policy")))?;
    permitted(ctx, id, action, more)
}

pub(super) fn tag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = requested(input)?;
    let policy = by_arn(ctx, input, "TagResource", |grant| grant.request_tags(&tags))?;
    ctx.update(POLICY, &policy.id, |policy| policy.tags.extend(tags));
    Ok(nothing())
}

pub(super) fn untag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let keys = input.strings("TagKeys");
    let policy = by_arn(ctx, input, "UntagResource", |grant| grant.tag_keys(&keys))?;
    ctx.update(POLICY, &policy.id, |policy| policy.tags.retain(|key, _| !keys.contains(key)));
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let policy = by_arn(ctx, input, "ListTagsForResource", |grant| grant)?;
    Ok(json!({"Tags": policy.tags}))
}
