//! What a schedule invokes: an ECS task, a function, a queue or a topic.
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html>

use serde_json::{Value, json};

use super::invalid;
use crate::account::Ctx;
use crate::error::ApiError;
use crate::input::Input;
use crate::services::iam::{authorise_pass, role_by_arn, trusts_for};

/// The target of a request, with the defaults that AWS adds.
pub(super) fn read(ctx: &mut Ctx<'_>, input: &Input) -> Result<Value, ApiError> {
    let target = input.object("Target").ok_or_else(|| input.missing("Target"))?;
    let (arn, role) = (target.string("Arn")?, target.string("RoleArn")?);
    authorise_pass(ctx, &role, "scheduler.amazonaws.com")?;
    // <https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html>
    let group = input.opt_str("GroupName").unwrap_or("default");
    let source = ctx.arn("scheduler", format!("schedule-group/{group}"));
    if !role_by_arn(ctx, &role).is_some_and(|role| trusts_for(&role, "scheduler.amazonaws.com", &source)) {
        // <https://docs.aws.amazon.com/scheduler/latest/UserGuide/troubleshooting.html>
        let message = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.";
        return Err(invalid(message));
    }
    let mut answer = json!({"Arn": arn, "RoleArn": role, "RetryPolicy": retry(&target)?});
    let ecs = target.object("EcsParameters");
    let wrong = || invalid(format!("Provided Arn is not in correct format: {arn}"));
    match (arn.split(':').nth(2).unwrap_or_default(), ecs) {
        ("ecs", Some(ecs)) if arn.contains(":cluster/") => answer["EcsParameters"] = parameters(&ecs)?,
        ("lambda" | "sqs" | "sns", None) if arn.ends_with(".fifo") => {
            return Err(ApiError::not_simulated("FIFO queues and topics"));
        }
        ("lambda" | "sqs" | "sns", None) if arn.split(':').count() >= 6 => {}
        ("ecs" | "lambda" | "sqs" | "sns", _) => return Err(wrong()),
        ("", _) => return Err(wrong()),
        (other, _) => return Err(ApiError::not_simulated(format!("targets of schedules of the service {other}"))),
    }
    if let Some(text) = target.opt_str("Input") {
        answer["Input"] = text.into();
    }
    if let Some(letters) = target.object("DeadLetterConfig") {
        answer["DeadLetterConfig"] = json!({"Arn": letters.string("Arn")?});
    }
    Ok(answer)
}

/// An event is tried for a day and 185 times unless the schedule says otherwise.
fn retry(target: &Input) -> Result<Value, ApiError> {
    let retry = target.object("RetryPolicy");
    let number = |name: &str, default: i64| match &retry {
        Some(retry) => Ok::<i64, ApiError>(retry.opt_int(name)?.unwrap_or(default)),
        None => Ok(default),
    };
    let (age, tries) = (number("MaximumEventAgeInSeconds", 86_400)?, number("MaximumRetryAttempts", 185)?);
    if !(60..=86_400).contains(&age) || !(0..=185).contains(&tries) {
        return Err(invalid("RetryPolicy: an age of 60 to 86400 seconds, and up to 185 attempts"));
    }
    Ok(json!({"MaximumEventAgeInSeconds": age, "MaximumRetryAttempts": tries}))
}

fn parameters(ecs: &Input) -> Result<Value, ApiError> {
    let definition = ecs.string("TaskDefinitionArn")?;
    if !definition.contains(":task-definition/") {
        return Err(invalid(format!("TaskDefinitionArn is not that of a task definition: {definition}")));
    }
    let mut all = json!({"TaskDefinitionArn": definition, "TaskCount": ecs.opt_int("TaskCount")?.unwrap_or(1)});
    if ecs.has("LaunchType") && ecs.has("CapacityProviderStrategy") {
        return Err(invalid("LaunchType and CapacityProviderStrategy cannot both be specified"));
    }
    if ecs.opt_str("PropagateTags").is_some_and(|from| from != "TASK_DEFINITION") {
        return Err(invalid("PropagateTags must be TASK_DEFINITION"));
    }
    for name in ["LaunchType", "Group", "PropagateTags", "ReferenceId", "EnableECSManagedTags", "EnableExecuteCommand"]
    {
        if let Some(value) = ecs.opt(name) {
            all[name] = value.clone();
        }
    }
    for name in ["CapacityProviderStrategy", "PlacementConstraints", "PlacementStrategy"] {
        let items: Vec<Value> = ecs.objects(name).iter().map(Input::raw).collect();
        if !items.is_empty() {
            all[name] = items.into();
        }
    }
    if ecs.has("Tags") || ecs.has("PlatformVersion") {
        return Err(ApiError::not_simulated("Tags and PlatformVersion of a schedule's task"));
    }
    if let Some(network) = ecs.object("NetworkConfiguration") {
        all["NetworkConfiguration"] = network.raw();
    }
    Ok(all)
}
