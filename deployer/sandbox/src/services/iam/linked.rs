//! Service-linked roles: made for a service, by it or by the customer, and changed by nobody else.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html>

use std::time::Duration;

use serde_json::json;

use super::role::{self, Shown};
use super::{arn, authorise, no_such_entity, role_named};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::document;
use crate::store::{Resource, Timer};

/// A service, its role and the role's policy. No service here takes a suffix but Auto Scaling.
struct Linked {
    service: &'static str,
    role: &'static str,
    policy: &'static str,
    description: Option<&'static str>,
}

const KNOWN: &[Linked] = &[
    Linked {
        service: "autoscaling.amazonaws.com",
        role: "AWSServiceRoleForAutoScaling",
        policy: "AutoScalingServiceRolePolicy",
        description: None,
    },
    Linked {
        service: "ecs.application-autoscaling.amazonaws.com",
        role: "AWSServiceRoleForApplicationAutoScaling_ECSService",
        policy: "AWSApplicationAutoscalingECSServicePolicy",
        description: None,
    },
    Linked {
        service: "ecs.amazonaws.com",
        role: "AWSServiceRoleForECS",
        policy: "AmazonECSServiceRolePolicy",
        description: None,
    },
    Linked {
        service: "elasticloadbalancing.amazonaws.com",
        role: "AWSServiceRoleForElasticLoadBalancing",
        policy: "AWSElasticLoadBalancingServiceRolePolicy",
        description: None,
    },
    Linked {
        service: "rds.amazonaws.com",
        role: "AWSServiceRoleForRDS",
        policy: "AmazonRDSServiceRolePolicy",
        description: Some("Allows Amazon RDS to manage AWS resources on your behalf"),
    },
    Linked {
        service: "replication.ecr.amazonaws.com",
        role: "AWSServiceRoleForECRReplication",
        policy: "ECRReplicationServiceRolePolicy",
        description: None,
    },
];

fn known(service: &str) -> Result<&'static Linked, ApiError> {
    let linked = KNOWN.iter().find(|linked| linked.service == service);
    linked.ok_or_else(|| ApiError::not_simulated(format!("the service-linked role of {service}")))
}

fn demand(ctx: &mut Ctx<'_>, linked: &Linked, name: &str) -> Result<String, ApiError> {
    let arn = arn(ctx, &format!("role/aws-service-role/{}/{name}", linked.service));
    ctx.authorise(Grant::new("iam:CreateServiceLinkedRole", arn.clone()).key("iam:AWSServiceName", linked.service))?;
    Ok(arn)
}

fn object(ctx: &mut Ctx<'_>, linked: &Linked, name: &str, arn: &str) -> Resource {
    let mut role = role::object(ctx, &format!("/aws-service-role/{}/", linked.service), name, arn);
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": linked.service}, "Action": "sts:AssumeRole"},
    ]});
    document::keep(&mut role, "_trust", trust.to_string(), Vec::new());
    role.set("_attached", vec![format!("arn:aws:iam::aws:policy/aws-service-role/{}", linked.policy)]);
    if let Some(text) = linked.description {
        role.set("Description", text);
    }
    role
}

/// Makes a service's role when the service is first used, as services do by themselves where they can. The
/// caller needs the permission for it only then.
pub(crate) fn ensure(ctx: &mut Ctx<'_>, service: &str) -> Result<(), ApiError> {
    let linked = known(service)?;
    if ctx.get("iam.role", linked.role).is_some() {
        return Ok(());
    }
    let arn = demand(ctx, linked, linked.role)?;
    let mut role = object(ctx, linked, linked.role, &arn);
    role.aws_made = true;
    ctx.insert(role);
    Ok(())
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let service = input.str("AWSServiceName")?;
    let linked = known(service)?;
    let name = match input.opt_str("CustomSuffix") {
        Some(_) if service != "autoscaling.amazonaws.com" => {
            return Err(refuse("InvalidInput", format!("Custom suffix is not allowed for {service}")));
        }
        Some(suffix) => format!("{}_{suffix}", linked.role),
        None => linked.role.to_owned(),
    };
    let arn = demand(ctx, linked, &name)?;
    if ctx.get("iam.role", &name).is_some() {
        let message =
            format!("Service role name {name} has been taken in this account, please try a different suffix.");
        return Err(refuse("InvalidInput", message));
    }
    let mut role = object(ctx, linked, &name, &arn);
    if let Some(text) = input.opt_str("Description") {
        role.set("Description", text);
    }
    let answer = role::shown(ctx, &role, Shown::Created);
    ctx.insert(role);
    Ok(json!({"Role": answer}))
}

/// Deletion is a task that can fail: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServiceLinkedRole.html>
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_named(ctx, input)?;
    authorise(ctx, "DeleteServiceLinkedRole", &role)?;
    let Some(place) = role.text("Path").strip_prefix('/').filter(|path| path.starts_with("aws-service-role/")) else {
        return Err(no_such_entity(format!("Service linked role {} cannot be found.", role.id)));
    };
    let id = format!("task/{place}{}/{}", role.id, ctx.account.rng.uuid());
    let mut task = ctx.resource("iam.deletion", &id, json!({"Status": "IN_PROGRESS", "_role": role.id}));
    // A task is an answer that is still to come, not something in the account.
    task.set("_initial", true);
    ctx.insert(task);
    ctx.after(Duration::from_secs(5), "iam.deletion", &id, "done");
    Ok(json!({"DeletionTaskId": id}))
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    let Some(task) = ctx.get("iam.deletion", &timer.id) else { return };
    let service = timer.id.split('/').nth(2).and_then(|service| service.split('.').next()).unwrap_or_default();
    let prefix = format!("{service}.");
    let users: Vec<String> = ctx
        .account
        .store
        .everything()
        .filter(|r| r.kind.starts_with(&prefix) && !r.aws_made && !r.flag("_initial"))
        .map(|r| r.id.clone())
        .collect();
    if users.is_empty() {
        ctx.remove("iam.role", task.text("_role"));
        ctx.update("iam.deletion", &timer.id, |task| task.set("Status", "SUCCEEDED"));
        return;
    }
    let usage = json!({"Region": ctx.account.region, "Resources": users});
    let reason = json!({"Reason": "The role is in use.", "RoleUsageList": [usage]});
    ctx.update("iam.deletion", &timer.id, |task| {
        task.set("Status", "FAILED");
        task.set("Reason", reason);
    });
}

pub(super) fn deletion_status(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("DeletionTaskId")?;
    let task = ctx.get("iam.deletion", id);
    let task = task.ok_or_else(|| no_such_entity(format!("Deletion task {id} cannot be found.")))?;
    let resource = arn(ctx, &format!("role/{}", id.trim_start_matches("task/")));
    ctx.authorise(Grant::new("iam:GetServiceLinkedRoleDeletionStatus", resource))?;
    Ok(serde_json::Value::Object(crate::services::shared::shown(&task)))
}
