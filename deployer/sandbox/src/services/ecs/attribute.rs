//! Attributes of container instances: what tasks can be placed by.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html#attributes>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{INSTANCE, active_cluster, arn, authorise_in, cluster_name, container_instance, invalid, name_in};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::page;
use crate::store::Resource;

/// How many attributes of one's own an instance can have.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html>
const MOST: usize = 10;
/// Names that the agent gives begin so.
const OF_THE_AGENT: &[&str] = &["ecs.", "com.amazonaws."];

/// An attribute of a request, and the instance that it means.
struct Asked {
    instance: Arc<Resource>,
    name: String,
    value: Option<String>,
}

fn asked(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<Vec<Asked>, ApiError> {
    let cluster = cluster_name(input);
    let mut all = Vec::new();
    for attribute in input.objects("attributes") {
        let name = attribute.string("name")?;
        let value = attribute.opt_str("value").map(str::to_owned);
        target_type(&attribute)?;
        let target = attribute.opt_str("targetId").unwrap_or_default().to_owned();
        let target_arn = arn(ctx, format!("container-instance/{cluster}/{}", name_in(&target)));
        authorise_in(ctx, action, &target_arn, &cluster, None)?;
        if OF_THE_AGENT.iter().any(|prefix| name.starts_with(prefix)) || !well_named(&name) {
            return Err(invalid(format!("Attribute name {name} is reserved or contains invalid characters.")));
        }
        let instance = container_instance::find(ctx, &cluster, &target)
            .ok_or_else(|| refuse("TargetNotFoundException", "The specified target wasn't found."))?;
        all.push(Asked { instance, name, value });
    }
    active_cluster(ctx, &cluster)?;
    Ok(all)
}

fn target_type(attribute: &Input) -> Result<(), ApiError> {
    match attribute.opt_str("targetType") {
        None | Some("container-instance") => Ok(()),
        Some(other) => Err(invalid(format!("Invalid target type: {other}"))),
    }
}

fn well_named(name: &str) -> bool {
    name.len() <= 128 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./\\".contains(&b))
}

fn shown(instance: &Resource, attribute: &Value) -> Value {
    let mut shown = attribute.clone();
    shown["targetId"] = instance.text("containerInstanceArn").into();
    shown
}

pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let mut answer = Vec::new();
    for Asked { instance, name, value } in asked(ctx, input, "PutAttributes")? {
        let attribute = match value {
            Some(value) => json!({"name": name, "value": value}),
            None => json!({"name": name}),
        };
        // The list may have grown by an attribute of the same request.
        let now = ctx.get(INSTANCE, &instance.id).unwrap_or_else(|| Arc::clone(&instance));
        let own = |one: &&Value| !OF_THE_AGENT.iter().any(|p| one["name"].as_str().is_some_and(|n| n.starts_with(p)));
        let new = !now.items("attributes").iter().any(|known| known["name"] == name.as_str());
        if new && now.items("attributes").iter().filter(own).count() >= MOST {
            let message = format!("You can apply up to {MOST} custom attributes for each resource.");
            return Err(refuse("AttributeLimitExceededException", message));
        }
        answer.push(shown(&instance, &attribute));
        ctx.update(INSTANCE, &instance.id, |instance| {
            let all = instance.list_mut("attributes");
            all.retain(|known| known["name"] != name.as_str());
            all.push(attribute);
        });
    }
    Ok(json!({"attributes": answer}))
}

/// Takes attributes away; with a value, only where they have it.
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let mut answer = Vec::new();
    for Asked { instance, name, value } in asked(ctx, input, "DeleteAttributes")? {
        let meant = |known: &Value| {
            known["name"] == name.as_str() && value.as_deref().is_none_or(|value| known["value"] == value)
        };
        answer
            .extend(instance.items("attributes").iter().filter(|known| meant(known)).map(|one| shown(&instance, one)));
        ctx.update(INSTANCE, &instance.id, |instance| instance.list_mut("attributes").retain(|known| !meant(known)));
    }
    Ok(json!({"attributes": answer}))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let cluster = cluster_name(input);
    authorise_in(ctx, "ListAttributes", &arn(ctx, format!("cluster/{cluster}")), &cluster, None)?;
    active_cluster(ctx, &cluster)?;
    let _ = input.str("targetType")?;
    target_type(input)?;
    let (name, value) = (input.opt_str("attributeName"), input.opt_str("attributeValue"));
    if value.is_some() && name.is_none() {
        return Err(invalid("attributeName must be specified with attributeValue."));
    }
    let mut all = Vec::new();
    for instance in ctx.visible(INSTANCE).iter().filter(|instance| instance.text("_cluster") == cluster) {
        let wanted = instance.items("attributes").iter().filter(|one| {
            name.is_none_or(|name| one["name"] == name) && value.is_none_or(|value| one["value"] == value)
        });
        all.extend(wanted.map(|one| shown(instance, one)));
    }
    let size = usize::try_from(input.opt_int("maxResults")?.unwrap_or(100).clamp(1, 100)).unwrap_or(100);
    let page = page(all, input.opt_str("nextToken"), size).ok_or_else(|| invalid("Invalid token"))?;
    let mut answer = json!({"attributes": page.items});
    if let Some(next) = page.next {
        answer["nextToken"] = next.into();
    }
    Ok(answer)
}
