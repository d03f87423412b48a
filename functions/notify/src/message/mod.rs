//! A notice as a message in Slack.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use wharf_events::{Fact, Notice, Severity, State};

use crate::text::{cut, escaped, link, one_line};

/// <https://docs.slack.dev/reference/block-kit/blocks/header-block/>
const HEADER: usize = 150;
/// <https://docs.slack.dev/reference/block-kit/blocks/section-block/>
const SECTION: usize = 3_000;
/// A section has so many fields at most.
const FIELDS: usize = 10;
/// A longer fact does not stand beside another.
const SHORT_FACT: usize = 120;
/// A name of a fact is a word or two.
const FACT_NAME: usize = 80;
/// So many facts that need room of their own are shown, and so much of each.
const LONG_FACTS: usize = 3;
const LONG_FACT: usize = 1_200;
/// So many other facts are shown.
const SHORT_FACTS: usize = 20;
/// Longer texts belong where the links lead.
const LONG_TEXT: usize = 2_500;
/// What a message without blocks may say: Slack cuts longer ones into several.
const PLAIN: usize = 3_900;
/// What notifications show.
const SUMMARY: usize = 300;

/// A message, ready to be posted.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// What notifications show.
    pub text: String,
    /// What the message shows; nothing when it shows its text.
    pub blocks: Vec<Value>,
    /// What it says where blocks are refused.
    plain: String,
}

/// How often something has begun, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// How often.
    pub count: u32,
    /// When it began for the first time.
    pub since: Timestamp,
}

impl Message {
    /// The whole notice.
    #[must_use]
    pub fn whole(notice: &Notice, series: Option<Series>, mention: Option<&str>) -> Self {
        let title = format!("{} {}", sign(notice), one_line(&notice.title));
        let mut blocks = vec![json!({"type": "header", "text": plain_text(&escaped(&title, HEADER))})];
        if let Some(mention) = mention {
            blocks.push(section(mention));
        }
        blocks.extend(body(notice));
        blocks.push(footer(notice, series));
        Self { text: summary(notice), blocks, plain: plain(notice, mention) }
    }

    /// The notice in a line, as an answer in the thread of what it continues.
    #[must_use]
    pub fn short(notice: &Notice, series: Series) -> Self {
        let value = notice.facts.iter().find(|fact| fact.name == "value").map(|fact| one_line(&fact.value));
        let lasted = lasted(notice, series).map(|lasted| format!(" {lasted}")).unwrap_or_default();
        let value = value.map(|value| format!(" · {}", escaped(&value, 200))).unwrap_or_default();
        let line = format!("{} *{}*{lasted}{value}", sign(notice), escaped(&one_line(&notice.title), 500));
        Self { text: summary(notice), blocks: vec![section(&line)], plain: plain(notice, None) }
    }

    /// The same without blocks.
    #[must_use]
    pub fn without_blocks(&self) -> Self {
        Self { text: self.plain.clone(), blocks: Vec::new(), plain: self.plain.clone() }
    }

    /// Many notices: each in a line, in as few messages as they fit into. With each message, how many it tells of.
    #[must_use]
    pub fn digest(notices: &[&Notice], mention: Option<&str>) -> Vec<(Self, usize)> {
        /// Far below what Slack was seen to refuse.
        const MOST: usize = 10_000;
        let mut parts: Vec<Vec<String>> = Vec::new();
        let mut room = 0;
        for notice in notices {
            let line = line(notice);
            let length = line.encode_utf16().count() + 1;
            match parts.last_mut() {
                Some(part) if length <= room => part.push(line),
                _ => {
                    parts.push(vec![line]);
                    room = MOST;
                }
            }
            room = room.saturating_sub(length);
        }
        let all = parts.len();
        let worst = notices.iter().copied().min_by_key(|notice| rank(notice));
        let one = |(n, lines): (usize, Vec<String>)| {
            let part = if all > 1 { format!(" ({} of {all})", n + 1) } else { String::new() };
            let title = format!("{} {} notices at once{part}", worst.map_or("", sign), notices.len());
            let mut blocks = vec![json!({"type": "header", "text": plain_text(&escaped(&title, HEADER))})];
            blocks.extend(mention.filter(|_| n == 0).map(section));
            blocks.extend(packed(&lines).iter().map(|text| section(text)));
            let plain = cut(&format!("{title}\n{}", lines.join("\n")), PLAIN);
            (Self { text: title, blocks, plain }, lines.len())
        };
        parts.into_iter().enumerate().map(one).collect()
    }

    /// As the body of a call.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = json!({
            "text": self.text,
            // No mention out of what happens to look like one, and no preview of where a link leads.
            "parse": "none",
            "link_names": false,
            "unfurl_links": false,
            "unfurl_media": false,
        });
        if !self.blocks.is_empty() {
            body["blocks"] = json!(self.blocks);
        }
        body
    }
}

/// What people see first.
fn sign(notice: &Notice) -> &'static str {
    match (notice.state, notice.severity) {
        (State::Closed, _) => "✅",
        (_, Severity::Critical) => "🔴",
        (_, Severity::Warning) => "🟠",
        (_, Severity::Info) => "🔵",
    }
}

/// The worst comes first.
fn rank(notice: &Notice) -> (bool, std::cmp::Reverse<Severity>) {
    (notice.state == State::Closed, std::cmp::Reverse(notice.severity))
}

fn plain_text(text: &str) -> Value {
    json!({"type": "plain_text", "text": text, "emoji": false})
}

/// Verbatim, so that Slack makes no mention and no channel out of what happens to look like one.
fn markdown(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": markdown(text)})
}

/// Text and facts.
fn body(notice: &Notice) -> Vec<Value> {
    let mut blocks = Vec::new();
    let text = escaped(notice.text.trim(), LONG_TEXT);
    if !text.trim().is_empty() {
        blocks.push(section(&text));
    }
    let told = notice.facts.iter().filter(|fact| !in_footer(fact) && !fact.value.trim().is_empty());
    let (short, long): (Vec<&Fact>, Vec<&Fact>) = told.partition(|fact| is_short(fact));
    let left_out = short.len().saturating_sub(SHORT_FACTS) + long.len().saturating_sub(LONG_FACTS);
    let fields: Vec<Value> = short.iter().take(SHORT_FACTS).map(|fact| field(fact)).collect();
    blocks.extend(fields.chunks(FIELDS).map(|fields| json!({"type": "section", "fields": fields})));
    for fact in long.iter().take(LONG_FACTS) {
        let name = escaped(&one_line(&fact.name), FACT_NAME);
        // Three backticks would end the block.
        let value = escaped(&fact.value.trim().replace("```", "'''"), LONG_FACT);
        blocks.push(section(&cut(&format!("*{name}*\n```{value}```"), SECTION)));
    }
    if left_out > 0 {
        blocks.push(json!({"type": "context", "elements": [markdown(&format!("… and {left_out} facts more"))]}));
    }
    blocks
}

/// A list of names may stand beside another fact; lines of a log may not.
fn is_short(fact: &Fact) -> bool {
    let lines = fact.value.lines().count();
    let wide = fact.value.lines().any(|line| line.chars().count() > 40);
    fact.value.chars().count() <= SHORT_FACT && lines <= 4 && (lines <= 1 || !wide)
}

fn field(fact: &Fact) -> Value {
    let name = escaped(&one_line(&fact.name), FACT_NAME);
    markdown(&format!("*{name}*\n{}", escaped(fact.value.trim(), 600)))
}

/// Account and region are the same in most messages: they stand below.
fn in_footer(fact: &Fact) -> bool {
    matches!(fact.name.as_str(), "account" | "region")
}

/// Where to look, how long it lasted, and who tells it, of where and when.
fn footer(notice: &Notice, series: Option<Series>) -> Value {
    let links = notice.links.iter().take(3).map(|one| link(&one.title, &one.url));
    let lasted = series.and_then(|series| lasted(notice, series));
    let value = |name: &str| notice.facts.iter().find(|fact| fact.name == name).map(|fact| escaped(&fact.value, 100));
    let place = [value("account"), value("region")].into_iter().flatten();
    let source = escaped(&one_line(&notice.source), 100);
    let parts: Vec<String> = links
        .chain(lasted)
        .chain([source])
        .chain(place)
        .chain([date(notice.at)])
        .filter(|part| !part.is_empty())
        .collect();
    json!({"type": "context", "elements": [markdown(&parts.join(" · "))]})
}

/// A moment in the time of whoever reads it.
/// <https://docs.slack.dev/messaging/formatting-message-text/#date-formatting>
fn date(at: Timestamp) -> String {
    format!("<!date^{}^{{date_short_pretty}} {{time_secs}}|{}>", at.as_second(), at.strftime("%Y-%m-%d %H:%M:%S UTC"))
}

/// `after 15 min`, `7th time in 40 min`.
fn lasted(notice: &Notice, series: Series) -> Option<String> {
    let time = Duration::try_from(notice.at.duration_since(series.since)).unwrap_or_default();
    let over = notice.state == State::Closed;
    match (series.count, over) {
        (0 | 1, true) => Some(format!("after {}", span(time))),
        (0 | 1, false) => None,
        (count, true) => Some(format!("after {count} times in {}", span(time))),
        (count, false) => Some(format!("{} time in {}", ordinal(count), span(time))),
    }
}

fn ordinal(count: u32) -> String {
    let ending = match (count % 100, count % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{count}{ending}")
}

/// A duration as people say it.
fn span(time: Duration) -> String {
    let (seconds, minutes) = (time.as_secs(), time.as_secs() / 60);
    match minutes {
        0 => format!("{seconds} s"),
        1..=119 => format!("{minutes} min"),
        120..=2879 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} d {} h", minutes / 1440, minutes / 60 % 24),
    }
}

fn summary(notice: &Notice) -> String {
    let first = notice.text.lines().next().map(str::trim).filter(|first| !first.is_empty());
    let more = first.map(|first| format!(" – {first}")).unwrap_or_default();
    escaped(&format!("{} {}{more}", sign(notice), one_line(&notice.title)), SUMMARY)
}

fn plain(notice: &Notice, mention: Option<&str>) -> String {
    let mention = mention.map(|mention| format!(" {mention}")).unwrap_or_default();
    let room = PLAIN - mention.len().min(100);
    let facts = notice.facts.iter().map(|fact| format!("{}: {}", fact.name, fact.value));
    let links = notice.links.iter().map(|link| format!("{}: {}", link.title, link.url));
    let lines: Vec<String> = std::iter::once(format!("{} {}", sign(notice), notice.title))
        .chain([notice.text.clone()].into_iter().filter(|text| !text.is_empty()))
        .chain(facts)
        .chain(links)
        .collect();
    format!("{}{mention}", escaped(&lines.join("\n"), room))
}

/// A notice in a line of a digest.
fn line(notice: &Notice) -> String {
    let title = escaped(&one_line(&notice.title), 200);
    let title = match notice.links.first() {
        Some(first) => link(&one_line(&cut(&notice.title, 150)), &first.url),
        None => title,
    };
    let value = notice.facts.iter().find(|fact| fact.name == "value").map(|fact| fact.value.as_str());
    let more = value.or_else(|| notice.text.lines().next()).map(one_line).filter(|more| !more.is_empty());
    let more = more.map(|more| format!(" · {}", escaped(&more, 160))).unwrap_or_default();
    format!("{} {title}{more}", sign(notice))
}

/// Lines, in as few sections as they fit into.
fn packed(lines: &[String]) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    for line in lines {
        match sections.last_mut() {
            Some(last) if last.encode_utf16().count() + 1 + line.encode_utf16().count() <= SECTION => {
                last.push('\n');
                last.push_str(line);
            }
            _ => sections.push(line.clone()),
        }
    }
    sections
}

#[cfg(test)]
mod tests;
