//! What a service is given.

use crate::config::tests::bad;

#[test]
fn a_variable_that_does_not_exist_is_answered_with_those_that_do() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]

[services.web]
env = { DB_HOST = "${database.hots}" }
"#;
    insta::assert_snapshot!(bad(file), @r#"
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:6:2]
    5 │ 
    6 │ [services.web]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    7 │ env = { DB_HOST = "${database.hots}" }
      ╰────
     help: add `[cluster]`; all its keys have defaults

     × `${database.hots}` does not exist
      ╭─[wharf.toml:7:19]
    6 │ [services.web]
    7 │ env = { DB_HOST = "${database.hots}" }
      ·                   ─────────┬────────
      ·                            ╰── asked for here
      ╰────
     help: did you mean `${database.host}`? what exists: ${database.host}, ${database.port},
           ${database.name}, ${database.username}, ${database.password}, ${services.web.host},
           ${secret.NAME}, NAME in lower-case letters, digits and dashes
    "#);
}

#[test]
fn a_variable_of_a_database_that_is_not_there_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.web]
env = { DB_HOST = "${database.host}" }
"#;
    insta::assert_snapshot!(bad(file), @r#"
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [services.web]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    5 │ env = { DB_HOST = "${database.host}" }
      ╰────
     help: add `[cluster]`; all its keys have defaults

     × `${database.host}` does not exist
      ╭─[wharf.toml:5:19]
    4 │ [services.web]
    5 │ env = { DB_HOST = "${database.host}" }
      ·                   ─────────┬────────
      ·                            ╰── asked for here
      ╰────
     help: what exists: ${services.web.host}, ${secret.NAME}, NAME in lower-case letters, digits and
           dashes
    "#);
}

#[test]
fn a_variable_of_another_service_that_is_not_there_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.web]
env = { EMAIL_HOST = "${services.mail.host}" }

[services.mailhog]
"#;
    insta::assert_snapshot!(bad(file), @r#"
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [services.web]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    5 │ env = { EMAIL_HOST = "${services.mail.host}" }
      ╰────
     help: add `[cluster]`; all its keys have defaults

     × `${services.mail.host}` does not exist
      ╭─[wharf.toml:5:22]
    4 │ [services.web]
    5 │ env = { EMAIL_HOST = "${services.mail.host}" }
      ·                      ───────────┬───────────
      ·                                 ╰── asked for here
    6 │ 
      ╰────
     help: did you mean `${services.mailhog.host}`? what exists: ${services.mailhog.host},
           ${services.web.host}, ${secret.NAME}, NAME in lower-case letters, digits and dashes
    "#);
}

#[test]
fn a_variable_that_is_not_closed_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]

[services.web]
env = { DB_HOST = "${database.host" }
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `services.web.env.DB_HOST` is malformed
      ╭─[wharf.toml:7:19]
    6 │ [services.web]
    7 │ env = { DB_HOST = "${database.host" }
      ·                   ────────┬────────
      ·                           ╰── `${` without a `}`
      ╰────
     help: close it, or write `$${` for the two characters themselves
    "#);
}

#[test]
fn a_secret_in_env_is_moved() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]

[services.web]
env = { DB_PASSWORD = "${database.password}" }
"#;
    insta::assert_snapshot!(bad(file), @r#"
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:6:2]
    5 │ 
    6 │ [services.web]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    7 │ env = { DB_PASSWORD = "${database.password}" }
      ╰────
     help: add `[cluster]`; all its keys have defaults

     × `services.web.env.DB_PASSWORD` would show the secret `${database.password}`
      ╭─[wharf.toml:7:23]
    6 │ [services.web]
    7 │ env = { DB_PASSWORD = "${database.password}" }
      ·                       ───────────┬──────────
      ·                                  ╰── not in `env`
      ╰────
     help: move it: `secrets = { DB_PASSWORD = "${database.password}" }`
    "#);
}

#[test]
fn a_secret_in_plain_text_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.web]
secrets = { SECRET_KEY = "hunter2" }
"#;
    insta::assert_snapshot!(bad(file), @r#"
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [services.web]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    5 │ secrets = { SECRET_KEY = "hunter2" }
      ╰────
     help: add `[cluster]`; all its keys have defaults

     × `services.web.secrets.SECRET_KEY` is not a secret that Wharf keeps
      ╭─[wharf.toml:5:26]
    4 │ [services.web]
    5 │ secrets = { SECRET_KEY = "hunter2" }
      ·                          ────┬────
      ·                              ╰── here
      ╰────
     help: write `${database.password}`, or `${secret.NAME}` for one that is generated and kept in
           SSM, with nothing around it; what is no secret belongs in `env`
    "#);
}

#[test]
fn a_variable_given_twice_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.web]
env = { KEY = "x" }
secrets = { KEY = "${secret.key}" }
"#;
    insta::assert_snapshot!(bad(file), @r#"
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [services.web]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    5 │ env = { KEY = "x" }
      ╰────
     help: add `[cluster]`; all its keys have defaults

     × `KEY` is in both `env` and `secrets` of `web`
      ╭─[wharf.toml:6:13]
    5 │ env = { KEY = "x" }
    6 │ secrets = { KEY = "${secret.key}" }
      ·             ─┬─
      ·              ╰── here too
      ╰────
     help: leave one out
    "#);
}

#[test]
fn a_variable_that_no_shell_takes_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.web]
env = { "DB-HOST" = "x" }
"#;
    insta::assert_snapshot!(bad(file), @r#"
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [services.web]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    5 │ env = { "DB-HOST" = "x" }
      ╰────
     help: add `[cluster]`; all its keys have defaults

     × `DB-HOST` is not the name of an environment variable
      ╭─[wharf.toml:5:9]
    4 │ [services.web]
    5 │ env = { "DB-HOST" = "x" }
      ·         ────┬────
      ·             ╰── here
      ╰────
     help: use letters, digits and underscores, such as `DB_HOST`
    "#);
}

#[test]
fn a_number_among_the_variables_needs_quotes() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.web]
env = { EMAIL_PORT = 1025, DEBUG = false }
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `services.web.env.EMAIL_PORT` must be a text
      ╭─[wharf.toml:5:22]
    4 │ [services.web]
    5 │ env = { EMAIL_PORT = 1025, DEBUG = false }
      ·                      ──┬─
      ·                        ╰── this is a whole number
      ╰────
     help: write "1025", in quotes

     × `services.web.env.DEBUG` must be a text
      ╭─[wharf.toml:5:36]
    4 │ [services.web]
    5 │ env = { EMAIL_PORT = 1025, DEBUG = false }
      ·                                    ──┬──
      ·                                      ╰── this is true or false
      ╰────
     help: write "false", in quotes
    "#);
}

#[test]
fn every_key_of_the_env_file_that_is_not_given_is_listed() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.web]
env_file = ".env.example"
env = { DEBUG = "False" }
"#;
    insta::assert_snapshot!(bad(file), @r#"
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [services.web]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    5 │ env_file = ".env.example"
      ╰────
     help: add `[cluster]`; all its keys have defaults

     × the service `web` is not given everything that `.env.example` lists
      ╭─[wharf.toml:5:12]
    4 │ [services.web]
    5 │ env_file = ".env.example"
      ·            ───────┬──────
      ·                   ╰── missing: SECRET_KEY, DB_HOST, DB_PASSWORD
    6 │ env = { DEBUG = "False" }
      ╰────
     help: add each to `services.web.env`, or to `services.web.secrets` if it is one
    "#);
}

#[test]
fn an_env_file_that_is_not_there_is_shown() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.web]
env_file = "env.txt"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [services.web]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    5 │ env_file = "env.txt"
      ╰────
     help: add `[cluster]`; all its keys have defaults

     × cannot read `env.txt`
      ╭─[wharf.toml:5:12]
    4 │ [services.web]
    5 │ env_file = "env.txt"
      ·            ────┬────
      ·                ╰── no such file
      ╰────
     help: write its path relative to this file
    "#);
}
