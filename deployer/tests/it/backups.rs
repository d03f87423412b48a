//! Checks of snapshots and backups from a terminal, by the real binary.

use super::account::Account;
use super::{Dir, ends_with, err, out, run};

const STACK: &str = r#"
[stack]
name = "shop"
region = "us-east-1"
account = "123456789012"
[database]
"#;

#[test]
fn a_database_that_is_not_there_fails_on_the_terminal_for_programs_and_on_the_page() {
    let (account, dir) = (Account::serve("600"), Dir::new("check-snapshots"));
    let (file, page) = (dir.write("wharf.toml", STACK), dir.path("report.html"));
    let check = |more: &[&str]| {
        let all = [&["check-snapshots", "--config", &file, "--endpoint-url", &account.url][..], more].concat();
        run(&all)
    };
    let shown = check(&["--html", &page]);
    ends_with(&shown, 2);
    assert!(out(&shown).contains("✗ shop-database  database.exists  there is no such database"), "{}", out(&shown));
    assert!(out(&shown).contains("1 fail, 0 unknown, 0 excepted, 0 pass"), "{}", out(&shown));
    assert!(err(&shown).contains("written to "), "{}", err(&shown));
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.contains("database.exists"));

    let told = check(&["--json"]);
    ends_with(&told, 2);
    let document: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&document["version"], &document["command"]), (&1.into(), &"check-snapshots".into()));
    assert_eq!(document["report"]["verdict"], "FAIL");
    assert_eq!(document["report"]["findings"][0]["control"], "database.exists");
}

#[test]
fn an_exception_in_the_stack_file_is_kept_to_and_shown() {
    let (account, dir) = (Account::serve("600"), Dir::new("exceptions"));
    let text = format!(
        "{STACK}[alerts]\n[[backups.exceptions]]\ncontrol = \"database.exists\"\nresource = \"shop-*\"\nuntil = \"2999-12-31\"\n\
         reason = \"it is not there yet\"\n"
    );
    let file = dir.write("wharf.toml", &text);
    let shown = run(&["check-snapshots", "--config", &file, "--endpoint-url", &account.url]);
    ends_with(&shown, 0);
    assert!(out(&shown).contains("excepted until 2999-12-31: it is not there yet"), "{}", out(&shown));
}
