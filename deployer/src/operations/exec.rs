//! A session in a container that runs, which AWS's own plugin then holds.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html>

use aws_sdk_ecs::operation::execute_command::ExecuteCommandOutput;
use aws_sdk_ecs::types::{Container, DesiredStatus, ManagedAgentName, Service, Task};
use serde_json::json;

use super::Session;
use super::tasks::{self, Refusal, TASKS, TaskError};
use crate::aws::{Aws, CallError, Grant};

/// Into what, and what for.
#[derive(Clone, Debug, Default)]
pub struct Exec<'a> {
    /// The service.
    pub service: &'a str,
    /// The beginning of a task's id; any task of the service if not given.
    pub task: Option<&'a str>,
    /// The container; the service's own if not given.
    pub container: Option<&'a str>,
    /// The command; a shell if it is empty.
    pub command: &'a [String],
}

/// A session that is open, as the plugin wants to have it.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The task's id.
    pub task: String,
    /// The container.
    pub container: String,
    /// The session, with the token that lets in whoever has it.
    session: String,
    /// What it is a session with.
    target: String,
    region: String,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("task", &self.task).field("container", &self.container).finish_non_exhaustive()
    }
}

impl Opened {
    /// What the plugin is started with, as the AWS CLI does: the session, the region, the operation, the profile, what
    /// was asked for, and where.
    /// <https://github.com/aws/aws-cli/blob/develop/awscli/customizations/ecs/executecommand.py>
    #[must_use]
    pub fn arguments(&self, profile: Option<&str>, endpoint: &str) -> [String; 6] {
        [&self.session, &self.region, "StartSession", profile.unwrap_or_default(), &self.target, endpoint]
            .map(str::to_owned)
    }
}

/// What opening a session needs.
pub(super) fn grants() -> Vec<Grant> {
    const CLUSTER_AND_TASKS: &[&str] = &[
        "arn:{partition}:ecs:{region}:{account}:cluster/{stack}",
        "arn:{partition}:ecs:{region}:{account}:task/{stack}/*",
    ];
    const KEYS: &[&str] = &["arn:{partition}:kms:{region}:{account}:key/*"];
    const IN_CLUSTER: &[(&str, &str, &str)] =
        &[("ArnEquals", "ecs:cluster", "arn:{partition}:ecs:{region}:{account}:cluster/{stack}")];
    vec![
        Grant { conditions: IN_CLUSTER, ..Grant::read(&["ecs:ListTasks"]) },
        Grant { resources: TASKS, ..Grant::read(&["ecs:DescribeTasks"]) },
        Grant::write(&["ecs:ExecuteCommand"], CLUSTER_AND_TASKS),
        // The plugin encrypts the session with the cluster's key.
        Grant::write(&["kms:GenerateDataKey"], KEYS).when(crate::aws::kind::OF_THIS_STACK),
    ]
}

impl Session {
    /// Opens a session.
    ///
    /// # Errors
    /// Exec is not enabled, no task runs, or its agent does not answer.
    pub async fn open_exec(&self, wanted: &Exec<'_>) -> Result<Opened, TaskError> {
        let aws = &self.aws;
        let service = tasks::service(aws, wanted.service).await?;
        if !service.enable_execute_command() && wanted.task.is_none() {
            let refusal = Refusal::new(format!("exec is not enabled for `{}`", wanted.service));
            let hint =
                format!("write `exec = true` in `[services.{}]` and apply: tasks started then have it", wanted.service);
            return Err(refusal.hint(hint).into());
        }
        let task = one(running(aws, &service, wanted).await?, wanted)?;
        let container = container(&task, wanted)?;
        let answer = execute(aws, &task, container.name().unwrap_or_default(), wanted).await?;
        opened(aws, &task, container, &answer)
    }
}

/// The tasks of the service that run; when one is asked for by its id, those that `wharf run` started too.
async fn running(aws: &Aws, service: &Service, wanted: &Exec<'_>) -> Result<Vec<Task>, TaskError> {
    let cluster = &aws.scope.stack;
    let family = tasks::id(service.task_definition().unwrap_or_default()).split(':').next().unwrap_or_default();
    let send = |token| {
        let list = aws.ecs.list_tasks().cluster(cluster).desired_status(DesiredStatus::Running);
        let list = match wanted.task {
            Some(_) => list.family(family),
            None => list.service_name(wanted.service),
        };
        list.set_next_token(token).send()
    };
    let page = |page: aws_sdk_ecs::operation::list_tasks::ListTasksOutput| {
        (page.task_arns.unwrap_or_default(), page.next_token)
    };
    let arns = aws.pages("ecs:ListTasks", wanted.service, send, page).await?;
    let mut tasks = tasks::described(aws, &arns).await?;
    tasks.retain(|task| task.last_status() == Some("RUNNING"));
    // The oldest first: it is the least likely to go.
    tasks.sort_by_key(|task| {
        (task.started_at().map(aws_smithy_types::DateTime::secs), task.task_arn().map(str::to_owned))
    });
    Ok(tasks)
}

/// The task that is meant.
fn one(running: Vec<Task>, wanted: &Exec<'_>) -> Result<Task, Refusal> {
    let id = |task: &Task| tasks::id(task.task_arn().unwrap_or_default()).to_owned();
    let known = running.iter().map(|task| tasks::short(&id(task)).to_owned()).collect::<Vec<_>>().join(", ");
    if running.is_empty() {
        return Err(Refusal::new(format!("no task of `{}` runs", wanted.service)).hint("`wharf status` shows why"));
    }
    let Some(asked) = wanted.task else {
        let ready = running.into_iter().find(has_agent);
        return ready.ok_or_else(|| no_agent(&format!("no task of `{}`", wanted.service)));
    };
    let asked = tasks::id(asked);
    let mut fitting = running.into_iter().filter(|task| id(task).starts_with(asked));
    match (fitting.next(), fitting.next()) {
        (Some(task), None) if has_agent(&task) => Ok(task),
        (Some(task), None) => Err(no_agent(&format!("task {} is not one that", tasks::short(&id(&task))))),
        (Some(_), Some(_)) => Err(Refusal::new(format!("several tasks begin with {asked}")).because(known)),
        (None, _) => Err(Refusal::new(format!("no task of `{}` that runs is {asked}", wanted.service))
            .hint(format!("these do: {known}"))),
    }
}

fn no_agent(which: &str) -> Refusal {
    let refusal =
        Refusal::new(format!("{which} can be entered: exec was not enabled as it started, or its agent is not up"));
    refusal.hint("`exec = true` and a new deployment enable it; the agent is up some seconds after the task")
}

/// Whether somebody inside lets one in.
fn has_agent(task: &Task) -> bool {
    let runs = |container: &Container| {
        container.managed_agents().iter().any(|agent| {
            agent.name() == Some(&ManagedAgentName::ExecuteCommandAgent) && agent.last_status() == Some("RUNNING")
        })
    };
    task.enable_execute_command() && task.containers().iter().any(runs)
}

fn container<'a>(task: &'a Task, wanted: &Exec<'_>) -> Result<&'a Container, Refusal> {
    let name = wanted.container.unwrap_or(wanted.service);
    let named = task.containers().iter().find(|container| container.name() == Some(name));
    let first = || task.containers().first().filter(|_| wanted.container.is_none());
    named.or_else(first).ok_or_else(|| {
        let known: Vec<&str> = task.containers().iter().filter_map(|container| container.name()).collect();
        Refusal::new(format!("the task has no container `{name}`")).hint(format!("it has {}", known.join(", ")))
    })
}

async fn execute(
    aws: &Aws,
    task: &Task,
    container: &str,
    wanted: &Exec<'_>,
) -> Result<ExecuteCommandOutput, TaskError> {
    let arn = task.task_arn().unwrap_or_default();
    let request = aws.ecs.execute_command().cluster(&aws.scope.stack).task(arn).container(container);
    // ECS knows no other mode.
    let request = request.command(line(wanted.command)).interactive(true);
    let answer = aws.call("ecs:ExecuteCommand", tasks::id(arn), || request.clone().send()).await;
    answer.map_err(|error| match error.code.as_deref() {
        Some("TargetNotConnectedException") => {
            let refusal = Refusal::new("the agent in the task does not answer").because(error.message);
            refusal
                .hint("it needs a way to `ssmmessages`, and its task role the rights that `wharf apply` gives it")
                .into()
        }
        _ => error.into(),
    })
}

fn opened(aws: &Aws, task: &Task, container: &Container, answer: &ExecuteCommandOutput) -> Result<Opened, TaskError> {
    let lacks = |field| CallError::lacks("ecs:ExecuteCommand", field);
    let session = answer.session().ok_or_else(|| lacks("session"))?;
    let session = json!({
        "sessionId": session.session_id(), "streamUrl": session.stream_url(), "tokenValue": session.token_value(),
    });
    let id = tasks::id(task.task_arn().unwrap_or_default());
    let runtime = container.runtime_id().ok_or_else(|| CallError::lacks("ecs:DescribeTasks", "runtimeId"))?;
    Ok(Opened {
        task: id.to_owned(),
        container: container.name().unwrap_or_default().to_owned(),
        session: session.to_string(),
        target: json!({ "Target": format!("ecs:{}_{id}_{runtime}", aws.scope.stack) }).to_string(),
        region: aws.scope.region.clone(),
    })
}

/// One line of a command, which the agent takes apart as a shell would.
fn line(command: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    let quoted = |word: &String| match !word.is_empty() && word.chars().all(plain) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    match command {
        [] => "/bin/sh".to_owned(),
        // What is one word here is a whole line already.
        [line] => line.clone(),
        words => words.iter().map(quoted).collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_of_several_words_keeps_them_apart() {
        let words = |words: &[&str]| line(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(words(&[]), "/bin/sh");
        assert_eq!(words(&["ls -l /tmp"]), "ls -l /tmp");
        assert_eq!(words(&["sh", "-c", "echo it's $HOME", ""]), r"sh -c 'echo it'\''s $HOME' ''");
    }

    #[test]
    fn the_plugin_is_handed_what_the_aws_cli_hands_it_and_the_token_is_not_shown() {
        let opened = Opened {
            task: "0123".to_owned(),
            container: "web".to_owned(),
            session: json!({ "sessionId": "s", "streamUrl": "wss://x", "tokenValue": "hush" }).to_string(),
            target: json!({ "Target": "ecs:shop_0123_rt" }).to_string(),
            region: "us-east-1".to_owned(),
        };
        assert!(!format!("{opened:?}").contains("hush"));
        let arguments = opened.arguments(None, "https://ecs.us-east-1.amazonaws.com");
        let session = r#"{"sessionId":"s","streamUrl":"wss://x","tokenValue":"hush"}"#;
        let target = r#"{"Target":"ecs:shop_0123_rt"}"#;
        assert_eq!(
            arguments,
            [session, "us-east-1", "StartSession", "", target, "https://ecs.us-east-1.amazonaws.com"]
        );
    }
}
