//! A stack's life in an account on a port, by the real binary.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output, Stdio};

use super::account::Account;
use super::{Dir, ends_with, err, json, out, run, wharf};

/// No database and no NAT gateway: what takes minutes is the library's tests' affair, in virtual time.
const STACK: &str = r#"
[stack]
name = "shop"
region = "us-east-1"
account = "123456789012"

[network]
egress = "public"
flow_logs = false

[services.web]
repository = "web"
port = 8000
env = { DEBUG = "False" }
secrets = { SECRET_KEY = "${secret.key}" }
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

    fn wharf(&self, arguments: &[&str]) -> Command {
        wharf(&[arguments, &["--config", &self.file, "--endpoint-url", &self.account.url]].concat())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.wharf(arguments).output().unwrap()
    }
}

#[test]
fn a_saved_plan_is_done_once_and_refused_when_the_world_has_moved() {
    let shop = Shop::open("saved");
    let plan = shop.dir.path("plan.json");
    ends_with(&shop.run(&["plan", "--out", &plan]), 0);

    let applied = shop.run(&["apply", &plan]);
    ends_with(&applied, 0);
    assert!(err(&applied).contains("✓ create network.vpc"), "{}", err(&applied));

    let again = shop.run(&["apply", &plan]);
    ends_with(&again, 3);
    assert!(err(&again).contains("plan again"), "{}", err(&again));

    let quiet = shop.run(&["plan"]);
    assert!(out(&quiet).contains("nothing to do"), "{}", out(&quiet));
    ends_with(&shop.run(&["drift"]), 0);
}

#[test]
fn a_plan_of_another_stack_account_region_or_form_is_refused_before_anything_is_done() {
    let shop = Shop::open("foreign-plan");
    let path = shop.dir.path("plan.json");
    ends_with(&shop.run(&["plan", "--out", &path]), 0);
    let saved: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    for (key, value, code, says) in [
        ("stack", serde_json::json!("other"), 3, "a plan of stack other"),
        ("account", serde_json::json!("210987654321"), 3, "in account 210987654321"),
        ("region", serde_json::json!("eu-west-1"), 3, "eu-west-1"),
        ("version", serde_json::json!(99), 2, "has the form 99"),
    ] {
        let mut plan = saved.clone();
        assert_ne!(plan[key], value);
        plan[key] = value;
        let refused = shop.run(&["apply", &shop.dir.write("other.json", &plan.to_string())]);
        ends_with(&refused, code);
        assert!(err(&refused).contains(says), "{}", err(&refused));
    }
    let status = json(&shop.run(&["status", "--json"]));
    assert_eq!(status["resources"].as_array().map(Vec::len), Some(0));
}

#[test]
fn every_command_tells_programs_what_it_tells_people() {
    let shop = Shop::open("programs");
    let applied = json(&shop.run(&["apply", "--yes", "--json"]));
    assert_eq!(applied["complete"], true);

    let plan = json(&shop.run(&["plan", "--json"]));
    assert_eq!(plan["counts"]["create"], 0);
    assert_eq!(plan["steps"].as_array().map(Vec::len), Some(0));

    let status = json(&shop.run(&["status", "--json"]));
    let resources = status["resources"].as_array().unwrap();
    assert!(resources.iter().any(|r| r["id"] == "network.vpc" && r["health"] == "ready"));
    assert_eq!(status["missing"].as_array().map(Vec::len), Some(0));

    let outputs = json(&shop.run(&["outputs", "network.vpc", "--json"]));
    assert!(outputs["outputs"]["network.vpc"]["id"].as_str().unwrap().starts_with("vpc-"));

    let env = json(&shop.run(&["env", "web", "--json"]));
    let variables = env["services"]["web"].as_array().unwrap();
    assert!(variables.iter().any(|v| v["name"] == "DEBUG" && v["value"] == "False"));
    assert!(variables.iter().any(|v| v["name"] == "SECRET_KEY" && v["secret"] == true && v["value"].is_null()));

    let history = json(&shop.run(&["history", "--json"]));
    assert_eq!(history["runs"][0]["command"], "apply");
    assert_eq!(json(&shop.run(&["stacks", "--json"]))["stacks"][0]["name"], "shop");
    assert!(json(&shop.run(&["unlock", "--json"]))["lock"].is_null());
    assert_eq!(json(&shop.run(&["drift", "--json"]))["drift"].as_array().map(Vec::len), Some(0));

    let destroyed = json(&shop.run(&["destroy", "--yes", "--allow-destroy", "all", "--json"]));
    assert_eq!(destroyed["complete"], true);
    let stacks = json(&shop.run(&["stacks", "--json"]));
    assert_eq!(stacks["stacks"].as_array().map(Vec::len), Some(0));
}

#[test]
fn destroying_what_is_protected_does_nothing_until_it_is_said_what_becomes_of_it() {
    let shop = Shop::open("protected");
    json(&shop.run(&["apply", "--yes", "--json"]));
    let resources = || json(&shop.run(&["status", "--json"]))["resources"].as_array().map(Vec::len);
    let before = resources();
    let refused = shop.run(&["destroy", "--yes"]);
    ends_with(&refused, 3);
    for part in ["`encryption.key`", "--allow-destroy encryption.key", "nothing was done", "--keep-protected"] {
        assert!(err(&refused).contains(part), "no {part} in {}", err(&refused));
    }
    assert_eq!(resources(), before);
    let kept = json(&shop.run(&["destroy", "--yes", "--keep-protected", "--json"]));
    assert_eq!(kept["complete"], true);
    let left = json(&shop.run(&["status", "--json"]));
    assert!(left["resources"].as_array().unwrap().iter().any(|one| one["id"] == "encryption.key"), "{left}");
    assert_eq!(json(&shop.run(&["destroy", "--yes", "--allow-destroy", "all", "--json"]))["complete"], true);
}

#[test]
fn a_stack_without_a_database_has_none_to_restore() {
    let shop = Shop::open("no-database");
    let refused = shop.run(&["restore", "database", "--at", "latest", "--yes"]);
    ends_with(&refused, 2);
    assert!(err(&refused).contains("the stack file has no `[database]`"), "{}", err(&refused));
}

#[test]
fn the_credentials_of_another_account_are_refused_before_anything_is_done() {
    let shop = Shop::open("guard");
    let file = shop.dir.write("other.toml", &STACK.replace("123456789012", "210987654321"));
    let output = run(&["apply", "--yes", "--config", &file, "--endpoint-url", &shop.account.url]);
    ends_with(&output, 3);
    assert!(
        err(&output).contains("account 123456789012, the stack belongs to account 210987654321"),
        "{}",
        err(&output)
    );
    let status = json(&shop.run(&["status", "--json"]));
    assert_eq!(status["resources"].as_array().map(Vec::len), Some(0));
}

#[test]
fn what_an_interrupt_left_is_told_and_the_next_apply_carries_on() {
    let shop = Shop::open("interrupt");
    let mut command = shop.wharf(&["apply", "--yes"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut progress = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("✓") {
        assert!(progress.read_line(&mut said).unwrap() > 0, "{said}");
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    progress.read_to_string(&mut said).unwrap();
    let output = child.wait_with_output().unwrap();
    // On a fast machine it can be over before it is interrupted.
    if !output.status.success() {
        ends_with(&output, 130);
        assert!(said.contains("stopping: calls in flight finish"), "{said}");
        assert!(out(&output).contains("carries on"), "{}", out(&output));
    }
    ends_with(&shop.run(&["apply", "--yes"]), 0);
    assert!(out(&shop.run(&["plan"])).contains("nothing to do"));
}

#[test]
fn the_sandbox_shows_a_whole_life_and_leaves_nothing() {
    let dir = Dir::new("tour");
    let report = dir.path("report.html");
    let infra = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/wharf.toml");
    let tour = json(&run(&["sandbox", "--json", "--config", infra, "--report", &report]));
    // What has to have happened in each act, in order.
    let expected = [
        ("stand the stack up", "apply complete"),
        ("plan again", "nothing to do"),
        ("push shop/web:v1, as a pipeline does", "web runs v1"),
        ("push shop/web:v2, whose tasks crash", "web: v2 was rolled back"),
        ("the database's storage fills up, and is freed again", "OK: shop-database-storage"),
        ("check the backups, as happens every day", "database.backup-days shop-database: 14 days are kept"),
        ("change one setting: database.backup_days = 14 becomes 7", "apply complete"),
        ("somebody opens the database's port to the world, by hand", "no drift"),
        ("tear everything down", "nothing of the stack is left in the account"),
    ];
    let acts = tour["acts"].as_array().unwrap();
    let titles: Vec<&str> = acts.iter().map(|act| act["title"].as_str().unwrap()).collect();
    assert_eq!(titles, expected.map(|(title, _)| title));
    for (act, (title, said)) in acts.iter().zip(expected) {
        assert!(act["text"].as_str().unwrap().contains(said), "{title}: {}", act["text"]);
    }
    let page = std::fs::read_to_string(report).unwrap();
    assert!(page.contains("nothing of the stack is left in the account"));
}

/// What somebody made by hand before there was a stack: `aws ec2 create-vpc`.
fn create_vpc(account: &Account) -> String {
    let answer = account.query("ec2", "Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0%2F16");
    let (_, id) = answer.split_once("<vpcId>").unwrap();
    id.split('<').next().unwrap().to_owned()
}

#[test]
fn a_vpc_made_by_hand_becomes_the_stacks_and_is_not_made_again() {
    let shop = Shop::open("import");
    let vpc = create_vpc(&shop.account);
    ends_with(&shop.run(&["import", "network.vcp", &vpc]), 2);
    ends_with(&shop.run(&["import", "network.public-a", &vpc]), 2);
    ends_with(&shop.run(&["import", "network.vpc", &vpc]), 0);

    let plan = json(&shop.run(&["plan", "--json"]));
    let steps = plan["steps"].as_array().unwrap();
    assert!(!steps.iter().any(|step| step["id"] == "network.vpc" && step["action"]["do"] == "create"), "{plan}");
    ends_with(&shop.run(&["apply", "--yes"]), 0);
    let outputs = json(&shop.run(&["outputs", "network.vpc", "--json"]));
    assert_eq!(outputs["outputs"]["network.vpc"]["id"], vpc.as_str());
}
