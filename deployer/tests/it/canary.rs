//! No secret in anything that the binary writes: what the account keeps secret is looked for in all of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::account::Account;
use super::{Dir, ends_with, err, out, wharf};

const STACK: &str = r#"
[stack]
name = "shop"
region = "us-east-1"
account = "123456789012"

[network]
egress = "public"

[database]
multi_az = false

[services.web]
repository = "web"
port = 8000
env = { DB_HOST = "${database.host}" }
secrets = { SECRET_KEY = "${secret.key}", DB_PASSWORD = "${database.password}" }
"#;

/// Everything that was written anywhere: on stdout and stderr, and into files.
struct Written<'a> {
    account: &'a Account,
    dir: &'a Dir,
    file: String,
    text: String,
}

impl Written<'_> {
    fn run(&mut self, arguments: &[&str], code: i32) {
        let place = ["--config", &self.file, "--endpoint-url", &self.account.url];
        let output = wharf(&[arguments, &place].concat()).output().unwrap();
        ends_with(&output, code);
        write!(self.text, "== {arguments:?}\n{}\n{}\n", out(&output), err(&output)).unwrap();
    }

    fn change(&mut self, from: &str, to: &str) {
        self.file = self.dir.write("wharf.toml", &STACK.replace(from, to));
    }
}

/// The values of all the account's SecureStrings, as its owner reads them.
fn secrets(account: &Account) -> BTreeSet<String> {
    let asked = r#"{"Path":"/","Recursive":true,"WithDecryption":true}"#;
    let answer: serde_json::Value =
        serde_json::from_str(&account.json("ssm", "AmazonSSM.GetParametersByPath", asked)).unwrap();
    let parameters = answer["Parameters"].as_array().unwrap().iter();
    let secret = parameters.filter(|parameter| parameter["Type"] == "SecureString");
    secret.map(|parameter| parameter["Value"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn no_secret_is_in_anything_that_any_command_writes() {
    let (account, dir) = (Account::serve("3600"), Dir::new("canary"));
    let plan = dir.path("plan.json");
    let file = dir.write("wharf.toml", STACK);
    let mut written = Written { account: &account, dir: &dir, file, text: String::new() };

    written.run(&["plan", "--out", &plan], 0);
    written.run(&["apply", &plan, "--verbose"], 0);
    let mut found = secrets(&account);
    assert_eq!(found.len(), 2, "a generated secret and the database's password");
    for command in ["plan", "drift", "status", "outputs", "history", "stacks", "unlock"] {
        written.run(&[command, "--verbose"], 0);
        written.run(&[command, "--json"], 0);
    }
    written.run(&["env", "web"], 0);
    written.run(&["env", "web", "--json"], 0);
    written.text.push_str(&std::fs::read_to_string(&plan).unwrap());

    written.change("multi_az = false", "multi_az = false\npassword_rotation = 2");
    written.run(&["plan", "--out", &plan, "--json"], 0);
    written.run(&["apply", "--yes", "--json"], 0);
    written.text.push_str(&std::fs::read_to_string(&plan).unwrap());
    found.extend(secrets(&account));
    assert_eq!(found.len(), 3, "the password should have been rotated");

    let table = r#"{"TableName":"wharf-shop"}"#;
    written.text.push_str(&account.json("dynamodb", "DynamoDB_20120810.Scan", table));
    assert!(written.text.contains("applied"), "the stack's records are not among what is looked through");
    for secret in &found {
        assert!(secret.len() >= 16, "too short to be found by accident");
        if let Some(at) = written.text.find(secret.as_str()) {
            let before = &written.text[..at];
            panic!("a secret was written in {:?}", before.rfind("== ").map(|line| before[line..].lines().next()));
        }
    }
}
