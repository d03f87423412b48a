//! Tags, at creation and later.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html>

use serde_json::{Value, json};

use super::{NOUNS, Noun, describe, done};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Tags};

/// Tags as EC2 answers them.
pub(crate) fn set(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

/// The tags that a create asks for; a specification for another type of resource is refused.
pub(crate) fn requested(input: &Input, noun: &Noun) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for specification in input.objects("TagSpecification") {
        let kind = specification.str("ResourceType")?;
        if kind != noun.resource_type {
            return Err(refuse(
                "InvalidParameterValue",
                format!("'{kind}' is not a valid taggable resource type for this operation."),
            ));
        }
        tags.append(&mut listed(&specification)?);
    }
    Ok(tags)
}

fn listed(input: &Input) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in input.objects("Tag") {
        let key = tag.string("Key")?;
        if key.starts_with("aws:") {
            return Err(refuse(
                "InvalidParameterValue",
                format!("Tag keys starting with 'aws:' are reserved for internal use: {key}"),
            ));
        }
        if key.chars().count() > 128
            || tags.insert(key.clone(), tag.opt_str("Value").unwrap_or_default().to_owned()).is_some()
        {
            return Err(refuse("InvalidParameterValue", format!("Tag key '{key}' is too long or given twice.")));
        }
    }
    limit(&tags)?;
    Ok(tags)
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions>
fn limit(tags: &Tags) -> Result<(), ApiError> {
    match tags.len() {
        0..=50 => Ok(()),
        _ => Err(refuse("TagLimitExceeded", "You have reached the maximum number of tags for this resource: 50")),
    }
}

/// Demands a creation, and the tagging that comes with it.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html>
pub(crate) fn authorise_create(ctx: &mut Ctx<'_>, action: &str, noun: &Noun, tags: &Tags) -> Result<(), ApiError> {
    let arn = noun.arn(ctx, "*");
    ctx.authorise(Grant::new(format!("ec2:{action}"), arn.clone()).request_tags(tags))?;
    if tags.is_empty() {
        return Ok(());
    }
    ctx.authorise(Grant::new("ec2:CreateTags", arn).request_tags(tags).key("ec2:CreateAction", action))
}

/// Demands an action on an object that is there.
pub(crate) fn authorise_on(ctx: &mut Ctx<'_>, action: &str, noun: &Noun, resource: &Resource) -> Result<(), ApiError> {
    let arn = noun.arn(ctx, &resource.id);
    ctx.authorise(Grant::new(format!("ec2:{action}"), arn).resource_tags(&resource.tags))
}

fn noun_of(id: &str) -> Result<&'static Noun, ApiError> {
    let noun = NOUNS.iter().find(|noun| noun.well_formed(id).is_ok());
    noun.copied().ok_or_else(|| refuse("InvalidID", format!("The ID '{id}' is not valid")))
}

pub(crate) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = listed(input)?;
    for id in input.strings("ResourceId") {
        let noun = noun_of(&id)?;
        let resource = noun.used(ctx, &id)?;
        let arn = noun.arn(ctx, &id);
        ctx.authorise(Grant::new("ec2:CreateTags", arn).resource_tags(&resource.tags).request_tags(&tags))?;
        let mut all = resource.tags.clone();
        all.append(&mut tags.clone());
        limit(&all)?;
        ctx.update(noun.kind, &id, |r| r.tags = all);
    }
    done()
}

pub(crate) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let named: Vec<(String, Option<String>)> = input
        .objects("Tag")
        .iter()
        .map(|tag| Ok((tag.string("Key")?, tag.opt_str("Value").map(str::to_owned))))
        .collect::<Result<_, ApiError>>()?;
    for id in input.strings("ResourceId") {
        let noun = noun_of(&id)?;
        let resource = noun.used(ctx, &id)?;
        let arn = noun.arn(ctx, &id);
        let gone: Tags = named.iter().map(|(key, value)| (key.clone(), value.clone().unwrap_or_default())).collect();
        ctx.authorise(Grant::new("ec2:DeleteTags", arn).resource_tags(&resource.tags).request_tags(&gone))?;
        ctx.update(noun.kind, &id, |r| {
            // Without keys all tags go; with a value only a tag that has it.
            let goes = |key: &String, value: &String| {
                named.is_empty() || named.iter().any(|(k, v)| k == key && v.as_ref().is_none_or(|v| v == value))
            };
            r.tags.retain(|key, value| !goes(key, value));
        });
    }
    done()
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    const FILTERS: &[(&str, &str)] =
        &[("resource-id", "resourceId"), ("resource-type", "resourceType"), ("key", "key"), ("value", "value")];
    let filters = describe::filters(input)?;
    let mut found = Vec::new();
    for noun in NOUNS {
        for resource in ctx.visible(noun.kind) {
            for (key, value) in &resource.tags {
                let tag =
                    json!({"resourceId": resource.id, "resourceType": noun.resource_type, "key": key, "value": value});
                if describe::all_match(&filters, FILTERS, &tag, &resource)? {
                    found.push(tag);
                }
            }
        }
    }
    describe::page(input, "tagSet", found)
}
