//! The command before a deployment: run once, in a task of the new revision, before ECS is told of that. What counts as a
//! failure counts as one for a push, too: another exit code than zero, a task that cannot start, one that does not end.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use wharf_on_image_push::cause;

use super::one_off::{self, OneTask, Progress, Ran};
use super::tasks::TaskError;
use crate::aws::{Aws, CallError};

/// By this such tasks are told from others.
const STARTED_BY: &str = "wharf-deploy";

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
    let wanted = OneTask { service, revision: Some(revision), command: before.command, started_by: STARTED_BY };
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
