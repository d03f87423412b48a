//! Bad `[services]` sections.

use super::bad;

#[test]
fn a_port_taken_twice_is_shown() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.web]
port = 8000
internal_ports = [9000, 8000]
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × the service `web` has port 8000 twice
      ╭─[wharf.toml:6:25]
    5 │ port = 8000
    6 │ internal_ports = [9000, 8000]
      ·                         ──┬─
      ·                           ╰── taken already
      ╰────
     help: leave it out, or write another port
    "#);
}

#[test]
fn a_second_service_open_to_the_world_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.web]
port = 8000

[services.mailhog]
port = 8025
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × both `web` and `mailhog` would be open to the world
      ╭─[wharf.toml:7:11]
    6 │ 
    7 │ [services.mailhog]
      ·           ───┬───
      ·              ╰── `allow` is missing
    8 │ port = 8025
      ╰────
     help: add `allow = ["203.0.113.0/24"]` with the ranges that may reach `mailhog`, or leave `port`
           out if it serves nothing outside
    "#);
}

#[test]
fn allowing_nobody_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.mailhog]
port = 8025
allow = []
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `services.mailhog.allow` lets nobody in
      ╭─[wharf.toml:6:9]
    5 │ port = 8025
    6 │ allow = []
      ·         ─┬
      ·          ╰── empty
      ╰────
     help: name at least one range, or leave `port` out
    "#);
}

#[test]
fn allowing_the_way_to_nothing_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.worker]
allow = ["203.0.113.0/24"]
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `services.worker.allow` lets somebody in, but `worker` has no `port`
      ╭─[wharf.toml:5:1]
    4 │ [services.worker]
    5 │ allow = ["203.0.113.0/24"]
      · ──┬──
      ·   ╰── to what?
      ╰────
     help: give the service a `port`, or leave `allow` out
    "#);
}

#[test]
fn a_single_address_needs_a_length() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.mailhog]
port = 8025
allow = ["203.0.113.7"]
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `services.mailhog.allow.0` is an address without a length
      ╭─[wharf.toml:6:10]
    5 │ port = 8025
    6 │ allow = ["203.0.113.7"]
      ·          ──────┬──────
      ·                ╰── here
      ╰────
     help: write `203.0.113.7/32`
    "#);
}

#[test]
fn allowing_the_whole_world_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.mailhog]
port = 8025
allow = ["0.0.0.0/0"]
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `services.mailhog.allow.0` is the whole world
      ╭─[wharf.toml:6:10]
    5 │ port = 8025
    6 │ allow = ["0.0.0.0/0"]
      ·          ─────┬─────
      ·               ╰── here
      ╰────
     help: give the ranges of your offices or VPN; only the one service without `allow` is open to
           the world
    "#);
}

#[test]
fn a_service_name_with_an_underscore_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.mail_hog]
port = 8025
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × the service name `mail_hog` has a `_` in it
      ╭─[wharf.toml:4:11]
    3 │ region = "us-east-1"
    4 │ [services.mail_hog]
      ·           ────┬───
      ·               ╰── here
    5 │ port = 8025
      ╰────
     help: use at most 20 lower-case letters, digits and single dashes, such as `web`
    "#);
}

#[test]
fn the_address_of_an_image_is_not_a_repository() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.web]
repository = "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:latest"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `services.web.repository` is an image's address
      ╭─[wharf.toml:5:14]
    4 │ [services.web]
    5 │ repository = "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:latest"
      ·              ────────────────────────────┬────────────────────────────
      ·                                          ╰── here
      ╰────
     help: write the repository's name alone: `web`
    "#);
}

#[test]
fn a_repository_with_a_tag_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.web]
repository = "web:latest"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `services.web.repository` has a tag
      ╭─[wharf.toml:5:14]
    4 │ [services.web]
    5 │ repository = "web:latest"
      ·              ──────┬─────
      ·                    ╰── here
      ╰────
     help: write `web`; which tags count is `images = { tags = "latest" }`
    "#);
}

#[test]
fn one_repository_with_two_meanings_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.web]
repository = "app"
images = { tags = "v*" }

[services.worker]
repository = "app"
images = { tags = "w*" }
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `web` and `worker` share the repository `app` but not its `images`
       ╭─[wharf.toml:10:1]
     9 │ repository = "app"
    10 │ images = { tags = "w*" }
       · ───┬──
       ·    ╰── differs from `services.web.images`
       ╰────
     help: write the same `images` in both, or give each its own `repository`
    "#);
}

#[test]
fn keys_of_a_later_version_are_refused_as_not_built_yet() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.web]
port = 8000
cpu = 512
host = "shop.example.com"
before_deploy = ["python", "manage.py", "migrate"]
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `services.web.cpu` is not built yet in this version
      ╭─[wharf.toml:6:1]
    5 │ port = 8000
    6 │ cpu = 512
      · ─┬─
      ·  ╰── tasks
    7 │ host = "shop.example.com"
      ╰────
     help: leave it out for now

     × `services.web.host` is not built yet in this version
      ╭─[wharf.toml:7:1]
    6 │ cpu = 512
    7 │ host = "shop.example.com"
      · ──┬─
      ·   ╰── the load balancer's routing by host name
    8 │ before_deploy = ["python", "manage.py", "migrate"]
      ╰────
     help: leave it out for now

     × `services.web.before_deploy` is not built yet in this version
      ╭─[wharf.toml:8:1]
    7 │ host = "shop.example.com"
    8 │ before_deploy = ["python", "manage.py", "migrate"]
      · ──────┬──────
      ·       ╰── deployments
      ╰────
     help: leave it out for now
    "#);
}

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

#[test]
fn all_mistakes_of_a_file_are_shown_at_once() {
    let file = r#"[stack]
name = "Shop"
region = "us-east-1a"

[network]
cidr = "10.0.0.1/16"
zones = 9

[services.web]
prot = 8000
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `stack.name` has upper-case letters
      ╭─[wharf.toml:2:8]
    1 │ [stack]
    2 │ name = "Shop"
      ·        ───┬──
      ·           ╰── here
    3 │ region = "us-east-1a"
      ╰────
     help: write `shop`

     × `stack.region` is an availability zone, not a region
      ╭─[wharf.toml:3:10]
    2 │ name = "Shop"
    3 │ region = "us-east-1a"
      ·          ──────┬─────
      ·                ╰── here
    4 │ 
      ╰────
     help: write `us-east-1`

     × `network.cidr` has host bits set
      ╭─[wharf.toml:6:8]
    5 │ [network]
    6 │ cidr = "10.0.0.1/16"
      ·        ──────┬──────
      ·              ╰── here
    7 │ zones = 9
      ╰────
     help: write `10.0.0.0/16`

     × `network.zones` is out of range
      ╭─[wharf.toml:7:9]
    6 │ cidr = "10.0.0.1/16"
    7 │ zones = 9
      ·         ┬
      ·         ╰── 9 is not between 1 and 3
    8 │ 
      ╰────
     help: write a number from 1 to 3

     × unknown key `services.web.prot`
       ╭─[wharf.toml:10:1]
     9 │ [services.web]
    10 │ prot = 8000
       · ──┬─
       ·   ╰── no such key
       ╰────
     help: did you mean `port`?
    "#);
}
