//! Tags of ECS objects. <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html>

use std::sync::Arc;

use serde_json::json;

use super::{CLUSTER, DEFINITION, INSTANCE, PROVIDER, SERVICE_KIND, TASK, invalid};
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
    for tag in input.objects("tags") {
        let key = tag.string("key")?;
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys that begin with aws: are reserved for AWS use."));
        }
        tags.insert(key, tag.opt_str("value").unwrap_or_default().to_owned());
    }
    if tags.len() > 50 {
        return Err(invalid("Too many tags: an object has at most 50."));
    }
    Ok(tags)
}

pub(super) fn shown(tags: &Tags) -> serde_json::Value {
    tag_list(tags, "key", "value")
}

/// Demands the tagging that comes with a creation.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/supported-iam-actions-tagging.html>
pub(super) fn authorise_new(ctx: &mut Ctx<'_>, action: &str, arn: &str, tags: &Tags) -> Result<(), ApiError> {
    if tags.is_empty() {
        return Ok(());
    }
    ctx.authorise(Grant::new("ecs:TagResource", arn).key("ecs:CreateAction", action).request_tags(tags))
}

fn by_arn(ctx: &Ctx<'_>, arn: &str) -> Result<Arc<Resource>, ApiError> {
    let kinds = [CLUSTER, PROVIDER, SERVICE_KIND, TASK, DEFINITION, INSTANCE];
    let attributes =
        ["clusterArn", "capacityProviderArn", "serviceArn", "taskArn", "taskDefinitionArn", "containerInstanceArn"];
    let found = kinds.iter().zip(attributes).find_map(|(kind, attribute)| {
        let plain = |r: &Resource| r.text(attribute) == arn && !r.flag("_gone");
        ctx.those(kind, plain).into_iter().next()
    });
    match found {
        Some(found) => Ok(found),
        None if arn.contains(":cluster/") => Err(refuse("ClusterNotFoundException", "Cluster not found.")),
        None => Err(invalid(
            "The specified resource does not exist or is inactive. Specify a valid resource and try again.",
        )),
    }
}

fn on(
    ctx: &mut Ctx<'_>,
    input: &Input,
    action: &str,
    more: impl FnOnce(Grant) -> Grant,
) -> Result<Arc<Resource>, ApiError> {
    let arn = input.string("resourceArn")?;
    let found = by_arn(ctx, &arn);
    let mut grant = more(Grant::new(format!("ecs:{action}"), &arn));
    if let Ok(found) = &found {
        grant = grant.resource_tags(&found.tags);
    }
    ctx.authorise(grant)?;
    found
}

pub(super) fn tag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = requested(input)?;
    let found = on(ctx, input, "TagResource", |grant| grant.request_tags(&tags))?;
    ctx.update(found.kind, &found.id, |resource| resource.tags.extend(tags));
    Ok(nothing())
}

pub(super) fn untag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let keys = input.strings("tagKeys");
    let with_keys = |grant: Grant| keys.iter().fold(grant, |grant, key| grant.key("aws:TagKeys", key));
    let found = on(ctx, input, "UntagResource", with_keys)?;
    ctx.update(found.kind, &found.id, |resource| resource.tags.retain(|key, _| !keys.contains(key)));
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let found = on(ctx, input, "ListTagsForResource", |grant| grant)?;
    Ok(json!({"tags": shown(&found.tags)}))
}

/// The tags that ECS gives to tasks by itself.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html#managed-tags>
pub(super) fn managed(cluster: &str, service: Option<&str>) -> Tags {
    let cluster = ("aws:ecs:clusterName".to_owned(), cluster.to_owned());
    let service = service.map(|name| ("aws:ecs:serviceName".to_owned(), name.to_owned()));
    std::iter::once(cluster).chain(service).collect()
}
