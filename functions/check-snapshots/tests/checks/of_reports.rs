//! The report for programs and for people.

use serde_json::json;

use super::{DATABASE, World, open};
use wharf_check_snapshots::{Exception, Report, Verdict, html};

/// A report that has a finding of every verdict, and texts that mean something in HTML.
async fn mixed() -> Report {
    let mut world = World::good().await;
    world.set("rds.instance", DATABASE, "MultiAZ", json!(false));
    world.set("rds.instance", DATABASE, "BackupRetentionPeriod", json!(0));
    world.set("dlm.policy", super::POLICY, "State", json!("ERROR"));
    world.set("dlm.policy", super::POLICY, "StatusMessage", json!("<script>alert('& \"more\"')</script>"));
    let making = json!({ "Status": "creating", "SnapshotCreateTime": null });
    world.database_snapshot(DATABASE, "rds:making", super::hours(0), making);
    world.demands.exceptions = vec![Exception {
        control: "database.multi-az".to_owned(),
        resource: DATABASE.to_owned(),
        until: "2026-03-31".parse().unwrap(),
        reason: "moves to <another> zone & back".to_owned(),
    }];
    world.report().await
}

#[tokio::test(start_paused = true)]
async fn the_json_is_read_again_and_has_everything() {
    let report = mixed().await;
    let text = serde_json::to_string(&report).unwrap();
    let read: Report = serde_json::from_str(&text).unwrap();
    assert_eq!(read, report);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&value["version"], &value["verdict"], &value["stack"]), (&json!(1), &json!("FAIL"), &json!("shop")));
    let counts = [report.counts.pass, report.counts.fail, report.counts.unknown, report.counts.excepted];
    assert_eq!(counts.iter().sum::<usize>(), report.findings.len());
    for one in &report.findings {
        assert_eq!(one.mend.is_some(), matches!(one.verdict, Verdict::Fail | Verdict::Excepted), "{}", one.control);
    }
}

/// The elements of a page, which all have to be closed in their order.
fn balanced(page: &str) {
    const ALONE: [&str; 2] = ["meta", "!doctype"];
    let mut open: Vec<&str> = Vec::new();
    for part in page.split('<').skip(1) {
        let (tag, _) = part.split_once('>').unwrap_or_else(|| panic!("a tag without an end: {part}"));
        let name = tag.split_whitespace().next().unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if ALONE.contains(&name) => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn the_page_stands_by_itself_and_shows_every_finding() {
    let report = mixed().await;
    let page = html(&report);
    balanced(&page);
    for fetched in ["http:", "https:", "src=", "href=", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(fetched), "{fetched}");
    }
    assert!(page.contains("it is ERROR: &lt;script&gt;alert(&#39;&amp; &quot;more&quot;&#39;)&lt;/script&gt;"));
    assert!(page.contains("2026-03-31: moves to &lt;another&gt; zone &amp; back"));
    assert!(page.contains("automated backups are off"));
    let rows = page.matches("<tr><td>").count();
    assert_eq!(rows, report.findings.len() + report.exceptions.len());
    assert!(!open(&report).is_empty());
}

/// The page for a look at it: `WHARF_PAGE=… cargo test -p wharf-check-snapshots -- --ignored a_page`.
#[tokio::test(start_paused = true)]
#[ignore = "it writes a page for somebody to look at"]
#[expect(clippy::disallowed_methods, reason = "where to write the page is for whoever looks at it to say")]
async fn a_page_to_look_at() {
    let path = std::env::var("WHARF_PAGE").unwrap();
    std::fs::write(path, html(&mixed().await)).unwrap();
}
