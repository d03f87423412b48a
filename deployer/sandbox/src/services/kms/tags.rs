//! Tags of keys.
//! <https://docs.aws.amazon.com/kms/latest/developerguide/tagging-keys.html>

use serde_json::{Value, json};

use super::{authorise, authorise_grant, find, paged, state};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::tag_list;
use crate::store::Tags;

/// The tags that a request carries.
pub(super) fn requested(input: &Input) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in input.objects("Tags") {
        let (key, value) = (tag.string("TagKey")?, tag.opt_str("TagValue").unwrap_or_default().to_owned());
        for (name, text, longest) in [("TagKey", &key, 128), ("TagValue", &value, 256)] {
            if text.chars().count() > longest {
                return Err(tag.invalid(name, &Value::from(text.as_str())));
            }
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(refuse("TagException", "Tags beginning with aws: are reserved"));
        }
        if tags.insert(key, value).is_some() {
            return Err(refuse("TagException", "Duplicate tag keys"));
        }
    }
    limited(&tags)?;
    Ok(tags)
}

fn limited(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > 50 { Err(refuse("TagException", "Too many tags")) } else { Ok(()) }
}

pub(super) fn tag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let key = find(ctx, input.str("KeyId")?)?;
    let tags = requested(input)?;
    authorise_grant(ctx, &key, Grant::new("kms:TagResource", key.text("Arn")).request_tags(&tags))?;
    state::own(&key)?;
    state::not_pending_deletion(&key)?;
    let mut all = key.tags.clone();
    all.extend(tags);
    limited(&all)?;
    ctx.update("kms.key", &key.id, |key| key.tags = all);
    Ok(nothing())
}

pub(super) fn untag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let key = find(ctx, input.str("KeyId")?)?;
    let names = input.strings("TagKeys");
    let mut grant = Grant::new("kms:UntagResource", key.text("Arn"));
    for name in &names {
        grant = grant.key("aws:TagKeys", name.clone());
    }
    authorise_grant(ctx, &key, grant)?;
    state::own(&key)?;
    state::not_pending_deletion(&key)?;
    ctx.update("kms.key", &key.id, |key| key.tags.retain(|name, _| !names.contains(name)));
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let key = find(ctx, input.str("KeyId")?)?;
    authorise(ctx, "ListResourceTags", &key)?;
    let tags = match tag_list(&key.tags, "TagKey", "TagValue") {
        Value::Array(tags) => tags,
        other => vec![json!(other)],
    };
    paged(input, "Tags", tags, 50)
}
