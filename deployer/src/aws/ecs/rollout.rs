//! A rollout's side of a service: what it runs, and bringing out another revision of it.

use aws_sdk_ecs::types::{DeploymentRolloutState, Service as Sdk};
use wharf_engine::{Class, Health, LogicalId};
use wharf_on_image_push::cause::unplaced;

use super::service::{cause, observe};
use super::task_definition::rolled;
use super::{room, running};
use crate::aws::applicationautoscaling::target;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Grant, OF_THIS_STACK, TAGGED_WITH_THIS_STACK};
use crate::rollout::machine::{Change, Deployment, Progress};

/// A service as a rollout sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The revision that it is to run.
    pub revision: String,
    /// How many tasks there should be.
    pub desired: i32,
    /// How many run.
    pub running: i32,
    /// The deployment that brings the revision out.
    pub deployment: String,
    /// How far that has come.
    pub state: Deployment,
    /// The revisions of which tasks run, and how many of each.
    pub serving: Vec<(String, i32)>,
}

/// The service as it is; none where there is no such service.
///
/// # Errors
/// The call's.
pub async fn look(aws: &Aws, service: &str) -> Result<Option<Live>, CallError> {
    Ok(one(aws, service).await?.as_ref().map(live))
}

/// A periodic task as it is: its newest revision, which its schedule starts; none where there is no such task.
///
/// # Errors
/// The call's.
pub async fn look_at_family(aws: &Aws, name: &str) -> Result<Option<Live>, CallError> {
    let newest = rolled::revision(aws, &format!("{}-{name}", aws.scope.stack)).await?;
    Ok(newest.map(|newest| Live {
        revision: newest.arn().to_owned(),
        desired: 0,
        running: 0,
        deployment: newest.arn().to_owned(),
        state: Deployment::Completed,
        serving: Vec::new(),
    }))
}

async fn one(aws: &Aws, service: &str) -> Result<Option<Sdk>, CallError> {
    let all = running::described(aws, vec![service.to_owned()]).await?;
    Ok(all.into_iter().find(|service| service.status() == Some("ACTIVE")))
}

fn live(service: &Sdk) -> Live {
    let primary = service.deployments().iter().find(|one| one.status() == Some("PRIMARY"));
    let serving = service.deployments().iter().filter(|one| one.running_count() > 0);
    Live {
        revision: service.task_definition().unwrap_or_default().to_owned(),
        desired: service.desired_count(),
        running: service.running_count(),
        deployment: primary.and_then(|one| one.id()).unwrap_or_default().to_owned(),
        state: match primary.and_then(|one| one.rollout_state()) {
            Some(DeploymentRolloutState::InProgress) => Deployment::InProgress,
            Some(DeploymentRolloutState::Failed) => Deployment::Failed,
            _ => Deployment::Completed,
        },
        serving: serving
            .map(|one| (one.task_definition().unwrap_or_default().to_owned(), one.running_count()))
            .collect(),
    }
}

/// Tells ECS; answers the id of the deployment that it is at then. Only what is named is changed: how many tasks there
/// are stays as it is where nothing is said of it.
///
/// # Errors
/// The call's.
pub async fn tell(aws: &Aws, id: &LogicalId, service: &str, change: &Change) -> Result<String, CallError> {
    const ACTION: &str = "ecs:UpdateService";
    let request = aws
        .ecs
        .update_service()
        .cluster(&aws.scope.stack)
        .service(service)
        .set_task_definition(change.revision.clone())
        .set_desired_count(change.count)
        .set_force_new_deployment(change.force.then_some(true));
    for _ in 0..3 {
        match aws.call(ACTION, service, || request.clone().send()).await {
            Err(error) if error.class == Class::Ambiguous => {
                // The reply was lost. Did ECS hear it?
                let now = one(aws, service).await?;
                let heard =
                    |now: &&Sdk| change.revision.is_some() && now.task_definition() == change.revision.as_deref();
                if let Some(now) = now.as_ref().filter(heard) {
                    return begun(aws, id, now);
                }
            }
            answer => {
                let service = answer?.service.ok_or_else(|| CallError::lacks(ACTION, "service"))?;
                return begun(aws, id, &service);
            }
        }
    }
    Err(CallError::ours(format!("{ACTION} on {service}: no answer")))
}

fn begun(aws: &Aws, id: &LogicalId, service: &Sdk) -> Result<String, CallError> {
    observe::remember(aws, id, service);
    let primary = service.deployments().iter().find(|one| one.status() == Some("PRIMARY"));
    let deployment = primary.and_then(|one| one.id()).map(str::to_owned);
    deployment.ok_or_else(|| CallError::lacks("ecs:UpdateService", "deployments"))
}

/// How far the deployment has come, and that in words.
///
/// # Errors
/// The call's; a service that is gone.
pub async fn progress(
    aws: &Aws,
    id: &LogicalId,
    service: &str,
    deployment: &str,
) -> Result<(Progress, String), CallError> {
    let Some(now) = one(aws, service).await? else {
        return Ok((Progress::Overtaken, "the service is gone".to_owned()));
    };
    let primary = now.deployments().iter().find(|one| one.status() == Some("PRIMARY"));
    if aws.noted(id).is_none() {
        // Somebody else began it.
        aws.note(id, format!("{deployment} 0"));
    }
    let overtaken = primary.and_then(|one| one.id()) != Some(deployment);
    let going = primary.and_then(|one| one.rollout_state()) == Some(&DeploymentRolloutState::InProgress);
    Ok(match cause::health(aws, id, &now).await? {
        Health::Failed(why) if going && wharf_on_image_push::cause::unplaced(&now).is_some() => {
            (Progress::NeverRoom(why.clone()), why)
        }
        Health::Failed(why) => (Progress::Failed(why.clone()), why),
        Health::Ready if overtaken => (Progress::Overtaken, "another deployment took its place".to_owned()),
        Health::Ready => (Progress::Done, format!("{} of {} tasks run", now.running_count(), now.desired_count())),
        Health::Settling(text) => match unplaced(&now) {
            Some(why) => (Progress::NoRoom(why), text),
            None => (Progress::Going, text),
        },
        Health::Deleting => (Progress::Overtaken, "the service is being deleted".to_owned()),
    })
}

/// The IAM actions that a rollout needs, beside those on the stack's table.
#[must_use]
pub fn grants() -> Vec<Grant> {
    const SERVICE: &[&str] = &["arn:{partition}:ecs:{region}:{account}:service/{stack}/*"];
    const DEFINITION: &[&str] = &["arn:{partition}:ecs:{region}:{account}:task-definition/{stack}-*"];
    const REPOSITORY: &[&str] = &["arn:{partition}:ecr:{region}:{account}:repository/{stack}/*"];
    const ROLES: &[&str] = &["arn:{partition}:iam::{account}:role/wharf/{stack}/*"];
    const TO_TASKS: &[(&str, &str, &str)] = &[("StringEquals", "iam:PassedToService", "ecs-tasks.amazonaws.com")];
    const LOGS: &[&str] = &["arn:{partition}:logs:{region}:{account}:log-group:*{stack}*"];
    let own = vec![
        Grant::read(&[
            "ecs:DescribeServices",
            "ecs:DescribeTaskDefinition",
            "ecs:DescribeTasks",
            "ecs:ListTaskDefinitions",
            "ecs:ListTasks",
        ]),
        room::grant(),
        Grant { resources: REPOSITORY, ..Grant::read(&["ecr:DescribeImages"]) },
        Grant { resources: LOGS, ..Grant::read(&["logs:GetLogEvents"]) },
        Grant::write(&["ecs:RegisterTaskDefinition", "ecs:TagResource"], DEFINITION).when(TAGGED_WITH_THIS_STACK),
        Grant::write(&["ecs:UpdateService"], SERVICE).when(OF_THIS_STACK),
        Grant::write(&["iam:PassRole"], ROLES).when(TO_TASKS),
    ];
    // The first rollout of a service gives its scaling a lower bound.
    own.into_iter().chain(target::grants_to_raise()).collect()
}
