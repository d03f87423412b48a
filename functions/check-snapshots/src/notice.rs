//! Who has to be told: somebody, when what is open has changed, or when nothing was said for long.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use wharf_events::{Fact, Notice, Severity, State};

use crate::NAME;
use crate::demands::Demands;
use crate::memory::{Memory, digest};
use crate::report::{Finding, Report, Verdict};

/// So many findings are told of by name.
const SHOWN: usize = 20;

/// What is to be told after this check, if anything, and what it leaves behind.
pub(crate) fn decide(
    last: Option<&Memory>,
    report: &Report,
    demands: &Demands,
    now: Timestamp,
) -> (Option<Notice>, Memory) {
    let open: BTreeSet<String> = report.open().map(name).collect();
    let run = last.map_or(0, |last| last.run).saturating_add(1);
    let silent = last.map_or(SignedDuration::MAX, |last| now.duration_since(last.told));
    let changed = last.is_some_and(|last| last.digest != digest(&open));
    let due = silent >= SignedDuration::from_hours(24 * i64::from(demands.heartbeat_days));
    if !changed && !due {
        let told = last.map_or(now, |last| last.told);
        return (None, Memory::of(run, &open, told));
    }
    let memory = Memory::of(run, &open, now);
    let was_open = last.is_some_and(|last| !last.open.is_empty());
    let mut notice = if open.is_empty() { well(report, was_open) } else { trouble(report, last) };
    notice.at = now;
    // The same for both of two checks that began with the same memory, and never again for a later one.
    notice.key = format!("{} {run} {}", notice.subject, memory.digest);
    (Some(notice), memory)
}

/// A finding, so that the same one is known again: what is measured of it changes by the minute.
fn name(finding: &Finding) -> String {
    let verdict = if finding.verdict == Verdict::Fail { "fails" } else { "unknown" };
    format!("{} {} {verdict}", finding.control, finding.resource)
}

fn well(report: &Report, was_open: bool) -> Notice {
    let stack = &report.stack;
    let (state, title) = match was_open {
        true => (State::Closed, format!("{stack}: snapshots and backups are all right again")),
        false => (State::Once, format!("{stack}: snapshots and backups are all right")),
    };
    Notice {
        severity: Severity::Info,
        state,
        title,
        text: report.summary(),
        facts: exceptions(report),
        links: Vec::new(),
        subject: subject(report),
        key: String::new(),
        at: Timestamp::UNIX_EPOCH,
        source: NAME.to_owned(),
    }
}

fn trouble(report: &Report, last: Option<&Memory>) -> Notice {
    let new = |finding: &&Finding| last.is_none_or(|last| !last.open.contains(&name(finding)));
    let open: BTreeSet<String> = report.open().map(name).collect();
    let mended = last.map_or(0, |last| last.open.difference(&open).count());
    let (fresh, old): (Vec<&Finding>, Vec<&Finding>) = report.open().partition(new);
    let severity = report.open().map(severity).max().unwrap_or(Severity::Warning);
    let title = match (fresh.len(), report.counts.fail, report.counts.unknown) {
        (0, fail, unknown) => format!("{}: still open of snapshots and backups: {}", report.stack, told(fail, unknown)),
        (_, fail, unknown) => format!("{}: snapshots and backups: {}", report.stack, told(fail, unknown)),
    };
    let mut facts: Vec<Fact> = fresh.iter().chain(&old).take(SHOWN).map(|finding| fact(finding)).collect();
    if let Some(more) = (fresh.len() + old.len()).checked_sub(SHOWN).filter(|more| *more > 0) {
        facts.push(Fact { name: "and".to_owned(), value: format!("{more} more") });
    }
    facts.extend(exceptions(report));
    let mended = if mended > 0 { format!("\n{mended} mended since the last check") } else { String::new() };
    Notice {
        severity,
        state: State::Opened,
        title,
        text: format!("{}{mended}", report.summary()),
        facts,
        links: Vec::new(),
        subject: subject(report),
        key: String::new(),
        at: Timestamp::UNIX_EPOCH,
        source: NAME.to_owned(),
    }
}

/// What is not known may be as bad as anything, but nobody need get up for it at night.
fn severity(finding: &Finding) -> Severity {
    if finding.verdict == Verdict::Fail { finding.severity } else { Severity::Warning }
}

fn told(fail: usize, unknown: usize) -> String {
    let demand = |n: usize| if n == 1 { "1 demand fails".to_owned() } else { format!("{n} demands fail") };
    match (fail, unknown) {
        (0, unknown) => format!("{unknown} cannot be seen"),
        (fail, 0) => demand(fail),
        (fail, unknown) => format!("{}, {unknown} cannot be seen", demand(fail)),
    }
}

fn fact(finding: &Finding) -> Fact {
    let mend = finding.mend.as_ref().filter(|_| finding.verdict == Verdict::Fail);
    let mend = mend.map(|mend| format!(" ({mend})")).unwrap_or_default();
    let name = format!("{} {}", finding.control, finding.resource);
    Fact { name, value: format!("{}{mend}", finding.evidence) }
}

/// An exception that is over, or good for nothing, is somebody's to take away.
fn exceptions(report: &Report) -> Vec<Fact> {
    let left = report.exceptions.iter().filter(|one| one.standing != crate::report::Standing::InForce);
    let fact = |one: &crate::report::Use| Fact {
        name: format!("exception {} {}", one.exception.control, one.exception.resource),
        value: match one.standing {
            crate::report::Standing::Expired => format!("expired after {}", one.exception.until),
            _ => "excepts nothing that fails".to_owned(),
        },
    };
    left.take(SHOWN).map(fact).collect()
}

fn subject(report: &Report) -> String {
    format!("{NAME} {}", report.stack)
}
