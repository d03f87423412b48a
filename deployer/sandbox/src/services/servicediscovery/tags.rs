//! Tags of namespaces and services.
//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_TagResource.html>

use std::sync::Arc;

use serde_json::json;

use super::invalid;
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
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys that begin with aws: are reserved"));
        }
        tags.insert(key, value);
    }
    limited(&tags)?;
    Ok(tags)
}

fn limited(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > 50 {
        return Err(refuse("TooManyTagsException", "The list of tags on the resource is over the limit of 50"));
    }
    Ok(())
}

fn by_arn(ctx: &Ctx<'_>, arn: &str) -> Result<Arc<Resource>, ApiError> {
    let id = arn.rsplit('/').next().unwrap_or_default();
    let found = ctx.get("servicediscovery.namespace", id).or_else(|| ctx.get("servicediscovery.service", id));
    let found = found.filter(|found| found.text("Arn") == arn);
    found.ok_or_else(|| {
        let message = "The specified resource does not exist.";
        refuse("ResourceNotFoundException", message)
    })
}

fn demand(ctx: &mut Ctx<'_>, action: &str, more: impl FnOnce(Grant) -> Grant) -> Result<(), ApiError> {
    // Cloud Map asks for no resource here: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudmap.html>
    ctx.authorise(more(Grant::new(format!("servicediscovery:{action}"), "*")))
}

pub(super) fn tag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (arn, tags) = (input.str("ResourceARN")?, requested(input)?);
    demand(ctx, "TagResource", |grant| grant.request_tags(&tags))?;
    let found = by_arn(ctx, arn)?;
    let mut all = found.tags.clone();
    all.extend(tags);
    limited(&all)?;
    ctx.update(found.kind, &found.id, |found| found.tags = all);
    Ok(nothing())
}

pub(super) fn untag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (arn, keys) = (input.str("ResourceARN")?, input.strings("TagKeys"));
    demand(ctx, "UntagResource", |grant| grant.tag_keys(&keys))?;
    let found = by_arn(ctx, arn)?;
    ctx.update(found.kind, &found.id, |found| found.tags.retain(|key, _| !keys.contains(key)));
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let found = by_arn(ctx, input.str("ResourceARN")?)?;
    Ok(json!({"Tags": tag_list(&found.tags, "Key", "Value")}))
}
