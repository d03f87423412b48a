//! A task of its own for one command: as the service's tasks are, on the same capacity, in the same network.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>

mod output;
mod verdict;

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use aws_sdk_ecs::operation::run_task::RunTaskOutput;
use aws_sdk_ecs::operation::run_task::builders::RunTaskFluentBuilder;
use aws_sdk_ecs::types::{Service, Task, TaskDefinition, TaskStopCode};
use futures::FutureExt;
use tokio::time::{Instant, sleep};
use wharf_engine::Class;
use wharf_on_image_push::one_off::OneOff;

use self::output::Output;
use super::Session;
use super::service_log::GROUPS;
use super::tasks::{self, Refusal, TASKS, TaskError};
use crate::aws::{Aws, CallError, Grant};

/// By this such tasks are told from those of services.
const STARTED_BY: &str = "wharf-run";
/// How often a task and its log are looked at.
const POLL: Duration = Duration::from_secs(2);
/// Why a task is stopped, as ECS shows it to whoever asks.
const UNWANTED: &str = "nobody waits for its end any more";
/// After so long a task that was started is seen by every read.
const VISIBLE_WITHIN: Duration = Duration::from_secs(60);
/// An answer that was lost is asked for again so many times, with the same token.
const ATTEMPTS: u32 = 6;

/// What happens to the task, as it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// It has its id.
    Started(&'a str),
    /// It has come so far, in ECS's word.
    Status(&'a str),
    /// It wrote this.
    Line(&'a str),
    /// What it writes cannot be shown: why.
    Unheard(&'a str),
    /// It has been told to stop.
    Stopping(&'a str),
}

/// A task that has ended by itself, or because it was told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its id.
    pub task: String,
    /// Its container's exit code; none when it was interrupted.
    pub code: Option<i32>,
}

/// What running a command needs.
pub(super) fn grants() -> Vec<Grant> {
    const FAMILIES: &[&str] = &["arn:{partition}:ecs:{region}:{account}:task-definition/{stack}-*"];
    const ROLES: &[&str] = &["arn:{partition}:iam::{account}:role/wharf/{stack}/*"];
    const IN_CLUSTER: &[(&str, &str, &str)] =
        &[("ArnEquals", "ecs:cluster", "arn:{partition}:ecs:{region}:{account}:cluster/{stack}")];
    const TO_TASKS: &[(&str, &str, &str)] = &[("StringEquals", "iam:PassedToService", "ecs-tasks.amazonaws.com")];
    const BY_RUNNING: &[(&str, &str, &str)] = &[("StringEquals", "ecs:CreateAction", "RunTask")];
    vec![
        Grant::read(&["ecs:DescribeTaskDefinition"]),
        Grant { resources: GROUPS, ..Grant::read(&["logs:GetLogEvents"]) },
        Grant::write(&["ecs:RunTask"], FAMILIES).when(IN_CLUSTER),
        // The tags of the task definition come along.
        Grant::write(&["ecs:TagResource"], TASKS).when(BY_RUNNING),
        Grant::write(&["ecs:StopTask"], TASKS),
        Grant::write(&["iam:PassRole"], ROLES).when(TO_TASKS),
    ]
}

impl Session {
    /// Runs a command in a task of its own, as the service runs now, and waits for its end. When `interrupt` comes, the
    /// task is stopped.
    ///
    /// # Errors
    /// The service does not run, the task could not start, or it was killed: why.
    pub async fn run_once(
        &self,
        service: &str,
        command: &[String],
        on: &dyn Fn(Progress<'_>),
        interrupt: impl Future<Output = ()>,
    ) -> Result<Ran, TaskError> {
        let wanted = OneTask { service, revision: None, command, started_by: STARTED_BY, group: None };
        run(&self.aws, &wanted, on, interrupt).await
    }
}

/// A task that is wanted once.
#[derive(Clone, Debug)]
pub(super) struct OneTask<'a> {
    /// The service that it is like.
    pub(super) service: &'a str,
    /// The revision that it runs, if that is another than the service's.
    pub(super) revision: Option<&'a str>,
    /// Its command.
    pub(super) command: &'a [String],
    /// By this it is told from other tasks.
    pub(super) started_by: &'a str,
    /// The group that it is in, if any.
    pub(super) group: Option<String>,
}

/// Runs a task to its end; see [`Session::run_once`].
pub(super) async fn run(
    aws: &Aws,
    wanted: &OneTask<'_>,
    on: &dyn Fn(Progress<'_>),
    interrupt: impl Future<Output = ()>,
) -> Result<Ran, TaskError> {
    let model = Model::of(aws, wanted).await?;
    let arn = start(aws, &model, wanted).await?;
    let id = tasks::id(&arn);
    on(Progress::Started(id));
    let seen = Watch { aws, model: &model, arn: &arn, on }.to_its_end(interrupt).await;
    let (task, stopped) = seen.map_err(|error| lost_sight(id, error))?;
    if stopped && task.stop_code() == Some(&TaskStopCode::UserInitiated) {
        return Ok(Ran { task: id.to_owned(), code: None });
    }
    let code = verdict::exit_code(&task, wanted.service, &model.container)?;
    Ok(Ran { task: id.to_owned(), code: Some(code) })
}

/// What a one-off task is made after.
struct Model {
    service: Service,
    revision: String,
    definition: TaskDefinition,
    /// The container that gets the command.
    container: String,
}

impl Model {
    async fn of(aws: &Aws, wanted: &OneTask<'_>) -> Result<Self, TaskError> {
        const ACTION: &str = "ecs:DescribeTaskDefinition";
        let name = wanted.service;
        let service = tasks::service(aws, name).await?;
        let revision = wanted.revision.or(service.task_definition()).unwrap_or_default().to_owned();
        let send = || aws.ecs.describe_task_definition().task_definition(&revision).send();
        let definition = aws.call(ACTION, tasks::id(&revision), send).await?.task_definition;
        let definition = definition.ok_or_else(|| CallError::lacks(ACTION, "taskDefinition"))?;
        let named = definition.container_definitions().iter().find(|container| container.name() == Some(name));
        let essential = || definition.container_definitions().iter().find(|one| one.essential() != Some(false));
        let container = named.or_else(essential).and_then(|container| container.name());
        let container = container.ok_or_else(|| CallError::lacks(ACTION, "containerDefinitions"))?.to_owned();
        Ok(Self { service, revision, definition, container })
    }

    /// The request that starts it.
    fn request(&self, aws: &Aws, wanted: &OneTask<'_>) -> RunTaskFluentBuilder {
        let like = OneOff {
            cluster: &aws.scope.stack,
            service: &self.service,
            revision: &self.revision,
            container: &self.container,
            command: wanted.command,
            started_by: wanted.started_by,
            token: &format!("{}-{}", wanted.started_by, aws.run()),
        };
        like.request(&aws.ecs).set_group(wanted.group.clone())
    }
}

/// Starts the task and answers its ARN. When an answer is lost it is asked for again by its token, so that there is
/// one task and its id is known.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html>
async fn start(aws: &Aws, model: &Model, wanted: &OneTask<'_>) -> Result<String, TaskError> {
    let family = model.definition.family().unwrap_or_default();
    let request = model.request(aws, wanted);
    let mut wait = Duration::from_secs(1);
    let mut attempt = 1;
    loop {
        let error = match aws.call("ecs:RunTask", family, || request.clone().send()).await {
            Ok(answer) => return started(&answer),
            Err(error) => error,
        };
        match error.class {
            Class::Ambiguous if attempt < ATTEMPTS => {}
            Class::Ambiguous => {
                let refusal = Refusal::new("nobody says whether the task was started").because(error.message);
                let hint = format!(
                    "`aws ecs list-tasks --cluster {} --started-by {}` lists it if it was",
                    aws.scope.stack, wanted.started_by
                );
                return Err(refusal.hint(hint).into());
            }
            _ => return Err(not_started(error)),
        }
        attempt += 1;
        sleep(wait).await;
        wait *= 2;
    }
}

fn not_started(error: CallError) -> TaskError {
    if !error.message.contains("No Container Instances") {
        return error.into();
    }
    let refusal = Refusal::new("the task cannot start: the cluster has no instance").because(error.message);
    refusal.hint("an instance joins about two minutes after it starts: `wharf status` shows the group").into()
}

fn started(answer: &RunTaskOutput) -> Result<String, TaskError> {
    if let Some(arn) = answer.tasks().first().and_then(|task| task.task_arn()) {
        return Ok(arn.to_owned());
    }
    let Some(failure) = answer.failures().first() else {
        return Err(CallError::lacks("ecs:RunTask", "tasks").into());
    };
    let reason = failure.reason().unwrap_or("ECS does not say why");
    let text = [Some(reason), failure.detail()].into_iter().flatten().collect::<Vec<_>>().join(": ");
    // <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html>
    let what = match reason {
        "RESOURCE:MEMORY" => "the task cannot start: no instance has enough memory left for it",
        "RESOURCE:CPU" => "the task cannot start: no instance has enough CPU left for it",
        "RESOURCE:ENI" => "the task cannot start: no instance has a network interface left for it",
        "AGENT" => "the task cannot start: the agent of every instance is away",
        _ => "the task cannot start",
    };
    let refusal = Refusal::new(what).because(format!("ecs:RunTask: {text}"));
    Err(match reason.starts_with("RESOURCE") {
        true => refusal.hint("try again when an instance more has come, or raise `max` of `[cluster]`").into(),
        false => refusal.into(),
    })
}

/// Says that the task goes on without anybody who looks.
fn lost_sight(id: &str, error: TaskError) -> TaskError {
    let what = format!("lost sight of task {id}, which may still run");
    Refusal::new(what).because(error.to_string()).hint("`wharf logs` shows what it writes").into()
}

struct Watch<'a> {
    aws: &'a Aws,
    model: &'a Model,
    arn: &'a str,
    on: &'a dyn Fn(Progress<'_>),
}

impl Watch<'_> {
    /// Shows what the task writes until it has stopped. Answers it, and whether it was told to stop.
    async fn to_its_end(&self, interrupt: impl Future<Output = ()>) -> Result<(Task, bool), TaskError> {
        let mut interrupt = pin!(interrupt.fuse());
        let mut output = Output::of(&self.model.definition, &self.model.container, tasks::id(self.arn));
        let (mut stopping, mut status) = (false, String::new());
        let begun = Instant::now();
        loop {
            match tasks::described(self.aws, &[self.arn.to_owned()]).await?.pop() {
                Some(task) => {
                    let now = task.last_status().unwrap_or_default();
                    if now != status {
                        now.clone_into(&mut status);
                        (self.on)(Progress::Status(now));
                    }
                    if now == "STOPPED" {
                        output.rest(self.aws, self.on, task.started_at().is_some()).await;
                        return Ok((task, stopping));
                    }
                }
                None if begun.elapsed() < VISIBLE_WITHIN => {}
                None => return Err(Refusal::new("ECS does not know the task any more").into()),
            }
            output.read(self.aws, self.on).await;
            tokio::select! {
                () = sleep(POLL) => {}
                () = &mut interrupt, if !stopping => {
                    stopping = true;
                    self.stop().await?;
                    (self.on)(Progress::Stopping(tasks::id(self.arn)));
                }
            }
        }
    }

    async fn stop(&self) -> Result<(), CallError> {
        let (aws, id) = (self.aws, tasks::id(self.arn));
        let request = aws.ecs.stop_task().cluster(&aws.scope.stack).task(self.arn).reason(UNWANTED);
        let mut attempt = 1;
        loop {
            // To stop it twice is to stop it once.
            match aws.call("ecs:StopTask", id, || request.clone().send()).await {
                Err(error) if error.class == Class::Ambiguous && attempt < ATTEMPTS => attempt += 1,
                answer => return answer.map(drop),
            }
            sleep(POLL).await;
        }
    }
}
