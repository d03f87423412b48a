//! What nobody here knows: people hear of it all the same, for somebody has wired it to come.

use serde_json::Value;

use super::{Desk, Told, last, nothing, scalars, told};
use crate::event::Event;
use crate::json;
use crate::notice::{Notice, Severity};

/// So many fields are shown of what is not known.
const SHOWN: usize = 12;

/// So many fields are looked at for a word that says that something is wrong.
const LOOKED_AT: usize = 60;

/// Events that tell of the ordinary course of things, by their source and the beginning of their kind.
const ROUTINE: [(&str, &str); 17] = [
    ("aws.ecr", "ECR Image Action"),
    ("aws.ecr", "ECR Pull Through Cache Action"),
    ("aws.ecr", "ECR Referrer Action"),
    ("aws.ecr", "ECR Replication Action"),
    ("aws.ecr", "ECR Scan Resource Change"),
    ("aws.ecs", "ECS Task State Change"),
    ("aws.ecs", "ECS Container Instance State Change"),
    ("aws.events", "Scheduled Event"),
    ("aws.scheduler", "Scheduled Event"),
    ("aws.cloudwatch", "CloudWatch Alarm Configuration Change"),
    ("aws.autoscaling", "EC2 Instance Launch Successful"),
    ("aws.autoscaling", "EC2 Instance Terminate Successful"),
    ("aws.autoscaling", "EC2 Instance-launch Lifecycle Action"),
    ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action"),
    ("aws.ec2", "EC2 Instance State-change Notification"),
    ("aws.ec2", "EBS Volume Notification"),
    ("aws.synthetics", "Synthetics Canary TestRun Successful"),
];

pub(super) fn event(desk: &Desk<'_>, event: &Event) -> Told {
    let routine = |(source, kind): &(&str, &str)| event.source == *source && event.kind.starts_with(kind);
    if ROUTINE.iter().any(routine) && !failed(&event.detail) {
        return nothing(format!("{} is the ordinary course of things", event.kind));
    }
    let named = json::first(&event.detail, &["title", "Title"]).map(str::to_owned);
    let about = named.or_else(|| event.resources.first().map(|arn| last(arn).to_owned()));
    let title = about.map_or_else(|| event.kind.clone(), |about| format!("{}: {about}", event.kind));
    let severity = if failed(&event.detail) || upset(&event.kind) { Severity::Warning } else { Severity::Info };
    let source = event.source.strip_prefix("aws.").filter(|source| !source.is_empty()).unwrap_or("eventbridge");
    let subject = event.resources.first().cloned().unwrap_or_else(|| format!("{source} {}", event.kind));
    let notice = desk.of_event(event, severity, source, title, subject);
    told(with_scalars(notice, &event.detail).place(event.account.as_deref(), event.region.as_deref()))
}

pub(super) fn document(desk: &Desk<'_>, value: &Value) -> Told {
    let own = json::first(value, &["title", "Title", "subject", "Subject", "detail-type", "event", "Event"]);
    let title = desk.arrival.subject.as_deref().or(own).map_or_else(|| desk.unnamed(), str::to_owned);
    let severity = if failed(value) || upset(&title) { Severity::Warning } else { Severity::Info };
    let subject = desk.arrival.topic.as_deref().map_or_else(|| title.clone(), |topic| format!("{topic} {title}"));
    let notice = desk.notice(severity, "message", title, subject, desk.key(&value.to_string()));
    told(with_scalars(notice, value))
}

/// Shows the fields that have a short form; where none has, the document itself.
fn with_scalars(notice: Notice, value: &Value) -> Notice {
    let text = json::first(value, &["message", "Message", "description", "Description"]).unwrap_or_default().to_owned();
    let fields = scalars(value, SHOWN + 1);
    let text = match (text.is_empty(), fields.is_empty(), value) {
        (true, true, Value::Null) => String::new(),
        (true, true, value) => value.to_string(),
        _ => text,
    };
    let shown = fields.into_iter().filter(|(_, value)| *value != text && *value != notice.title).take(SHOWN);
    let shown: Vec<_> = shown.collect();
    shown.into_iter().fold(Notice { text, ..notice }, |notice, (name, value)| notice.fact(name, value))
}

/// Whether one of the fields in which services tell how something ended, or how bad it is, says that it is bad.
fn failed(value: &Value) -> bool {
    const FIELDS: [&str; 7] = ["state", "status", "result", "eventtype", "statuscode", "severity", "event"];
    let tells = |path: &str| FIELDS.contains(&path.rsplit('.').next().unwrap_or(path).to_ascii_lowercase().as_str());
    scalars(value, LOOKED_AT).iter().any(|(path, value)| tells(path) && upset(value))
}

fn upset(text: &str) -> bool {
    let small = text.to_ascii_lowercase();
    const WORDS: [&str; 10] = [
        "fail",
        "error",
        "unsuccessful",
        "timed out",
        "timed_out",
        "stopped",
        "aborted",
        "interruption",
        "critical",
        "high",
    ];
    WORDS.iter().any(|word| small.contains(word))
}
