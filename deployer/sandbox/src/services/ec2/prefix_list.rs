//! AWS's own prefix lists: the address ranges of S3 and DynamoDB, which gateway endpoints route.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html>

use serde_json::{Value, json};

use super::describe;
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;

/// A prefix list: service, id, ranges. Ids as in us-east-1.
const LISTS: &[(&str, &str, &[&str])] = &[
    ("s3", "pl-63a5400a", &["52.216.0.0/15", "54.231.0.0/16", "3.5.0.0/19"]),
    ("dynamodb", "pl-02cd2c6b", &["52.94.0.0/22", "52.119.224.0/20"]),
];

/// The list of a gateway endpoint's service, by the service's short name.
pub(crate) fn of_service(service: &str) -> Option<&'static str> {
    LISTS.iter().find(|(name, _, _)| *name == service).map(|(_, id, _)| *id)
}

/// Whether a list of this id exists.
pub(crate) fn exists(id: &str) -> bool {
    LISTS.iter().any(|(_, known, _)| *known == id)
}

fn name(ctx: &Ctx<'_>, service: &str) -> String {
    format!("com.amazonaws.{}.{service}", ctx.account.region)
}

fn listed(ctx: &Ctx<'_>, input: &Input, show: impl Fn(&str, &str, &[&str]) -> Value) -> Outcome {
    const FILTERS: &[(&str, &str)] =
        &[("prefix-list-id", "prefixListId"), ("prefix-list-name", "prefixListName"), ("owner-id", "ownerId")];
    let (ids, filters) = (input.strings("PrefixListId"), describe::filters(input)?);
    let nobody = ctx.resource("ec2.prefix-list", "", json!({}));
    if let Some(unknown) = ids.iter().find(|id| !exists(id)) {
        let message = format!("The prefix list ID '{unknown}' does not exist");
        return Err(refuse("InvalidPrefixListID.NotFound", message));
    }
    let mut found = Vec::new();
    for (service, id, ranges) in LISTS {
        let value = show(&name(ctx, service), id, ranges);
        if describe::all_match(&filters, FILTERS, &value, &nobody)? && (ids.is_empty() || ids.iter().any(|i| i == id)) {
            found.push(value);
        }
    }
    describe::page(input, "prefixListSet", found)
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    listed(ctx, input, |name, id, ranges| json!({"prefixListId": id, "prefixListName": name, "cidrSet": ranges}))
}

pub(crate) fn describe_managed(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let region = ctx.account.region.clone();
    listed(ctx, input, |name, id, _| {
        json!({
            "prefixListId": id, "prefixListName": name, "addressFamily": "IPv4", "state": "create-complete",
            "prefixListArn": format!("arn:aws:ec2:{region}:aws:prefix-list/{id}"), "ownerId": "AWS", "tagSet": [],
        })
    })
}

pub(crate) fn entries(_: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("PrefixListId")?;
    input.ignore(&["TargetVersion"]);
    let (_, _, ranges) = LISTS.iter().find(|(_, known, _)| *known == id).ok_or_else(|| -> ApiError {
        refuse("InvalidPrefixListID.NotFound", format!("The prefix list ID '{id}' does not exist"))
    })?;
    describe::page(input, "entrySet", ranges.iter().map(|range| json!({"cidr": range})).collect())
}
