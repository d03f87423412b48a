//! A CloudWatch alarm, as people should hear of it.

use super::{Desk, Told, console, nothing};
use crate::alarm::{Alarm, AlarmState, Watched};
use crate::notice::{Notice, Severity, State};

/// So many fields that are not known here are shown.
const UNKNOWN_SHOWN: usize = 6;

pub(super) fn tell(desk: &Desk<'_>, alarm: &Alarm) -> Told {
    if let Some(why) = &alarm.suppressed {
        return nothing(format!("the actions of the alarm {} are suppressed: {why}", alarm.name));
    }
    let notice = Box::new(notice(desk, alarm));
    let rang = !matches!(alarm.previous, Some(AlarmState::NoData | AlarmState::Ok));
    if alarm.state == AlarmState::Ok && !rang { Told::IfOpen(notice) } else { Told::Notice(notice) }
}

fn notice(desk: &Desk<'_>, alarm: &Alarm) -> Notice {
    let (severity, state) = match alarm.state {
        AlarmState::Alarm => (severity(alarm), State::Opened),
        AlarmState::Ok => (severity(alarm), State::Closed),
        AlarmState::NoData | AlarmState::Other(_) => (Severity::Warning, State::Once),
    };
    let word = match &alarm.state {
        AlarmState::NoData => "No data",
        state => state.word(),
    };
    let at = alarm.at.unwrap_or(desk.now);
    let subject = alarm.subject();
    // To the second: no form tells less, and no alarm changes twice in one.
    let key = format!("{subject} {} {}", alarm.state.word(), at.as_second());
    let which = alarm.contributor.iter().flat_map(|one| one.attributes.iter().map(|(_, value)| value.as_str()));
    let which: Vec<&str> = which.collect();
    let which = if which.is_empty() { String::new() } else { format!(" ({})", which.join(", ")) };
    let title = format!("{word}: {}{which}", alarm.name);
    let page = format!("alarmsV2:alarm/{}", console::encoded(&alarm.name));
    let link = console::page(alarm.region.as_deref(), "cloudwatch/home", &page);
    let notice = Notice { state, at, text: text(alarm), ..desk.notice(severity, "cloudwatch", title, subject, key) };
    facts(notice, alarm).place(alarm.account.as_deref(), alarm.region.as_deref()).link("Alarm", link)
}

/// An alarm rings for somebody to look now, unless its owner says that it can wait: by a tag `severity`, or in its name.
fn severity(alarm: &Alarm) -> Severity {
    let tag = alarm.tags.iter().find(|(name, _)| name.eq_ignore_ascii_case("severity"));
    let said = tag.map_or(alarm.name.as_str(), |(_, value)| value).to_ascii_lowercase();
    let mut words = said.split(|c: char| !c.is_ascii_alphanumeric());
    let waits = |word: &str| matches!(word, "warning" | "warn" | "minor" | "low" | "sev3" | "sev4" | "p3" | "p4");
    let told = |word: &str| matches!(word, "info" | "informational" | "sev5" | "p5");
    match words.find(|word| waits(word) || told(word)) {
        Some(word) if told(word) => Severity::Info,
        Some(_) => Severity::Warning,
        None => Severity::Critical,
    }
}

/// What its owner wrote of it while it rings, and CloudWatch's words where they say more than the figures.
fn text(alarm: &Alarm) -> String {
    let figures = alarm.evidence.value.is_some() && alarm.evidence.limit.is_some();
    let reason = alarm.reason.clone().filter(|_| !figures && alarm.children.is_empty());
    let description = alarm.description.clone().filter(|_| alarm.state != AlarmState::Ok);
    let text: Vec<String> = [description, reason].into_iter().flatten().collect();
    text.join("\n")
}

fn facts(notice: Notice, alarm: &Alarm) -> Notice {
    let value = alarm.evidence.value.clone().map(|value| match (&alarm.evidence.limit, &alarm.evidence.count) {
        (Some(limit), Some(count)) => format!("{value} ({limit}, {count} values)"),
        (Some(limit), None) => format!("{value} ({limit})"),
        (None, _) => value,
    });
    let mut notice = notice.perhaps("value", value);
    match &alarm.watched {
        Watched::Measures { judged, from, band } => {
            let shown = judged.shown();
            let shown = if *band { format!("{shown}, against what is to be expected") } else { shown };
            notice = notice.fact(if judged.expression.is_some() { "expression" } else { "metric" }, shown);
            for measure in from.iter().filter(|measure| measure.metric.is_some()).take(4) {
                notice = notice.fact(measure.id.clone(), measure.shown());
            }
            // The dimensions that all metrics share say what it is about; mostly there is one metric.
            let metrics: Vec<_> = std::iter::once(judged).chain(from).filter_map(|one| one.metric.as_ref()).collect();
            let shared = metrics.first().map(|first| first.dimensions.as_slice()).unwrap_or_default();
            let all =
                |dimension: &&(String, String)| metrics.iter().all(|metric| metric.dimensions.contains(dimension));
            for (name, value) in shared.iter().filter(all) {
                notice = notice.fact(name.clone(), value.clone());
            }
        }
        Watched::Rule(rule) if alarm.children.is_empty() => notice = notice.fact("rule", rule.clone()),
        Watched::Rule(_) | Watched::Unknown => {}
    }
    if !alarm.children.is_empty() {
        notice = notice.fact("set off by", alarm.children.join("\n"));
    }
    // That it was well before it rang, and rang before it is well, goes without saying.
    let ordinary = |previous: &AlarmState| {
        matches!((previous, &alarm.state), (AlarmState::Ok, AlarmState::Alarm) | (AlarmState::Alarm, AlarmState::Ok))
    };
    let from = alarm.previous.as_ref().filter(|previous| **previous != alarm.state && !ordinary(previous));
    notice = notice.perhaps("before", from.map(|previous| previous.word().to_owned()));
    for (name, value) in alarm.unknown.iter().take(UNKNOWN_SHOWN) {
        notice = notice.fact(name.clone(), value.clone());
    }
    notice
}
