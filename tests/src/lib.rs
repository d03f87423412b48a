//! What the end to end tests stand on: a stack in a sandbox, the sandbox on a port, emulators and judges written by
//! others.

#![cfg_attr(not(doctest), expect(clippy::panic, clippy::expect_used, reason = "this crate is tests alone"))]

pub mod critical;
pub mod death;
pub mod emulator;
pub mod figures;
pub mod parallel;
pub mod python;
pub mod relay;
pub mod served;
pub mod service;
pub mod stack;

use std::path::{Path, PathBuf};

/// The repository's root.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in the repository")
}

/// Cargo's target directory, where everything that tests set up is kept.
#[must_use]
pub fn target() -> PathBuf {
    let binary = std::env::current_exe().expect("a test has a path");
    let deps = binary.parent().expect("a test stands in a directory");
    deps.ancestors().nth(2).expect("tests stand in target/<profile>/deps").to_owned()
}

/// Says that a test cannot run on this machine, and why. Where all tests have to run (`CI` is set), that is a failure.
#[expect(clippy::disallowed_methods, reason = "the one place where tests read the environment")]
pub fn cannot_run(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    not_tested(why);
}

/// Says what was not tested, and why.
#[expect(clippy::disallowed_macros, reason = "tests have no printer")]
pub fn not_tested(why: &str) {
    eprintln!("NOT TESTED: {why}");
}
