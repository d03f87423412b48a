//! A service of ECS: looked at, told what to run, and asked why it does not.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::list_tasks::builders::ListTasksFluentBuilder;
use aws_sdk_ecs::types::{
    Deployment as SdkDeployment, DeploymentRolloutState, DesiredStatus, Service, ServiceDeployment,
    ServiceDeploymentBrief, ServiceDeploymentStatus, Task, TaskDefinitionField,
};
use futures::future::OptionFuture;

use crate::aws::CallError;
use crate::cause;
use crate::machine::{Base, Change, Deployment, Found, Progress, Seen, Told, Traced};
use crate::one_off::{self, OneOff};
use crate::revision::{Revision, family};

const DESCRIBE: &str = "ecs:DescribeServices";
const REVISION: &str = "ecs:DescribeTaskDefinition";
const REGISTER: &str = "ecs:RegisterTaskDefinition";
const UPDATE: &str = "ecs:UpdateService";
const RUN: &str = "ecs:RunTask";
const TASKS: &str = "ecs:DescribeTasks";
const LIST: &str = "ecs:ListTasks";
const STOP: &str = "ecs:StopTask";
const DEPLOYMENTS: &str = "ecs:ListServiceDeployments";
const DEPLOYMENT: &str = "ecs:DescribeServiceDeployments";
const SERVICE_REVISIONS: &str = "ecs:DescribeServiceRevisions";
const LINES: &str = "logs:GetLogEvents";

/// What `RunTask` says, with the resource behind it, when an instance more would do.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html>
pub(crate) const NO_ROOM: &str = "RESOURCE";

/// So many seconds two clocks may differ by.
const SAME_TIME: i64 = 30;

/// A service with the ways to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ecs<'a> {
    pub(crate) ecs: &'a Client,
    pub(crate) logs: &'a aws_sdk_cloudwatchlogs::Client,
    pub(crate) cluster: &'a str,
    pub(crate) service: &'a str,
    /// There is no such service, but a family of revisions of which a schedule starts the newest.
    pub(crate) periodic: bool,
}

impl Ecs<'_> {
    /// The service, if it is there.
    pub(crate) async fn look(&self) -> Result<Option<Service>, CallError> {
        if self.periodic {
            let newest = self.revision(&format!("{}-{}", self.cluster, self.service)).await?;
            return Ok(newest.map(|newest| self.stand_in(newest.arn())));
        }
        let describe = self.ecs.describe_services().cluster(self.cluster).services(self.service);
        let answer = match describe.send().await.map_err(|error| CallError::of(DESCRIBE, &error)) {
            Err(error) if error.is("ClusterNotFoundException") => return Ok(None),
            answer => answer?,
        };
        let mut services = answer.services.unwrap_or_default().into_iter();
        Ok(services.find(|service| service.status() == Some("ACTIVE")))
    }

    /// What stands for a periodic task: a service that is to have no tasks, and is as it is to be.
    fn stand_in(&self, revision: &str) -> Service {
        let deployment = SdkDeployment::builder().id(revision).status("PRIMARY").task_definition(revision);
        let deployment = deployment.rollout_state(DeploymentRolloutState::Completed).build();
        let service = Service::builder().service_name(self.service).status("ACTIVE").task_definition(revision);
        service.deployments(deployment).build()
    }

    /// A revision by its ARN, or the newest of a family.
    pub(crate) async fn revision(&self, name: &str) -> Result<Option<Revision>, CallError> {
        let describe = self.ecs.describe_task_definition().task_definition(name).include(TaskDefinitionField::Tags);
        match describe.send().await.map_err(|error| CallError::of(REVISION, &error)) {
            Ok(answer) => {
                let tags = answer.tags().to_vec();
                Ok(answer.task_definition.map(|sdk| Revision { sdk, tags }))
            }
            Err(error) if error.refused => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn register(&self, revision: &Revision) -> Result<String, CallError> {
        let answer = revision.registration(self.ecs).send().await.map_err(|error| CallError::of(REGISTER, &error))?;
        let arn = answer.task_definition.and_then(|made| made.task_definition_arn);
        arn.ok_or_else(|| CallError::lacks(REGISTER, "taskDefinitionArn"))
    }

    /// Whether a revision was registered already, and brought out since a moment.
    pub(crate) async fn find(&self, wanted: &Revision, since: jiff::Timestamp) -> Result<Found, CallError> {
        let family = wanted.sdk.family().unwrap_or_default();
        let newest = self.revision(family).await?;
        let Some(newest) = newest.filter(|newest| newest.is_like(wanted)) else { return Ok(Found::default()) };
        let trace = self.brought_out(newest.arn(), since).await?;
        Ok(Found { revision: Some(newest.arn().to_owned()), trace })
    }

    /// The service deployment that brought a revision out, if one of the last did.
    async fn brought_out(&self, revision: &str, since: jiff::Timestamp) -> Result<Option<String>, CallError> {
        let list = self.ecs.list_service_deployments().cluster(self.cluster).service(self.service).max_results(20);
        let answer = list.send().await.map_err(|error| CallError::of(DEPLOYMENTS, &error))?;
        // An earlier one is of an earlier push of the same image. Clocks may differ by seconds, pushes do by more.
        let earliest = since.as_second() - SAME_TIME;
        let fits = |brief: &&ServiceDeploymentBrief| brief.created_at().is_some_and(|at| at.secs() >= earliest);
        let briefs: Vec<&ServiceDeploymentBrief> = answer.service_deployments().iter().filter(fits).collect();
        let targets: Vec<String> =
            briefs.iter().filter_map(|brief| brief.target_service_revision_arn()).map(str::to_owned).collect();
        if targets.is_empty() {
            return Ok(None);
        }
        let describe = self.ecs.describe_service_revisions().set_service_revision_arns(Some(targets));
        let answer = describe.send().await.map_err(|error| CallError::of(SERVICE_REVISIONS, &error))?;
        let of_revision = answer.service_revisions().iter().find(|one| one.task_definition() == Some(revision));
        let target = of_revision.and_then(|one| one.service_revision_arn());
        let brief = briefs.iter().find(|brief| target.is_some() && brief.target_service_revision_arn() == target);
        Ok(brief.and_then(|brief| brief.service_deployment_arn()).map(str::to_owned))
    }

    /// Tells ECS. Only what is named is changed.
    pub(crate) async fn tell(&self, change: &Change, before: Option<&Service>) -> Result<Told, CallError> {
        if self.periodic {
            // That the revision is there is all that its schedule has to be told.
            return Ok(Told { deployment: change.revision.clone().unwrap_or_default(), trace: None });
        }
        let update = self.ecs.update_service().cluster(self.cluster).service(self.service);
        let update = update.set_task_definition(change.revision.clone()).set_desired_count(change.count);
        let answer = update.send().await.map_err(|error| CallError::of(UPDATE, &error))?;
        let service = answer.service.ok_or_else(|| CallError::lacks(UPDATE, "service"))?;
        let primary = service.deployments().iter().find(|one| one.status() == Some("PRIMARY"));
        let deployment =
            primary.and_then(|primary| primary.id()).ok_or_else(|| CallError::lacks(UPDATE, "deployments"))?;
        // It may still name the one before.
        let old = before.and_then(|before| before.current_service_deployment());
        let trace = service.current_service_deployment().filter(|trace| old != Some(*trace));
        Ok(Told { deployment: deployment.to_owned(), trace: trace.map(str::to_owned) })
    }

    /// Starts a task of its own for a command, once for each token; answers its ARN.
    pub(crate) async fn run(&self, task: &OneOff<'_>) -> Result<String, CallError> {
        let request = task.request(self.ecs).group(one_off::group(self.service));
        let answer = match request.send().await.map_err(|error| CallError::of(RUN, &error)) {
            // The service has changed since somebody started it.
            Err(error) if error.is("IdempotentParameterMismatch") || error.is("ConflictException") => {
                let known = self.started(task.started_by, task.revision).await?;
                return known.into_iter().find_map(|task| task.task_arn).ok_or(error);
            }
            answer => answer?,
        };
        if let Some(arn) = answer.tasks().first().and_then(|task| task.task_arn()) {
            return Ok(arn.to_owned());
        }
        let failure = answer.failures().first();
        let reason = failure.and_then(|failure| failure.reason()).unwrap_or("ECS does not say why");
        let detail = failure.and_then(|failure| failure.detail()).map(|detail| format!(": {detail}"));
        let text = format!("{reason}{}", detail.unwrap_or_default());
        let code = reason.starts_with(NO_ROOM).then(|| NO_ROOM.to_owned());
        Err(CallError { action: RUN, code, text, refused: true })
    }

    /// The task in which a deployment by hand runs the command before it, if one has not ended.
    pub(crate) async fn run_by_hand(&self, revision: &str) -> Result<Option<String>, CallError> {
        let group = one_off::group(self.service);
        let own = |task: &&Task| task.group() == Some(group.as_str()) && task.last_status() != Some("STOPPED");
        let tasks = self.started(one_off::BY_HAND, revision).await?;
        Ok(tasks.iter().find(own).and_then(|task| task.task_arn()).map(str::to_owned))
    }

    /// The tasks of a revision's family that were started by this name: those that are to run, then those that are not
    /// to run any more, of which some may be on their way down.
    async fn started(&self, by: &str, revision: &str) -> Result<Vec<Task>, CallError> {
        let list = || self.ecs.list_tasks().cluster(self.cluster);
        // Whoever asks for the name may ask for nothing else, and is told of those that are to run.
        // <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html#ECS-ListTasks-request-startedBy>
        let stopped = list().family(family(revision)).desired_status(DesiredStatus::Stopped);
        let (running, stopped) = tokio::join!(listed(list().started_by(by)), listed(stopped));
        let arns = [running?, stopped?].concat();
        let mut tasks = Vec::new();
        // As many as AWS takes.
        for some in arns.chunks(100) {
            tasks.extend(self.tasks(some.to_vec()).await?);
        }
        tasks.retain(|task| task.started_by() == Some(by));
        Ok(tasks)
    }

    /// How the task is that runs a command; where it failed, with the last lines of its log.
    pub(crate) async fn progress(&self, arn: &str) -> Result<Progress, CallError> {
        let Some(task) = self.tasks(vec![arn.to_owned()]).await?.pop() else { return Ok(Progress::Unknown) };
        if task.last_status() != Some("STOPPED") {
            return Ok(Progress::Going);
        }
        let definition = self.revision(task.task_definition_arn().unwrap_or_default()).await?;
        let container = definition.as_ref().and_then(Revision::container).or_else(|| cause::culprit(&task));
        let container = container.unwrap_or_default();
        if cause::exit_code(&task, container) == Some(0) {
            return Ok(Progress::Done);
        }
        let lines = match &definition {
            Some(definition) => self.last_words(definition, container, arn).await,
            None => None,
        };
        Ok(Progress::Failed([Some(cause::ended(&task)), lines].into_iter().flatten().collect::<Vec<_>>().join("; ")))
    }

    pub(crate) async fn stop(&self, arn: &str) -> Result<(), CallError> {
        let stop = self.ecs.stop_task().cluster(self.cluster).task(arn).reason("it took too long");
        match stop.send().await.map_err(|error| CallError::of(STOP, &error)) {
            // It has stopped, and is forgotten.
            Err(error) if error.refused => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// What became of a service deployment, by ECS's own record.
    pub(crate) async fn trace(&self, arn: &str) -> Result<Option<Traced>, CallError> {
        let describe = self.ecs.describe_service_deployments().service_deployment_arns(arn);
        match describe.send().await.map_err(|error| CallError::of(DEPLOYMENT, &error)) {
            Ok(answer) => Ok(answer.service_deployments().first().map(traced)),
            Err(error) if error.refused => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Why a deployment failed. What cannot be found out is left out.
    pub(crate) async fn explain(&self, service: &Service, deployment: &str, why: &str) -> String {
        let shown = service.deployments().iter().find(|one| one.id() == Some(deployment));
        let reason = shown.and_then(|one| one.rollout_state_reason()).or(Some(why));
        let tasks = cause::last_stopped(self.stopped().await.unwrap_or_default(), deployment);
        let lines = OptionFuture::from(tasks.first().map(|task| self.words_of(task))).await.flatten();
        cause::failed(reason, &tasks, lines, service)
    }

    async fn stopped(&self) -> Result<Vec<Task>, CallError> {
        let list = self.ecs.list_tasks().cluster(self.cluster).service_name(self.service);
        let answer = list.desired_status(DesiredStatus::Stopped).send().await;
        let answer = answer.map_err(|error| CallError::of(LIST, &error))?;
        let arns: Vec<String> = answer.task_arns.unwrap_or_default().into_iter().take(100).collect();
        if arns.is_empty() { Ok(Vec::new()) } else { self.tasks(arns).await }
    }

    async fn tasks(&self, arns: Vec<String>) -> Result<Vec<Task>, CallError> {
        let describe = self.ecs.describe_tasks().cluster(self.cluster).set_tasks(Some(arns));
        let answer = describe.send().await.map_err(|error| CallError::of(TASKS, &error))?;
        Ok(answer.tasks.unwrap_or_default())
    }

    async fn words_of(&self, task: &Task) -> Option<String> {
        let container = cause::culprit(task)?;
        let definition = self.revision(task.task_definition_arn()?).await.ok()??;
        self.last_words(&definition, container, task.task_arn()?).await
    }

    async fn last_words(&self, definition: &Revision, container: &str, task: &str) -> Option<String> {
        let place = cause::stream(&definition.sdk, container, task)?;
        let get = self.logs.get_log_events().log_group_name(&place.group).log_stream_name(&place.stream);
        // A task that never began has no stream.
        let answer = get.limit(cause::LINES).start_from_head(false).send().await;
        let answer = answer.map_err(|error| CallError::of(LINES, &error)).ok()?;
        cause::last_words(container, answer.events().iter().filter_map(|event| event.message()))
    }
}

/// A revision as the machine wants it; none when it names no container whose image rollouts decide about.
pub(crate) fn base(revision: &Revision) -> Option<Base> {
    let (repository, version) = revision.image()?;
    Some(Base {
        arn: revision.arn().to_owned(),
        repository: repository.to_owned(),
        digest: version.strip_prefix('@').map(str::to_owned),
    })
}

/// All that a list of tasks names.
async fn listed(list: ListTasksFluentBuilder) -> Result<Vec<String>, CallError> {
    let (mut arns, mut pages) = (Vec::new(), list.into_paginator().send());
    while let Some(page) = pages.next().await {
        arns.extend(page.map_err(|error| CallError::of(LIST, &error))?.task_arns.unwrap_or_default());
    }
    Ok(arns)
}

/// A service as the machine wants it.
pub(crate) fn seen(service: &Service) -> Seen {
    let deployments: Vec<Deployment> = service.deployments().iter().map(deployment).collect();
    let ids = service.events().iter().filter_map(|event| event.message()).flat_map(deployments_in);
    let mut given_up: Vec<String> = ids.filter(|id| cause::given_up(service, id)).collect();
    given_up.sort();
    given_up.dedup();
    let settings = service.deployment_configuration();
    let breaker = settings.and_then(|settings| settings.deployment_circuit_breaker());
    Seen {
        revision: service.task_definition().unwrap_or_default().to_owned(),
        desired: service.desired_count(),
        deployments,
        given_up,
        unplaced: cause::unplaced(service),
        rolls_back: breaker.is_some_and(|breaker| breaker.rollback()),
    }
}

/// The ids of deployments that a sentence names.
fn deployments_in(sentence: &str) -> Vec<String> {
    let words = sentence.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '/'));
    words.filter(|word| word.starts_with("ecs-svc/")).map(str::to_owned).collect()
}

fn deployment(sdk: &SdkDeployment) -> Deployment {
    Deployment {
        id: sdk.id().unwrap_or_default().to_owned(),
        primary: sdk.status() == Some("PRIMARY"),
        progress: match sdk.rollout_state() {
            Some(DeploymentRolloutState::Failed) => {
                Progress::Failed(sdk.rollout_state_reason().unwrap_or_default().to_owned())
            }
            Some(DeploymentRolloutState::InProgress) => Progress::Going,
            _ => Progress::Done,
        },
        since: sdk.updated_at().and_then(|at| jiff::Timestamp::from_second(at.secs()).ok()),
    }
}

fn traced(deployment: &ServiceDeployment) -> Traced {
    use ServiceDeploymentStatus as Status;
    let reason = deployment.status_reason().unwrap_or_default().to_owned();
    let stopped_by_ecs = reason.contains("circuit breaker") || reason.contains("alarm");
    Traced::Progress(match deployment.status() {
        Some(Status::Successful) => Progress::Done,
        Some(
            Status::RollbackFailed
            | Status::RollbackInProgress
            | Status::RollbackRequested
            | Status::RollbackSuccessful,
        ) => Progress::Failed(reason),
        Some(Status::Stopped | Status::StopRequested) if stopped_by_ecs => Progress::Failed(reason),
        Some(Status::Stopped | Status::StopRequested) => return Traced::Overtaken,
        Some(Status::InProgress | Status::Pending) => Progress::Going,
        _ => Progress::Unknown,
    })
}
