//! How far a deployment has come; and when it does not come through, why: what ECS says, how its tasks ended, and the
//! last lines that they wrote.

use aws_sdk_ecs::types::{Deployment as SdkDeployment, DeploymentRolloutState, DesiredStatus, Service as Sdk, Task};
use wharf_engine::{Health, LogicalId};
use wharf_on_image_push::cause::{self, LINES, given_up, unplaced};

use crate::aws::call::{Aws, CallError};
use crate::aws::ecs::{room, task_definition};

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

async fn settled(aws: &Aws, service: &Sdk, deployment: &SdkDeployment) -> Result<Health, CallError> {
    let id = deployment.id().unwrap_or_default();
    match deployment.rollout_state() {
        Some(DeploymentRolloutState::Failed) => Ok(Health::Failed(failed(aws, service, id).await?)),
        Some(DeploymentRolloutState::InProgress) => {
            let progress = format!("{} of {} tasks run", deployment.running_count(), deployment.desired_count());
            let trouble = match deployment.failed_tasks() {
                0 => match unplaced(service) {
                    Some(text) => match room::never(aws, service).await? {
                        Some(why) => return Ok(Health::Failed(format!("{text} {why}"))),
                        None => Some(text),
                    },
                    None => None,
                },
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

/// Why a deployment failed.
async fn failed(aws: &Aws, service: &Sdk, deployment: &str) -> Result<String, CallError> {
    let shown = service.deployments().iter().find(|one| one.id() == Some(deployment));
    let reason = shown.and_then(|one| one.rollout_state_reason());
    let tasks = stopped(aws, service.service_name().unwrap_or_default(), deployment).await?;
    let lines = match tasks.first() {
        Some(task) => last_words(aws, task).await,
        None => None,
    };
    Ok(cause::failed(reason, &tasks, lines, service))
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
    Ok(cause::last_stopped(answer.tasks.unwrap_or_default(), deployment))
}

/// The last lines of the container that brought the task down, as far as there are some.
async fn last_words(aws: &Aws, task: &Task) -> Option<String> {
    let name = cause::culprit(task)?;
    let definition = task_definition::definition(aws, task.task_definition_arn()?).await.ok()??;
    let place = cause::stream(&definition, name, task.task_arn()?)?;
    let get = || aws.logs.get_log_events().log_group_name(&place.group).log_stream_name(&place.stream).limit(LINES);
    // A task that never began has no stream.
    let send = || get().start_from_head(false).send();
    let answer = aws.call("logs:GetLogEvents", &place.stream, send).await.ok()?;
    cause::last_words(name, answer.events().iter().filter_map(|event| event.message()))
}
