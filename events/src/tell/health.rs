//! What AWS Health tells of AWS itself: issues, changes to come, notifications to the account.
//! <https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html>

use serde_json::Value;

use super::{Desk, Told, last, told};
use crate::event::Event;
use crate::json;
use crate::notice::{Notice, Severity, State};

/// So many of what is affected are named.
const NAMED: usize = 10;

pub(super) fn tell(desk: &Desk<'_>, event: &Event) -> Told {
    let detail = &event.detail;
    let text = |name: &str| json::text(detail, &[name]);
    let category = text("eventTypeCategory").unwrap_or_default();
    let status = text("statusCode").unwrap_or_default();
    let service = text("service").unwrap_or("AWS");
    let code = text("eventTypeCode").unwrap_or(&event.kind);
    let over = status.eq_ignore_ascii_case("closed");
    let state = match category {
        "issue" | "investigation" if over => State::Closed,
        "issue" | "investigation" => State::Opened,
        _ => State::Once,
    };
    let (severity, noun) = match category {
        "issue" => (Severity::Critical, "issue at AWS"),
        "investigation" => (Severity::Warning, "investigation by AWS"),
        "scheduledChange" => (Severity::Warning, "scheduled change"),
        "accountNotification" if event.kind.contains("Abuse") => (Severity::Critical, "abuse report"),
        "accountNotification" => (Severity::Info, "notification"),
        _ => (Severity::Warning, "notice"),
    };
    let title = format!("{service}: {noun}{}", if over && state == State::Closed { " is over" } else { "" });
    let subject = text("eventArn").or(event.resources.first().map(String::as_str)).unwrap_or(code).to_owned();
    let notice = desk.of_event(event, severity, "health", title, subject);
    let key = key(event).unwrap_or_else(|| notice.key.clone());
    let at = json::time(detail, &["lastUpdatedTime"]).unwrap_or(notice.at);
    let notice = Notice { state, key, at, text: description(detail), ..notice }
        .fact("event", code)
        .perhaps("status", Some(status).filter(|status| !status.is_empty()))
        .perhaps("begins", text("startTime"))
        .perhaps("ends", text("endTime"))
        .perhaps("affected", affected(event))
        .place(event.account.as_deref(), text("eventRegion").or(event.region.as_deref()));
    let page = "https://health.console.aws.amazon.com/health/home".to_owned();
    told(notice.link("Health dashboard", Some(page)))
}

/// One communication comes to two regions, and in pages.
fn key(event: &Event) -> Option<String> {
    let id = json::text(&event.detail, &["communicationId"])?;
    let page = json::at(&event.detail, &["page"]).and_then(json::shown).unwrap_or_default();
    let account = json::text(&event.detail, &["affectedAccount"]).or(event.account.as_deref()).unwrap_or_default();
    Some(format!("health {id} {account} {page}").trim_end().to_owned())
}

/// What AWS wrote, in English where it wrote in several languages.
fn description(detail: &Value) -> String {
    let all = json::list(detail, &["eventDescription"]);
    let english = |one: &&Value| json::text(one, &["language"]).is_none_or(|language| language.starts_with("en"));
    let one = all.iter().find(english).or(all.first());
    let text = one.and_then(|one| json::text(one, &["latestDescription"])).unwrap_or_default();
    // It is written with the line breaks of a mail, as two characters.
    text.replace("\\n", "\n").trim().to_owned()
}

fn affected(event: &Event) -> Option<String> {
    let entities = json::list(&event.detail, &["affectedEntities"]);
    let mut names: Vec<&str> = entities.iter().filter_map(|entity| json::text(entity, &["entityValue"])).collect();
    if names.is_empty() {
        names = event.resources.iter().map(String::as_str).collect();
    }
    let more = names.len().saturating_sub(NAMED);
    let mut shown: Vec<String> = names.iter().take(NAMED).map(|name| last(name).to_owned()).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    (!shown.is_empty()).then(|| shown.join("\n"))
}
