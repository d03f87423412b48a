//! How many tasks, how checked, how renewed, when run.

use crate::config::tests::{bad_with, warned_with};

#[test]
fn fewer_tasks_at_most_than_at_least_are_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
tasks = { min = 3, max = 2 }
"#
    ), @r#"
     × `services.web.tasks.max` is below `services.web.tasks.min`
      ╭─[wharf.toml:6:26]
    5 │ [services.web]
    6 │ tasks = { min = 3, max = 2 }
      ·                          ┬
      ·                          ╰── 3 at least, 2 at most
      ╰────
     help: write 3 or more
    "#);
}

#[test]
fn scaling_between_equal_bounds_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
tasks = { min = 2 }
scaling = { cpu_percent = 50 }
"#
    ), @r#"
     × `services.web.scaling` has nothing to decide
      ╭─[wharf.toml:7:1]
    6 │ tasks = { min = 2 }
    7 │ scaling = { cpu_percent = 50 }
      · ───┬───
      ·    ╰── always 2 tasks
      ╰────
     help: add `tasks = { min = 2, max = 6 }`, or leave `scaling` out
    "#);
}

#[test]
fn requests_of_a_worker_are_not_counted() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
tasks = { min = 1, max = 2 }
scaling = { requests_per_minute = 50 }
"#
    ), @r#"
     × `web` has no `port`, so no requests to count
      ╭─[wharf.toml:7:13]
    6 │ tasks = { min = 1, max = 2 }
    7 │ scaling = { requests_per_minute = 50 }
      ·             ─────────┬─────────
      ·                      ╰── requests of whom?
      ╰────
     help: leave it out: the tasks' CPU decides
    "#);
}

#[test]
fn a_health_path_without_a_port_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
health = "/healthz"
"#
    ), @r#"
     × `services.web.health` checks what has no `port`
      ╭─[wharf.toml:6:1]
    5 │ [services.web]
    6 │ health = "/healthz"
      · ───┬──
      ·    ╰── whom should the load balancer ask?
      ╰────
     help: give the service a `port`; what has none is checked inside the container by
           `health_command`
    "#);
}

#[test]
fn an_address_is_no_health_path() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
port = 8000
health = "http://localhost:8000/healthz"
"#
    ), @r#"
     × `services.web.health` is an address, not a path
      ╭─[wharf.toml:7:10]
    6 │ port = 8000
    7 │ health = "http://localhost:8000/healthz"
      ·          ───────────────┬───────────────
      ·                         ╰── here
      ╰────
     help: write `/healthz`
    "#);
}

#[test]
fn a_health_path_begins_with_a_slash() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
port = 8000
health = "healthz"
"#
    ), @r#"
     × `services.web.health` does not begin with a slash
      ╭─[wharf.toml:7:10]
    6 │ port = 8000
    7 │ health = "healthz"
      ·          ────┬────
      ·              ╰── here
      ╰────
     help: write `/healthz`
    "#);
}

#[test]
fn an_answer_that_may_take_longer_than_the_pause_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
port = 8000
checks = { every_seconds = 5, timeout_seconds = 5 }
"#
    ), @r#"
     × `services.web.checks.timeout_seconds` is not below `every_seconds`
      ╭─[wharf.toml:7:49]
    6 │ port = 8000
    7 │ checks = { every_seconds = 5, timeout_seconds = 5 }
      ·                                                 ┬
      ·                                                 ╰── 5 s, asked every 5 s
      ╰────
     help: write at most 4
    "#);
}

#[test]
fn codes_that_no_load_balancer_takes_are_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
port = 8000
checks = { codes = "2xx" }
"#
    ), @r#"
     × `services.web.checks.codes` is not a list of HTTP codes between 200 and 499
      ╭─[wharf.toml:7:20]
    6 │ port = 8000
    7 │ checks = { codes = "2xx" }
      ·                    ──┬──
      ·                      ╰── here
      ╰────
     help: write `200`, `200,302` or `200-399`
    "#);
}

#[test]
fn a_health_command_says_how_it_is_run() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
health_command = ["curl", "-f", "http://localhost"]
"#
    ), @r#"
     × `services.web.health_command` does not say how it is run
      ╭─[wharf.toml:6:19]
    5 │ [services.web]
    6 │ health_command = ["curl", "-f", "http://localhost"]
      ·                   ───┬──
      ·                      ╰── neither `CMD` nor `CMD-SHELL`
      ╰────
     help: write `["CMD", "curl", "-f", "http://localhost"]`
    "#);
}

#[test]
fn a_misspelt_way_of_deploying_is_answered_with_the_nearest() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
deploy = "bluegreen"
"#
    ), @r#"
     × `services.web.deploy` cannot be `bluegreen`
      ╭─[wharf.toml:6:10]
    5 │ [services.web]
    6 │ deploy = "bluegreen"
      ·          ─────┬─────
      ·               ╰── not a choice
      ╰────
     help: did you mean `blue-green`? it can be `rolling`, `blue-green`, `canary` or `linear`
    "#);
}

#[test]
fn a_way_of_deploying_that_is_none_is_answered_with_all() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
deploy = "recreate"
"#
    ), @r#"
     × `services.web.deploy` cannot be `recreate`
      ╭─[wharf.toml:6:10]
    5 │ [services.web]
    6 │ deploy = "recreate"
      ·          ─────┬────
      ·               ╰── not a choice
      ╰────
     help: write `rolling`, `blue-green`, `canary` or `linear`
    "#);
}

#[test]
fn blue_and_green_without_a_load_balancer_are_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
deploy = "blue-green"
"#
    ), @r#"
     × `web` deploys as `blue-green` without a load balancer
      ╭─[wharf.toml:6:10]
    5 │ [services.web]
    6 │ deploy = "blue-green"
      ·          ──────┬─────
      ·                ╰── no requests that could move: `port` is missing
      ╰────
     help: write `deploy = "rolling"`, which needs none
    "#);
}

#[test]
fn a_setting_of_another_way_of_deploying_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
rollout = { canary_percent = 5 }
"#
    ), @r#"
     × `services.web.rollout.canary_percent` means nothing to `deploy = "rolling"`
      ╭─[wharf.toml:6:13]
    5 │ [services.web]
    6 │ rollout = { canary_percent = 5 }
      ·             ───────┬──────
      ·                    ╰── of `canary`
      ╰────
     help: leave it out, or change `deploy`
    "#);
}

#[test]
fn a_rollout_that_could_never_begin_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
rollout = { max_percent = 100 }
"#
    ), @r#"
     × a rollout of `web` could never begin
      ╭─[wharf.toml:6:27]
    5 │ [services.web]
    6 │ rollout = { max_percent = 100 }
      ·                           ─┬─
      ·                            ╰── no task may go, and none may come
      ╰────
     help: write `max_percent = 200`, or `min_percent = 50`
    "#);
}

#[test]
fn a_schedule_of_unix_is_rewritten() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
schedule = "*/10 * * * *"
"#
    ), @r#"
     × `services.web.schedule` is written as Unix has it
      ╭─[wharf.toml:6:12]
    5 │ [services.web]
    6 │ schedule = "*/10 * * * *"
      ·            ───────┬──────
      ·                   ╰── here
      ╰────
     help: write `cron(*/10 * * * ? *)`
    "#);
}

#[test]
fn a_misspelt_rate_is_corrected() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
schedule = "rate(5 minute)"
"#
    ), @r#"
     × `services.web.schedule` is misspelt
      ╭─[wharf.toml:6:12]
    5 │ [services.web]
    6 │ schedule = "rate(5 minute)"
      ·            ────────┬───────
      ·                    ╰── here
      ╰────
     help: write `rate(5 minutes)`
    "#);
}

#[test]
fn a_periodic_task_is_reached_by_nobody() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
schedule = "rate(1 hour)"
port = 8000
"#
    ), @r#"
     × `services.web.port` means nothing to a periodic task
      ╭─[wharf.toml:7:1]
    6 │ schedule = "rate(1 hour)"
    7 │ port = 8000
      · ──┬─
      ·   ╰── `web` runs by its `schedule` and ends
      ╰────
     help: leave `port` out, or `schedule` if it is to run all the time
    "#);
}

#[test]
fn a_time_zone_without_a_schedule_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
time_zone = "Europe/Berlin"
"#
    ), @r#"
     × `services.web.time_zone` belongs to no `schedule`
      ╭─[wharf.toml:6:1]
    5 │ [services.web]
    6 │ time_zone = "Europe/Berlin"
      · ────┬────
      ·     ╰── of what?
      ╰────
     help: add `schedule`, or leave it out
    "#);
}

#[test]
fn what_is_no_iam_action_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
permissions = [{ actions = ["GetObject"], resources = ["s3://uploads/*"] }]
"#
    ), @r#"
     × `services.web.permissions.0.actions.0` is not an IAM action
      ╭─[wharf.toml:6:29]
    5 │ [services.web]
    6 │ permissions = [{ actions = ["GetObject"], resources = ["s3://uploads/*"] }]
      ·                             ─────┬─────
      ·                                  ╰── here
      ╰────
     help: write a service and an action, such as `s3:GetObject`

     × `services.web.permissions.0.resources.0` is an address, not an ARN
      ╭─[wharf.toml:6:56]
    5 │ [services.web]
    6 │ permissions = [{ actions = ["GetObject"], resources = ["s3://uploads/*"] }]
      ·                                                        ────────┬───────
      ·                                                                ╰── here
      ╰────
     help: write `arn:aws:s3:::uploads/*`
    "#);
}

#[test]
fn a_permission_without_resources_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
permissions = [{ actions = ["s3:GetObject"] }]
"#
    ), @r#"
     × `services.web.permissions.0.resources` is missing
      ╭─[wharf.toml:6:16]
    5 │ [services.web]
    6 │ permissions = [{ actions = ["s3:GetObject"] }]
      ·                ───────────────┬──────────────
      ·                               ╰── `resources` belongs here
      ╰────
     help: add `resources = ["arn:aws:s3:::shop-uploads/*"]`
    "#);
}

#[test]
fn everything_is_no_permission() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
permissions = [{ actions = ["*"], resources = ["*"] }]
"#
    ), @r#"
     × `services.web.permissions.0.actions.0` is everything that AWS has
      ╭─[wharf.toml:6:29]
    5 │ [services.web]
    6 │ permissions = [{ actions = ["*"], resources = ["*"] }]
      ·                             ─┬─
      ·                              ╰── here
      ╰────
     help: name what the tasks need, such as `s3:GetObject`
    "#);
}

#[test]
fn all_of_a_service_on_everything_is_warned_of() {
    insta::assert_snapshot!(warned_with(
        r#"[cluster]
[services.web]
tasks = { min = 1 }
permissions = [{ actions = ["s3:*"], resources = ["*"] }]
"#
    ), @r#"
     ⚠ `services.web.permissions.0.actions.0` is all of a service, on everything the account has
      ╭─[wharf.toml:7:29]
    6 │ tasks = { min = 1 }
    7 │ permissions = [{ actions = ["s3:*"], resources = ["*"] }]
      ·                             ───┬──
      ·                                ╰── with `resources = ["*"]`
      ╰────
     help: name the actions that the tasks need, or the ARNs
    "#);
}

#[test]
fn a_file_system_that_nobody_may_write_lets_nobody_in() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
read_only = true
"#
    ), @r#"
     × `web` has `read_only` and `exec`
      ╭─[wharf.toml:6:1]
    5 │ [services.web]
    6 │ read_only = true
      · ────┬────
      ·     ╰── the agent that lets you in has to write
      ╰────
     help: add `exec = false`, or leave `read_only` out
    "#);
}

#[test]
fn more_ranges_than_a_rule_takes_cannot_move_at_once() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[edge]
domain = "shop.example.com"
zone = "example.com"
[services.web]
port = 8000
deploy = "canary"
allow = ["192.0.2.0/28", "192.0.2.32/28", "192.0.2.64/28", "192.0.2.96/28", "192.0.2.128/28"]
"#
    ), @r#"
     × `services.web.allow` has too many ranges for `canary`
       ╭─[wharf.toml:11:9]
    10 │ deploy = "canary"
    11 │ allow = ["192.0.2.0/28", "192.0.2.32/28", "192.0.2.64/28", "192.0.2.96/28", "192.0.2.128/28"]
       ·         ──────────────────────────────────────────┬──────────────────────────────────────────
       ·                                                   ╰── 5, and one rule takes 4
       ╰────
     help: write fewer and wider ranges, or `deploy = "rolling"`
    "#);
}
