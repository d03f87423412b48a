//! The functions' code, as `plan` and `apply` look for it.

use std::path::Path;

use super::account::Account;
use super::{Dir, ends_with, err, json, out, run, wharf};

/// Somebody is told of alarms, and that takes a function.
const STACK: &str = r#"
[stack]
name = "shop"
region = "us-east-1"
account = "123456789012"

[network]
egress = "public"
flow_logs = false

[alerts]
email = ["ops@example.com"]
"#;

struct Shop {
    account: Account,
    dir: Dir,
    file: String,
}

impl Shop {
    fn open(name: &str) -> Self {
        let dir = Dir::new(name);
        let file = dir.write("wharf.toml", STACK);
        Self { account: Account::serve("600"), dir, file }
    }

    fn run(&self, arguments: &[&str]) -> std::process::Output {
        let always = ["--config", &self.file, "--endpoint-url", &self.account.url];
        wharf(&[arguments, &always].concat()).current_dir(Path::new(&self.dir.path(""))).output().unwrap()
    }

    /// A program for Linux, as far as its header says.
    fn program(&self, name: &str, machine: u8) {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(18, 0);
        bytes.extend([machine, 0]);
        let path = self.dir.path(name);
        std::fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

const ARM: u8 = 0xb7;
const INTEL: u8 = 0x3e;

#[test]
fn without_their_code_a_plan_says_how_to_build_it_and_nothing_is_changed() {
    let shop = Shop::open("no-code");
    let elsewhere = shop.dir.path("nowhere");
    let refused = shop.run(&["apply", "--yes", "--functions", &elsewhere]);
    ends_with(&refused, 2);
    let said = err(&refused);
    assert!(said.contains("the code of the function on-alarm is not there"), "{said}");
    assert!(said.contains("cargo lambda build --profile function --arm64"), "{said}");
    assert!(said.contains("`--functions sandbox`"), "{said}");
    // What only looks does without.
    ends_with(&shop.run(&["status", "--functions", &elsewhere]), 0);
}

#[test]
fn code_for_other_processors_is_noticed_before_anything_is_changed() {
    let shop = Shop::open("other-processors");
    shop.program("built/on-alarm/bootstrap", INTEL);
    let refused = shop.run(&["plan", "--functions", &shop.dir.path("built")]);
    ends_with(&refused, 2);
    assert!(err(&refused).contains("is built for x86_64, and the functions run on arm64"), "{}", err(&refused));
}

#[test]
fn code_is_found_where_cargo_lambda_builds_it_and_a_build_of_the_same_is_no_change() {
    let shop = Shop::open("built");
    shop.program("target/lambda/on-alarm/bootstrap", ARM);
    ends_with(&shop.run(&["apply", "--yes"]), 0);
    shop.program("elsewhere/on-alarm", ARM);
    let again = shop.run(&["plan", "--functions", &shop.dir.path("elsewhere")]);
    ends_with(&again, 0);
    assert!(out(&again).contains("nothing to do"), "{}", out(&again));
    let outputs = json(&shop.run(&["outputs", "reactions.on-alarm.function", "--json"]));
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:shop-on-alarm";
    assert_eq!(outputs["outputs"]["reactions.on-alarm.function"]["arn"], arn);
}

#[test]
fn in_a_served_account_no_code_is_needed() {
    let shop = Shop::open("stand-in");
    ends_with(&shop.run(&["apply", "--yes", "--functions", "sandbox"]), 0);
    let plan = shop.run(&["plan", "--functions", "sandbox"]);
    assert!(out(&plan).contains("nothing to do"), "{}", out(&plan));
}

#[test]
fn a_function_is_started_by_lambda_or_not_at_all() {
    let alone = run(&["function", "on-alarm"]);
    ends_with(&alone, 1);
    assert!(out(&alone).contains("this is to be started by Lambda"), "{} {}", out(&alone), err(&alone));
    ends_with(&run(&["function", "on-alrm"]), 2);
}
