//! What became of a task that has stopped: its exit code, or why it has none that means anything.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>

use aws_sdk_ecs::types::{Task, TaskStopCode};
use wharf_on_image_push::cause;

use crate::operations::tasks::{self, Refusal};

/// The exit code with which the container ended by itself.
///
/// # Errors
/// It did not start, or something ended it.
pub(super) fn exit_code(task: &Task, service: &str, container: &str) -> Result<i32, Refusal> {
    cause::exit_code(task, container).ok_or_else(|| refusal(task, service))
}

fn refusal(task: &Task, service: &str) -> Refusal {
    let words = words(task);
    let all = words.join(" ");
    let has = |parts: &[&str]| parts.iter().any(|part| all.contains(part));
    let id = tasks::short(tasks::id(task.task_arn().unwrap_or_default()));
    let (what, hint): (&str, Option<String>) = if has(&["CannotPull"]) {
        let hint = format!("push an image for `{service}` first, or see which one it runs: `wharf status`");
        ("cannot start: its image cannot be pulled", Some(hint))
    } else if has(&["secrets from", "pull secrets", "ssm:GetParameters", "secretsmanager"]) {
        let hint = format!("`wharf env {service}` names its secrets, `wharf apply` makes those that are missing");
        ("cannot start: a secret of it cannot be read", Some(hint))
    } else if has(&["OutOfMemory"]) {
        let hint = format!("give it more `memory` in `[services.{service}]`");
        ("was killed: it took more memory than it may", Some(hint))
    } else if has(&["unable to place", "RESOURCE:", "Capacity is unavailable", "No Container Instances"]) {
        ("cannot start: no instance has room for it", Some("raise `max` of `[cluster]`".to_owned()))
    } else {
        of_code(task.stop_code())
    };
    let refusal = words.into_iter().fold(Refusal::new(format!("task {id} {what}")), Refusal::because);
    match hint {
        Some(hint) => refusal.hint(hint),
        None => refusal,
    }
}

fn of_code(code: Option<&TaskStopCode>) -> (&'static str, Option<String>) {
    match code {
        Some(TaskStopCode::TaskFailedToStart) => ("cannot start", None),
        Some(TaskStopCode::SpotInterruption | TaskStopCode::TerminationNotice | TaskStopCode::InfrastructureHealth) => {
            ("was killed: its instance went away", Some("run it again".to_owned()))
        }
        Some(TaskStopCode::UserInitiated) => ("was killed: somebody stopped it", None),
        _ => ("was killed", None),
    }
}

/// What ECS says of the task and of its containers, nothing twice.
fn words(task: &Task) -> Vec<String> {
    let mut words: Vec<String> = task.stopped_reason().map(str::to_owned).into_iter().collect();
    for container in task.containers() {
        let code = container.exit_code().filter(|code| *code != 0).map(|code| format!("exit code {code}"));
        let reason = container.reason().filter(|reason| !words.iter().any(|said| said.contains(reason)));
        let said: Vec<String> = code.into_iter().chain(reason.map(str::to_owned)).collect();
        if !said.is_empty() {
            words.push(format!("container {}: {}", container.name().unwrap_or_default(), said.join(", ")));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::Container;

    use super::*;

    fn container(name: &str, code: Option<i32>, reason: Option<&str>) -> Container {
        Container::builder().name(name).set_exit_code(code).set_reason(reason.map(str::to_owned)).build()
    }

    fn task(code: TaskStopCode, reason: &str, containers: Vec<Container>) -> Task {
        let task = Task::builder().task_arn("arn:aws:ecs:us-east-1:123456789012:task/shop/0123456789abcdef");
        task.stop_code(code).stopped_reason(reason).set_containers(Some(containers)).build()
    }

    const EXITED: &str = "Essential container in task exited";

    #[test]
    fn a_container_that_another_one_took_along_has_none() {
        let containers = vec![container("web", Some(143), None), container("proxy", Some(1), None)];
        let ended = task(TaskStopCode::EssentialContainerExited, EXITED, containers);
        let refusal = exit_code(&ended, "web", "web").unwrap_err();
        assert_eq!(refusal.because, [EXITED, "container web: exit code 143", "container proxy: exit code 1"]);
    }

    #[test]
    fn a_task_that_cannot_start_or_is_killed_says_why() {
        let pull = "CannotPullContainerError: failed to resolve ref web:v9: not found";
        let secret =
            "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secrets from ssm";
        let oom = "OutOfMemoryError: Container killed due to memory usage";
        for (ended, what) in [
            (task(TaskStopCode::TaskFailedToStart, pull, vec![container("web", None, Some(pull))]), "image"),
            (task(TaskStopCode::TaskFailedToStart, secret, vec![container("web", None, None)]), "secret"),
            (
                task(TaskStopCode::EssentialContainerExited, EXITED, vec![container("web", Some(137), Some(oom))]),
                "memory",
            ),
            (task(TaskStopCode::TerminationNotice, "Host EC2 (instance) terminated.", vec![]), "instance went away"),
            (
                task(TaskStopCode::UserInitiated, "by hand", vec![container("web", Some(143), None)]),
                "somebody stopped it",
            ),
        ] {
            let refusal = exit_code(&ended, "web", "web").unwrap_err();
            assert!(refusal.what.contains(what), "{refusal:?}");
            assert!(refusal.what.starts_with("task 01234567 "), "{refusal:?}");
            assert!(!refusal.because.is_empty(), "{refusal:?}");
        }
    }
}
