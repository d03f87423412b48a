//! Who reaches a service, by which name, and where its images come from.

use crate::config::tests::bad;

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
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [services.web]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    5 │ port = 8000
      ╰────
     help: add `[cluster]`; all its keys have defaults

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
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [services.web]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    5 │ port = 8000
      ╰────
     help: add `[cluster]`; all its keys have defaults

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
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [services.mailhog]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    5 │ port = 8025
      ╰────
     help: add `[cluster]`; all its keys have defaults

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
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [services.worker]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    5 │ allow = ["203.0.113.0/24"]
      ╰────
     help: add `[cluster]`; all its keys have defaults

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
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [services.mail_hog]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    5 │ port = 8025
      ╰────
     help: add `[cluster]`; all its keys have defaults

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
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [services.web]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
    5 │ repository = "app"
      ╰────
     help: add `[cluster]`; all its keys have defaults

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
