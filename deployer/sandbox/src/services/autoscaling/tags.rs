//! Tags of groups, each with whether new instances get it.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-tagging.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{authorise, invalid, paged};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::store::{Resource, Tags};

/// Tags as a request has them.
pub(super) struct Requested {
    pub(super) values: Tags,
    /// By key, whether new instances get it.
    pub(super) propagate: Map<String, Value>,
}

fn add(tag: &Input, to: &mut Requested) -> Result<(), ApiError> {
    let key = tag.string("Key")?;
    if key.starts_with("aws:") || key.chars().count() > 128 {
        return Err(invalid(format!("The tag key {key} is too long or begins with aws:")));
    }
    let propagate = tag.opt_bool("PropagateAtLaunch")?.unwrap_or(true);
    to.values.insert(key.clone(), tag.opt_str("Value").unwrap_or_default().to_owned());
    to.propagate.insert(key, propagate.into());
    Ok(())
}

/// The tags of a new group.
pub(super) fn requested(input: &Input) -> Result<Requested, ApiError> {
    let mut all = Requested { values: Tags::new(), propagate: Map::new() };
    for tag in input.objects("Tags") {
        tag.ignore(&["ResourceId", "ResourceType"]);
        add(&tag, &mut all)?;
    }
    limited(&all.values).map(|()| all)
}

fn limited(tags: &Tags) -> Result<(), ApiError> {
    match tags.len() {
        0..=50 => Ok(()),
        _ => Err(invalid("An Auto Scaling group can have at most 50 tags")),
    }
}

fn propagates(group: &Resource, key: &str) -> bool {
    group.attrs.get("_propagate").is_none_or(|by_key| by_key[key] != false)
}

/// The tags that a new instance gets of its group.
pub(super) fn propagated(group: &Resource) -> Tags {
    group.tags.iter().filter(|(key, _)| propagates(group, key)).map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// A group's tags, as they are shown.
pub(super) fn of(group: &Resource) -> Vec<Value> {
    let shown = |(key, value): (&String, &String)| {
        json!({
            "ResourceId": group.id, "ResourceType": "auto-scaling-group", "Key": key, "Value": value,
            "PropagateAtLaunch": propagates(group, key),
        })
    };
    group.tags.iter().map(shown).collect()
}

fn group_of(ctx: &Ctx<'_>, tag: &Input) -> Result<Arc<Resource>, ApiError> {
    let kind = tag.opt_str("ResourceType").unwrap_or("auto-scaling-group");
    if kind != "auto-scaling-group" {
        return Err(invalid(format!("The tag resource type {kind} is not valid")));
    }
    let name = tag.str("ResourceId")?;
    let message = format!("AutoScalingGroup name not found - no such group: '{name}' not found");
    ctx.usable("autoscaling.group", name).ok_or_else(|| invalid(message))
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let mut by_group: BTreeMap<String, Requested> = BTreeMap::new();
    for tag in input.objects("Tags") {
        let group = group_of(ctx, &tag)?;
        let none = || Requested { values: Tags::new(), propagate: Map::new() };
        add(&tag, by_group.entry(group.id.clone()).or_insert_with(none))?;
    }
    for (name, wanted) in by_group {
        let Some(group) = ctx.get("autoscaling.group", &name) else { continue };
        let grant = Grant::new("autoscaling:CreateOrUpdateTags", group.text("AutoScalingGroupARN"));
        ctx.authorise(grant.resource_tags(&group.tags).request_tags(&wanted.values))?;
        let mut all = group.tags.clone();
        all.extend(wanted.values);
        limited(&all)?;
        ctx.update("autoscaling.group", &name, |group| {
            group.tags = all;
            if let Some(Value::Object(by_key)) = group.attrs.get_mut("_propagate") {
                by_key.extend(wanted.propagate);
            }
        });
    }
    Ok(nothing())
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    for tag in input.objects("Tags") {
        tag.ignore(&["PropagateAtLaunch"]);
        let group = group_of(ctx, &tag)?;
        authorise(ctx, "DeleteTags", &group)?;
        let (key, value) = (tag.string("Key")?, tag.opt_str("Value").filter(|value| !value.is_empty()));
        ctx.update("autoscaling.group", &group.id, |group| {
            if value.is_none_or(|value| group.tags.get(&key).is_some_and(|known| known == value)) {
                group.tags.remove(&key);
            }
        });
    }
    Ok(nothing())
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["IncludeManagedResources"]);
    let mut filters = Vec::new();
    for filter in input.objects("Filters") {
        let name = match filter.str("Name")? {
            "auto-scaling-group" => "ResourceId",
            "key" => "Key",
            "value" => "Value",
            "propagate-at-launch" => "PropagateAtLaunch",
            other => return Err(invalid(format!("Filter type {other} is not correct."))),
        };
        filters.push((name, filter.strings("Values")));
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let groups = ctx.visible("autoscaling.group");
    let all = groups.iter().flat_map(|group| of(group));
    let found = all.filter(|tag| filters.iter().all(|(name, values)| values.contains(&text(&tag[*name]))));
    paged(input, "Tags", found.collect())
}
