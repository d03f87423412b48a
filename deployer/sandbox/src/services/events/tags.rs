//! Tags of rules. <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TagResource.html>

use std::sync::Arc;

use serde_json::json;

use super::{RULE, arn, demand, invalid, no_such_rule};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::{is_tag, tag_list};
use crate::store::{Resource, Tags};

/// The tags that a request carries.
pub(super) fn requested(input: &Input) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in input.objects("Tags") {
        let (key, value) = (tag.string("Key")?, tag.opt_str("Value").unwrap_or_default().to_owned());
        if !is_tag(&key, &value) {
            return Err(invalid(format!("The tag {key} is not valid.")));
        }
        tags.insert(key, value);
    }
    limited(&tags)?;
    Ok(tags)
}

fn limited(tags: &Tags) -> Result<(), ApiError> {
    match tags.len() {
        0..=50 => Ok(()),
        _ => Err(invalid("A rule can have at most 50 tags.")),
    }
}

fn by_arn(
    ctx: &mut Ctx<'_>,
    input: &Input,
    action: &str,
    more: impl FnOnce(Grant) -> Grant,
) -> Result<Arc<Resource>, ApiError> {
    let given = input.string("ResourceARN")?;
    let prefix = arn(ctx, "");
    let name = given.strip_prefix(&prefix).filter(|name| !name.contains('/'));
    let name = name.ok_or_else(|| ApiError::not_simulated(format!("tags of {given}")))?;
    let found = ctx.get(RULE, name);
    demand(ctx, action, name, found.as_deref(), more)?;
    found.ok_or_else(|| no_such_rule(name))
}

pub(super) fn tag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = requested(input)?;
    let rule = by_arn(ctx, input, "TagResource", |grant| grant.request_tags(&tags))?;
    let mut all = rule.tags.clone();
    all.extend(tags);
    limited(&all)?;
    ctx.update(RULE, &rule.id, |rule| rule.tags = all);
    Ok(nothing())
}

pub(super) fn untag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let keys = input.strings("TagKeys");
    let rule = by_arn(ctx, input, "UntagResource", |grant| grant.tag_keys(&keys))?;
    ctx.update(RULE, &rule.id, |rule| rule.tags.retain(|key, _| !keys.contains(key)));
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let rule = by_arn(ctx, input, "ListTagsForResource", |grant| grant)?;
    Ok(json!({"Tags": tag_list(&rule.tags, "Key", "Value")}))
}
