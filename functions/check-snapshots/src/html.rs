//! The report as a page that stands by itself: no script, nothing fetched.

use std::fmt::Write as _;

use crate::report::{Finding, Report, Standing, Verdict};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6575;--line:#d9dee6;--paper:#fff;--card:#f6f8fa;\
--fail:#b3261e;--unknown:#8a5a00;--excepted:#5a4fcf;--pass:#1a7f37}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#9aa4b2;--line:#343c48;--paper:#14181e;--card:#1c222b;\
--fail:#ff8a80;--unknown:#f0b955;--excepted:#b3a9ff;--pass:#5fd17f}}\
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}\
main{max-width:70rem;margin:0 auto;padding:2rem 1.25rem 4rem}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2.25rem 0 .75rem}\
.soft{color:var(--soft)}.verdict{font-weight:600}\
.counts{display:flex;flex-wrap:wrap;gap:.75rem;margin:1.25rem 0 0;padding:0;list-style:none}\
.counts li{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.6rem 1rem;min-width:6rem}\
.counts b{display:block;font-size:1.6rem;line-height:1.2}\
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.55rem .75rem;border-bottom:1px solid var(--line)}\
th{color:var(--soft);font-weight:600;font-size:.85rem}td:first-child{overflow-wrap:anywhere;min-width:12rem}\
code{font:.875em ui-monospace,monospace}td:nth-child(2) code{white-space:nowrap}summary{cursor:pointer;font-weight:600;margin-top:2.25rem}\
.FAIL{color:var(--fail)}.UNKNOWN{color:var(--unknown)}.EXCEPTED{color:var(--excepted)}.PASS{color:var(--pass)}";

/// The page.
#[must_use]
pub fn html(report: &Report) -> String {
    let mut page = String::new();
    // Writing into a text cannot fail.
    let _ = write(&mut page, report);
    page
}

fn write(page: &mut String, report: &Report) -> std::fmt::Result {
    let (stack, region, at) = (escaped(&report.stack), escaped(&report.region), escaped(&report.at));
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Snapshots and backups of {stack}: {}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Snapshots and backups of {stack}</h1>\n\
         <p class=\"soft\">{region}, {at}</p>\n<p class=\"verdict {}\">{}</p>\n",
        label(report.verdict),
        label(report.verdict),
        sentence(report),
    )?;
    counts(page, report)?;
    for (verdict, title) in [
        (Verdict::Fail, "What fails"),
        (Verdict::Unknown, "What could not be seen"),
        (Verdict::Excepted, "What is excepted"),
    ] {
        section(page, report, verdict, title)?;
    }
    exceptions(page, report)?;
    if report.counts.pass > 0 {
        writeln!(page, "<details>\n<summary>What passes ({})</summary>", report.counts.pass)?;
        table(page, report, Verdict::Pass)?;
        writeln!(page, "</details>")?;
    }
    page.push_str("</main>\n</body>\n</html>\n");
    Ok(())
}

const fn label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fail => "FAIL",
        Verdict::Unknown => "UNKNOWN",
        Verdict::Excepted => "EXCEPTED",
        Verdict::Pass => "PASS",
    }
}

fn sentence(report: &Report) -> String {
    match report.verdict {
        Verdict::Fail => "Not every demand holds.".to_owned(),
        Verdict::Unknown if report.findings.is_empty() => "There is nothing to judge.".to_owned(),
        Verdict::Unknown => "No demand is seen to fail, but not all could be seen.".to_owned(),
        Verdict::Excepted | Verdict::Pass => "Every demand holds.".to_owned(),
    }
}

fn counts(page: &mut String, report: &Report) -> std::fmt::Result {
    let (counts, looked) = (report.counts, report.looked_at);
    page.push_str("<ul class=\"counts\">\n");
    for (class, number, name) in [
        ("FAIL", counts.fail, "fail"),
        ("UNKNOWN", counts.unknown, "unknown"),
        ("EXCEPTED", counts.excepted, "excepted"),
        ("PASS", counts.pass, "pass"),
        ("", looked.databases, one_or("database", "databases", looked.databases)),
        ("", looked.volumes, one_or("volume", "volumes", looked.volumes)),
        ("", looked.policies, one_or("policy", "policies", looked.policies)),
        ("", looked.snapshots, one_or("snapshot", "snapshots", looked.snapshots)),
    ] {
        let class = if number == 0 { "soft" } else { class };
        writeln!(page, "<li><b class=\"{class}\">{number}</b>{name}</li>")?;
    }
    page.push_str("</ul>\n");
    Ok(())
}

const fn one_or(one: &'static str, many: &'static str, number: usize) -> &'static str {
    if number == 1 { one } else { many }
}

fn section(page: &mut String, report: &Report, verdict: Verdict, title: &str) -> std::fmt::Result {
    if !report.findings.iter().any(|one| one.verdict == verdict) {
        return Ok(());
    }
    writeln!(page, "<h2 class=\"{}\">{title}</h2>", label(verdict))?;
    table(page, report, verdict)
}

fn table(page: &mut String, report: &Report, verdict: Verdict) -> std::fmt::Result {
    let last = match verdict {
        Verdict::Pass | Verdict::Unknown => "",
        Verdict::Excepted => "<th>Until, because</th>",
        Verdict::Fail => "<th>What to do</th>",
    };
    let head = "<tr><th>Resource</th><th>Control</th><th>Demand</th><th>Seen</th>";
    writeln!(page, "<div class=\"scroll\"><table>\n<thead>{head}{last}</tr></thead>\n<tbody>")?;
    for finding in report.findings.iter().filter(|one| one.verdict == verdict) {
        row(page, finding)?;
    }
    writeln!(page, "</tbody>\n</table></div>")
}

fn row(page: &mut String, finding: &Finding) -> std::fmt::Result {
    let Finding { control, resource, demand, evidence, .. } = finding;
    write!(
        page,
        "<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td>",
        escaped(resource),
        escaped(control),
        escaped(demand),
        escaped(evidence)
    )?;
    match (&finding.excepted, &finding.mend) {
        (Some(excepted), _) => write!(page, "<td>{}: {}</td>", excepted.until, escaped(&excepted.reason))?,
        (None, Some(mend)) => write!(page, "<td>{}</td>", marked(mend))?,
        (None, None) => {}
    }
    writeln!(page, "</tr>")
}

fn exceptions(page: &mut String, report: &Report) -> std::fmt::Result {
    if report.exceptions.is_empty() {
        return Ok(());
    }
    page.push_str("<h2>Exceptions as they are written</h2>\n<div class=\"scroll\"><table>\n");
    page.push_str(
        "<thead><tr><th>Resource</th><th>Control</th><th>Until</th><th>Because</th><th></th></tr></thead>\n<tbody>\n",
    );
    for one in &report.exceptions {
        let (standing, class) = match one.standing {
            Standing::InForce => ("in force", "soft"),
            Standing::Expired => ("expired", "FAIL"),
            Standing::Unused => ("excepts nothing that fails", "UNKNOWN"),
        };
        let exception = &one.exception;
        writeln!(
            page,
            "<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td><td class=\"{class}\">{standing}</td></tr>",
            escaped(&exception.resource),
            escaped(&exception.control),
            exception.until,
            escaped(&exception.reason)
        )?;
    }
    page.push_str("</tbody>\n</table></div>\n");
    Ok(())
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// What stands between backticks is code.
fn marked(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(n, part)| if n % 2 == 1 { format!("<code>{}</code>", escaped(part)) } else { escaped(part) }).collect()
}
