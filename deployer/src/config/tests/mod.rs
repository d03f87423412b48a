//! Stack files, good and bad. Each bad one has the whole of its message beside it.

mod alerts;
mod cluster;
mod database;
mod edge;
mod network;
mod reactions;
mod services;
mod stack;

use super::{Loaded, Problems, parse, schema};

/// The `.env.example` that the tests' stack files can name.
const ENV_FILE: &str = "SECRET_KEY=change-me\nDEBUG=True\nDB_HOST=localhost\nexport DB_PASSWORD=\n";

fn read(name: &str) -> std::io::Result<String> {
    match name {
        ".env.example" => Ok(ENV_FILE.to_owned()),
        _ => Err(std::io::Error::other("no such file")),
    }
}

fn load(text: &str) -> Result<Loaded, Problems> {
    parse("wharf.toml", text, &read)
}

/// What is said about a bad file.
fn bad(text: &str) -> String {
    load(text).expect_err("the file is bad").render(false, 100)
}

/// What is said about a bad file that begins as all do.
fn bad_with(rest: &str) -> String {
    bad(&format!("[stack]\nname = \"shop\"\nregion = \"us-east-1\"\n{rest}"))
}

/// What a good file is warned of.
fn warned_with(rest: &str) -> String {
    let text = format!("[stack]\nname = \"shop\"\nregion = \"us-east-1\"\n{rest}");
    let warnings = load(&text).expect("a warning stops nothing").warnings.expect("there is one");
    warnings.render(false, 100)
}

#[test]
fn the_least_that_a_stack_file_can_be_has_a_default_for_all_else() {
    let loaded = load("[stack]\nname = \"shop\"\nregion = \"us-east-1\"\n").expect("it is good");
    assert_eq!(loaded.config.network.zones, 2);
    assert_eq!(loaded.config.network.cidr.to_string(), "10.0.0.0/16");
    assert!(loaded.config.database.is_none());
    assert!(loaded.warnings.is_none());
}

#[test]
fn the_users_stack_file_is_good_and_warns_of_nothing() {
    let infra = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/");
    let loaded = super::load(std::path::Path::new(&format!("{infra}wharf.toml"))).expect("it is good");
    assert!(loaded.warnings.is_none());
    assert_eq!(loaded.config.services["web"].env_file.as_deref(), Some(".env.example"));
}

#[test]
fn the_schema_beside_the_users_stack_file_is_that_of_this_version() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/schema.json");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        text == format!("{:#}\n", schema()),
        "infra/schema.json is out of date: `wharf schema > infra/schema.json`"
    );
}

#[test]
fn every_key_is_explained_in_the_schema() {
    fn walk(path: &str, schema: &serde_json::Value, bare: &mut Vec<String>) {
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{key}");
            if value["description"].as_str().is_none_or(str::is_empty) {
                bare.push(path.clone());
            }
            walk(&path, value, bare);
            walk(&format!("{path}.*"), &value["additionalProperties"], bare);
        }
    }
    let mut bare = Vec::new();
    walk("", &schema(), &mut bare);
    assert!(bare.is_empty(), "without a description: {bare:?}");
}

#[test]
fn a_password_in_plain_text_is_warned_of() {
    let text =
        "[stack]\nname = \"shop\"\nregion = \"us-east-1\"\n\n[services.web]\nenv = { ADMIN_PASSWORD = \"hunter2\" }\n";
    let warnings = load(text).expect("a warning stops nothing").warnings.expect("there is one");
    insta::assert_snapshot!(warnings.render(false, 100), @r#"
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:5:2]
    4 │ 
    5 │ [services.web]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    6 │ env = { ADMIN_PASSWORD = "hunter2" }
      ╰────
     help: add `[cluster]`; all its keys have defaults

     ⚠ `ADMIN_PASSWORD` looks like a secret and stands in plain text
      ╭─[wharf.toml:6:26]
    5 │ [services.web]
    6 │ env = { ADMIN_PASSWORD = "hunter2" }
      ·                          ────┬────
      ·                              ╰── readable by everyone who reads this file
      ╰────
     help: let it be generated: `secrets = { ADMIN_PASSWORD = "${secret.admin-password}" }`
    "#);
}

#[test]
fn the_range_of_docker_is_warned_of() {
    let text = "[stack]\nname = \"shop\"\nregion = \"us-east-1\"\n\n[network]\ncidr = \"172.17.0.0/16\"\n";
    let warnings = load(text).expect("a warning stops nothing").warnings.expect("there is one");
    insta::assert_snapshot!(warnings.render(false, 100), @r#"
     ⚠ `network.cidr` is where Docker has its own network
      ╭─[wharf.toml:6:8]
    5 │ [network]
    6 │ cidr = "172.17.0.0/16"
      ·        ───────┬───────
      ·               ╰── containers could not reach addresses of the VPC in 172.17.0.0/16
      ╰────
     help: take another range, such as `10.0.0.0/16`
    "#);
}

#[test]
fn a_database_that_nothing_protects_is_warned_of() {
    let text = "[stack]\nname = \"shop\"\nregion = \"us-east-1\"\n\n[database]\nmulti_az = false\ndeletion_protection = false\n";
    let warnings = load(text).expect("a warning stops nothing").warnings.expect("there is one");
    insta::assert_snapshot!(warnings.render(false, 100), @r#"
     ⚠ the database has neither a standby nor deletion protection
      ╭─[wharf.toml:7:23]
    6 │ multi_az = false
    7 │ deletion_protection = false
      ·                       ──┬──
      ·                         ╰── one mistake, or one failed zone, and it is gone until it is restored
      ╰────
     help: fine for a trial; for production leave both at `true`
    "#);
}
