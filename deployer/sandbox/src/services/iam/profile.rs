//! Instance profiles, through which instances get a role.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::role::{self, Shown};
use super::{
    arn, authorise, authorise_pass, conflict, date, named, no_such_entity, paged, path, role_named, role_seen, tags,
    unique_id,
};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::rng::rank;
use crate::services::shared::tag_list;
use crate::store::Resource;

fn no_such_profile(name: &str) -> ApiError {
    no_such_entity(format!("Instance Profile {name} cannot be found."))
}

/// The profile that a write names.
pub(super) fn named_in(ctx: &Ctx<'_>, input: &Input) -> Result<Arc<Resource>, ApiError> {
    let name = input.str("InstanceProfileName")?;
    ctx.usable("iam.instance-profile", name).ok_or_else(|| no_such_profile(name))
}

/// The profile that a read names.
pub(super) fn seen_in(ctx: &Ctx<'_>, input: &Input) -> Result<Arc<Resource>, ApiError> {
    let name = input.str("InstanceProfileName")?;
    ctx.visible_one("iam.instance-profile", name).ok_or_else(|| no_such_profile(name))
}

/// The profile as EC2 knows it. It comes to know a new one about eight seconds after IAM.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>
pub(crate) fn for_instances(ctx: &Ctx<'_>, name: &str) -> Option<Arc<Resource>> {
    let known = ctx.usable("iam.instance-profile", name)?;
    let spread = rank(ctx.account.seed, &known.id) % 4800;
    let lag = if ctx.account.weather.stale_reads.is_zero() { 0 } else { 5600 + spread };
    (ctx.now.duration_since(known.created).as_millis() >= i128::from(lag)).then_some(known)
}

/// A profile with its role; lists show no tags.
pub(super) fn shown(ctx: &Ctx<'_>, profile: &Resource, with_tags: bool) -> Value {
    let mut map = crate::services::shared::shown(profile);
    let roles: Vec<Value> = profile
        .items("_roles")
        .iter()
        .filter_map(|name| ctx.get("iam.role", name.as_str()?))
        .map(|known| role::shown(ctx, &known, Shown::InList))
        .collect();
    map.insert("Roles".to_owned(), roles.into());
    if with_tags && !profile.tags.is_empty() {
        map.insert("Tags".to_owned(), tag_list(&profile.tags, "Key", "Value"));
    }
    Value::Object(map)
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = named(input, "InstanceProfileName", 128)?;
    let path = path(input)?;
    let tags = tags::requested(input)?;
    let arn = arn(ctx, &format!("instance-profile{path}{name}"));
    ctx.authorise(Grant::new("iam:CreateInstanceProfile", arn.clone()).request_tags(&tags))?;
    if !tags.is_empty() {
        ctx.authorise(Grant::new("iam:TagInstanceProfile", arn.clone()).request_tags(&tags))?;
    }
    if ctx.all("iam.instance-profile").iter().any(|profile| profile.id.eq_ignore_ascii_case(&name)) {
        return Err(conflict("EntityAlreadyExists", format!("Instance Profile {name} already exists.")));
    }
    let id = unique_id(ctx, "AIPA");
    let mut profile = ctx.resource(
        "iam.instance-profile",
        &name,
        json!({
            "Path": path,
            "InstanceProfileName": name,
            "InstanceProfileId": id,
            "Arn": arn,
            "CreateDate": date(ctx.now),
            "_roles": [],
        }),
    );
    profile.tags = tags;
    let answer = shown(ctx, &profile, true);
    ctx.insert(profile);
    Ok(json!({"InstanceProfile": answer}))
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let profile = seen_in(ctx, input)?;
    authorise(ctx, "GetInstanceProfile", &profile)?;
    Ok(json!({"InstanceProfile": shown(ctx, &profile, true)}))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let prefix = input.opt_str("PathPrefix").unwrap_or("/").to_owned();
    let resource = arn(ctx, &format!("instance-profile{prefix}"));
    ctx.authorise(Grant::new("iam:ListInstanceProfiles", resource))?;
    let profiles = ctx.visible("iam.instance-profile");
    let profiles =
        profiles.iter().filter(|p| p.text("Path").starts_with(&prefix)).map(|p| shown(ctx, p, false)).collect();
    paged(input, "InstanceProfiles", profiles)
}

pub(super) fn list_for_role(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_seen(ctx, input)?;
    authorise(ctx, "ListInstanceProfilesForRole", &role)?;
    let profiles = of_role(ctx, &role.id);
    paged(input, "InstanceProfiles", profiles)
}

/// The profiles that hold a role.
pub(super) fn of_role(ctx: &Ctx<'_>, role: &str) -> Vec<Value> {
    let profiles = ctx.visible("iam.instance-profile");
    profiles
        .iter()
        .filter(|profile| profile.items("_roles").iter().any(|name| *name == *role))
        .map(|profile| shown(ctx, profile, false))
        .collect()
}

/// One role at most: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html>
pub(super) fn add_role(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let profile = named_in(ctx, input)?;
    let role = role_named(ctx, input)?;
    authorise(ctx, "AddRoleToInstanceProfile", &profile)?;
    authorise_pass(ctx, role.text("Arn"), "ec2.amazonaws.com")?;
    if !profile.items("_roles").is_empty() {
        let message = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";
        return Err(conflict("LimitExceeded", message));
    }
    ctx.update("iam.instance-profile", &profile.id, |profile| {
        profile.list_mut("_roles").push(role.id.clone().into());
    });
    Ok(nothing())
}

pub(super) fn remove_role(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let profile = named_in(ctx, input)?;
    authorise(ctx, "RemoveRoleFromInstanceProfile", &profile)?;
    let role = input.str("RoleName")?;
    if !profile.items("_roles").iter().any(|name| *name == *role) {
        return Err(no_such_entity(format!("The role with name {role} cannot be found in the instance profile.")));
    }
    ctx.update("iam.instance-profile", &profile.id, |profile| {
        profile.list_mut("_roles").retain(|name| *name != *role);
    });
    Ok(nothing())
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let profile = named_in(ctx, input)?;
    authorise(ctx, "DeleteInstanceProfile", &profile)?;
    if !profile.items("_roles").is_empty() {
        let message = "Cannot delete entity, must remove roles from instance profile first.";
        return Err(conflict("DeleteConflict", message));
    }
    ctx.remove("iam.instance-profile", &profile.id);
    Ok(nothing())
}
