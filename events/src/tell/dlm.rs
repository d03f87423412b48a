//! A lifecycle policy of Data Lifecycle Manager that cannot do its work.
//! <https://docs.aws.amazon.com/ebs/latest/userguide/monitor-dlm-events.html>

use super::{Desk, Told, console, last, told};
use crate::event::Event;
use crate::json;
use crate::notice::{Notice, Severity};

pub(super) fn tell(desk: &Desk<'_>, event: &Event) -> Told {
    let text = |name: &str| json::text(&event.detail, &[name]);
    let arn = text("policy_id").or(event.resources.first().map(String::as_str)).unwrap_or("a policy");
    let name = last(arn);
    let state = text("state").unwrap_or("unknown");
    let failed = state.eq_ignore_ascii_case("ERROR");
    let severity = if failed { Severity::Warning } else { Severity::Info };
    let title = format!("{state}: lifecycle policy {name}");
    let notice = desk.of_event(event, severity, "dlm", title, arn.to_owned());
    let consequence = "It makes no new snapshots until this is put right; those that it has made stay.";
    let text = [text("cause"), failed.then_some(consequence)].into_iter().flatten().collect::<Vec<_>>().join("\n");
    let notice = Notice { text, ..notice }.place(event.account.as_deref(), event.region.as_deref());
    told(notice.link("Policies", console::page(event.region.as_deref(), "ec2/home", "Lifecycle:")))
}
