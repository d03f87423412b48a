//! The sandbox's answers, held against what real AWS was recorded to answer to the same calls.
//!
//! The recordings are not part of this project: `WHARF_RECORDED_ANSWERS` at build time says where they are, or they are
//! found as `aws-snapshots` in a directory beside the project's. Where there are none, nothing can be compared and the
//! test says so.

use std::path::PathBuf;

use wharf_sandbox::{Sandbox, Weather};
use wharf_tests::python::{self, succeed};
use wharf_tests::served::Served;
use wharf_tests::stack::in_virtual_time;
use wharf_tests::{not_tested, root};

fn recordings() -> Option<PathBuf> {
    let named = option_env!("WHARF_RECORDED_ANSWERS").map(PathBuf::from);
    let beside = std::fs::read_dir(root().join("..")).into_iter().flatten().flatten();
    let beside = beside.map(|entry| entry.path().join("aws-snapshots"));
    named.into_iter().chain(beside).find(|directory| directory.is_dir())
}

#[test]
fn answers_have_the_shape_of_those_that_aws_was_recorded_to_give() {
    let Some(recordings) = recordings() else {
        return not_tested("no recorded answers here: WHARF_RECORDED_ANSWERS is a directory of `*.snapshot.json`");
    };
    let served =
        in_virtual_time(async { Served::copy_of(&Sandbox::builder().seed(5).weather(Weather::calm()).build(), 600.0) });
    let mut command = python::command("python");
    command.arg(root().join("tests/python/recorded.py")).arg(recordings);
    let printed = succeed(command.env("AWS_ENDPOINT_URL", &served.url), "recorded.py");
    assert!(String::from_utf8_lossy(&printed.stdout).contains("answers compared"));
}
