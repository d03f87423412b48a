//! No secret in anything that is written: the passwords that the account holds are looked for everywhere else.

use std::collections::BTreeSet;

use wharf_sandbox::Sandbox;
use wharf_tests::stack::{World, in_virtual_time, users_config};

/// The values of all SecureStrings.
fn passwords(sandbox: &Sandbox) -> BTreeSet<String> {
    let parameters = sandbox.resources().into_iter().filter(|one| one.text("Type") == "SecureString");
    let passwords: BTreeSet<String> = parameters.map(|one| one.text("_value").to_owned()).collect();
    assert!(!passwords.is_empty() && passwords.iter().all(|password| password.len() >= 16), "no canary is found");
    passwords
}

/// All that AWS shows of the stack to who may not read secrets: tags, names, and the stack's own table.
fn shown(sandbox: &Sandbox) -> String {
    let mut text = String::new();
    for one in sandbox.resources() {
        text.push_str(&format!("{} {} {:?}\n", one.kind, one.id, one.tags));
        if one.kind == "dynamodb.item" {
            text.push_str(&serde_json::Value::from(one.attrs.clone()).to_string());
        } else {
            text.push_str(&format!("{} {}\n", one.text("Description"), one.text("description")));
        }
    }
    assert!(text.contains("\"applied\"") && text.contains("\"history\""), "the stack's records are not among it");
    text
}

fn no_secret(passwords: &BTreeSet<String>, text: &str, place: &str) {
    for password in passwords {
        assert!(!text.contains(password.as_str()), "{place} holds a password:\n{text}");
    }
}

/// The database's backups, of which a change is a call that can be refused.
fn change(world: &mut World) {
    world.config.database.as_mut().expect("it has a database").backup_days += 7;
}

fn deny_modifying(sandbox: &Sandbox) {
    let document = serde_json::json!({ "Statement": [
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
        { "Effect": "Deny", "Action": "rds:ModifyDBInstance", "Resource": "*" },
    ]});
    sandbox.set_policy(Some(wharf_sandbox::Policy::parse(&document).expect("the policy is understood")));
}

#[test]
fn the_library_puts_no_password_into_plans_records_tags_errors_or_debug_output() {
    in_virtual_time(async {
        let mut world = World::calm(9, users_config());
        let first = world.apply().await.expect("the stack can be applied");
        let passwords = passwords(&world.sandbox);
        no_secret(&passwords, &format!("{first:?}"), "what an apply answers");
        no_secret(&passwords, &shown(&world.sandbox), "the account");
        change(&mut world);
        let planned = world.plan().await.expect("there is a plan");
        no_secret(&passwords, &serde_json::to_string(&planned.plan).expect("JSON"), "a plan");
        no_secret(&passwords, &format!("{planned:?}"), "a plan for debugging");
        deny_modifying(&world.sandbox);
        let refused = world.apply().await.expect("a refused step is no error");
        assert!(!refused.complete(), "the change should have been refused");
        no_secret(&passwords, &format!("{refused:?}"), "a failed apply");
        no_secret(&passwords, &shown(&world.sandbox), "the account after a failure");
        world.sandbox.set_policy(None);
        let destroyed = world.destroy().await.expect("the stack can be destroyed");
        no_secret(&passwords, &format!("{destroyed:?}"), "what a destruction answers");
    });
}
