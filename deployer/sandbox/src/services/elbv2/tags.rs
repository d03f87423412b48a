//! Tags of all that a load balancer consists of.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AddTags.html>

use serde_json::{Value, json};

use super::{NOUNS, Noun, invalid};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::empty_result;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::tag_list;
use crate::store::Tags;

pub(super) fn requested(input: &Input) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in input.objects("Tags") {
        let key = tag.string("Key")?;
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid(format!("Tag keys cannot start with 'aws:': {key}")));
        }
        if key.chars().count() > 128 {
            return Err(invalid(format!("Tag key '{key}' is longer than 128 characters")));
        }
        let value = tag.opt_str("Value").unwrap_or_default().to_owned();
        if tags.insert(key.clone(), value).is_some() {
            return Err(refuse("DuplicateTagKeys", "Tag keys cannot be duplicated"));
        }
    }
    limited(&tags)?;
    Ok(tags)
}

fn limited(tags: &Tags) -> Result<(), ApiError> {
    match tags.len() {
        0..=50 => Ok(()),
        _ => Err(refuse("TooManyTags", "The maximum number of tags has been reached on the resource")),
    }
}

fn noun(ctx: &Ctx<'_>, arn: &str) -> Result<&'static Noun, ApiError> {
    let fits = |noun: &&&Noun| noun.well_formed(ctx, arn).is_ok();
    NOUNS.iter().find(fits).copied().ok_or_else(|| invalid(format!("'{arn}' is not a valid load balancing ARN")))
}

fn arns(input: &Input) -> Result<Vec<String>, ApiError> {
    let arns = input.strings("ResourceArns");
    match arns.len() {
        0 => Err(input.missing("ResourceArns")),
        1..=20 => Ok(arns),
        // <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html>
        _ => Err(invalid(
            "1 validation error detected: Value at 'resourceArns' failed to satisfy constraint: Member must have length less than or equal to 20",
        )),
    }
}

pub(super) fn add(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = requested(input)?;
    for arn in arns(input)? {
        let noun = noun(ctx, &arn)?;
        let mut grant = Grant::new("elasticloadbalancing:AddTags", &arn).request_tags(&tags);
        if let Some(known) = ctx.get(noun.kind, &arn) {
            grant = grant.resource_tags(&known.tags);
        }
        ctx.authorise(grant)?;
        let found = noun.used(ctx, &arn)?;
        let mut all = found.tags.clone();
        all.extend(tags.clone());
        limited(&all)?;
        ctx.update(noun.kind, &arn, |resource| resource.tags = all);
    }
    Ok(empty_result())
}

pub(super) fn remove(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let keys = input.strings("TagKeys");
    for arn in arns(input)? {
        let noun = noun(ctx, &arn)?;
        let mut grant = Grant::new("elasticloadbalancing:RemoveTags", &arn);
        for key in &keys {
            grant = grant.key("aws:TagKeys", key);
        }
        if let Some(known) = ctx.get(noun.kind, &arn) {
            grant = grant.resource_tags(&known.tags);
        }
        ctx.authorise(grant)?;
        noun.used(ctx, &arn)?;
        ctx.update(noun.kind, &arn, |resource| resource.tags.retain(|key, _| !keys.contains(key)));
    }
    Ok(empty_result())
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let mut answer: Vec<Value> = Vec::new();
    for arn in arns(input)? {
        let noun = noun(ctx, &arn)?;
        let tags = match ctx.visible_one(noun.kind, &arn) {
            Some(found) => tag_list(&found.tags, "Key", "Value"),
            // The rule that a listener has by itself takes no tags.
            None if ctx.visible("elasticloadbalancing.listener").iter().any(|l| l.text("_defaultRule") == arn) => {
                json!([])
            }
            None => return Err(noun.missing()),
        };
        answer.push(json!({"ResourceArn": arn, "Tags": tags}));
    }
    Ok(json!({"TagDescriptions": answer}))
}
