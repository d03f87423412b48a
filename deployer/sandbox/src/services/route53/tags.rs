//! Tags of hosted zones.
//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeTagsForResource.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{authorise, invalid, no_zone, zone};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::tag_list;
use crate::store::Resource;

fn only_zones(input: &Input) -> Result<(), ApiError> {
    match input.str("ResourceType")? {
        "hostedzone" => Ok(()),
        other => Err(ApiError::not_simulated(format!("tags of a {other}"))),
    }
}

fn tagged(ctx: &mut Ctx<'_>, action: &str, id: &str) -> Result<Arc<Resource>, ApiError> {
    authorise(ctx, action, id)?;
    ctx.get(zone::ZONE, id).ok_or_else(|| no_zone(id))
}

pub(super) fn change(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    only_zones(input)?;
    let zone = tagged(ctx, "ChangeTagsForResource", input.str("ResourceId")?)?;
    let mut tags = zone.tags.clone();
    let gone = input.strings("RemoveTagKeys");
    tags.retain(|key, _| !gone.contains(key));
    for tag in input.objects("AddTags") {
        tags.insert(tag.string("Key")?, tag.opt_str("Value").unwrap_or_default().to_owned());
    }
    if tags.len() > 50
        || tags.keys().any(|key| key.to_ascii_lowercase().starts_with("aws:") || key.chars().count() > 128)
    {
        return Err(invalid("The tags are too many, too long, or begin with aws:"));
    }
    ctx.update(zone::ZONE, &zone.id, |zone| zone.tags = tags);
    Ok(nothing())
}

fn set(zone: &Resource) -> Value {
    json!({"ResourceType": "hostedzone", "ResourceId": zone.id, "Tags:Tag": tag_list(&zone.tags, "Key", "Value")})
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    only_zones(input)?;
    let zone = tagged(ctx, "ListTagsForResource", input.str("ResourceId")?)?;
    Ok(json!({"ResourceTagSet": set(&zone)}))
}

pub(super) fn list_many(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    only_zones(input)?;
    let ids = input.strings("ResourceIds");
    if ids.is_empty() || ids.len() > 10 {
        return Err(invalid("A request names 1 to 10 resources"));
    }
    let mut sets = Vec::new();
    for id in ids {
        sets.push(set(&*tagged(ctx, "ListTagsForResources", &id)?));
    }
    Ok(json!({"ResourceTagSets:ResourceTagSet": sets}))
}
