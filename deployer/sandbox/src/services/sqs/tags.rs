//! Tags of queues. <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_TagQueue.html>

use serde_json::json;

use super::{QUEUE, invalid, permitted, permitted_for};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::is_tag;
use crate::store::Tags;

/// The tags that a request carries.
pub(super) fn requested(input: &Input, name: &str) -> Result<Tags, ApiError> {
    let Some(map) = input.object(name) else { return Ok(Tags::new()) };
    let mut tags = Tags::new();
    for key in map.names() {
        let value = map.opt_str(&key).unwrap_or_default().to_owned();
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
        _ => Err(invalid("A queue can have at most 50 tags.")),
    }
}

pub(super) fn tag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = requested(input, "Tags")?;
    let queue = permitted_for(ctx, input, "TagQueue", |grant| grant.request_tags(&tags))?;
    let mut all = queue.tags.clone();
    all.extend(tags);
    limited(&all)?;
    ctx.update(QUEUE, &queue.id, |queue| queue.tags = all);
    Ok(nothing())
}

pub(super) fn untag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let keys = input.strings("TagKeys");
    let queue = permitted_for(ctx, input, "UntagQueue", |grant| grant.tag_keys(&keys))?;
    ctx.update(QUEUE, &queue.id, |queue| queue.tags.retain(|key, _| !keys.contains(key)));
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let queue = permitted(ctx, input, "ListQueueTags")?;
    Ok(if queue.tags.is_empty() { nothing() } else { json!({"Tags": queue.tags}) })
}
