//! What ECS tells of services that nobody else tells: a deployment that failed, a service that cannot start its tasks.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html>

use super::{Desk, Told, console, last, nothing, told};
use crate::event::Event;
use crate::json;
use crate::notice::{Notice, Severity};

pub(super) fn tell(desk: &Desk<'_>, event: &Event) -> Told {
    let text = |name: &str| json::text(&event.detail, &[name]);
    let arn = event.resources.first().map(String::as_str).or(text("serviceArn")).unwrap_or("a service");
    let service = last(arn);
    let name = text("eventName").unwrap_or(&event.kind);
    let reason = text("reason").unwrap_or_default();
    let rolling_back = reason.contains("rolling back");
    let severity = match text("eventType").unwrap_or_default() {
        "ERROR" if event.kind == "ECS Deployment State Change" => Severity::Critical,
        "ERROR" | "WARN" => Severity::Warning,
        _ if rolling_back => Severity::Warning,
        _ => return nothing(format!("{service}: {} is the ordinary course of things", words(name))),
    };
    let title = if rolling_back { format!("{service}: rolls back") } else { format!("{service}: {}", words(name)) };
    let notice = desk.of_event(event, severity, "ecs", title, format!("ecs {arn}"));
    let cluster = text("clusterArn").map(last).or_else(|| arn.rsplit('/').nth(1)).unwrap_or_default();
    let page = format!("v2/clusters/{}/services/{}", console::encoded(cluster), console::encoded(service));
    let link = console::page(event.region.as_deref(), &format!("ecs/{page}"), "");
    let notice = Notice { text: reason.to_owned(), ..notice }
        .fact("service", service)
        .perhaps("cluster", Some(cluster).filter(|cluster| !cluster.is_empty()))
        .perhaps("deployment", text("deploymentId"))
        .perhaps("target groups", lines(event, "targetGroupArns"))
        .perhaps("tasks", lines(event, "taskArns"))
        .place(event.account.as_deref(), event.region.as_deref());
    told(notice.link("Service", link))
}

/// `SERVICE_DEPLOYMENT_FAILED` → `deployment failed`.
fn words(name: &str) -> String {
    name.strip_prefix("SERVICE_").unwrap_or(name).replace('_', " ").to_ascii_lowercase()
}

fn lines(event: &Event, list: &str) -> Option<String> {
    let names: Vec<&str> = json::list(&event.detail, &[list]).iter().filter_map(|arn| arn.as_str().map(last)).collect();
    (!names.is_empty()).then(|| names.join("\n"))
}
