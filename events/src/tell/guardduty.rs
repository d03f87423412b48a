//! A finding of GuardDuty. The same finding comes again whenever it is seen again: its id is what it is about.
//! <https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings_eventbridge.html>

use super::{Desk, Told, console, told};
use crate::event::Event;
use crate::json;
use crate::notice::{Notice, Severity};

pub(super) fn tell(desk: &Desk<'_>, event: &Event) -> Told {
    let detail = &event.detail;
    let text = |path: &[&str]| json::text(detail, path);
    let number = json::number(detail, &["severity"]);
    let id = text(&["id"]).unwrap_or("a finding");
    let kind = text(&["type"]).unwrap_or(&event.kind);
    let title = text(&["title"]).unwrap_or(kind).to_owned();
    let notice = desk.of_event(event, severity(number), "guardduty", title, format!("guardduty {id}"));
    let region = text(&["region"]).or(event.region.as_deref());
    let updated = json::time(detail, &["updatedAt"]);
    let fragment = format!("/findings?search=id%3D{}", console::encoded(id));
    let notice = Notice { text: text(&["description"]).unwrap_or_default().to_owned(), ..notice };
    // Without an id of its own, an event is told from the next by when the finding was last seen.
    let seen = updated.map(|at| format!("guardduty {id} {}", at.as_second()));
    let key = if event.id.is_some() { notice.key.clone() } else { seen.unwrap_or_else(|| notice.key.clone()) };
    let notice = Notice { key, at: updated.unwrap_or(notice.at), ..notice }
        .fact("type", kind)
        .perhaps("severity", number.map(|number| format!("{} ({})", json::plain(number), word(number))))
        .perhaps("resource", text(&["resource", "resourceType"]))
        .perhaps("what", what(event))
        .perhaps("from", text(&["service", "action", "networkConnectionAction", "remoteIpDetails", "ipAddressV4"]))
        .perhaps("times", json::number(detail, &["service", "count"]).map(json::plain))
        .place(text(&["accountId"]).or(event.account.as_deref()), region);
    told(notice.link("Finding", console::page(region, "guardduty/home", &fragment)))
}

/// The levels that GuardDuty itself has.
/// <https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-severity.html>
fn severity(number: Option<f64>) -> Severity {
    match number {
        Some(number) if number < 4.0 => Severity::Info,
        Some(number) if number < 7.0 => Severity::Warning,
        Some(_) => Severity::Critical,
        None => Severity::Warning,
    }
}

fn word(number: f64) -> &'static str {
    match number {
        _ if number < 4.0 => "low",
        _ if number < 7.0 => "medium",
        _ if number < 9.0 => "high",
        _ => "critical",
    }
}

/// What the finding is of, by the name that its owner knows.
fn what(event: &Event) -> Option<String> {
    let resource = json::at(&event.detail, &["resource"])?;
    let paths: [&[&str]; 6] = [
        &["instanceDetails", "instanceId"],
        &["ecsClusterDetails", "name"],
        &["rdsDbInstanceDetails", "dbInstanceIdentifier"],
        &["lambdaDetails", "functionName"],
        &["accessKeyDetails", "userName"],
        &["eksClusterDetails", "name"],
    ];
    let bucket = || json::list(resource, &["s3BucketDetails"]).first().and_then(|bucket| json::text(bucket, &["name"]));
    paths.iter().find_map(|path| json::text(resource, path)).or_else(bucket).map(str::to_owned)
}
