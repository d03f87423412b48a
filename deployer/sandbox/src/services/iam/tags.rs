//! Tags of roles and instance profiles.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html>

use std::sync::Arc;

use serde_json::Value;

use super::{authorise, conflict, paged, profile, role_named, role_seen, unmodifiable, unordered};
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
        for (name, text, longest) in [("Key", &key, 128), ("Value", &value, 256)] {
            if text.chars().count() > longest {
                return Err(tag.invalid(name, &Value::from(text.as_str())));
            }
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(refuse("InvalidInput", "Tag keys starting with 'aws:' are reserved."));
        }
        // Keys are not case-sensitive here: <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules>
        if tags.keys().any(|known: &String| known.eq_ignore_ascii_case(&key)) {
            let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(refuse("InvalidInput", message));
        }
        tags.insert(key, value);
    }
    limited(&tags)?;
    Ok(tags)
}

fn limited(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > 50 {
        return Err(conflict("LimitExceeded", "The number of tags has reached the maximum limit."));
    }
    Ok(())
}

fn tag(ctx: &mut Ctx<'_>, input: &Input, action: &str, resource: &Resource) -> Outcome {
    let tags = requested(input)?;
    let grant = Grant::new(format!("iam:{action}"), resource.text("Arn"));
    ctx.authorise(grant.resource_tags(&resource.tags).request_tags(&tags))?;
    unmodifiable(resource)?;
    let mut all = resource.tags.clone();
    all.retain(|known, _| !tags.keys().any(|key| key.eq_ignore_ascii_case(known)));
    all.extend(tags);
    limited(&all)?;
    ctx.update(resource.kind, &resource.id, |resource| resource.tags = all);
    Ok(nothing())
}

fn untag(ctx: &mut Ctx<'_>, input: &Input, action: &str, resource: &Resource) -> Outcome {
    let keys = input.strings("TagKeys");
    let mut grant = Grant::new(format!("iam:{action}"), resource.text("Arn")).resource_tags(&resource.tags);
    for key in &keys {
        grant = grant.key("aws:TagKeys", key.clone());
    }
    ctx.authorise(grant)?;
    unmodifiable(resource)?;
    ctx.update(resource.kind, &resource.id, |resource| {
        resource.tags.retain(|known, _| !keys.iter().any(|key| key.eq_ignore_ascii_case(known)));
    });
    Ok(nothing())
}

fn list(ctx: &mut Ctx<'_>, input: &Input, action: &str, resource: &Arc<Resource>) -> Outcome {
    authorise(ctx, action, resource)?;
    let tags = match tag_list(&resource.tags, "Key", "Value") {
        Value::Array(tags) => tags,
        _ => Vec::new(),
    };
    let tags = unordered(ctx, tags, |tag| tag["Key"].to_string());
    paged(input, "Tags", tags)
}

pub(super) fn tag_role(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_named(ctx, input)?;
    tag(ctx, input, "TagRole", &role)
}

pub(super) fn untag_role(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_named(ctx, input)?;
    untag(ctx, input, "UntagRole", &role)
}

pub(super) fn list_of_role(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_seen(ctx, input)?;
    list(ctx, input, "ListRoleTags", &role)
}

pub(super) fn tag_profile(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let profile = profile::named_in(ctx, input)?;
    tag(ctx, input, "TagInstanceProfile", &profile)
}

pub(super) fn untag_profile(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let profile = profile::named_in(ctx, input)?;
    untag(ctx, input, "UntagInstanceProfile", &profile)
}

pub(super) fn list_of_profile(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let profile = profile::seen_in(ctx, input)?;
    list(ctx, input, "ListInstanceProfileTags", &profile)
}
