//! What people should hear of what arrived.

mod alarm;
mod console;
mod deployment;
mod dlm;
mod guardduty;
mod health;
mod other;
mod plain;
mod rds;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::alarm::Alarm;
use crate::envelope::{Arrival, Content};
use crate::event::Event;
use crate::notice::{Link, Malformed, Notice, Severity, State};

/// What people should hear of something that arrived.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// This.
    Notice(Box<Notice>),
    /// This, if they were told of what it closes: that all is well is no news where nothing else was said.
    IfOpen(Box<Notice>),
    /// Nothing, and why.
    Nothing(String),
}

/// What people should hear of something that arrived, now.
///
/// # Errors
/// It says that it is a notice, and cannot be read.
pub fn tell(arrival: &Arrival, now: Timestamp) -> Result<Told, Malformed> {
    let desk = Desk { arrival, now };
    let value = match &arrival.content {
        Content::Handshake(kind) => return Ok(Told::Nothing(format!("a topic's {kind} is none of people's business"))),
        Content::Text(text) => return Ok(plain::tell(&desk, text)),
        Content::Json(value) => value,
    };
    if let Some(notice) = Notice::from_json(value) {
        return notice.map(|notice| Told::Notice(Box::new(notice)));
    }
    if let Some(alarm) = Alarm::read(value, arrival) {
        return Ok(alarm::tell(&desk, &alarm));
    }
    if let Some(event) = Event::read(value) {
        return Ok(of_event(&desk, &event));
    }
    Ok(rds::subscription(&desk, value).unwrap_or_else(|| other::document(&desk, value)))
}

fn of_event(desk: &Desk<'_>, event: &Event) -> Told {
    let source = event.source.as_str();
    let kind = event.kind.as_str();
    match kind {
        "AWS Health Event" | "AWS Health Abuse Event" => health::tell(desk, event),
        "DLM Policy State Change" => dlm::tell(desk, event),
        "ECS Deployment State Change" | "ECS Service Action" => deployment::tell(desk, event),
        "GuardDuty Finding" => guardduty::tell(desk, event),
        _ if source == "aws.rds" || kind.starts_with("RDS DB ") => rds::tell(desk, event),
        _ => other::event(desk, event),
    }
}

/// What is being told, and when: what every notice begins with.
struct Desk<'a> {
    arrival: &'a Arrival,
    now: Timestamp,
}

impl Desk<'_> {
    /// A notice without more than it must have.
    fn notice(&self, severity: Severity, source: &str, title: String, subject: String, key: String) -> Notice {
        Notice {
            severity,
            state: State::Once,
            title,
            text: String::new(),
            facts: Vec::new(),
            links: Vec::new(),
            subject,
            key,
            at: self.arrival.at.unwrap_or(self.now),
            source: source.to_owned(),
        }
    }

    /// A notice of an event: it happened when the event says, in the account and region that it names.
    fn of_event(&self, event: &Event, severity: Severity, source: &str, title: String, subject: String) -> Notice {
        let key = event.id.as_ref().map_or_else(|| self.key(&event.detail.to_string()), |id| format!("event {id}"));
        let notice = self.notice(severity, source, title, subject, key);
        Notice { at: event.time.unwrap_or(notice.at), ..notice }
    }

    /// What something is called that has no name: by the topic that it came over.
    fn unnamed(&self) -> String {
        let topic = self.arrival.topic.as_deref().map(last);
        topic.map_or_else(|| "A message".to_owned(), |topic| format!("A message on {topic}"))
    }

    /// The key of something that has no id of its own: that of its envelope, else what it says in this hour.
    fn key(&self, content: &str) -> String {
        if let Some(id) = &self.arrival.id {
            return format!("message {id}");
        }
        let hour = self.arrival.at.unwrap_or(self.now).as_second().div_euclid(3600);
        format!("text {hour} {}", short_hash(content))
    }
}

/// Enough of a text's hash to tell it from all others.
fn short_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn told(notice: Notice) -> Told {
    Told::Notice(Box::new(notice))
}

fn nothing(why: impl Into<String>) -> Told {
    Told::Nothing(why.into())
}

impl Notice {
    /// Adds something that is known, if it is.
    fn perhaps(self, name: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.fact(name, value),
            None => self,
        }
    }

    /// Adds where it happened.
    fn place(self, account: Option<&str>, region: Option<&str>) -> Self {
        self.perhaps("account", account).perhaps("region", region)
    }

    /// Adds a page to look at, if there is one.
    fn link(mut self, title: &str, url: Option<String>) -> Self {
        self.links.extend(url.map(|url| Link { title: title.to_owned(), url }));
        self
    }
}

/// The last part of an ARN: what people call the thing.
fn last(arn: &str) -> &str {
    arn.rsplit(['/', ':']).next().filter(|name| !name.is_empty()).unwrap_or(arn)
}

/// The scalars in a document, by their path, in its order.
fn scalars(value: &Value, most: usize) -> Vec<(String, String)> {
    fn collect(value: &Value, path: &str, depth: usize, most: usize, found: &mut Vec<(String, String)>) {
        if found.len() >= most {
            return;
        }
        match (value, crate::json::shown(value)) {
            (_, Some(shown)) => found.push((if path.is_empty() { "value" } else { path }.to_owned(), shown)),
            (Value::Object(fields), None) if depth > 0 => {
                for (name, value) in fields {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    collect(value, &path, depth - 1, most, found);
                }
            }
            (Value::Array(members), None) if depth > 0 => {
                for (n, value) in members.iter().enumerate() {
                    collect(value, &format!("{path}[{n}]"), depth - 1, most, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(value, "", 3, most, &mut found);
    found
}

#[cfg(test)]
mod tests;
