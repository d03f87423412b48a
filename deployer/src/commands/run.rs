//! `wharf run`: a command in a task of its own, beside a service's.

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::{Done, plan as planning};
use crate::operations::{Progress, short};
use crate::report::{Failure, Printer, Stop, json};
use crate::surroundings;

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The service whose image, settings and network the task gets
    pub service: String,
    /// The command: what it writes goes to stdout, its exit code is wharf's. Flags of wharf's own come before it
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

/// Runs the command.
pub(super) async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let (config, session) = context.operate(&arguments.service).await?;
    if config.services.get(&arguments.service).is_some_and(crate::config::Service::is_periodic) {
        let message = format!("`{}` is a periodic task: there is no service to run beside", arguments.service);
        let hint = "run the command beside another service, or wait for its schedule";
        return Err(Failure::config(message).hint(hint).into());
    }
    let printer = context.printer;
    let loud = printer.clone();
    let interrupt = surroundings::interrupted(move || {
        loud.note("stopping the task (again to leave it running and stop waiting)");
    });
    let show = |progress: Progress<'_>| show(progress, printer);
    let ran = session.run_once(&arguments.service, &arguments.command, &show, interrupt).await;
    let ran = ran.map_err(Failure::from)?;
    let body = json!({ "service": arguments.service, "task": ran.task, "exit_code": ran.code });
    printer.document(&json::document("run", planning::placed(&config, &session, body)))?;
    match ran.code {
        None => {
            printer.note(format!("task {} was stopped before its end", short(&ran.task)));
            Ok(Done::Interrupted)
        }
        // A process can end with no other.
        Some(code) => Ok(Done::Exited(u8::try_from(code).unwrap_or(1))),
    }
}

/// That nobody reads what the command writes is no reason to leave it, for it works on.
fn show(progress: Progress<'_>, printer: &Printer) {
    if printer.json {
        let body = match progress {
            Progress::Started(task) => json!({ "event": "task-started", "task": task }),
            Progress::Status(status) => json!({ "event": "task-status", "status": status }),
            Progress::Line(line) => json!({ "event": "task-line", "message": line }),
            Progress::Unheard(why) => json!({ "event": "task-unheard", "message": why }),
            Progress::Stopping(task) => json!({ "event": "task-stopping", "task": task }),
        };
        printer.line(json::document("event", body));
        return;
    }
    match progress {
        Progress::Line(line) => drop(printer.raw(line)),
        Progress::Started(task) => printer.note(printer.err.dim(format!("task {}", short(task)))),
        Progress::Status(status) => {
            let what = match status {
                "PROVISIONING" => "waits for its place",
                "PENDING" => "is being started",
                "RUNNING" => "runs",
                "STOPPED" => "has stopped",
                _ => return,
            };
            printer.note(printer.err.dim(format!("the task {what}")));
        }
        Progress::Unheard(why) => printer.note(format!("what the task writes cannot be shown: {why}")),
        Progress::Stopping(task) => printer.note(format!("task {} is told to stop", short(task))),
    }
}
