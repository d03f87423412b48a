//! Identity and Access Management: roles, their policies, instance profiles, service-linked roles. One file per noun.

mod attached;
mod check;
mod details;
mod inline;
mod linked;
mod managed;
mod permissions;
mod profile;
mod role;
mod tags;
#[cfg(test)]
mod tests_over_the_wire;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::shared::page;
use super::{Service, access_denied, read, read_one, throttling, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, refuse};
use crate::input::Input;
use crate::rng::rank;
use crate::store::{Resource, Timer};
use crate::weather::Bucket;

pub(crate) use linked::ensure as ensure_service_linked_role;
pub(crate) use permissions::role_allows;
pub(crate) use profile::for_instances as profile_for_instances;

pub(crate) static SERVICE: Service = Service {
    name: "iam",
    namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
    global: true,
    operations: &[
        write("CreateRole", role::create),
        read_one("GetRole", role::get),
        read_one("ListRoles", role::list),
        write("UpdateRole", role::update),
        write("UpdateRoleDescription", role::update_description),
        write("UpdateAssumeRolePolicy", role::update_trust),
        write("DeleteRole", role::delete),
        write("PutRolePolicy", inline::put),
        read_one("GetRolePolicy", inline::get),
        read_one("ListRolePolicies", inline::list),
        write("DeleteRolePolicy", inline::delete),
        write("AttachRolePolicy", attached::attach),
        write("DetachRolePolicy", attached::detach),
        read_one("ListAttachedRolePolicies", attached::list),
        write("TagRole", tags::tag_role),
        write("UntagRole", tags::untag_role),
        read_one("ListRoleTags", tags::list_of_role),
        write("CreateInstanceProfile", profile::create),
        read_one("GetInstanceProfile", profile::get),
        read_one("ListInstanceProfiles", profile::list),
        read_one("ListInstanceProfilesForRole", profile::list_for_role),
        write("AddRoleToInstanceProfile", profile::add_role),
        write("RemoveRoleFromInstanceProfile", profile::remove_role),
        write("DeleteInstanceProfile", profile::delete),
        write("TagInstanceProfile", tags::tag_profile),
        write("UntagInstanceProfile", tags::untag_profile),
        read_one("ListInstanceProfileTags", tags::list_of_profile),
        write("CreateServiceLinkedRole", linked::create),
        write("DeleteServiceLinkedRole", linked::delete),
        read_one("GetServiceLinkedRoleDeletionStatus", linked::deletion_status),
        read("GetAccountAuthorizationDetails", details::get),
    ],
    on_timer: |ctx: &mut Ctx<'_>, timer: &Timer| linked::on_timer(ctx, timer),
    // IAM publishes no rates; operators see refusals from about this much on.
    bucket: |operation, _| match operation.write {
        true => Bucket { name: "iam writes", burst: 30.0, rate: 10.0 },
        false => Bucket { name: "iam reads", burst: 100.0, rate: 20.0 },
    },
    throttled: throttling,
    denied: access_denied,
};

fn arn(ctx: &Ctx<'_>, resource: &str) -> String {
    format!("arn:aws:iam::{}:{resource}", ctx.account.id)
}

fn no_such_entity(message: impl Into<String>) -> ApiError {
    ApiError::with_status(404, "NoSuchEntity", message)
}

fn conflict(code: &str, message: impl Into<String>) -> ApiError {
    ApiError::with_status(409, code, message)
}

fn no_such_role(name: &str) -> ApiError {
    no_such_entity(format!("The role with name {name} cannot be found."))
}

/// A role that a write names. Just after its creation IAM may not know it yet.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>
fn role_named(ctx: &Ctx<'_>, input: &Input) -> Result<Arc<Resource>, ApiError> {
    let name = input.str("RoleName")?;
    ctx.usable("iam.role", name).ok_or_else(|| no_such_role(name))
}

/// A role that a read names.
fn role_seen(ctx: &Ctx<'_>, input: &Input) -> Result<Arc<Resource>, ApiError> {
    let name = input.str("RoleName")?;
    ctx.visible_one("iam.role", name).ok_or_else(|| no_such_role(name))
}

/// Demands an action on a role or profile that is there.
fn authorise(ctx: &mut Ctx<'_>, action: &str, resource: &Resource) -> Result<(), ApiError> {
    ctx.authorise(Grant::new(format!("iam:{action}"), resource.text("Arn")).resource_tags(&resource.tags))
}

/// Demands that the caller may hand a role to a service.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html>
pub(crate) fn authorise_pass(ctx: &mut Ctx<'_>, role: &str, service: &str) -> Result<(), ApiError> {
    ctx.authorise(Grant::new("iam:PassRole", role).key("iam:PassedToService", service))
}

/// The role behind an ARN, once IAM's news of it has spread.
pub(crate) fn role_by_arn(ctx: &Ctx<'_>, role: &str) -> Option<Arc<Resource>> {
    let known = ctx.usable("iam.role", role.rsplit('/').next()?)?;
    (known.text("Arn") == role).then_some(known)
}

/// Whether a role's trust policy lets a service assume it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-service.html>
pub(crate) fn trusts(role: &Resource, service: &str) -> bool {
    check::trusts(role.text("_trust"), service, None)
}

/// The same when the service acts for a resource, which it names by its ARN (`aws:SourceArn`, `aws:SourceAccount`).
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html>
pub(crate) fn trusts_for(role: &Resource, service: &str, source: &str) -> bool {
    check::trusts(role.text("_trust"), service, Some(source))
}

fn unmodifiable(role: &Resource) -> Result<(), ApiError> {
    // <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html>
    if role.text("Path").starts_with("/aws-service-role/") {
        let message = format!(
            "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
            role.id
        );
        return Err(refuse("UnmodifiableEntity", message));
    }
    Ok(())
}

/// A unique id, such as `AROA…` for a role.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
fn unique_id(ctx: &mut Ctx<'_>, prefix: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letters: String = (0..17).map(|_| char::from(LETTERS[(ctx.account.rng.next() % 32) as usize])).collect();
    format!("{prefix}{letters}")
}

/// A time as IAM writes it: to the second.
fn date(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// Everything but unreserved characters in percent-encoding, as IAM gives back documents.
fn url_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// A name's form: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-names>
fn named(input: &Input, parameter: &str, longest: usize) -> Result<String, ApiError> {
    let name = input.string(parameter)?;
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter);
    if name.len() > longest || !name.chars().all(allowed) {
        return Err(input.invalid(parameter, &Value::from(name)));
    }
    Ok(name)
}

fn path(input: &Input) -> Result<String, ApiError> {
    let path = input.opt_str("Path").unwrap_or("/").to_owned();
    let printable = path.bytes().all(|b| (0x21..=0x7e).contains(&b));
    if !path.starts_with('/') || !path.ends_with('/') || path.len() > 512 || !printable {
        return Err(input.invalid("Path", &Value::from(path)));
    }
    Ok(path)
}

/// The order in which AWS happens to list things that have no order.
fn unordered<T>(ctx: &Ctx<'_>, mut items: Vec<T>, name: impl Fn(&T) -> String) -> Vec<T> {
    items.sort_by_cached_key(|item| rank(ctx.account.seed, &name(item)));
    items
}

/// A page of a list, as `MaxItems` and `Marker` ask.
fn paged(input: &Input, name: &str, items: Vec<Value>) -> Result<Value, ApiError> {
    let size = input.opt_int("MaxItems")?.unwrap_or(100);
    let size = usize::try_from(size).ok().filter(|size| (1..=1000).contains(size));
    let size = size.ok_or_else(|| input.invalid("MaxItems", &Value::Null))?;
    let page = page(items, input.opt_str("Marker"), size)
        .ok_or_else(|| refuse("ValidationError", "Invalid Marker: the marker was not given out by this operation"))?;
    let mut answer = json!({name: page.items, "IsTruncated": page.next.is_some()});
    if let Some(next) = page.next {
        answer["Marker"] = next.into();
    }
    Ok(answer)
}
