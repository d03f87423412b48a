//! Tags of alarms and dashboards. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_TagResource.html>

use std::sync::Arc;

use serde_json::json;

use super::{alarm, dashboard, invalid, validation};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::empty_result;
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
            return Err(invalid(format!("The tag {key} is not valid")));
        }
        tags.insert(key, value);
    }
    limited(&tags)?;
    Ok(tags)
}

fn limited(tags: &Tags) -> Result<(), ApiError> {
    match tags.len() {
        0..=50 => Ok(()),
        _ => Err(validation("A resource can have no more than 50 tags")),
    }
}

/// What an ARN names, once the caller may do this to it.
fn permitted(
    ctx: &mut Ctx<'_>,
    input: &Input,
    action: &str,
    more: impl FnOnce(Grant) -> Grant,
) -> Result<Arc<Resource>, ApiError> {
    let arn = input.str("ResourceARN")?;
    let found = match arn.split_once(":alarm:") {
        Some((_, name)) => alarm::find(ctx, name).filter(|alarm| alarm.text("AlarmArn") == arn),
        None => match arn.split_once(":dashboard/") {
            Some((_, name)) => ctx.get(dashboard::DASHBOARD, name).filter(|one| one.text("DashboardArn") == arn),
            None => return Err(invalid(format!("The ARN {arn} is not that of an alarm or a dashboard"))),
        },
    };
    let mut grant = Grant::new(format!("cloudwatch:{action}"), arn);
    if let Some(found) = &found {
        grant = grant.resource_tags(&found.tags);
    }
    ctx.authorise(more(grant))?;
    found.ok_or_else(|| ApiError::with_status(404, "ResourceNotFoundException", "Resource not found"))
}

pub(super) fn tag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = requested(input)?;
    let found = permitted(ctx, input, "TagResource", |grant| grant.request_tags(&tags))?;
    let mut all = found.tags.clone();
    all.extend(tags);
    limited(&all)?;
    ctx.update(found.kind, &found.id, |resource| resource.tags = all);
    Ok(empty_result())
}

pub(super) fn untag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let keys = input.strings("TagKeys");
    let found = permitted(ctx, input, "UntagResource", |grant| grant.tag_keys(&keys))?;
    ctx.update(found.kind, &found.id, |resource| resource.tags.retain(|key, _| !keys.contains(key)));
    Ok(empty_result())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let found = permitted(ctx, input, "ListTagsForResource", |grant| grant)?;
    Ok(json!({"Tags": tag_list(&found.tags, "Key", "Value")}))
}
