//! What our payloads look like in Slack: `cargo run -p wharf-notify --example picture -- DIRECTORY` writes a page there
//! and, where there is a Chromium, a picture of it. The page is Slack's way of showing blocks, as near as it matters.

mod html;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use wharf_events::{Arrival, Notice, State, Told};
use wharf_notify::{Message, Series};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let directory = std::env::args().nth(1).ok_or("which directory should it be written to?")?;
    let wanted: Vec<String> = std::env::args().skip(2).collect();
    let page = Path::new(&directory).join("slack.html");
    let shown = messages(&wanted)?;
    std::fs::write(&page, html::page(&shown))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", page.display())?;
    match picture(&page) {
        Ok(picture) => writeln!(out, "{picture}")?,
        Err(why) => writeln!(out, "no picture: {why}")?,
    }
    Ok(())
}

/// Each of our payloads that is told; an end in the thread of its beginning; and a digest.
fn messages(wanted: &[String]) -> Result<Vec<html::Shown>, Failure> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/samples");
    let mut names: Vec<_> = std::fs::read_dir(samples)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    names.sort();
    let mut shown = Vec::new();
    let mut notices = Vec::new();
    for path in names {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for arrival in Arrival::in_message(&std::fs::read_to_string(&path)?, Some(&name)) {
            let Some(notice) = told(&arrival) else { continue };
            if wanted.is_empty() || wanted.contains(&name) {
                shown.push(html::Shown::new(&name, &message(&notice)));
                if notice.state == State::Closed {
                    let series = Series { count: 1, since: before(notice.at) };
                    shown.push(html::Shown::reply(&Message::short(&notice, series)));
                }
            }
            notices.push(notice);
        }
    }
    if wanted.is_empty() || wanted.iter().any(|name| name == "digest") {
        let digest = Message::digest(&notices.iter().collect::<Vec<_>>(), Some("<!here>"));
        shown.extend(digest.iter().map(|(message, _)| html::Shown::new("digest", message)));
    }
    Ok(shown)
}

fn told(arrival: &Arrival) -> Option<Notice> {
    match wharf_events::tell(arrival, Timestamp::UNIX_EPOCH).ok()? {
        Told::Notice(notice) | Told::IfOpen(notice) => Some(*notice),
        Told::Nothing(_) => None,
    }
}

fn message(notice: &Notice) -> Message {
    let series = (notice.state == State::Closed).then(|| Series { count: 1, since: before(notice.at) });
    Message::whole(notice, series, None)
}

fn before(at: Timestamp) -> Timestamp {
    at.checked_sub(jiff::SignedDuration::from_mins(15)).unwrap_or(at)
}

fn picture(page: &Path) -> Result<String, Failure> {
    let (picture, page) = (page.with_extension("png"), page.canonicalize()?);
    let arguments = ["--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu", "--window-size=760,9000"];
    let status = Command::new("chromium")
        .args(arguments)
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", page.display()))
        .stderr(std::process::Stdio::null())
        .status()?;
    if status.success() {
        Ok(picture.display().to_string())
    } else {
        Err(format!("chromium ended with {status}").into())
    }
}
