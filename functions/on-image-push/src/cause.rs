//! Why tasks and deployments do not come through, in the words of those who know: ECS's own, and the last lines that the
//! containers wrote. Pure; who calls AWS hands in what it answered.

use aws_sdk_ecs::types::{
    Container, ContainerDefinition, HealthStatus, LogConfiguration, LogDriver, Service, Task, TaskDefinition,
    TaskStopCode,
};

/// So many stopped tasks of a deployment are looked at.
pub const TASKS: usize = 3;

/// So many lines of what a container wrote last are shown.
pub const LINES: i32 = 5;

/// The exit codes of what is told to end, and of what is ended.
const BY_SIGNAL: [i32; 2] = [143, 137];

/// Where a container writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The log group.
    pub group: String,
    /// The stream in it.
    pub stream: String,
}

/// Whether ECS's events say that a deployment failed.
#[must_use]
pub fn given_up(service: &Service, deployment: &str) -> bool {
    let says = |text: &str| text.contains(deployment) && (text.contains("failed") || text.contains("rolling back"));
    service.events().iter().filter_map(|event| event.message()).any(says)
}

/// What the newest event says when it is about tasks that find no place.
#[must_use]
pub fn unplaced(service: &Service) -> Option<String> {
    let newest = service.events().first().and_then(|event| event.message())?;
    newest.contains("unable to place").then(|| newest.to_owned())
}

/// The tasks of a deployment that stopped last: a task says which deployment started it.
#[must_use]
pub fn last_stopped(mut tasks: Vec<Task>, deployment: &str) -> Vec<Task> {
    tasks.retain(|task| task.started_by() == Some(deployment));
    tasks.sort_by_key(|task| std::cmp::Reverse(task.stopped_at().map(aws_smithy_types::DateTime::secs)));
    tasks.truncate(TASKS);
    tasks
}

/// Why a deployment failed: what ECS gives as its reason, how its tasks ended, and, where that is all, what the service
/// said last.
#[must_use]
pub fn failed(reason: Option<&str>, tasks: &[Task], lines: Option<String>, service: &Service) -> String {
    let mut said: Vec<String> = reason.filter(|reason| !reason.is_empty()).map(str::to_owned).into_iter().collect();
    for text in tasks.iter().map(ended) {
        if !said.contains(&text) {
            said.push(text);
        }
    }
    if tasks.is_empty() {
        said.extend(unplaced(service));
    }
    said.extend(lines);
    if said.is_empty() {
        let newest = service.events().first().and_then(|event| event.message());
        said.push(newest.unwrap_or("ECS does not say why").to_owned());
    }
    said.join("; ")
}

/// How a task ended: what ECS says of it, and of its containers.
#[must_use]
pub fn ended(task: &Task) -> String {
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

/// The exit code with which a task's container ended by itself; none when it did not start, or something ended it.
#[must_use]
pub fn exit_code(task: &Task, container: &str) -> Option<i32> {
    let main = task.containers().iter().find(|found| found.name() == Some(container))?;
    let by_itself = matches!(task.stop_code(), None | Some(TaskStopCode::EssentialContainerExited));
    let code = main.exit_code().filter(|_| by_itself && main.reason().is_none())?;
    (!taken_along(task, container, code)).then_some(code)
}

/// Whether another container failed first, and this one was ended with it.
fn taken_along(task: &Task, container: &str, code: i32) -> bool {
    let failed = |one: &&Container| one.name() != Some(container) && one.exit_code().is_some_and(|code| code != 0);
    BY_SIGNAL.contains(&code) && task.containers().iter().any(|one| failed(&one) && !by_signal(one))
}

fn by_signal(container: &Container) -> bool {
    container.exit_code().is_some_and(|code| BY_SIGNAL.contains(&code))
}

/// The container that brought a task down, or the first.
#[must_use]
pub fn culprit(task: &Task) -> Option<&str> {
    let broken = |container: &&Container| {
        container.exit_code().is_some_and(|code| code != 0)
            || container.health_status() == Some(&HealthStatus::Unhealthy)
    };
    task.containers().iter().find(broken).or_else(|| task.containers().first())?.name()
}

/// Where a container of a task writes to, when that is CloudWatch Logs.
#[must_use]
pub fn stream(definition: &TaskDefinition, container: &str, task: &str) -> Option<Stream> {
    let of = |found: &&ContainerDefinition| found.name() == Some(container);
    let log = definition.container_definitions().iter().find(of)?.log_configuration()?;
    let named = |log: &LogConfiguration, name: &str| log.options()?.get(name).cloned();
    let (group, prefix) = (named(log, "awslogs-group")?, named(log, "awslogs-stream-prefix")?);
    let id = task.rsplit('/').next().unwrap_or_default();
    (*log.log_driver() == LogDriver::Awslogs).then(|| Stream { group, stream: format!("{prefix}/{container}/{id}") })
}

/// What a container wrote last, in one line.
#[must_use]
pub fn last_words<'a>(container: &str, messages: impl Iterator<Item = &'a str>) -> Option<String> {
    let lines: Vec<&str> = messages.map(str::trim_end).collect();
    (!lines.is_empty()).then(|| format!("last lines of {container}: {}", lines.join(" | ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, code: Option<i32>, reason: Option<&str>) -> Container {
        Container::builder().name(name).set_exit_code(code).set_reason(reason.map(str::to_owned)).build()
    }

    fn task(code: TaskStopCode, containers: Vec<Container>) -> Task {
        Task::builder().stop_code(code).stopped_reason("it stopped").set_containers(Some(containers)).build()
    }

    #[test]
    fn a_container_that_ends_by_itself_has_its_exit_code() {
        for code in [0, 1, 137, 255] {
            let ended = task(TaskStopCode::EssentialContainerExited, vec![container("web", Some(code), None)]);
            assert_eq!(exit_code(&ended, "web"), Some(code));
        }
    }

    #[test]
    fn a_container_that_did_not_start_or_was_ended_has_none() {
        let pull = Some("CannotPullContainerError");
        let along = vec![container("web", Some(143), None), container("proxy", Some(1), None)];
        for ended in [
            task(TaskStopCode::TaskFailedToStart, vec![container("web", None, pull)]),
            task(TaskStopCode::EssentialContainerExited, vec![container("web", Some(137), Some("OutOfMemoryError"))]),
            task(TaskStopCode::EssentialContainerExited, vec![container("web", None, None)]),
            task(TaskStopCode::UserInitiated, vec![container("web", Some(0), None)]),
            task(TaskStopCode::EssentialContainerExited, along),
            task(TaskStopCode::EssentialContainerExited, Vec::new()),
        ] {
            assert_eq!(exit_code(&ended, "web"), None, "{ended:?}");
        }
    }

    #[test]
    fn a_cause_names_each_thing_once_and_never_nothing() {
        let crashed = task(TaskStopCode::EssentialContainerExited, vec![container("web", Some(7), None)]);
        let service = Service::builder().build();
        let lines = last_words("web", ["no database\n"].into_iter());
        let why = failed(Some("circuit breaker"), &[crashed.clone(), crashed], lines, &service);
        assert_eq!(why, "circuit breaker; it stopped (container web: exit code 7); last lines of web: no database");
        assert_eq!(failed(None, &[], None, &service), "ECS does not say why");
    }

    #[test]
    fn the_container_that_failed_is_asked_for_its_last_words() {
        let containers = vec![container("proxy", Some(0), None), container("web", Some(1), None)];
        let ended = task(TaskStopCode::EssentialContainerExited, containers);
        assert_eq!(culprit(&ended), Some("web"));
        assert_eq!(last_words("web", std::iter::empty()), None);
    }
}
