//! Lifecycle policies. <https://docs.aws.amazon.com/dlm/latest/APIReference/API_CreateLifecyclePolicy.html>

use serde_json::{Value, json};

use super::{POLICY, details, invalid, named, run, tags};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::iam;
use crate::services::shared::shown;
use crate::store::Resource;

/// The role that the policy acts as: there, and trusting the service.
fn role(ctx: &mut Ctx<'_>, arn: &str) -> Result<String, ApiError> {
    iam::authorise_pass(ctx, arn, "dlm.amazonaws.com")?;
    let source = ctx.arn("dlm", "policy/policy-0");
    let found = iam::role_by_arn(ctx, arn).filter(|role| iam::trusts_for(role, "dlm.amazonaws.com", &source));
    match found {
        Some(_) => Ok(arn.to_owned()),
        None => Err(invalid(format!("Invalid role: {arn} does not exist or cannot be assumed by dlm.amazonaws.com"))),
    }
}

fn description(text: &str) -> Result<String, ApiError> {
    // <https://docs.aws.amazon.com/dlm/latest/APIReference/API_CreateLifecyclePolicy.html#dlm-CreateLifecyclePolicy-request-Description>
    let fits = text.chars().all(|letter| letter.is_ascii_alphanumeric() || " _-".contains(letter));
    if text.chars().count() > 500 || text.is_empty() || !fits {
        return Err(invalid(format!("Description '{text}' must have letters, digits, spaces, _ and - only")));
    }
    Ok(text.to_owned())
}

fn state(text: &str) -> Result<String, ApiError> {
    match text {
        "ENABLED" | "DISABLED" => Ok(text.to_owned()),
        _ => Err(invalid(format!("State {text} is not one of ENABLED and DISABLED"))),
    }
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let asked = tags::requested(input)?;
    let any = ctx.arn("dlm", "policy/*");
    ctx.authorise(Grant::new("dlm:CreateLifecyclePolicy", any.clone()).request_tags(&asked))?;
    if !asked.is_empty() {
        ctx.authorise(Grant::new("dlm:TagResource", any).request_tags(&asked))?;
    }
    let description = description(input.str("Description")?)?;
    let state = state(input.str("State")?)?;
    let details = input.object("PolicyDetails").ok_or_else(|| invalid("PolicyDetails is missing"))?;
    let details = details::read(&details)?;
    let role = role(ctx, input.str("ExecutionRoleArn")?)?;
    let id = ctx.new_id("policy");
    let now = stamp(ctx);
    let mut policy = ctx.resource(
        POLICY,
        id.clone(),
        json!({
            "PolicyId": id, "PolicyArn": ctx.arn("dlm", format!("policy/{id}")), "Description": description,
            "State": state, "StatusMessage": state, "ExecutionRoleArn": role, "DateCreated": now,
            "DateModified": now, "PolicyDetails": details, "DefaultPolicy": false,
        }),
    );
    policy.tags = asked;
    ctx.insert(policy);
    run::plan(ctx, &id);
    Ok(json!({"PolicyId": id}))
}

/// A moment as this service writes it.
fn stamp(ctx: &Ctx<'_>) -> String {
    format!("{:.3}", ctx.now)
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let policy = named(ctx, input, "GetLifecyclePolicy")?;
    let mut shown = shown(&policy);
    shown.insert("Tags".to_owned(), json!(policy.tags));
    Ok(json!({"Policy": shown}))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let any = ctx.arn("dlm", "policy/*");
    ctx.authorise(Grant::new("dlm:GetLifecyclePolicies", any))?;
    let (ids, state) = (input.strings("PolicyIds"), input.opt_str("State"));
    let (types, targets) = (input.strings("ResourceTypes"), input.strings("TargetTags"));
    let added = input.strings("TagsToAdd");
    let has = |list: &Value, wanted: &String| {
        let texts = list.as_array().into_iter().flatten();
        texts
            .filter_map(|tag| Some(format!("{}={}", tag["Key"].as_str()?, tag["Value"].as_str()?)))
            .any(|tag| tag == *wanted)
    };
    let found = ctx.visible(POLICY).into_iter().filter(|policy| {
        let details = policy.attrs.get("PolicyDetails").cloned().unwrap_or_default();
        let adds = |wanted: &String| {
            details["Schedules"].as_array().is_some_and(|all| all.iter().any(|one| has(&one["TagsToAdd"], wanted)))
        };
        (ids.is_empty() || ids.contains(&policy.id))
            && state.is_none_or(|state| policy.text("State") == state)
            && (types.is_empty() || types.iter().any(|one| one == "VOLUME"))
            && targets.iter().all(|wanted| has(&details["TargetTags"], wanted))
            && added.iter().all(adds)
    });
    let summary = |policy: std::sync::Arc<Resource>| {
        json!({
            "PolicyId": policy.id, "Description": policy.text("Description"), "State": policy.text("State"),
            "Tags": policy.tags, "PolicyType": "EBS_SNAPSHOT_MANAGEMENT", "DefaultPolicy": false,
        })
    };
    let found: Vec<Value> = found.map(summary).collect();
    if let Some(missing) = ids.iter().find(|id| !found.iter().any(|one| one["PolicyId"] == **id)) {
        let message = format!("Policy {missing} does not exist");
        return Err(ApiError::with_status(404, "ResourceNotFoundException", message));
    }
    Ok(json!({"Policies": found}))
}

/// Changes what the call names. One in error is tried again when it is enabled.
/// <https://docs.aws.amazon.com/dlm/latest/APIReference/API_UpdateLifecyclePolicy.html>
pub(super) fn update(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let policy = named(ctx, input, "UpdateLifecyclePolicy")?;
    let mut changed = Resource::clone(&policy);
    if let Some(text) = input.opt_str("Description") {
        changed.set("Description", description(text)?);
    }
    if let Some(arn) = input.opt_str("ExecutionRoleArn") {
        changed.set("ExecutionRoleArn", role(ctx, arn)?);
    }
    if let Some(details) = input.object("PolicyDetails") {
        changed.set("PolicyDetails", details::read(&details)?);
    }
    if let Some(text) = input.opt_str("State") {
        changed.set("State", state(text)?);
        changed.set("StatusMessage", text);
    }
    changed.set("DateModified", stamp(ctx));
    ctx.update(POLICY, &policy.id, |policy| *policy = changed);
    run::plan(ctx, &policy.id);
    Ok(nothing())
}

/// The snapshots that it made stay.
/// <https://docs.aws.amazon.com/ebs/latest/userguide/view-modify-delete.html>
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let policy = named(ctx, input, "DeleteLifecyclePolicy")?;
    ctx.remove(POLICY, &policy.id);
    Ok(nothing())
}
