//! Tags of scalable targets.
//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TagResource.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::invalid;
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Tags};

/// The tags that a request carries.
pub(super) fn requested(input: &Input) -> Result<Tags, ApiError> {
    let given = input.opt("Tags").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(tags) = input.object("Tags") {
        tags.raw();
    }
    let mut tags = Tags::new();
    for (key, value) in given {
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid("aws: prefixed tag key names are not allowed for external use."));
        }
        tags.insert(key, value.as_str().unwrap_or_default().to_owned());
    }
    limited(&tags)?;
    Ok(tags)
}

fn limited(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > 50 {
        return Err(refuse("TooManyTagsException", "The number of tags exceeds the limit of 50"));
    }
    Ok(())
}

fn by_arn(
    ctx: &mut Ctx<'_>,
    input: &Input,
    action: &str,
    more: impl FnOnce(Grant) -> Grant,
) -> Result<Arc<Resource>, ApiError> {
    let arn = input.string("ResourceARN")?;
    let found = ctx.those("application-autoscaling.target", |one| one.text("ScalableTargetARN") == arn);
    let found = found.first().cloned();
    let grant = more(Grant::new(format!("application-autoscaling:{action}"), arn.clone()));
    ctx.authorise(match &found {
        Some(target) => grant.resource_tags(&target.tags),
        None => grant,
    })?;
    found.ok_or_else(|| {
        let message = format!("The specified resource doesn't exist: {arn}");
        refuse("ResourceNotFoundException", message).member("ResourceName", arn)
    })
}

pub(super) fn tag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = requested(input)?;
    let target = by_arn(ctx, input, "TagResource", |grant| grant.request_tags(&tags))?;
    let mut all = target.tags.clone();
    all.extend(tags);
    limited(&all)?;
    ctx.update(target.kind, &target.id, |target| target.tags = all);
    Ok(nothing())
}

pub(super) fn untag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let keys = input.strings("TagKeys");
    let target = by_arn(ctx, input, "UntagResource", |grant| grant.tag_keys(&keys))?;
    ctx.update(target.kind, &target.id, |target| target.tags.retain(|key, _| !keys.contains(key)));
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let target = by_arn(ctx, input, "ListTagsForResource", |grant| grant)?;
    Ok(json!({"Tags": target.tags}))
}
