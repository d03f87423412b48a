//! Tags of tables.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html>

use serde_json::json;

use super::{invalid, invalid_value, not_found, table};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::{page, tag_list};
use crate::store::Tags;

pub(crate) fn requested(input: &Input) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in input.objects("Tags") {
        let (key, value) = (tag.string("Key")?, tag.opt_str("Value").unwrap_or_default().to_owned());
        if key.starts_with("aws:") {
            return Err(invalid_value("Tag keys cannot begin with \"aws:\""));
        }
        if tags.insert(key.clone(), value).is_some() {
            return Err(invalid_value(format!("Duplicate tag key: {key}")));
        }
    }
    Ok(tags)
}

pub(crate) fn tag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let arn = input.str("ResourceArn")?;
    let tags = requested(input)?;
    let mut all = permitted(ctx, "TagResource", arn, &tags)?;
    if tags.is_empty() {
        return Err(invalid("Atleast one Tag needs to be provided as Input."));
    }
    all.append(&mut tags.clone());
    if all.len() > 50 {
        return Err(invalid("One or more parameter values were invalid: Too many tags: at most 50 are allowed"));
    }
    let name = table::by_arn(ctx, arn)?;
    ctx.update("dynamodb.table", &name, |table| table.tags = all);
    Ok(nothing())
}

pub(crate) fn untag(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let arn = input.str("ResourceArn")?;
    let keys = input.strings("TagKeys");
    let gone = keys.iter().map(|key| (key.clone(), String::new())).collect();
    permitted(ctx, "UntagResource", arn, &gone)?;
    let name = table::by_arn(ctx, arn)?;
    ctx.update("dynamodb.table", &name, |table| table.tags.retain(|key, _| !keys.contains(key)));
    Ok(nothing())
}

/// Ten tags a page: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTagsOfResource.html>
pub(crate) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = permitted(ctx, "ListTagsOfResource", input.str("ResourceArn")?, &Tags::new())?;
    let all = tag_list(&tags, "Key", "Value").as_array().cloned().unwrap_or_default();
    let page = page(all, input.opt_str("NextToken"), 10).ok_or_else(|| invalid("The token is not valid"))?;
    let mut answer = json!({"Tags": page.items});
    if let Some(next) = page.next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}

/// The tags of the table with this ARN, once the caller may do this to it.
fn permitted(ctx: &mut Ctx<'_>, action: &str, arn: &str, asked: &Tags) -> Result<Tags, ApiError> {
    let name = table::by_arn(ctx, arn).ok();
    let table = name.and_then(|name| ctx.get("dynamodb.table", &name));
    let mut grant = Grant::new(format!("dynamodb:{action}"), arn).request_tags(asked);
    if let Some(table) = &table {
        grant = grant.resource_tags(&table.tags);
    }
    ctx.authorise(grant)?;
    let table = table.ok_or_else(|| {
        refuse("ResourceNotFoundException", format!("Requested resource not found: ResourcArn: {arn} not found"))
    })?;
    if table.text("TableStatus") == "CREATING" && action != "ListTagsOfResource" {
        return Err(not_found(&table.id));
    }
    Ok(table.tags.clone())
}
