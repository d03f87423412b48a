//! The ARN of any object in the account.

use serde_json::Value;

use crate::account::Ctx;
use crate::services::{ec2, rds};
use crate::store::Resource;

/// The ARN of an object; none for what the tagging API does not list.
/// <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html>
pub(super) fn of(ctx: &Ctx<'_>, resource: &Resource) -> Option<String> {
    let (service, noun) = resource.kind.split_once('.')?;
    match service {
        // Roles and their like belong to no region, and are not listed.
        "iam" => None,
        "ec2" => ec2::arn_of(ctx, resource),
        "rds" => rds::arn_of(ctx, resource),
        "ssm" => Some(ctx.arn("ssm", format!("parameter/{}", resource.id.trim_start_matches('/')))),
        "logs" => Some(ctx.arn("logs", format!("log-group:{}", resource.id))),
        _ => attribute(resource, noun),
    }
}

/// Most objects have their ARN among their attributes, under a name of their own.
fn attribute(resource: &Resource, noun: &str) -> Option<String> {
    let own: String = noun.split('-').flat_map(|word| [word[..1].to_uppercase(), word[1..].to_owned()]).collect();
    let last = noun.rsplit('-').next().unwrap_or(noun);
    let wanted = [format!("{own}arn"), format!("{last}arn"), "arn".to_owned()];
    let arn = |value: &Value| value.as_str().filter(|text| text.starts_with("arn:")).map(str::to_owned);
    let named = |wanted: &String| {
        resource.attrs.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).and_then(|(_, value)| arn(value))
    };
    wanted.iter().find_map(named).or_else(|| resource.id.starts_with("arn:").then(|| resource.id.clone()))
}

/// Whether an ARN is of a type such as `ec2:volume`, or of a service such as `sns`.
pub(super) fn of_type(arn: &str, wanted: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let (service, resource) = (parts.nth(2).unwrap_or_default(), parts.nth(2).unwrap_or_default());
    match wanted.split_once(':') {
        None => wanted == service,
        Some((of, kind)) => of == service && resource.split([':', '/']).next() == Some(kind) && resource != kind,
    }
}
