//! What RDS tells of instances, clusters, snapshots, proxies: as events of EventBridge, and as what an event
//! subscription of RDS sends over a topic.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html>

use serde_json::Value;

use super::{Desk, Told, console, last, nothing, told};
use crate::event::Event;
use crate::json;
use crate::notice::{Notice, Severity};

pub(super) fn tell(desk: &Desk<'_>, event: &Event) -> Told {
    let text = |name: &str| json::text(&event.detail, &[name]);
    let categories: Vec<&str> =
        json::list(&event.detail, &["EventCategories"]).iter().filter_map(Value::as_str).collect();
    let message = text("Message").unwrap_or(&event.kind);
    let kind = text("SourceType").unwrap_or_default();
    if let Some(why) = routine(&categories, kind, message) {
        return nothing(why);
    }
    let arn = text("SourceArn").or(event.resources.first().map(String::as_str));
    let name = text("SourceIdentifier").or(arn.map(last)).unwrap_or("a database");
    let subject = arn.unwrap_or(name).to_owned();
    let notice = desk.of_event(event, severity(&categories, message), "rds", format!("{name}: {message}"), subject);
    let at = json::time(&event.detail, &["Date"]).unwrap_or(notice.at);
    let notice = Notice { at, ..notice }
        .perhaps("kind", noun(kind))
        .perhaps("category", Some(categories.join(", ")).filter(|text| !text.is_empty()))
        .perhaps("event", text("EventID"))
        .place(event.account.as_deref(), event.region.as_deref());
    told(notice.link("Database", page(event.region.as_deref(), kind, name)))
}

/// What an event subscription of RDS sends.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.overview.html>
pub(super) fn subscription(desk: &Desk<'_>, value: &Value) -> Option<Told> {
    let message = json::text(value, &["Event Message"])?;
    let name = json::text(value, &["Source ID"]).unwrap_or("a database");
    let title = format!("{name}: {message}");
    let subject = json::text(value, &["Source ARN"]).unwrap_or(name).to_owned();
    let key = desk.key(&value.to_string());
    let notice = desk.notice(severity(&[], message), "rds", title, subject, key);
    let id = json::text(value, &["Event ID"]).and_then(|id| id.rsplit('#').next());
    let link = json::text(value, &["Identifier Link"]).filter(|url| url.starts_with("https://")).map(str::to_owned);
    Some(told(notice.perhaps("kind", json::text(value, &["Event Source"])).perhaps("event", id).link("Database", link)))
}

/// Backups are taken every day, and F3 checks that they are.
fn routine(categories: &[&str], kind: &str, message: &str) -> Option<String> {
    let small = message.to_ascii_lowercase();
    let snapshot = kind.contains("SNAPSHOT") && small.contains("automated") && !small.contains("fail");
    let backup = !categories.is_empty() && categories.iter().all(|category| *category == "backup");
    (snapshot || (backup && !small.contains("fail"))).then(|| format!("backups are routine: {message}"))
}

fn severity(categories: &[&str], message: &str) -> Severity {
    let small = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| small.contains(word));
    let is = |words: &[&str]| categories.iter().any(|category| words.contains(category));
    if is(&["failure", "low storage"]) || says(&["failed", "failure", "incompatible", "storage is full", "exhausted"]) {
        return Severity::Critical;
    }
    let upset = is(&["failover", "availability", "recovery", "deletion", "security", "security patching"]);
    let upset = upset || says(&["failover", "stopped", "shutdown", "restarted", "deleted", "will be started"]);
    if upset { Severity::Warning } else { Severity::Info }
}

fn noun(kind: &str) -> Option<&'static str> {
    match kind {
        "DB_INSTANCE" => Some("instance"),
        "CLUSTER" | "DB_CLUSTER" => Some("cluster"),
        "SNAPSHOT" | "DB_SNAPSHOT" => Some("snapshot"),
        "CLUSTER_SNAPSHOT" | "DB_CLUSTER_SNAPSHOT" => Some("snapshot of a cluster"),
        "DB_PARAM" | "DB_PARAMETER_GROUP" => Some("parameter group"),
        "SECURITY_GROUP" | "DB_SECURITY_GROUP" => Some("security group"),
        "DB_PROXY" => Some("proxy"),
        _ => None,
    }
}

fn page(region: Option<&str>, kind: &str, name: &str) -> Option<String> {
    let name = console::encoded(name.strip_prefix("rds:").unwrap_or(name));
    let cluster = matches!(kind, "CLUSTER" | "DB_CLUSTER");
    let instance = (kind == "DB_INSTANCE").then(|| format!("database:id={name};is-cluster=false"));
    let fragment = instance.or_else(|| cluster.then(|| format!("database:id={name};is-cluster=true")))?;
    console::page(region, "rds/home", &fragment)
}
