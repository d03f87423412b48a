//! What is refused before any call is made, and what needs none.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{Dir, ends_with, err, json, out, run, wharf};

const GOOD: &str = "[stack]\nname = \"shop\"\nregion = \"us-east-1\"\n";

/// Nobody listens there: a call would show.
const NOWHERE: &str = "http://127.0.0.1:9";

#[test]
fn a_bad_stack_file_ends_with_2_before_any_call() {
    let dir = Dir::new("bad");
    let file = dir.write("wharf.toml", "[stack]\nname = \"Shop\"\nregion = \"us-east-1\"\n");
    for command in [&["check"][..], &["plan"], &["apply", "--yes"], &["destroy", "--yes"], &["drift"], &["status"]] {
        let output = run(&[command, &["--config", &file, "--endpoint-url", NOWHERE]].concat());
        ends_with(&output, 2);
        assert_eq!(out(&output), "");
        assert!(err(&output).contains("`stack.name` has upper-case letters"), "{}", err(&output));
        assert!(err(&output).contains("wharf.toml:2:8"), "{}", err(&output));
    }
}

#[test]
fn a_program_gets_the_place_of_each_mistake() {
    let dir = Dir::new("json");
    let file = dir.write("wharf.toml", "[stack]\nname = \"Shop\"\nregion = \"us-east-1a\"\n");
    let output = run(&["check", "--json", "--config", &file]);
    ends_with(&output, 2);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["kind"], "config");
    let places = error["problems"].as_array().unwrap();
    let places: Vec<_> = places.iter().map(|p| (p["line"].as_u64(), p["column"].as_u64())).collect();
    assert_eq!(places, [(Some(2), Some(8)), (Some(3), Some(10))]);
}

#[test]
fn a_stack_file_that_is_not_there_says_where_it_is_looked_for() {
    let output = run(&["check", "--config", "/nowhere/wharf.toml"]);
    ends_with(&output, 2);
    insta::assert_snapshot!(err(&output), @"
    error: cannot read the stack file /nowhere/wharf.toml
      because: No such file or directory (os error 2)
      hint: give the stack file with `--config FILE`; without it, `infra/wharf.toml` or `wharf.toml` here is read
    ");
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let dir = Dir::new("ask");
    let file = dir.write("wharf.toml", GOOD);
    for command in ["apply", "destroy"] {
        let output = run(&[command, "--config", &file, "--endpoint-url", NOWHERE]);
        ends_with(&output, 2);
        assert!(err(&output).contains("there is no terminal to ask at"), "{}", err(&output));
        assert!(err(&output).contains("`--yes`"), "{}", err(&output));
    }
}

#[test]
fn a_restore_is_told_as_of_when_and_asks_before_any_call() {
    let dir = Dir::new("restore");
    let file = dir.write("wharf.toml", GOOD);
    for (arguments, says) in [
        (&["database"][..], "--at <TIME|latest>|--snapshot <ID>"),
        (&["database", "--at", "yesterday"], "write `latest`, or a time with its zone: 2026-01-05T09:00:00Z"),
        (&["database", "--at", "latest", "--snapshot", "one"], "cannot be used with"),
        (&["cache", "--at", "latest"], "possible values: database"),
        (&["database", "--at", "latest"], "there is no terminal to ask at"),
    ] {
        let output = run(&[&["restore"], arguments, &["--config", &file, "--endpoint-url", NOWHERE]].concat());
        ends_with(&output, 2);
        assert!(err(&output).contains(says), "{arguments:?}: {}", err(&output));
    }
}

#[test]
fn an_unknown_command_and_an_unknown_flag_end_with_2() {
    ends_with(&run(&["plna"]), 2);
    ends_with(&run(&["plan", "--yes-please"]), 2);
}

#[test]
fn another_region_than_the_stacks_is_refused() {
    let dir = Dir::new("region");
    let file = dir.write("wharf.toml", GOOD);
    let output = run(&["plan", "--config", &file, "--region", "eu-west-1", "--endpoint-url", NOWHERE]);
    ends_with(&output, 3);
}

#[test]
fn a_call_that_nobody_answers_is_named() {
    let dir = Dir::new("nowhere");
    let file = dir.write("wharf.toml", GOOD);
    let mut command = wharf(&["plan", "--config", &file, "--endpoint-url", NOWHERE]);
    command.env_remove("AWS_ACCESS_KEY_ID").env("HOME", "/nonexistent");
    let output = command.output().unwrap();
    ends_with(&output, 1);
    assert!(err(&output).contains("sts:GetCallerIdentity"), "{}", err(&output));
    assert!(err(&output).contains("no usable AWS credentials"), "{}", err(&output));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = wharf(&["schema"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn no_colours_are_written_where_there_is_no_terminal() {
    let dir = Dir::new("colours");
    let file = dir.write("wharf.toml", "[stack]\n");
    assert!(!err(&run(&["check", "--config", &file])).contains('\x1b'));
}

#[test]
fn the_policy_to_plan_is_json_without_a_write() {
    let dir = Dir::new("policy");
    let file = dir.write("wharf.toml", GOOD);
    let output = run(&["policy", "--for", "plan", "--config", &file]);
    ends_with(&output, 0);
    assert!(serde_json::from_str::<serde_json::Value>(&out(&output)).is_ok());
    assert!(!out(&output).contains(":Create"), "{}", out(&output));
}

#[test]
fn completions_know_the_commands() {
    let output = run(&["completions", "bash"]);
    ends_with(&output, 0);
    assert!(out(&output).contains("wharf__subcmd__apply") || out(&output).contains("wharf__apply"));
}

#[test]
fn the_version_and_a_check_are_there_at_once() {
    let dir = Dir::new("quick");
    let file = dir.write("wharf.toml", GOOD);
    assert_eq!(json(&run(&["version", "--json"]))["wharf"], env!("CARGO_PKG_VERSION"));
    let begun = Instant::now();
    assert_eq!(json(&run(&["check", "--json", "--config", &file]))["stack"], "shop");
    // The target is 30 ms on an idle machine; this only notices a runtime or a network that crept in.
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn what_cannot_be_deployed_is_said_before_any_call() {
    let dir = Dir::new("deploy");
    let services = "[services.web]\nport = 8000\n[services.tidy]\nschedule = \"rate(1 hour)\"\n[cluster]\n";
    let file = dir.write("wharf.toml", &format!("{GOOD}{services}"));
    for (arguments, words) in [
        (&["deploy", "shop"][..], "there is no service `shop` in the stack file"),
        (&["rollback", "shop"], "the stack file has tidy, web"),
        (&["deploy", "web", "--digest", "v1"], "`v1` is no digest"),
        (&["deploy", "web", "--digest", "sha256:0", "--tag", "v1"], "cannot be used with"),
    ] {
        let output = run(&[arguments, &["--config", &file, "--endpoint-url", NOWHERE]].concat());
        ends_with(&output, 2);
        assert!(err(&output).contains(words), "{}", err(&output));
    }
}

const SERVICE: &str = "[stack]\nname = \"shop\"\nregion = \"us-east-1\"\n[services.web]\n";

#[test]
fn exec_without_its_plugin_says_how_to_get_it_before_any_call() {
    let dir = Dir::new("plugin");
    let file = dir.write("wharf.toml", SERVICE);
    let mut command = wharf(&["exec", "web", "--config", &file, "--endpoint-url", NOWHERE]);
    let output = command.env("PATH", &dir.0).output().unwrap();
    ends_with(&output, 1);
    insta::assert_snapshot!(err(&output), @"
    error: session-manager-plugin, through which AWS lets one into a task, is not on the PATH
      hint: AWS says how to get it: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html
    ");
}

#[test]
fn a_service_that_the_stack_file_does_not_have_is_refused_before_any_call() {
    let dir = Dir::new("service");
    let file = dir.write("wharf.toml", SERVICE);
    for command in [&["logs", "wbe"][..], &["run", "wbe", "--", "true"]] {
        let output = run(&[&["--config", &file, "--endpoint-url", NOWHERE], command].concat());
        ends_with(&output, 2);
        assert!(err(&output).contains("there is no service `wbe`"), "{}", err(&output));
    }
}
