//! Operations: what Cloud Map does after it has answered.
//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_GetOperation.html>

use std::time::Duration;

use serde_json::{Value, json};

use super::list::{filtered, paged};
use super::{namespace, service};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{Outcome, refuse};
use crate::input::Input;
use crate::services::shared::shown;
use crate::wire::moment;

const KIND: &str = "servicediscovery.operation";

/// What an operation is about.
pub(super) struct Task<'a> {
    pub(super) sort: &'static str,
    /// `NAMESPACE`, `SERVICE` or `INSTANCE`, and its id.
    pub(super) target: (&'static str, &'a str),
    /// What it needs when it is done.
    pub(super) plan: Value,
    pub(super) takes: Duration,
}

/// Begins an operation and answers its id.
pub(super) fn begin(ctx: &mut Ctx<'_>, task: Task<'_>) -> String {
    let id = format!("{}-{}", ctx.account.rng.hex(32), ctx.account.rng.hex(8));
    let (target, target_id) = task.target;
    let mut operation = ctx.resource(
        KIND,
        &id,
        json!({
            "Id": id,
            "OwnerAccount": ctx.account.id,
            "Type": task.sort,
            "Status": "SUBMITTED",
            "CreateDate": moment(ctx.now),
            "UpdateDate": moment(ctx.now),
            "Targets": {target: target_id},
            "_plan": task.plan,
        }),
    );
    // An operation is an answer that is still to come, not something in the account.
    operation.set("_initial", true);
    ctx.insert(operation);
    ctx.after(task.takes, KIND, &id, "done");
    id
}

/// An operation has come to its end.
pub(super) fn done(ctx: &mut Ctx<'_>, id: &str) {
    let Some(operation) = ctx.get(KIND, id) else { return };
    let plan = operation.attrs.get("_plan").cloned().unwrap_or_default();
    let target = operation.attrs["Targets"].as_object().and_then(|targets| targets.values().next()).cloned();
    let target = target.as_ref().and_then(Value::as_str).unwrap_or_default();
    let failure = match operation.text("Type") {
        "CREATE_NAMESPACE" => namespace::created(ctx, target, &plan),
        "UPDATE_NAMESPACE" => namespace::updated(ctx, target, &plan),
        "DELETE_NAMESPACE" => namespace::deleted(ctx, target),
        "UPDATE_SERVICE" => service::updated(ctx, target, &plan),
        _ => None,
    };
    let now = moment(ctx.now);
    ctx.update(KIND, id, |operation| {
        operation.set("UpdateDate", now);
        match failure {
            None => operation.set("Status", "SUCCESS"),
            Some((code, message)) => {
                operation.set("Status", "FAIL");
                operation.set("ErrorCode", code);
                operation.set("ErrorMessage", message);
            }
        }
    });
}

/// Whether an operation of this sort on this target is under way.
pub(super) fn under_way(ctx: &Ctx<'_>, sort: &str, target: &str) -> Option<String> {
    let open = ctx.those(KIND, |operation| {
        let about = operation.attrs["Targets"].as_object().is_some_and(|t| t.values().any(|id| id == target));
        operation.text("Status") == "SUBMITTED" && operation.text("Type") == sort && about
    });
    open.first().map(|operation| operation.id.clone())
}

/// The creations of namespaces that are under way, with their plans.
pub(super) fn creations(ctx: &Ctx<'_>) -> Vec<(String, Value)> {
    let open = ctx.those(KIND, |operation| {
        operation.text("Status") == "SUBMITTED" && operation.text("Type") == "CREATE_NAMESPACE"
    });
    open.iter().map(|operation| (operation.id.clone(), operation.attrs["_plan"].clone())).collect()
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("OperationId")?;
    let found = ctx.get(KIND, id);
    let target = found.as_ref().and_then(|operation| {
        let (sort, id) = operation.attrs["Targets"].as_object()?.iter().next()?;
        Some(format!("{}/{}", sort.to_lowercase(), id.as_str()?))
    });
    let arn = ctx.arn("servicediscovery", target.unwrap_or_else(|| "namespace/*".to_owned()));
    ctx.authorise(Grant::new("servicediscovery:GetOperation", arn))?;
    let found =
        found.ok_or_else(|| refuse("OperationNotFound", format!("No operation exists with the specified ID {id}.")))?;
    Ok(json!({"Operation": shown(&found)}))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let target = |operation: &crate::store::Resource, sort: &str| {
        operation.attrs["Targets"][sort].as_str().unwrap_or_default().to_owned()
    };
    let found = filtered(input, ctx.visible(KIND), |operation, filter| match filter {
        "STATUS" => Some(operation.text("Status").to_owned()),
        "TYPE" => Some(operation.text("Type").to_owned()),
        "NAMESPACE_ID" => Some(target(operation, "NAMESPACE")),
        "SERVICE_ID" => Some(target(operation, "SERVICE")),
        _ => None,
    })?;
    let brief = found.iter().map(|operation| json!({"Id": operation.id, "Status": operation.text("Status")}));
    paged(input, "Operations", brief.collect())
}
