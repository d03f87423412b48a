//! Tasks of no service: run once, stopped, looked into.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>

use serde_json::{Value, json};

use super::task::{self, Launch, New};
use super::{
    active_cluster, arn, authorise_in, cluster_name, definition, invalid, lifecycle, placement, service_settings, tags,
};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::iam;
use crate::store::{Resource, Tags};

/// The roles that a task takes are passed by who runs it.
fn pass_roles(ctx: &mut Ctx<'_>, definition: &Resource, overrides: &Value) -> Result<(), ApiError> {
    for name in ["taskRoleArn", "executionRoleArn"] {
        let role = overrides[name].as_str().unwrap_or_else(|| definition.text(name)).to_owned();
        if !role.is_empty() {
            iam::authorise_pass(ctx, &role, "ecs-tasks.amazonaws.com")?;
        }
    }
    Ok(())
}

pub(super) fn run(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let cluster = cluster_name(input);
    let text = input.string("taskDefinition")?;
    let definition = definition::usable(ctx, &text);
    let on = definition.as_ref().map_or_else(
        |_| arn(ctx, format!("task-definition/{}", super::name_in(&text))),
        |d| d.text("taskDefinitionArn").to_owned(),
    );
    let tags = tags::requested(input)?;
    let grant =
        Grant::new("ecs:RunTask", on).key("ecs:cluster", arn(ctx, format!("cluster/{cluster}"))).request_tags(&tags);
    ctx.authorise(match &definition {
        Ok(definition) => grant.resource_tags(&definition.tags),
        Err(_) => grant,
    })?;
    let definition = definition?;
    tags::authorise_new(ctx, "RunTask", &arn(ctx, format!("task/{cluster}/*")), &tags)?;
    let overrides = input.opt("overrides").cloned().unwrap_or_else(|| json!({}));
    let _ = input.object("overrides").map(|inside| inside.raw());
    pass_roles(ctx, &definition, &overrides)?;
    let attached = active_cluster(ctx, &cluster)?;
    let network = input.opt("networkConfiguration").cloned().unwrap_or_default();
    let _ = input.object("networkConfiguration").map(|inside| inside.raw());
    if definition.text("networkMode") == "awsvpc" && network["awsvpcConfiguration"].is_null() {
        return Err(invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified."));
    }
    check_names(&definition, &overrides)?;
    let client_token = input.opt_str("clientToken").map(str::to_owned);
    if let Some(known) = ctx.token("RunTask", client_token.as_deref(), input)? {
        let again = ctx.get(super::TASK, &known).map(|task| task::view(&task, true));
        return Ok(json!({"tasks": again.into_iter().collect::<Vec<_>>(), "failures": []}));
    }
    let known: Vec<String> =
        attached.items("capacityProviders").iter().filter_map(|p| p.as_str().map(str::to_owned)).collect();
    let strategy = super::cluster::strategy(input, "capacityProviderStrategy", &known)?;
    let providers = placement::providers(strategy.as_array().map_or(&[], Vec::as_slice));
    let (count, launch_type) = (input.opt_int("count")?.unwrap_or(1), input.opt_str("launchType").map(str::to_owned));
    if launch_type.as_deref().is_some_and(|launch| launch != "EC2") {
        return Err(ApiError::not_simulated("launch types other than EC2"));
    }
    let family = definition.text("family").to_owned();
    let group = input.opt_str("group").map_or_else(|| format!("family:{family}"), str::to_owned);
    let started_by = input.opt_str("startedBy").unwrap_or_default().to_owned();
    let exec = input.bool_or("enableExecuteCommand", false)?;
    let mut all_tags =
        if input.opt_str("propagateTags") == Some("TASK_DEFINITION") { definition.tags.clone() } else { Tags::new() };
    all_tags.extend(tags);
    if input.bool_or("enableECSManagedTags", false)? {
        all_tags.extend(tags::managed(&cluster, None));
    }
    let strategy = service_settings::placed(input, "placementStrategy")?;
    let distinct = !service_settings::placed(input, "placementConstraints")?.is_empty();
    input.ignore(&["referenceId"]);
    let (mut started, mut failures) = (Vec::new(), Vec::new());
    for _ in 0..count.clamp(1, 10) {
        let launch = if providers.is_empty() { Launch::Ec2 } else { Launch::Providers(providers.clone()) };
        let new = New {
            cluster: &cluster,
            definition: &definition,
            group: group.clone(),
            started_by: started_by.clone(),
            launch,
            network: network.clone(),
            overrides: overrides.clone(),
            exec,
            tags: all_tags.clone(),
            strategy: strategy.clone(),
            distinct,
            service: None,
            targets: Vec::new(),
            registries: Vec::new(),
        };
        match task::start(ctx, new)? {
            Ok(task) => started.push(task::view(&task, true)),
            Err(placement::Nowhere::NoInstances(_)) => {
                return Err(invalid("No Container Instances were found in your cluster."));
            }
            Err(placement::Nowhere::Taken) => {
                failures.push(json!({"reason": "DistinctInstance placement constraint unsatisfied."}))
            }
            Err(placement::Nowhere::TooSmall(what)) => {
                placement::grow(ctx, &providers);
                let reason = match what {
                    "memory" => "RESOURCE:MEMORY",
                    "CPU units" => "RESOURCE:CPU",
                    _ => "RESOURCE:ENI",
                };
                failures.push(json!({"reason": reason}));
            }
        }
    }
    if let Some(first) = started.first().and_then(|task| task["taskArn"].as_str()) {
        let first = super::name_in(first);
        ctx.remember("RunTask", client_token.as_deref(), input, &first);
    }
    Ok(json!({"tasks": started, "failures": failures}))
}

fn check_names(definition: &Resource, overrides: &Value) -> Result<(), ApiError> {
    for container in overrides["containerOverrides"].as_array().into_iter().flatten() {
        if !definition.items("containerDefinitions").iter().any(|known| known["name"] == container["name"]) {
            return Err(invalid("Override for container named that is not a container in the TaskDefinition."));
        }
    }
    Ok(())
}

/// Runs the tasks that a target of EventBridge or of its Scheduler names, in the role that now acts.
/// <https://docs.aws.amazon.com/scheduler/latest/APIReference/API_EcsParameters.html>
pub(crate) fn run_for(
    ctx: &mut Ctx<'_>,
    cluster_arn: &str,
    parameters: &Value,
    started_by: &str,
) -> Result<(), ApiError> {
    let named = parameters["TaskDefinitionArn"].as_str().unwrap_or_default();
    ctx.authorise(Grant::new("ecs:RunTask", named).key("ecs:cluster", cluster_arn))?;
    let definition = definition::find(ctx, named).ok_or_else(|| invalid("TaskDefinition not found."))?;
    for role in ["taskRoleArn", "executionRoleArn"] {
        let role = definition.text(role).to_owned();
        if !role.is_empty() {
            iam::authorise_pass(ctx, &role, "ecs-tasks.amazonaws.com")?;
        }
    }
    let cluster = super::name_in(cluster_arn);
    let network = &parameters["NetworkConfiguration"]["awsvpcConfiguration"];
    let list = |name: &str| network[name].as_array().cloned().unwrap_or_default();
    let strategy = parameters["CapacityProviderStrategy"].as_array().cloned().unwrap_or_default();
    let providers: Vec<String> =
        strategy.iter().filter_map(|item| item["capacityProvider"].as_str().map(str::to_owned)).collect();
    for _ in 0..parameters["TaskCount"].as_i64().unwrap_or(1).clamp(1, 10) {
        let new = New {
            cluster: &cluster,
            definition: &definition,
            group: format!("family:{}", definition.text("family")),
            started_by: started_by.to_owned(),
            launch: if providers.is_empty() { Launch::Ec2 } else { Launch::Providers(providers.clone()) },
            network: json!({"awsvpcConfiguration": {"subnets": list("Subnets"), "securityGroups": list("SecurityGroups")}}),
            overrides: json!({}),
            exec: parameters["EnableExecuteCommand"] == true,
            tags: Tags::new(),
            strategy: Vec::new(),
            distinct: false,
            service: None,
            targets: Vec::new(),
            registries: Vec::new(),
        };
        if let Err(nowhere) = task::start(ctx, new)? {
            return Err(refuse("RunTaskFailure", nowhere.words()));
        }
    }
    Ok(())
}

pub(super) fn stop(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let found = task::named(ctx, input, "StopTask")?;
    let reason = input.opt_str("reason").unwrap_or("Task stopped by user").to_owned();
    lifecycle::end(ctx, &found.id, "UserInitiated", &reason);
    let task = ctx.get(super::TASK, &found.id).map(|task| task::view(&task, false));
    Ok(json!({"task": task}))
}

/// Opens a session; what goes through it is not simulated.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ExecuteCommand.html>
pub(super) fn execute(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let cluster = cluster_name(input);
    authorise_in(ctx, "ExecuteCommand", &arn(ctx, format!("cluster/{cluster}")), &cluster, None)?;
    let found = task::named(ctx, input, "ExecuteCommand")?;
    let (command, interactive) = (input.string("command")?, input.bool_or("interactive", false)?);
    if !interactive {
        return Err(invalid("Interactive is the only mode supported currently."));
    }
    if !found.flag("enableExecuteCommand") || found.text("lastStatus") != "RUNNING" {
        let message = "The execute command failed because execute command was not enabled when the task was run or the execute command agent isn't running. Wait and try again or run a new task with execute command enabled and try again.";
        return Err(refuse("InvalidParameterException", message));
    }
    let container = match input.opt_str("container") {
        Some(name) => found.items("containers").iter().find(|c| c["name"] == name),
        None => found.items("containers").first(),
    };
    let container = container.ok_or_else(|| invalid("The container is not in the task."))?.clone();
    let session = format!("ecs-execute-command-{}", ctx.account.rng.hex(17));
    let url = format!(
        "wss://ssmmessages.{}.amazonaws.com/v1/data-channel/{session}?role=publish_subscribe",
        ctx.account.region
    );
    let _ = command;
    Ok(json!({
        "clusterArn": arn(ctx, format!("cluster/{cluster}")),
        "containerArn": container["containerArn"],
        "containerName": container["name"],
        "interactive": true,
        "session": {"sessionId": session, "streamUrl": url, "tokenValue": ctx.account.rng.hex(64)},
        "taskArn": found.text("taskArn"),
    }))
}
