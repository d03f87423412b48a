//! Tags of log groups, under the new operations and the old.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagResource.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{arn, invalid, named};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Tags};

/// The tags that a request carries.
pub(super) fn requested(input: &Input) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for (key, value) in input.opt("tags").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(format!("The tag {key} is not valid")));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys starting with 'aws:' are reserved"));
        }
        tags.insert(key.clone(), value.to_owned());
    }
    // `tags` was read as a whole, with all that is in it.
    if let Some(tags) = input.object("tags") {
        tags.raw();
    }
    limited(&tags)?;
    Ok(tags)
}

fn limited(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > 50 {
        return Err(refuse("TooManyTagsException", "A resource can have no more than 50 tags."));
    }
    Ok(())
}

/// Demands an action about tags, for which the group's ARN has no `:*` at its end.
pub(super) fn authorise(
    ctx: &mut Ctx<'_>,
    action: &str,
    group: &str,
    more: impl FnOnce(Grant) -> Grant,
) -> Result<(), ApiError> {
    let grant = Grant::new(format!("logs:{action}"), arn(ctx, group));
    ctx.authorise(more(grant))
}

/// The group behind an ARN.
fn by_arn(ctx: &Ctx<'_>, input: &Input) -> Result<Arc<Resource>, ApiError> {
    let given = input.str("resourceArn")?;
    let Some(name) = given.strip_prefix(&arn(ctx, "")) else {
        return Err(invalid(format!("The specified resource ARN {given} is not that of a log group here")));
    };
    if name.ends_with(":*") {
        return Err(invalid(format!("The specified resource ARN {given} is not valid: leave out the :* at its end")));
    }
    ctx.usable("logs.group", name)
        .ok_or_else(|| refuse("ResourceNotFoundException", "The specified resource does not exist."))
}

fn put(ctx: &mut Ctx<'_>, input: &Input, action: &str, group: &Resource) -> Outcome {
    let tags = requested(input)?;
    authorise(ctx, action, &group.id, |grant| grant.resource_tags(&group.tags).request_tags(&tags))?;
    let mut all = group.tags.clone();
    all.extend(tags);
    limited(&all)?;
    ctx.update("logs.group", &group.id, |group| group.tags = all);
    Ok(nothing())
}

fn take(ctx: &mut Ctx<'_>, action: &str, group: &Resource, keys: &[String]) -> Outcome {
    authorise(ctx, action, &group.id, |grant| grant.resource_tags(&group.tags).tag_keys(keys))?;
    ctx.update("logs.group", &group.id, |group| group.tags.retain(|key, _| !keys.contains(key)));
    Ok(nothing())
}

fn show(ctx: &mut Ctx<'_>, action: &str, group: &Resource) -> Outcome {
    authorise(ctx, action, &group.id, |grant| grant.resource_tags(&group.tags))?;
    Ok(json!({"tags": group.tags}))
}

pub(super) fn tag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = by_arn(ctx, input)?;
    put(ctx, input, "TagResource", &group)
}

pub(super) fn untag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = by_arn(ctx, input)?;
    take(ctx, "UntagResource", &group, &input.strings("tagKeys"))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = by_arn(ctx, input)?;
    show(ctx, "ListTagsForResource", &group)
}

pub(super) fn tag_group(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    put(ctx, input, "TagLogGroup", &group)
}

pub(super) fn untag_group(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    take(ctx, "UntagLogGroup", &group, &input.strings("tags"))
}

pub(super) fn list_of_group(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    show(ctx, "ListTagsLogGroup", &group)
}
