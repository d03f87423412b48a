//! All roles with all that is theirs, in one read.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>

use serde_json::{Value, json};

use super::role::{self, Shown};
use super::{attached, inline, paged, profile, unordered, url_encoded};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::tag_list;
use crate::store::Resource;

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let kinds = input.strings("Filter");
    // Groups and customers' policies there are none; users and AWS's own policies are not kept here.
    if kinds.is_empty() || kinds.iter().any(|kind| kind == "User" || kind == "AWSManagedPolicy") {
        return Err(ApiError::not_simulated(
            "GetAccountAuthorizationDetails of users and AWS managed policies: filter by Role",
        ));
    }
    let mut roles = ctx.visible("iam.role");
    roles.retain(|_| kinds.iter().any(|kind| kind == "Role"));
    let roles = roles.iter().map(|role| detail(ctx, role)).collect();
    let mut answer = paged(input, "RoleDetailList", roles)?;
    for empty in ["UserDetailList", "GroupDetailList", "Policies"] {
        answer[empty] = json!([]);
    }
    Ok(answer)
}

fn detail(ctx: &Ctx<'_>, role: &Resource) -> Value {
    let mut shown = role::shown(ctx, role, Shown::Alone);
    if let Value::Object(map) = &mut shown {
        map.remove("MaxSessionDuration");
        map.remove("Description");
    }
    let policies: Vec<Value> = inline::of(role)
        .into_iter()
        .map(|(name, text)| {
            json!({"PolicyName": name, "PolicyDocument": url_encoded(text.as_str().unwrap_or_default())})
        })
        .collect();
    shown["RolePolicyList"] = unordered(ctx, policies, |policy| policy["PolicyName"].to_string()).into();
    shown["AttachedManagedPolicies"] = attached::of(ctx, role).into();
    shown["InstanceProfileList"] = profile::of_role(ctx, &role.id).into();
    shown["Tags"] = tag_list(&role.tags, "Key", "Value");
    shown
}
