//! A text without a form: what a person or a script sent to the topic.

use super::{Desk, Told, nothing, told};
use crate::notice::{Notice, Severity};

/// A first line that is no longer is a title.
const TITLE: usize = 120;

pub(super) fn tell(desk: &Desk<'_>, text: &str) -> Told {
    let text = text.trim();
    let subject = desk.arrival.subject.as_deref();
    let first = text.lines().next().map(str::trim).unwrap_or_default();
    // What begins as a document and arrives as a text was cut on its way, or is broken.
    let broken = subject.is_none() && first.starts_with(['{', '[']);
    let (title, text) = match subject {
        Some(subject) => (subject.to_owned(), text),
        None if first.is_empty() => return nothing("an empty message"),
        None if broken => (format!("{}, cut or broken", desk.unnamed()), text),
        None if first.chars().count() <= TITLE && !first.contains('<') => {
            (first.to_owned(), text.get(first.len()..).unwrap_or_default().trim())
        }
        None => (desk.unnamed(), text),
    };
    let about = desk.arrival.topic.as_deref().map_or_else(|| title.clone(), |topic| format!("{topic} {title}"));
    let key = desk.key(&format!("{title}\n{text}"));
    let severity = if broken { Severity::Warning } else { severity(&title, text) };
    told(Notice { text: text.to_owned(), ..desk.notice(severity, "message", title, about, key) })
}

/// Who writes ALARM or ERROR means it.
fn severity(title: &str, text: &str) -> Severity {
    let begins = text.get(..text.floor_char_boundary(300)).unwrap_or(text);
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).map(str::to_ascii_lowercase).collect()
    };
    let loud = ["alarm", "alert", "error", "failed", "failure", "critical", "fatal", "down", "exceeded", "outage"];
    let is_loud = |text: &str| words(text).iter().any(|word| loud.contains(&word.as_str()));
    if is_loud(title) || is_loud(begins) { Severity::Warning } else { Severity::Info }
}
