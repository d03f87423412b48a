//! Tags of functions and of event source mappings.
//! <https://docs.aws.amazon.com/lambda/latest/api/API_TagResource.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{FUNCTION, MAPPING, ill_formed, invalid, no_such_function, not_found};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::is_tag;
use crate::store::{Resource, Tags};

const PATTERN: &str = "satisfy regular expression pattern: arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:(function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)";

/// The tags that a request carries.
pub(super) fn requested(input: &Input) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for (key, value) in input.opt("Tags").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if !is_tag(key, value) {
            return Err(invalid(format!("The tag {key} is not valid")));
        }
        tags.insert(key.clone(), value.to_owned());
    }
    // They were read as a whole, with all that is in them.
    if let Some(tags) = input.object("Tags") {
        tags.raw();
    }
    limited(&tags)?;
    Ok(tags)
}

fn limited(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > 50 {
        return Err(invalid("Number of tags exceeds resource tag limit."));
    }
    Ok(())
}

/// What an ARN means, once the caller may do this to it.
fn by_arn(
    ctx: &mut Ctx<'_>,
    input: &Input,
    action: &str,
    more: impl FnOnce(Grant) -> Grant,
) -> Result<Arc<Resource>, ApiError> {
    let arn = input.string("Resource")?;
    let rest = arn.strip_prefix(&ctx.arn("lambda", "")).unwrap_or_default().to_owned();
    let parts: Vec<&str> = rest.split(':').collect();
    let (kind, id) = match parts.as_slice() {
        ["function", name] => (FUNCTION, *name),
        ["function", _, _] => {
            return Err(invalid(
                "Tags on function aliases and versions are not supported. Please specify a function ARN.",
            ));
        }
        ["event-source-mapping", id] => (MAPPING, *id),
        _ => return Err(ill_formed(&arn, "resource", PATTERN)),
    };
    let found = ctx.get(kind, id);
    let grant = more(Grant::new(format!("lambda:{action}"), &arn));
    ctx.authorise(match &found {
        Some(found) => grant.resource_tags(&found.tags),
        None => grant,
    })?;
    found.ok_or_else(|| match kind {
        FUNCTION => no_such_function(&arn),
        _ => not_found(format!("Event source mapping not found: {arn}")),
    })
}

pub(super) fn tag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = requested(input)?;
    let found = by_arn(ctx, input, "TagResource", |grant| grant.request_tags(&tags))?;
    let mut all = found.tags.clone();
    all.extend(tags);
    limited(&all)?;
    ctx.update(found.kind, &found.id, |found| found.tags = all);
    Ok(nothing())
}

pub(super) fn untag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let keys = input.strings("TagKeys");
    let found = by_arn(ctx, input, "UntagResource", |grant| grant.tag_keys(&keys))?;
    ctx.update(found.kind, &found.id, |found| found.tags.retain(|key, _| !keys.contains(key)));
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let found = by_arn(ctx, input, "ListTags", |grant| grant)?;
    Ok(json!({"Tags": found.tags}))
}
