//! Log groups.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html>

use std::time::Duration;

use serde_json::{Value, json};

use super::{arn, authorise, encryption, find, invalid, named, tags, wanted};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::{page, shown};
use crate::store::Resource;

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.string("logGroupName")?;
    well_formed(&name)?;
    let tags = tags::requested(input)?;
    let grant = wanted(ctx, "CreateLogGroup", &name).request_tags(&tags);
    ctx.authorise(grant)?;
    if !tags.is_empty() {
        tags::authorise(ctx, "TagResource", &name, |grant| grant.request_tags(&tags))?;
    }
    let class = input.opt_str("logGroupClass").unwrap_or("STANDARD").to_owned();
    match class.as_str() {
        "STANDARD" | "INFREQUENT_ACCESS" => {}
        "DELIVERY" => return Err(ApiError::not_simulated("log groups of the class DELIVERY")),
        _ => return Err(input.invalid("logGroupClass", &Value::from(class))),
    }
    if ctx.get("logs.group", &name).is_some() {
        return Err(refuse("ResourceAlreadyExistsException", "The specified log group already exists"));
    }
    settled(ctx, &name)?;
    let mut group = object(ctx, &name);
    group.set("logGroupClass", class);
    group.set("deletionProtectionEnabled", input.bool_or("deletionProtectionEnabled", false)?);
    if let Some(key) = input.opt_str("kmsKeyId") {
        group.set("kmsKeyId", encryption::key(ctx, key, &name)?);
    }
    group.tags = tags;
    ctx.insert(group);
    Ok(nothing())
}

fn object(ctx: &Ctx<'_>, name: &str) -> Resource {
    let arn = arn(ctx, name);
    ctx.resource(
        "logs.group",
        name,
        json!({
            "logGroupName": name,
            "creationTime": ctx.now.as_millisecond(),
            "metricFilterCount": 0,
            "arn": format!("{arn}:*"),
            "logGroupArn": arn,
            "storedBytes": 0,
            "logGroupClass": "STANDARD",
            "deletionProtectionEnabled": false,
        }),
    )
}

/// A log group that a service makes for itself when it first writes to it: without retention, key or tags, and
/// left behind when the service's own object goes.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Procedural.UploadtoCloudWatch.html>
pub(crate) fn made_by_aws(ctx: &mut Ctx<'_>, name: &str) {
    if ctx.get("logs.group", name).is_none() {
        let mut group = object(ctx, name);
        group.aws_made = true;
        ctx.insert(group);
    }
}

/// Whether there is a group of that name.
pub(crate) fn exists(ctx: &Ctx<'_>, name: &str) -> bool {
    ctx.get("logs.group", name).is_some()
}

fn well_formed(name: &str) -> Result<(), ApiError> {
    if name.len() > 512 {
        return Err(invalid("Invalid LogGroup or LogStream, both must have length less than or equal to 512."));
    }
    if !name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._/#-".contains(letter)) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )));
    }
    if name.starts_with("aws/") {
        return Err(invalid("Log groups starting with AWS/ are reserved for AWS."));
    }
    Ok(())
}

/// A group that was just deleted is still being deleted for a moment.
fn settled(ctx: &Ctx<'_>, name: &str) -> Result<(), ApiError> {
    if ctx.get("logs.settling", name).is_some() {
        return Err(refuse(
            "OperationAbortedException",
            "A conflicting operation is currently in progress against this resource. Please try again.",
        ));
    }
    Ok(())
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    authorise(ctx, "DeleteLogGroup", &group)?;
    // <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/protecting-log-groups-from-deletion.html>
    if group.flag("deletionProtectionEnabled") {
        let message = format!("Log group {} cannot be deleted: deletion protection is enabled", group.id);
        return Err(refuse("ValidationException", message));
    }
    ctx.remove("logs.group", &group.id);
    for stream in ctx.those("logs.stream", |stream| stream.text("_group") == group.id) {
        ctx.remove("logs.stream", &stream.id);
    }
    if !ctx.account.weather.stale_reads.is_zero() {
        let settling = ctx.resource("logs.settling", &group.id, json!({"_initial": true}));
        ctx.insert(settling);
        ctx.after(Duration::from_secs(1), "logs.settling", &group.id, "gone");
    }
    Ok(nothing())
}

pub(super) fn protect(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = find(ctx, &name_in(ctx, input.str("logGroupIdentifier")?))?;
    authorise(ctx, "PutLogGroupDeletionProtection", &group)?;
    let on = input.opt_bool("deletionProtectionEnabled")?.ok_or_else(|| input.missing("deletionProtectionEnabled"))?;
    ctx.update("logs.group", &group.id, |group| group.set("deletionProtectionEnabled", on));
    Ok(nothing())
}

/// The name in a name or ARN.
pub(super) fn name_in(ctx: &Ctx<'_>, identifier: &str) -> String {
    let name = identifier.strip_prefix(&arn(ctx, "")).unwrap_or(identifier);
    name.trim_end_matches(":*").to_owned()
}

/// Sorted by name: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html>
pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let grant = wanted(ctx, "DescribeLogGroups", "");
    ctx.authorise(grant)?;
    input.ignore(&["accountIdentifiers", "includeLinkedAccounts"]);
    let (prefix, pattern) = (input.opt_str("logGroupNamePrefix"), input.opt_str("logGroupNamePattern"));
    if prefix.is_some() && pattern.is_some() {
        return Err(invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."));
    }
    let named: Vec<String> = input.strings("logGroupIdentifiers").iter().map(|id| name_in(ctx, id)).collect();
    let groups = chosen(ctx, input, |group| {
        prefix.is_none_or(|prefix| group.id.starts_with(prefix))
            && pattern.is_none_or(|pattern| group.id.contains(pattern))
            && (named.is_empty() || named.contains(&group.id))
    })?;
    paged(input, "logGroups", groups.iter().map(|group| Value::Object(shown(group))).collect(), 50)
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let grant = wanted(ctx, "ListLogGroups", "");
    ctx.authorise(grant)?;
    input.ignore(&["accountIdentifiers", "includeLinkedAccounts"]);
    let pattern = input.opt_str("logGroupNamePattern");
    // A pattern may begin with `^`, and then means a prefix.
    let fits = |name: &str, pattern: &str| match pattern.strip_prefix('^') {
        Some(prefix) => name.starts_with(prefix),
        None => name.contains(pattern),
    };
    let groups = chosen(ctx, input, |group| pattern.is_none_or(|pattern| fits(&group.id, pattern)))?;
    let brief = |group: &Resource| json!({"logGroupName": group.id, "logGroupArn": group.text("logGroupArn"), "logGroupClass": group.text("logGroupClass")});
    paged(input, "logGroups", groups.iter().map(|group| brief(group)).collect(), 1000)
}

fn chosen(
    ctx: &Ctx<'_>,
    input: &Input,
    test: impl Fn(&Resource) -> bool,
) -> Result<Vec<std::sync::Arc<Resource>>, ApiError> {
    let class = input.opt_str("logGroupClass");
    let mut groups = ctx.visible("logs.group");
    groups.retain(|group| class.is_none_or(|class| group.text("logGroupClass") == class) && test(group));
    groups.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(groups)
}

/// A page of a list, as `limit` and `nextToken` ask.
pub(super) fn paged(input: &Input, name: &str, items: Vec<Value>, most: i64) -> Outcome {
    let size = input.opt_int("limit")?.unwrap_or(50);
    if !(1..=most).contains(&size) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{size}' at 'limit' failed to satisfy constraint: Member must have value less than or equal to {most}"
        )));
    }
    let page = page(items, input.opt_str("nextToken"), usize::try_from(size).unwrap_or(50))
        .ok_or_else(|| invalid("The specified nextToken is invalid."))?;
    let mut answer = json!({name: page.items});
    if let Some(next) = page.next {
        answer["nextToken"] = next.into();
    }
    Ok(answer)
}
