//! The command before a deployment: run once, in a task of the new revision, before ECS is told of that. What counts as a
//! failure counts as one for a push, too: another exit code than zero, a task that cannot start, one that does not end.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use aws_sdk_ecs::operation::list_tasks::ListTasksOutput;
use aws_sdk_ecs::types::DesiredStatus;
use wharf_on_image_push::cause;
use wharf_on_image_push::one_off::{BY_HAND, group};
use wharf_on_image_push::record::Record;
use wharf_on_image_push::revision::family;

use super::one_off::{self, OneTask, Progress, Ran};
use super::tasks::{self, TaskError};
use crate::aws::{Aws, CallError};

/// How often it is looked whether another command has ended.
const POLL: Duration = Duration::from_secs(2);

/// A command before a deployment.
#[derive(Clone, Copy, Debug)]
pub struct BeforeDeploy<'a> {
    /// Its words.
    pub command: &'a [String],
    /// So long it may take.
    pub timeout: Duration,
}

/// Who had the task stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopped {
    Late,
    Interrupted,
}

/// Waits until no other command before a rollout of the service runs: one that a push began, or that a deployment began
/// whose run is dead. Two at once could be in each other's way. Answers the task that has not ended in time, or before
/// `interrupt` came.
pub(super) async fn alone(
    aws: &Aws,
    service: &str,
    revision: &str,
    record: &Record,
    before: &BeforeDeploy<'_>,
    on_progress: &dyn Fn(&str),
    interrupt: impl Future<Output = ()>,
) -> Result<Result<(), String>, CallError> {
    let known: Vec<String> = record.all().filter_map(|rollout| rollout.done.task.clone()).collect();
    let mut late = std::pin::pin!(async {
        tokio::select! {
            () = interrupt => {}
            () = tokio::time::sleep(before.timeout) => {}
        }
    });
    loop {
        let Some(task) = others(aws, service, family(revision), &known).await?.pop() else { return Ok(Ok(())) };
        on_progress(&format!("waits until the command before an earlier rollout has ended: task {}", tasks::id(&task)));
        tokio::select! {
            () = &mut late => {
                return Ok(Err(format!(
                    "the command before an earlier rollout has not ended: stop it with `aws ecs stop-task --cluster {} \
                     --task {}`, or wait for its end",
                    aws.scope.stack,
                    tasks::id(&task)
                )));
            }
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// The tasks that run a command before a rollout of the service: those of deployments, and those that are known.
async fn others(aws: &Aws, service: &str, family: &str, known: &[String]) -> Result<Vec<String>, CallError> {
    const ACTION: &str = "ecs:ListTasks";
    let list = |token| aws.ecs.list_tasks().cluster(&aws.scope.stack).set_next_token(token);
    let page = |page: ListTasksOutput| (page.task_arns.unwrap_or_default(), page.next_token);
    // Whoever asks for a name may ask for nothing else, and is told of the tasks that are to run.
    // <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html#ECS-ListTasks-request-startedBy>
    let running = |token| list(token).started_by(BY_HAND).send();
    // One that is being stopped is not over yet.
    let stopped = |token| list(token).family(family).desired_status(DesiredStatus::Stopped).send();
    let (running, stopped) =
        futures::try_join!(aws.pages(ACTION, service, running, page), aws.pages(ACTION, service, stopped, page))?;
    let arns = [known, &running, &stopped].concat();
    let group = group(service);
    let own =
        |task: &aws_sdk_ecs::types::Task| task.group() == Some(group.as_str()) && task.last_status() != Some("STOPPED");
    let all = tasks::described(aws, &arns).await?.into_iter().filter(own);
    Ok(all.filter_map(|task| task.task_arn).collect())
}

/// Runs it to its end, for a revision of a service. It is stopped when it takes too long, and when `interrupt` comes.
/// Answers why it did not end well, if it did not.
pub(super) async fn run(
    aws: &Aws,
    service: &str,
    revision: &str,
    before: &BeforeDeploy<'_>,
    on_progress: &dyn Fn(&str),
    interrupt: impl Future<Output = ()>,
) -> Result<Result<(), String>, CallError> {
    let (last, stopped) = (RefCell::new(VecDeque::new()), Cell::new(None));
    let on = |progress: Progress<'_>| match progress {
        Progress::Started(_) => on_progress("the command before it runs"),
        Progress::Line(line) => {
            let mut last = last.borrow_mut();
            last.push_back(line.to_owned());
            if last.len() > LINES {
                last.pop_front();
            }
        }
        Progress::Stopping(_) => on_progress("the command before it is stopped"),
        Progress::Status(_) | Progress::Unheard(_) => {}
    };
    let stop = async {
        tokio::select! {
            () = interrupt => stopped.set(Some(Stopped::Interrupted)),
            () = tokio::time::sleep(before.timeout) => stopped.set(Some(Stopped::Late)),
        }
    };
    let (command, group) = (before.command, Some(group(service)));
    let wanted = OneTask { service, revision: Some(revision), command, started_by: BY_HAND, group };
    // Boxed: the futures on the way are deep.
    let ran = Box::pin(one_off::run(aws, &wanted, &on, stop)).await;
    let minutes = before.timeout.as_secs().div_ceil(60);
    let why = match (stopped.get(), ran) {
        // Told to stop, it says that all is well, and may have left half of it undone.
        (Some(Stopped::Late), Ok(_) | Err(TaskError::Refused(_))) => {
            format!("the command before it did not end within {minutes} minutes")
        }
        (Some(Stopped::Interrupted), Ok(_) | Err(TaskError::Refused(_))) => {
            "the command before it was interrupted".to_owned()
        }
        (None, Ok(Ran { code: Some(0), .. })) => return Ok(Ok(())),
        (None, Ok(Ran { code: Some(code), .. })) => format!("the command before it failed: exit code {code}"),
        (None, Ok(Ran { code: None, .. })) => "the command before it was stopped by somebody".to_owned(),
        (None, Err(TaskError::Refused(refusal))) => format!("the command before it failed: {refusal}"),
        (_, Err(TaskError::Call(error))) => return Err(error),
    };
    let last = last.into_inner();
    let lines = cause::last_words(service, last.iter().map(String::as_str));
    Ok(Err([Some(why), lines].into_iter().flatten().collect::<Vec<_>>().join("; ")))
}

/// So many of the last lines are shown.
const LINES: usize = cause::LINES.unsigned_abs() as usize;
