//! Roles.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>

use serde_json::{Map, Value, json};

use super::{
    arn, authorise, check, conflict, date, named, paged, path, role_named, role_seen, tags, unique_id, unmodifiable,
    url_encoded,
};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::document;
use crate::services::shared::tag_list;
use crate::store::Resource;

/// Which answers show which parts of a role; IAM's own are not alike.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Created,
    Alone,
    InList,
}

/// A role as answers show it.
pub(super) fn shown(ctx: &Ctx<'_>, role: &Resource, how: Shown) -> Value {
    let mut map: Map<String, Value> = crate::services::shared::shown(role);
    map.insert("AssumeRolePolicyDocument".to_owned(), url_encoded(&document::kept(ctx, role, "_trust")).into());
    if how == Shown::Created {
        map.remove("MaxSessionDuration");
    }
    // Lists leave tags and last use out: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html>
    if how == Shown::Alone {
        map.insert("RoleLastUsed".to_owned(), json!({}));
    }
    if how != Shown::InList && !role.tags.is_empty() {
        map.insert("Tags".to_owned(), tag_list(&role.tags, "Key", "Value"));
    }
    Value::Object(map)
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = named(input, "RoleName", 64)?;
    let path = path(input)?;
    let tags = tags::requested(input)?;
    let arn = arn(ctx, &format!("role{path}{name}"));
    ctx.authorise(Grant::new("iam:CreateRole", arn.clone()).request_tags(&tags))?;
    if !tags.is_empty() {
        // <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags_roles.html>
        ctx.authorise(Grant::new("iam:TagRole", arn.clone()).request_tags(&tags))?;
    }
    let session = session(input)?.unwrap_or(3600);
    let described = described(input)?;
    let trust = input.string("AssumeRolePolicyDocument")?;
    let principals = check::trust(ctx, &trust)?;
    // Names differ by more than case: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
    if ctx.all("iam.role").iter().any(|role| role.id.eq_ignore_ascii_case(&name)) {
        return Err(conflict("EntityAlreadyExists", format!("Role with name {name} already exists.")));
    }
    if ctx.all("iam.role").len() >= 1000 {
        return Err(conflict("LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1000"));
    }
    if path.starts_with("/aws-service-role/") {
        return Err(super::no_such_entity("The path /aws-service-role/ is reserved for service-linked roles"));
    }
    let mut role = object(ctx, &path, &name, &arn);
    document::keep(&mut role, "_trust", trust, principals);
    role.set("MaxSessionDuration", session);
    if let Some(text) = described {
        role.set("Description", text);
    }
    role.tags = tags;
    let answer = shown(ctx, &role, Shown::Created);
    ctx.insert(role);
    Ok(json!({"Role": answer}))
}

/// A role without anything that a caller can choose but its name.
pub(super) fn object(ctx: &mut Ctx<'_>, path: &str, name: &str, arn: &str) -> Resource {
    let id = unique_id(ctx, "AROA");
    ctx.resource(
        "iam.role",
        name,
        json!({
            "Path": path,
            "RoleName": name,
            "RoleId": id,
            "Arn": arn,
            "CreateDate": date(ctx.now),
            "MaxSessionDuration": 3600,
            "_inline": {},
            "_attached": [],
        }),
    )
}

fn session(input: &Input) -> Result<Option<i64>, ApiError> {
    let limit = |word: &str, bound: i64, seconds: i64| {
        refuse(
            "ValidationError",
            format!(
                "1 validation error detected: Value '{seconds}' at 'maxSessionDuration' failed to satisfy constraint: Member must have value {word} than or equal to {bound}"
            ),
        )
    };
    match input.opt_int("MaxSessionDuration")? {
        Some(seconds) if seconds < 3600 => Err(limit("greater", 3600, seconds)),
        Some(seconds) if seconds > 43200 => Err(limit("less", 43200, seconds)),
        fine => Ok(fine),
    }
}

fn described(input: &Input) -> Result<Option<String>, ApiError> {
    match input.opt_str("Description") {
        Some(text) if text.chars().count() > 1000 => Err(input.invalid("description", &Value::from(text))),
        text => Ok(text.map(str::to_owned)),
    }
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_seen(ctx, input)?;
    authorise(ctx, "GetRole", &role)?;
    Ok(json!({"Role": shown(ctx, &role, Shown::Alone)}))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let prefix = input.opt_str("PathPrefix").unwrap_or("/").to_owned();
    let resource = arn(ctx, &format!("role{prefix}"));
    ctx.authorise(Grant::new("iam:ListRoles", resource))?;
    let roles = ctx.visible("iam.role");
    let roles = roles
        .iter()
        .filter(|role| role.text("Path").starts_with(&prefix))
        .map(|role| shown(ctx, role, Shown::InList))
        .collect();
    paged(input, "Roles", roles)
}

pub(super) fn update(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_named(ctx, input)?;
    authorise(ctx, "UpdateRole", &role)?;
    unmodifiable(&role)?;
    let (session, described) = (session(input)?, described(input)?);
    ctx.update("iam.role", &role.id, |role| {
        if let Some(seconds) = session {
            role.set("MaxSessionDuration", seconds);
        }
        if let Some(text) = described {
            role.set("Description", text);
        }
    });
    Ok(nothing())
}

pub(super) fn update_description(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_named(ctx, input)?;
    authorise(ctx, "UpdateRoleDescription", &role)?;
    unmodifiable(&role)?;
    let text = described(input)?.ok_or_else(|| input.missing("Description"))?;
    ctx.update("iam.role", &role.id, |role| role.set("Description", text));
    let role = ctx.get("iam.role", &role.id).unwrap_or(role);
    Ok(json!({"Role": shown(ctx, &role, Shown::Created)}))
}

pub(super) fn update_trust(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_named(ctx, input)?;
    authorise(ctx, "UpdateAssumeRolePolicy", &role)?;
    unmodifiable(&role)?;
    let trust = input.string("PolicyDocument")?;
    let principals = check::trust(ctx, &trust)?;
    ctx.update("iam.role", &role.id, |role| document::keep(role, "_trust", trust, principals));
    Ok(nothing())
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html>
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_named(ctx, input)?;
    authorise(ctx, "DeleteRole", &role)?;
    unmodifiable(&role)?;
    let in_profile = |profile: &Resource| profile.items("_roles").iter().any(|name| *name == *role.id);
    let reason = if !ctx.those("iam.instance-profile", in_profile).is_empty() {
        "must remove roles from instance profile first."
    } else if !role.items("_attached").is_empty() {
        "must detach all policies first."
    } else if role.attrs.get("_inline").and_then(Value::as_object).is_some_and(|inline| !inline.is_empty()) {
        "must delete policies first."
    } else {
        ctx.remove("iam.role", &role.id);
        return Ok(nothing());
    };
    Err(conflict("DeleteConflict", format!("Cannot delete entity, {reason}")))
}
