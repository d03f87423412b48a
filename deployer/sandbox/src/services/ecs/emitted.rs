//! What ECS tells EventBridge of its tasks, deployments and services.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_cwe_events.html>

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{TASK, placement::Nowhere};
use crate::account::Ctx;
use crate::services::events;
use crate::services::shared::shown;
use crate::store::Resource;

const SOURCE: &str = "aws.ecs";

/// The moments of a task, which events have as text.
const MOMENTS: &[&str] =
    &["createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppingAt", "stoppedAt", "executionStoppedAt"];

fn iso(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Seconds since 1970, as ECS answers them, in the form of events.
#[expect(clippy::cast_possible_truncation, reason = "milliseconds of this era are far from the end of 64 bits")]
fn from_seconds(seconds: &Value) -> Option<Value> {
    let at = Timestamp::from_millisecond((seconds.as_f64()? * 1000.0).round() as i64).ok()?;
    Some(iso(at).into())
}

/// A task as it now is: whenever what it does, or is to do, has changed.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html>
pub(super) fn task(ctx: &mut Ctx<'_>, id: &str) {
    let Some(task) = ctx.get(TASK, id).filter(|_| events::heard(ctx)) else { return };
    let mut detail = shown(&task);
    for name in MOMENTS {
        if let Some(at) = detail.get(*name).and_then(from_seconds) {
            detail.insert((*name).to_owned(), at);
        }
    }
    detail.remove("healthStatus");
    detail.insert("updatedAt".to_owned(), iso(ctx.now).into());
    for attachment in detail.get_mut("attachments").and_then(Value::as_array_mut).into_iter().flatten() {
        attachment["type"] = "eni".into();
    }
    for container in detail.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(container) = container.as_object_mut() {
            container.remove("healthStatus");
        }
    }
    if detail.get("startedBy").and_then(Value::as_str) == Some("") {
        detail.remove("startedBy");
    }
    let about = task.text("taskArn").to_owned();
    events::tell(ctx, SOURCE, "ECS Task State Change", &about, Value::Object(detail));
}

/// How a deployment of a service goes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html>
pub(super) fn deployment(ctx: &mut Ctx<'_>, service: &Resource, deployment: &str, state: &str, reason: &str) {
    let kind = if state == "FAILED" { "ERROR" } else { "INFO" };
    let detail = json!({
        "eventType": kind, "eventName": format!("SERVICE_DEPLOYMENT_{state}"), "deploymentId": deployment,
        "updatedAt": events::stamp(ctx.now), "reason": reason,
    });
    events::tell(ctx, SOURCE, "ECS Deployment State Change", service.text("serviceArn"), detail);
}

fn action(ctx: &mut Ctx<'_>, service: &Resource, kind: &str, name: &str, more: Map<String, Value>) {
    let mut detail = json!({
        "eventType": kind, "eventName": name, "clusterArn": service.text("clusterArn"), "createdAt": iso(ctx.now),
    });
    for (name, value) in more {
        detail[name] = value;
    }
    events::tell(ctx, SOURCE, "ECS Service Action", service.text("serviceArn"), detail);
}

/// The service has all that it should have.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html>
pub(super) fn steady(ctx: &mut Ctx<'_>, service: &Resource) {
    action(ctx, service, "INFO", "SERVICE_STEADY_STATE", Map::new());
}

/// There is no place for a task of the service.
pub(super) fn no_place(ctx: &mut Ctx<'_>, service: &Resource, nowhere: &Nowhere) {
    let reason = match nowhere {
        Nowhere::NoInstances(_) => "NO_CONTAINER_INSTANCES",
        Nowhere::Taken => "PLACEMENT_CONSTRAINT",
        Nowhere::TooSmall("CPU units") => "RESOURCE:CPU",
        Nowhere::TooSmall("memory") => "RESOURCE:MEMORY",
        Nowhere::TooSmall(_) => "RESOURCE:ENI",
    };
    let more = Map::from_iter([("reason".to_owned(), reason.into())]);
    action(ctx, service, "ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", more);
}

/// The service's tasks do not come up.
pub(super) fn impaired(ctx: &mut Ctx<'_>, service: &Resource) {
    action(ctx, service, "WARN", "SERVICE_TASK_START_IMPAIRED", Map::new());
}
