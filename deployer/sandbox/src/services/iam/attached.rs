//! Managed policies on roles. Those of AWS exist; customers' own are not simulated.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html>

use serde_json::{Value, json};

use super::{conflict, no_such_entity, paged, role_named, role_seen, unmodifiable, unordered};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;

/// Policies that AWS manages, by path and name; the rest are left out.
/// <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>
const MANAGED: &[&str] = &[
    "AdministratorAccess",
    "AmazonEC2ContainerRegistryPowerUser",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEC2ContainerRegistryReadOnly",
    "AmazonECSInfrastructureRolePolicyForLoadBalancers",
    "AmazonECS_FullAccess",
    "AmazonRDSFullAccess",
    "AmazonRDSReadOnlyAccess",
    "AmazonS3FullAccess",
    "AmazonS3ReadOnlyAccess",
    "AmazonSSMManagedInstanceCore",
    "AmazonSSMReadOnlyAccess",
    "AWSXRayDaemonWriteAccess",
    "CloudWatchAgentServerPolicy",
    "CloudWatchLogsFullAccess",
    "PowerUserAccess",
    "ReadOnlyAccess",
    "SecurityAudit",
    "job-function/ViewOnlyAccess",
    "service-role/AmazonEC2ContainerServiceEventsRole",
    "service-role/AmazonEC2ContainerServiceforEC2Role",
    "service-role/AmazonECSInfrastructureRolePolicyForManagedInstances",
    "service-role/AmazonECSInfrastructureRolePolicyForServiceConnectTransportLayerSecurity",
    "service-role/AmazonECSInfrastructureRolePolicyForVolumes",
    "service-role/AmazonECSTaskExecutionRolePolicy",
    "service-role/AmazonRDSEnhancedMonitoringRole",
    "service-role/AWSDataLifecycleManagerServiceRole",
    "service-role/AWSLambdaBasicExecutionRole",
    "service-role/AWSLambdaSQSQueueExecutionRole",
    "service-role/AWSLambdaVPCAccessExecutionRole",
    "service-role/AWSVPCFlowLogsRole",
];

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const PER_ROLE: usize = 10;

fn demand(ctx: &mut Ctx<'_>, action: &str, role: &Resource, policy: &str) -> Result<(), ApiError> {
    let grant = Grant::new(format!("iam:{action}"), role.text("Arn")).resource_tags(&role.tags);
    ctx.authorise(grant.key("iam:PolicyARN", policy))
}

fn attachable(arn: &str) -> Result<(), ApiError> {
    let Some((_, rest)) = arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":policy/")) else {
        return Err(refuse("InvalidInput", format!("ARN {arn} is not valid.")));
    };
    match arn.strip_prefix("arn:aws:iam::aws:policy/") {
        Some(name) if MANAGED.contains(&name) => Ok(()),
        Some(name) if name.starts_with("aws-service-role/") => {
            Err(refuse("PolicyNotAttachable", "Cannot attach a Service Role Policy to a Customer Role."))
        }
        Some(name) => Err(ApiError::not_simulated(format!("the AWS managed policy {name}"))),
        None if rest.is_empty() => Err(refuse("InvalidInput", format!("ARN {arn} is not valid."))),
        // There is no way to make one here, so there is none.
        None => Err(no_such_entity(format!("Policy {arn} does not exist or is not attachable."))),
    }
}

/// The attached policies as answers show them.
pub(super) fn of(ctx: &Ctx<'_>, role: &Resource) -> Vec<Value> {
    let arns: Vec<String> = role.items("_attached").iter().filter_map(|arn| arn.as_str().map(str::to_owned)).collect();
    unordered(ctx, arns, String::clone)
        .into_iter()
        .map(|arn| json!({"PolicyName": arn.rsplit('/').next(), "PolicyArn": arn}))
        .collect()
}

pub(super) fn attach(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_named(ctx, input)?;
    let arn = input.string("PolicyArn")?;
    demand(ctx, "AttachRolePolicy", &role, &arn)?;
    unmodifiable(&role)?;
    attachable(&arn)?;
    // Attaching twice is the same as once.
    if role.items("_attached").iter().any(|known| *known == *arn) {
        return Ok(nothing());
    }
    if role.items("_attached").len() >= PER_ROLE {
        return Err(conflict("LimitExceeded", format!("Cannot exceed quota for PoliciesPerRole: {PER_ROLE}")));
    }
    ctx.update("iam.role", &role.id, |role| role.list_mut("_attached").push(arn.into()));
    Ok(nothing())
}

pub(super) fn detach(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_named(ctx, input)?;
    let arn = input.string("PolicyArn")?;
    demand(ctx, "DetachRolePolicy", &role, &arn)?;
    unmodifiable(&role)?;
    if !role.items("_attached").iter().any(|known| *known == *arn) {
        return Err(no_such_entity(format!("Policy {arn} was not found.")));
    }
    ctx.update("iam.role", &role.id, |role| role.list_mut("_attached").retain(|known| *known != *arn));
    Ok(nothing())
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let role = role_seen(ctx, input)?;
    super::authorise(ctx, "ListAttachedRolePolicies", &role)?;
    let prefix = input.opt_str("PathPrefix").unwrap_or("/");
    let inside = |policy: &Value| {
        let arn = policy["PolicyArn"].as_str().unwrap_or_default();
        arn.split_once(":policy").is_some_and(|(_, path)| path.starts_with(prefix))
    };
    let policies = of(ctx, &role).into_iter().filter(inside).collect();
    paged(input, "AttachedPolicies", policies)
}
