//! Inline policies of roles.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>

use serde_json::{Map, Value, json};

use super::{
    authorise, check, conflict, named, no_such_entity, paged, role_named, role_seen, unmodifiable, unordered,
    url_encoded,
};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::store::Resource;

/// The documents by name, as they came.
pub(super) fn of(role: &Resource) -> Map<String, Value> {
    role.attrs.get("_inline").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn no_such_policy(name: &str) -> ApiError {
    no_such_entity(format!("The role policy with name {name} cannot be found."))
}

pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_named(ctx, input)?;
    authorise(ctx, "PutRolePolicy", &role)?;
    unmodifiable(&role)?;
    let name = named(input, "PolicyName", 128)?;
    let text = input.string("PolicyDocument")?;
    check::permissions(&text)?;
    let mut policies = of(&role);
    policies.insert(name, text.into());
    // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length>
    let total: usize = policies.values().filter_map(Value::as_str).map(check::size).sum();
    if total > 10_240 {
        let message = format!("Maximum policy size of 10240 bytes exceeded for role {}", role.id);
        return Err(conflict("LimitExceeded", message));
    }
    ctx.update("iam.role", &role.id, |role| role.set("_inline", policies));
    Ok(nothing())
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_seen(ctx, input)?;
    authorise(ctx, "GetRolePolicy", &role)?;
    let name = input.str("PolicyName")?;
    let policies = of(&role);
    let text = policies.get(name).and_then(Value::as_str).ok_or_else(|| no_such_policy(name))?;
    Ok(json!({"RoleName": role.id, "PolicyName": name, "PolicyDocument": url_encoded(text)}))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_seen(ctx, input)?;
    authorise(ctx, "ListRolePolicies", &role)?;
    let names = unordered(ctx, of(&role).keys().cloned().collect(), String::clone);
    paged(input, "PolicyNames", names.into_iter().map(Value::from).collect())
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_named(ctx, input)?;
    authorise(ctx, "DeleteRolePolicy", &role)?;
    unmodifiable(&role)?;
    let name = input.str("PolicyName")?;
    let mut policies = of(&role);
    policies.remove(name).ok_or_else(|| no_such_policy(name))?;
    ctx.update("iam.role", &role.id, |role| role.set("_inline", policies));
    Ok(nothing())
}
