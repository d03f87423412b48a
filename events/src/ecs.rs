//! What ECS tells of tasks and deployments:
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_cwe_events.html>

use serde_json::Value;

use crate::Event;
use crate::json;

/// A task has come to another state: `ECS Task State Change`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskChange {
    /// The name of its cluster.
    pub cluster: String,
    /// Its ARN.
    pub task: String,
    /// What it belongs to: `service:web`, `family:shop-web`.
    pub group: String,
    /// Who started it: a deployment's id, or what `RunTask` was told.
    pub started_by: String,
    /// The state that it is in: `RUNNING`, `STOPPED`.
    pub status: String,
    /// Why it stopped, in ECS's words.
    pub reason: Option<String>,
}

/// A deployment of a service has come further: `ECS Deployment State Change`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentChange {
    /// The name of the service's cluster; empty in ARNs of the old form, which lack it.
    pub cluster: String,
    /// The service.
    pub service: String,
    /// The deployment's id.
    pub deployment: String,
    /// How far it has come.
    pub progress: Progress,
    /// Why, in ECS's words.
    pub reason: Option<String>,
}

/// How far a deployment has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It has begun, or is taken back.
    Begun,
    /// It is done.
    Completed,
    /// It was given up.
    Failed,
    /// Something that this version does not know.
    Other(String),
}

impl TaskChange {
    /// The change that an event tells of; none for another event, or one that names no task.
    #[must_use]
    pub fn read(event: &Event) -> Option<Self> {
        if event.source != "aws.ecs" || event.kind != "ECS Task State Change" {
            return None;
        }
        let text = |name: &str| json::text(&event.detail, &[name]).map(str::to_owned);
        Some(Self {
            cluster: last(&text("clusterArn").unwrap_or_default()).to_owned(),
            task: text("taskArn").or_else(|| event.resources.first().cloned())?,
            group: text("group").unwrap_or_default(),
            started_by: text("startedBy").unwrap_or_default(),
            status: text("lastStatus").unwrap_or_default().to_ascii_uppercase(),
            reason: text("stoppedReason"),
        })
    }

    /// The service that the task belongs to, if it does to one.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.group.strip_prefix("service:")
    }
}

impl DeploymentChange {
    /// The change that an event tells of; none for another event, or one that names no service.
    #[must_use]
    pub fn read(event: &Event) -> Option<Self> {
        if event.source != "aws.ecs" || event.kind != "ECS Deployment State Change" {
            return None;
        }
        let path = event.resources.iter().find_map(|arn| arn.split_once(":service/"))?.1;
        let (cluster, service) = path.rsplit_once('/').unwrap_or(("", path));
        let text = |name: &str| json::text(&event.detail, &[name]).map(str::to_owned);
        Some(Self {
            cluster: cluster.to_owned(),
            service: service.to_owned(),
            deployment: text("deploymentId").unwrap_or_default(),
            progress: Progress::read(&event.detail),
            reason: text("reason"),
        })
    }
}

impl Progress {
    fn read(detail: &Value) -> Self {
        match json::text(detail, &["eventName"]).unwrap_or_default() {
            "SERVICE_DEPLOYMENT_IN_PROGRESS" => Self::Begun,
            "SERVICE_DEPLOYMENT_COMPLETED" => Self::Completed,
            "SERVICE_DEPLOYMENT_FAILED" => Self::Failed,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// The last part of an ARN.
fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample(text: &str) -> Event {
        Event::read(&serde_json::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn a_task_that_stopped_is_read_with_what_it_belongs_to() {
        let change = TaskChange::read(&sample(include_str!("../samples/ecs-task-stopped.json"))).unwrap();
        assert_eq!((change.cluster.as_str(), change.status.as_str()), ("shop", "STOPPED"));
        assert_eq!((change.group.as_str(), change.service()), ("wharf-push:web", None));
        assert_eq!(change.reason.as_deref(), Some("Essential container in task exited"));
        let of_service = TaskChange { group: "service:web".to_owned(), ..change };
        assert_eq!(of_service.service(), Some("web"));
    }

    #[test]
    fn a_deployment_that_failed_is_read_with_its_service() {
        let change = DeploymentChange::read(&sample(include_str!("../samples/ecs-deployment-failed.json"))).unwrap();
        assert_eq!((change.cluster.as_str(), change.service.as_str()), ("shop", "web"));
        assert_eq!((change.deployment.as_str(), change.progress), ("ecs-svc/7654321098765432109", Progress::Failed));
    }

    #[test]
    fn what_is_missing_or_new_is_no_reason_to_panic() {
        let event = |kind: &str, resources: Value, detail: Value| {
            let event = json!({"source": "aws.ecs", "detail-type": kind, "resources": resources, "detail": detail});
            Event::read(&event).unwrap()
        };
        assert_eq!(TaskChange::read(&event("ECS Task State Change", json!([]), Value::Null)), None);
        assert_eq!(DeploymentChange::read(&event("ECS Deployment State Change", json!(["arn:x"]), json!(7))), None);
        let old = json!(["arn:aws:ecs:us-east-1:123456789012:service/web"]);
        let change = DeploymentChange::read(&event("ECS Deployment State Change", old, json!({"eventName": "NEW"})));
        let change = change.unwrap();
        assert_eq!((change.cluster.as_str(), change.service.as_str()), ("", "web"));
        assert_eq!(change.progress, Progress::Other("NEW".to_owned()));
    }
}
