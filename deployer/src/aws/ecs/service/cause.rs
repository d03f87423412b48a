//! How far a deployment has come; and when it does not come through, why: what ECS says, how its tasks ended, and the
//! last lines that they wrote.

use aws_sdk_ecs::types::{
    Container, Deployment as SdkDeployment, DeploymentRolloutState, DesiredStatus, HealthStatus, Service as Sdk, Task,
};
use wharf_engine::{Health, LogicalId};

use crate::aws::call::{Aws, CallError};
use crate::aws::ecs::task_definition;

/// So many stopped tasks are looked at, and so many lines of their logs are shown.
const TASKS: usize = 3;
const LINES: i32 = 5;

/// How far the service has come with the deployment that this run began, or with the one it is at.
pub(in crate::aws::ecs) async fn health(aws: &Aws, id: &LogicalId, service: &Sdk) -> Result<Health, CallError> {
    let all = service.deployments();
    let noted = aws.noted(id);
    let begun = noted.as_deref().and_then(|noted| noted.split_once(' '));
    let asked = begun.and_then(|(begun, _)| all.iter().find(|one| one.id() == Some(begun)));
    let Some(primary) = all.iter().find(|one| one.status() == Some("PRIMARY")) else { return Ok(Health::Ready) };
    match (asked, begun) {
        (Some(deployment), _) => settled(aws, service, deployment).await,
        // It has been given up, and what took its place is there.
        (None, Some((begun, _))) if given_up(service, begun) => Ok(Health::Failed(failed(aws, service, begun).await?)),
        (None, Some((_, since))) if older(primary, since) => Ok(Health::Settling("deployment not seen yet".to_owned())),
        // None of this run's, or a later one stands in for it.
        (None, _) => settled(aws, service, primary).await,
    }
}

/// Whether a deployment is from before this moment: then the read is, too.
fn older(deployment: &SdkDeployment, since: &str) -> bool {
    let at = deployment.created_at().map_or(0, aws_smithy_types::DateTime::secs);
    since.parse().is_ok_and(|since: i64| at < since)
}

/// Whether ECS's events say that a deployment failed.
fn given_up(service: &Sdk, deployment: &str) -> bool {
    let says = |text: &str| text.contains(deployment) && (text.contains("failed") || text.contains("rolling back"));
    service.events().iter().filter_map(|event| event.message()).any(says)
}

async fn settled(aws: &Aws, service: &Sdk, deployment: &SdkDeployment) -> Result<Health, CallError> {
    let id = deployment.id().unwrap_or_default();
    match deployment.rollout_state() {
        Some(DeploymentRolloutState::Failed) => Ok(Health::Failed(failed(aws, service, id).await?)),
        Some(DeploymentRolloutState::InProgress) => {
            let progress = format!("{} of {} tasks run", deployment.running_count(), deployment.desired_count());
            let trouble = match deployment.failed_tasks() {
                0 => unplaced(service),
                count => Some(format!("{count} failed: {}", failed(aws, service, id).await?)),
            };
            Ok(Health::Settling(trouble.map_or(progress.clone(), |trouble| format!("{progress}; {trouble}"))))
        }
        _ if service.running_count() < service.desired_count() => {
            Ok(Health::Settling(format!("{} of {} tasks run", service.running_count(), service.desired_count())))
        }
        _ => Ok(Health::Ready),
    }
}

/// What the newest event says when it is about tasks that find no place.
pub(in crate::aws::ecs) fn unplaced(service: &Sdk) -> Option<String> {
    let newest = service.events().first().and_then(|event| event.message())?;
    newest.contains("unable to place").then(|| newest.to_owned())
}

/// Why a deployment failed.
async fn failed(aws: &Aws, service: &Sdk, deployment: &str) -> Result<String, CallError> {
    let mut said: Vec<String> = Vec::new();
    let reason = service.deployments().iter().find(|one| one.id() == Some(deployment));
    said.extend(reason.and_then(|one| one.rollout_state_reason()).map(str::to_owned));
    let tasks = stopped(aws, service.service_name().unwrap_or_default(), deployment).await?;
    for task in &tasks {
        let text = ended(task);
        if !said.contains(&text) {
            said.push(text);
        }
    }
    if tasks.is_empty() {
        said.extend(unplaced(service));
    }
    if let Some(task) = tasks.first() {
        said.extend(last_words(aws, task).await);
    }
    if said.is_empty() {
        let newest = service.events().first().and_then(|event| event.message());
        said.push(newest.unwrap_or("ECS does not say why").to_owned());
    }
    Ok(said.join("; "))
}

/// The tasks of a deployment that stopped last.
async fn stopped(aws: &Aws, service: &str, deployment: &str) -> Result<Vec<Task>, CallError> {
    let cluster = &aws.scope.stack;
    let list = || aws.ecs.list_tasks().cluster(cluster).service_name(service).desired_status(DesiredStatus::Stopped);
    let answer = aws.call("ecs:ListTasks", service, || list().send()).await?;
    let arns = answer.task_arns.unwrap_or_default();
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let arns: Vec<String> = arns.into_iter().take(100).collect();
    let send = || aws.ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns.clone())).send();
    let answer = aws.call("ecs:DescribeTasks", service, send).await?;
    let mut tasks = answer.tasks.unwrap_or_default();
    // A task says which deployment started it.
    tasks.retain(|task| task.started_by() == Some(deployment));
    tasks.sort_by_key(|task| std::cmp::Reverse(task.stopped_at().map(aws_smithy_types::DateTime::secs)));
    tasks.truncate(TASKS);
    Ok(tasks)
}

/// How a task ended: what ECS says of it, and of its containers.
fn ended(task: &Task) -> String {
    let mut text = task.stopped_reason().unwrap_or("a task stopped").to_owned();
    for container in task.containers() {
        let name = container.name().unwrap_or_default();
        match (container.exit_code(), container.reason()) {
            (Some(0) | None, None) => {}
            (code, reason) => {
                let code = code.map(|code| format!("exit code {code}"));
                let all: Vec<String> = code.into_iter().chain(reason.map(str::to_owned)).collect();
                text = format!("{text} (container {name}: {})", all.join(", "));
            }
        }
        if container.health_status() == Some(&HealthStatus::Unhealthy) {
            text = format!("{text} (container {name}: its health check fails)");
        }
    }
    text
}

/// The last lines of the container that brought the task down, as far as there are some.
async fn last_words(aws: &Aws, task: &Task) -> Option<String> {
    let broken = |container: &&Container| {
        container.exit_code().is_some_and(|code| code != 0)
            || container.health_status() == Some(&HealthStatus::Unhealthy)
    };
    let container = task.containers().iter().find(broken).or_else(|| task.containers().first())?;
    let name = container.name()?;
    let logs = task_definition::logs(aws, task.task_definition_arn()?).await.ok()?;
    let (group, prefix) = logs.get(name)?;
    let stream = format!("{prefix}/{name}/{}", task.task_arn()?.rsplit('/').next()?);
    let get = || aws.logs.get_log_events().log_group_name(group).log_stream_name(&stream).limit(LINES);
    // A task that never began has no stream.
    let answer = aws.call("logs:GetLogEvents", &stream, || get().start_from_head(false).send()).await.ok()?;
    let lines: Vec<&str> = answer.events().iter().filter_map(|event| event.message()).map(str::trim_end).collect();
    (!lines.is_empty()).then(|| format!("last lines of {name}: {}", lines.join(" | ")))
}
