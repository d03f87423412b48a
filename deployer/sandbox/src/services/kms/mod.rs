//! Key Management Service, one file per noun, and what other services ask of keys.

mod alias;
mod grant;
mod key;
mod policy;
mod rotation;
mod state;
mod tags;
#[cfg(test)]
mod tests_over_the_wire;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::shared::{access_denied_exception, page, throttling_exception};
use super::{Service, read, read_one, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, refuse};
use crate::input::Input;
use crate::store::{Resource, Timer};
use crate::weather::Bucket;

pub(crate) use policy::{allows_role, allows_service};
pub(crate) use state::usable;

pub(crate) static SERVICE: Service = Service {
    name: "kms",
    namespace: "",
    global: false,
    operations: &[
        write("CreateKey", key::create),
        read_one("DescribeKey", key::describe),
        read("ListKeys", key::list),
        write("UpdateKeyDescription", key::update_description),
        write("EnableKey", state::enable),
        write("DisableKey", state::disable),
        write("ScheduleKeyDeletion", state::schedule_deletion),
        write("CancelKeyDeletion", state::cancel_deletion),
        read_one("GetKeyPolicy", policy::get),
        write("PutKeyPolicy", policy::put),
        read_one("ListKeyPolicies", policy::list),
        write("EnableKeyRotation", rotation::enable),
        write("DisableKeyRotation", rotation::disable),
        read_one("GetKeyRotationStatus", rotation::status),
        write("CreateAlias", alias::create),
        write("UpdateAlias", alias::update),
        write("DeleteAlias", alias::delete),
        read("ListAliases", alias::list),
        write("TagResource", tags::tag),
        write("UntagResource", tags::untag),
        read_one("ListResourceTags", tags::list),
        write("CreateGrant", grant::create),
        read_one("ListGrants", grant::list),
        write("RetireGrant", grant::retire),
        write("RevokeGrant", grant::revoke),
    ],
    on_timer,
    bucket: |operation, _| bucket(operation.name),
    throttled: throttling_exception,
    denied: access_denied_exception,
};

/// Every operation has its own rate.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html>
fn bucket(operation: &'static str) -> Bucket {
    let rate = match operation {
        "DescribeKey" | "ListResourceTags" => 2000.0,
        "GetKeyPolicy" | "GetKeyRotationStatus" => 1000.0,
        "ListAliases" | "ListKeys" => 500.0,
        "ListGrants" | "ListKeyPolicies" => 100.0,
        "CreateGrant" => 50.0,
        "RetireGrant" | "RevokeGrant" => 30.0,
        "DeleteAlias" | "EnableKeyRotation" | "PutKeyPolicy" | "ScheduleKeyDeletion" => 15.0,
        "TagResource" => 10.0,
        _ => 5.0,
    };
    Bucket { name: operation, burst: rate, rate }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    match timer.event {
        "delete" => state::delete_if_due(ctx, &timer.id),
        _ => rotation::rotate(ctx, &timer.id),
    }
}

fn arn(ctx: &Ctx<'_>, key: &str) -> String {
    ctx.arn("kms", format!("key/{key}"))
}

fn not_found(message: impl Into<String>) -> ApiError {
    refuse("NotFoundException", message)
}

/// The key behind an id or ARN. Aliases are for operations that use a key, not for those that manage one:
/// <https://docs.aws.amazon.com/kms/latest/developerguide/find-cmk-id-arn.html>
fn find(ctx: &Ctx<'_>, id: &str) -> Result<Arc<Resource>, ApiError> {
    let bare = match id.strip_prefix("arn:") {
        Some(_) => {
            let prefix = ctx.arn("kms", "key/");
            match id.strip_prefix(&prefix) {
                Some(bare) => bare,
                None => {
                    let region = id.split(':').nth(3).unwrap_or_default();
                    return Err(if region == ctx.account.region {
                        refuse("InvalidArnException", format!("Invalid arn {id}"))
                    } else {
                        not_found(format!("Invalid arn {region}"))
                    });
                }
            }
        }
        None => id,
    };
    if !well_formed(bare) {
        return Err(not_found(format!("Invalid keyId '{bare}'")));
    }
    ctx.usable("kms.key", bare).ok_or_else(|| not_found(format!("Key '{}' does not exist", arn(ctx, bare))))
}

/// A key by id, ARN, alias name or alias ARN.
fn find_by_any_name(ctx: &Ctx<'_>, id: &str) -> Result<Arc<Resource>, ApiError> {
    let prefix = ctx.arn("kms", "");
    let Some(name) = Some(id.strip_prefix(&prefix).unwrap_or(id)).filter(|name| name.starts_with("alias/")) else {
        return find(ctx, id);
    };
    let alias = ctx.get("kms.alias", name);
    let alias = alias.ok_or_else(|| not_found(format!("Alias {prefix}{name} is not found.")))?;
    find(ctx, alias.text("TargetKeyId"))
}

/// A UUID, or `mrk-` and 32 hexadecimal digits.
fn well_formed(id: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    match id.strip_prefix("mrk-") {
        Some(rest) => rest.len() == 32 && hex(rest),
        None => {
            let lengths: Vec<usize> = id.split('-').map(str::len).collect();
            lengths == [8, 4, 4, 4, 12] && id.split('-').all(hex)
        }
    }
}

/// Demands an action on a key: of the caller's own policy, and of the key's.
fn authorise(ctx: &mut Ctx<'_>, action: &str, key: &Resource) -> Result<(), ApiError> {
    authorise_grant(ctx, key, Grant::new(format!("kms:{action}"), key.text("Arn")))
}

fn authorise_grant(ctx: &mut Ctx<'_>, key: &Resource, mut grant: Grant) -> Result<(), ApiError> {
    for alias in ctx.those("kms.alias", |alias| alias.text("TargetKeyId") == key.id) {
        grant = grant.key("kms:ResourceAliases", alias.id.clone());
    }
    let grant = grant.key("kms:CallerAccount", ctx.account.id.clone()).resource_tags(&key.tags);
    if policy::demand(ctx, key, &grant)? {
        ctx.granted.push((grant.action, grant.resource));
        return Ok(());
    }
    ctx.authorise(grant)
}

/// Demands what a service does with a key in the caller's name, such as `kms:CreateGrant` for a database.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service>
pub(crate) fn authorise_via(
    ctx: &mut Ctx<'_>,
    key: &Resource,
    actions: &[&str],
    service: &str,
) -> Result<(), ApiError> {
    authorise_for(ctx, key, actions, service, &[])
}

/// The same with the encryption context that the service gives, by which policies can tell what it is for.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-encryption-context>
pub(crate) fn authorise_for(
    ctx: &mut Ctx<'_>,
    key: &Resource,
    actions: &[&str],
    service: &str,
    context: &[(&str, &str)],
) -> Result<(), ApiError> {
    for action in actions {
        let via = format!("{service}.{}.amazonaws.com", ctx.account.region);
        let mut grant = Grant::new(format!("kms:{action}"), key.text("Arn")).key("kms:ViaService", via);
        for (name, value) in context {
            grant = grant.key(&format!("kms:EncryptionContext:{name}"), *value);
        }
        if *action == "CreateGrant" {
            grant = grant.key("kms:GrantIsForAWSResource", "true");
        }
        authorise_grant(ctx, key, grant)?;
    }
    Ok(())
}

/// The key that AWS keeps for a service (`aws/rds`), made at its first use.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-key>
pub(crate) fn managed(ctx: &mut Ctx<'_>, service: &str) -> String {
    key::managed(ctx, service)
}

/// A page of a list, as `Limit` and `Marker` ask.
fn paged(input: &Input, name: &str, items: Vec<Value>, limit: i64) -> Result<Value, ApiError> {
    let size = input.opt_int("Limit")?.unwrap_or(limit);
    if !(1..=1000).contains(&size) {
        return Err(input.invalid("limit", &json!(size)));
    }
    let size = usize::try_from(size).unwrap_or(1000);
    let page = page(items, input.opt_str("Marker"), size)
        .ok_or_else(|| refuse("InvalidMarkerException", "Could not deserialize marker"))?;
    let mut answer = json!({name: page.items, "Truncated": page.next.is_some()});
    if let Some(next) = page.next {
        answer["NextMarker"] = next.into();
    }
    Ok(answer)
}
