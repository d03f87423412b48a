//! A service's task definition.

use std::collections::BTreeMap;

use super::One;
use crate::aws::ecs::task_definition::container::{Container, HealthCheck, Logs, Port};
use crate::aws::ecs::task_definition::{TaskDefinition, versions};
use crate::aws::iam::role::Role;
use crate::aws::logs::log_group::LogGroup;
use crate::aws::units::Seconds;
use crate::aws::{Handle, Text};
use crate::config::{Architecture, Cluster};
use crate::platform::Builder;

/// Says which versions of its variables a task was given, so that new values are a new revision.
const VERSIONS: &str = "WHARF_VARIABLES";

impl One<'_> {
    pub(super) fn task_definition(
        &self,
        b: &Builder,
        log: &Handle<LogGroup>,
        execution: &Handle<Role>,
        task: &Handle<Role>,
    ) -> TaskDefinition {
        let processors = self.ground.config.cluster.as_ref().map_or(Architecture::Arm64, Cluster::processors);
        TaskDefinition {
            family: format!("{}-{}", self.stack(), self.name),
            network_mode: "awsvpc".to_owned(),
            compatibilities: vec!["EC2".to_owned()],
            cpu: Some(number(self.wanted.cpu)),
            memory: Some(number(self.wanted.memory)),
            architecture: match processors {
                Architecture::Arm64 => "ARM64".to_owned(),
                Architecture::X86 => "X86_64".to_owned(),
            },
            execution_role: Some(execution.arn()),
            task_role: Some(task.arn()),
            containers: [(self.name.to_owned(), self.container(log))].into(),
            versions: [(self.name.to_owned(), versions::newest(&self.wanted.images.tags))].into(),
            volumes: BTreeMap::new(),
            tags: b.tags(),
        }
    }

    fn container(&self, log: &Handle<LogGroup>) -> Container {
        let wanted = self.wanted;
        let given = self.ground.variables.of(self.name, wanted);
        let versions: Vec<Text> = given.values().map(|one| one.version.clone()).collect();
        let port = |port: u16| Port { container: i32::from(port), protocol: "tcp".to_owned(), name: None };
        Container {
            image: self.repository.url(),
            essential: true,
            command: wanted.command.clone(),
            entry_point: wanted.entry_point.clone(),
            ports: wanted.ports().into_iter().map(port).collect(),
            env: (!versions.is_empty()).then(|| (VERSIONS.to_owned(), joined(versions))).into_iter().collect(),
            secrets: given.into_iter().map(|(variable, one)| (variable, one.arn)).collect(),
            // A log that cannot be written stops no container.
            // <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html>
            logs: Some(Logs {
                group: log.name(),
                prefix: self.name.to_owned(),
                non_blocking: true,
                max_buffer: "25m".to_owned(),
            }),
            health: self.health(),
            stop_timeout: Some(Seconds(i32::from(wanted.stop_seconds))),
            read_only_root: wanted.read_only,
            tmpfs: wanted.read_only.then(|| ("/tmp".to_owned(), 64)).into_iter().collect(),
            init_process: true,
            user: wanted.user.clone(),
            ..Container::default()
        }
    }

    fn health(&self) -> Option<HealthCheck> {
        let command = self.wanted.health_command.clone();
        (!command.is_empty()).then(|| HealthCheck {
            command,
            interval: Seconds(10),
            timeout: Seconds(5),
            retries: 3,
            // ECS takes up to five minutes.
            start_period: Seconds(i32::from(self.wanted.grace_seconds.min(300))),
        })
    }
}

/// One text with dashes between.
fn joined(parts: Vec<Text>) -> Text {
    let dashed = parts.into_iter().enumerate().flat_map(|(number, part)| {
        let dash = (number > 0).then(|| "-".into());
        dash.into_iter().chain([part])
    });
    Text::join(dashed)
}

/// AWS counts in signed numbers; the stack file's are checked to be far below.
fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
