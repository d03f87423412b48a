//! Tags of certificates.
//! <https://docs.aws.amazon.com/acm/latest/userguide/tags.html>

use serde_json::json;

use super::{CERTIFICATE, named};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::tag_list;
use crate::store::Tags;

pub(super) fn requested(input: &Input) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in input.objects("Tags") {
        let key = tag.string("Key")?;
        if key.to_ascii_lowercase().starts_with("aws:") || key.chars().count() > 128 {
            return Err(refuse("InvalidTagException", format!("The tag key is not valid: {key}")));
        }
        tags.insert(key, tag.opt_str("Value").unwrap_or_default().to_owned());
    }
    limited(&tags)?;
    Ok(tags)
}

fn limited(tags: &Tags) -> Result<(), ApiError> {
    match tags.len() {
        0..=50 => Ok(()),
        _ => Err(refuse("TooManyTagsException", "A certificate can have at most 50 tags")),
    }
}

pub(super) fn add(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = requested(input)?;
    if tags.is_empty() {
        return Err(input.missing("Tags"));
    }
    let arn = input.str("CertificateArn")?.to_owned();
    let held = ctx.get(CERTIFICATE, &arn).map(|found| found.tags.clone()).unwrap_or_default();
    ctx.authorise(Grant::new("acm:AddTagsToCertificate", &arn).request_tags(&tags).resource_tags(&held))?;
    let mut all = held;
    all.extend(tags);
    limited(&all)?;
    let missing = || refuse("ResourceNotFoundException", format!("Could not find certificate {arn}."));
    ctx.get(CERTIFICATE, &arn).ok_or_else(missing)?;
    ctx.update(CERTIFICATE, &arn, |certificate| certificate.tags = all);
    Ok(nothing())
}

/// A tag goes by its key, and only with the value that is named, if one is.
pub(super) fn remove(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let found = named(ctx, input, "RemoveTagsFromCertificate")?;
    let mut tags = found.tags.clone();
    for tag in input.objects("Tags") {
        let (key, value) = (tag.string("Key")?, tag.opt_str("Value"));
        if value.is_none_or(|value| tags.get(&key).is_some_and(|held| held == value)) {
            tags.remove(&key);
        }
    }
    ctx.update(CERTIFICATE, &found.id, |certificate| certificate.tags = tags);
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let found = named(ctx, input, "ListTagsForCertificate")?;
    Ok(json!({"Tags": tag_list(&found.tags, "Key", "Value")}))
}
