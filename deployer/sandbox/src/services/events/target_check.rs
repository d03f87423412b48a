//! What a target of a rule must say, and what it may.
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html>

use serde_json::{Map, Value, json};

use super::{invalid, transform, well_formed};
use crate::account::Ctx;
use crate::error::ApiError;
use crate::input::Input;
use crate::services::iam::authorise_pass;

/// A target as it is kept and shown: as it was sent, once it is found to be in order.
pub(super) fn read(ctx: &mut Ctx<'_>, given: &Input, number: usize) -> Result<Value, ApiError> {
    let (id, arn) = (given.string("Id")?, given.string("Arn")?);
    let mut target = json!({"Id": id, "Arn": arn});
    if let Some(role) = given.opt_str("RoleArn") {
        authorise_pass(ctx, role, "events.amazonaws.com")?;
        target["RoleArn"] = role.into();
    }
    well_formed(&format!("targets.{number}.member.id"), &id)?;
    let service = arn.split(':').nth(2).filter(|_| arn.split(':').count() >= 6);
    let service = service.ok_or_else(|| {
        invalid(format!("Parameter {arn} is not valid. Reason: Provided Arn is not in correct format."))
    })?;
    match service {
        "sqs" | "sns" | "lambda" => {}
        "ecs" => target["EcsParameters"] = task(given, &target)?,
        other => return Err(ApiError::not_simulated(format!("targets of the service {other}"))),
    }
    if arn.ends_with(".fifo") {
        return Err(ApiError::not_simulated("FIFO queues and topics"));
    }
    put_input(given, &id, &mut target)?;
    if let Some(retry) = given.object("RetryPolicy") {
        target["RetryPolicy"] = retries(&retry)?;
    }
    if let Some(letters) = given.object("DeadLetterConfig") {
        let arn = letters.string("Arn")?;
        if arn.split(':').nth(2) != Some("sqs") {
            return Err(invalid(format!("Parameter {arn} is not valid. Reason: Must be the ARN of an SQS queue.")));
        }
        target["DeadLetterConfig"] = json!({"Arn": arn});
    }
    Ok(target)
}

/// What the target gets: of three ways to say it, one.
fn put_input(given: &Input, id: &str, target: &mut Value) -> Result<(), ApiError> {
    let ways = ["Input", "InputPath", "InputTransformer"];
    if ways.iter().filter(|name| given.has(name)).count() > 1 {
        let message = format!("Only one of Input, InputPath, or InputTransformer must be provided for target {id}.");
        return Err(invalid(message));
    }
    if let Some(text) = given.opt_str("Input") {
        let message = || invalid(format!("Invalid JSON in the Input of target {id}."));
        serde_json::from_str::<Value>(text).map_err(|_| message())?;
        target["Input"] = text.into();
    }
    if let Some(path) = given.opt_str("InputPath") {
        transform::check_path(path)?;
        target["InputPath"] = path.into();
    }
    if let Some(transformer) = given.object("InputTransformer") {
        let template = transformer.string("InputTemplate")?;
        let paths = transformer.object("InputPathsMap").map(|paths| paths.raw());
        let paths: Map<String, Value> = paths.and_then(|paths| paths.as_object().cloned()).unwrap_or_default();
        // <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_InputTransformer.html>
        if paths.len() > 100 || template.len() > 8192 {
            return Err(invalid(format!("The InputTransformer of target {id} is too large.")));
        }
        transform::check_template(id, &paths, &template)?;
        let mut kept = json!({"InputTemplate": template});
        if !paths.is_empty() {
            kept["InputPathsMap"] = paths.into();
        }
        target["InputTransformer"] = kept;
    }
    Ok(())
}

/// An event is tried for a day and 185 times unless the target says otherwise.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html>
fn retries(given: &Input) -> Result<Value, ApiError> {
    let mut kept = json!({});
    for (name, least, most) in [("MaximumRetryAttempts", 0, 185), ("MaximumEventAgeInSeconds", 60, 86_400)] {
        let Some(number) = given.opt_int(name)? else { continue };
        if !(least..=most).contains(&number) {
            return Err(given.invalid(name, &json!(number)));
        }
        kept[name] = number.into();
    }
    Ok(kept)
}

/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_EcsParameters.html>
fn task(given: &Input, target: &Value) -> Result<Value, ApiError> {
    let arn = target["Arn"].as_str().unwrap_or_default();
    if target.get("RoleArn").is_none() {
        return Err(invalid(format!("RoleArn is required for target {arn}.")));
    }
    let task = given.object("EcsParameters");
    let task = task.ok_or_else(|| invalid(format!("Parameter EcsParameters is required for target {arn}.")))?;
    let mut kept = json!({
        "TaskDefinitionArn": task.string("TaskDefinitionArn")?,
        "TaskCount": task.opt_int("TaskCount")?.unwrap_or(1),
        "EnableECSManagedTags": task.bool_or("EnableECSManagedTags", false)?,
        "EnableExecuteCommand": task.bool_or("EnableExecuteCommand", false)?,
    });
    for name in ["LaunchType", "Group", "PropagateTags"] {
        if let Some(text) = task.opt_str(name) {
            kept[name] = text.into();
        }
    }
    let strategy: Vec<Value> = task.objects("CapacityProviderStrategy").iter().map(Input::raw).collect();
    if !strategy.is_empty() {
        kept["CapacityProviderStrategy"] = strategy.into();
    }
    if let Some(network) = task.object("NetworkConfiguration") {
        kept["NetworkConfiguration"] = network.raw();
    }
    Ok(kept)
}
