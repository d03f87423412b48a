//! Bad `[cluster]` sections, and tasks that do not fit.

use super::{bad_with, warned_with};

#[test]
fn an_instance_type_that_is_none_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
instance_type = "m7g"
"#
    ), @r#"
     × `cluster.instance_type` is not an instance type
      ╭─[wharf.toml:5:17]
    4 │ [cluster]
    5 │ instance_type = "m7g"
      ·                 ──┬──
      ·                   ╰── here
      ╰────
     help: write one such as `m7g.large` (arm64) or `m7i.large` (x86_64)
    "#);
}

#[test]
fn a_class_of_a_database_is_no_instance_type() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
instance_type = "db.m7g.large"
"#
    ), @r#"
     × `cluster.instance_type` is a class of RDS, not of EC2
      ╭─[wharf.toml:5:17]
    4 │ [cluster]
    5 │ instance_type = "db.m7g.large"
      ·                 ───────┬──────
      ·                        ╰── here
      ╰────
     help: write `m7g.large`
    "#);
}

#[test]
fn a_size_that_a_family_does_not_have_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
instance_type = "m7g.hughe"
"#
    ), @r#"
     × `cluster.instance_type` has no such size: `hughe`
      ╭─[wharf.toml:5:17]
    4 │ [cluster]
    5 │ instance_type = "m7g.hughe"
      ·                 ─────┬─────
      ·                      ╰── here
      ╰────
     help: write one such as `m7g.large` (arm64) or `m7i.large` (x86_64)
    "#);
}

#[test]
fn processors_that_the_instance_type_does_not_have_are_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
instance_type = "m7i.large"
architecture = "arm64"
"#
    ), @r#"
     × a `m7i.large` has other processors than `cluster.architecture` says
      ╭─[wharf.toml:6:16]
    5 │ instance_type = "m7i.large"
    6 │ architecture = "arm64"
      ·                ───┬───
      ·                   ╰── its processors are x86_64
      ╰────
     help: write "x86_64", or leave it out
    "#);
}

#[test]
fn processors_by_another_name_are_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
architecture = "amd64"
"#
    ), @r#"
     × `cluster.architecture` cannot be `amd64`
      ╭─[wharf.toml:5:16]
    4 │ [cluster]
    5 │ architecture = "amd64"
      ·                ───┬───
      ·                   ╰── not a choice
      ╰────
     help: write `arm64` or `x86_64`
    "#);
}

#[test]
fn fewer_instances_at_most_than_at_least_are_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
min = 3
max = 2
"#
    ), @r#"
     × `cluster.max` is below `cluster.min`
      ╭─[wharf.toml:6:7]
    5 │ min = 3
    6 │ max = 2
      ·       ┬
      ·       ╰── 3 at least, 2 at most
      ╰────
     help: write `max = 3` or more
    "#);
}

#[test]
fn trunking_of_a_type_without_it_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
instance_type = "t4g.large"
trunking = true
"#
    ), @r#"
     × a `t4g.large` has no trunking
      ╭─[wharf.toml:6:12]
    5 │ instance_type = "t4g.large"
    6 │ trunking = true
      ·            ──┬─
      ·              ╰── burstable types have none
      ╰────
     help: write `trunking = false`, or take a type such as `m7g.large`
    "#);
}

#[test]
fn a_task_that_fits_on_no_instance_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
cpu = 4096
memory = 8192
"#
    ), @r#"
     × `services.web.cpu = 4096` fits on no instance
      ╭─[wharf.toml:6:7]
    5 │ [services.web]
    6 │ cpu = 4096
      ·       ──┬─
      ·         ╰── a m7g.large has 2048 CPU units
    7 │ memory = 8192
      ╰────
     help: ask for less, or take a larger `cluster.instance_type`

     × `services.web.memory = 8192` fits on no instance
      ╭─[wharf.toml:7:10]
    6 │ cpu = 4096
    7 │ memory = 8192
      ·          ──┬─
      ·            ╰── a m7g.large has 7533 MiB for tasks
      ╰────
     help: ask for less, or take a larger `cluster.instance_type`
    "#);
}

#[test]
fn a_rollout_that_could_never_end_for_want_of_interfaces_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
min = 2
max = 2
[services.web]
tasks = { min = 4 }
"#
    ), @r#"
     × a rollout of `web` could never end: its tasks do not fit
      ╭─[wharf.toml:6:7]
    5 │ min = 2
    6 │ max = 2
      ·       ┬
      ·       ╰── 5 tasks, and room for 4 on 2 m7g.large: too few network interfaces
    7 │ [services.web]
      ╰────
     help: raise `cluster.max`, take larger instances, or switch on the account setting
           `awsvpcTrunking` and write `trunking = true`, for 10 tasks on each, or lower the services'
           `tasks`
    "#);
}

#[test]
fn a_rollout_that_could_never_end_for_want_of_memory_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
max = 2
[services.web]
memory = 4096
tasks = { min = 2 }
"#
    ), @r#"
     × a rollout of `web` could never end: its tasks do not fit
      ╭─[wharf.toml:5:7]
    4 │ [cluster]
    5 │ max = 2
      ·       ┬
      ·       ╰── 3 tasks, and room for 2 on 2 m7g.large: too little memory
    6 │ [services.web]
      ╰────
     help: raise `cluster.max`, take larger instances, or lower the services' `tasks`
    "#);
}

#[test]
fn blue_and_green_need_twice_the_room() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
max = 2
[edge]
domain = "shop.example.com"
zone = "example.com"
[services.web]
port = 8000
deploy = "blue-green"
tasks = { min = 3 }
"#
    ), @r#"
     × a rollout of `web` could never end: its tasks do not fit
      ╭─[wharf.toml:5:7]
    4 │ [cluster]
    5 │ max = 2
      ·       ┬
      ·       ╰── 6 tasks, and room for 4 on 2 m7g.large: too few network interfaces
    6 │ [edge]
      ╰────
     help: raise `cluster.max`, take larger instances, or switch on the account setting
           `awsvpcTrunking` and write `trunking = true`, for 10 tasks on each, or lower the services'
           `tasks`
    "#);
}

#[test]
fn a_rollout_that_would_wait_at_the_busiest_is_warned_of() {
    insta::assert_snapshot!(warned_with(
        r#"[cluster]
[services.web]
tasks = { min = 2, max = 6 }
"#
    ), @r#"
     ⚠ at the busiest, rollouts would wait for room
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [cluster]
      ·  ───┬───
      ·     ╰── 12 tasks, and room for 8 on 4 m7g.large: too few network interfaces
    5 │ [services.web]
      ╰────
     help: raise `cluster.max`, take larger instances, or switch on the account setting
           `awsvpcTrunking` and write `trunking = true`, for 10 tasks on each, or lower the services'
           `tasks`
    "#);
}

#[test]
fn services_without_a_cluster_are_warned_of() {
    insta::assert_snapshot!(warned_with(
        r#"[services.web]
"#
    ), @r#"
     ⚠ nothing runs the services: there is no `[cluster]`
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [services.web]
      ·  ────┬───
      ·      ╰── they get their repositories and variables alone
      ╰────
     help: add `[cluster]`; all its keys have defaults
    "#);
}
