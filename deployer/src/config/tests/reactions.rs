//! Bad `[reactions]` sections, and what is asked of functions elsewhere.

use super::{bad_with, load, warned_with};
use crate::config::Function;

const HEAD: &str = "[stack]\nname = \"shop\"\nregion = \"us-east-1\"\n";

fn functions(rest: &str) -> Vec<&'static str> {
    let loaded = load(&format!("{HEAD}{rest}")).expect("it is good");
    loaded.config.functions().into_iter().map(Function::name).collect()
}

#[test]
fn each_function_is_there_when_it_has_something_to_react_to_and_somebody_to_tell() {
    let (push, alarm, check) = ("on-image-push", "on-alarm", "check-snapshots");
    for (file, wanted) in [
        ("[network]\n", vec![]),
        ("[cluster]\n", vec![]),
        ("[cluster]\n[services.web]\n", vec![push]),
        ("[cluster]\n[services.tidy]\nschedule = \"rate(1 hour)\"\n", vec![push]),
        ("[alerts]\n", vec![alarm]),
        ("[database]\n", vec![]),
        ("[database]\n[alerts]\n", vec![alarm, check]),
        ("[alerts]\n[backups]\nvolumes = {}\n", vec![alarm, check]),
        ("[cluster]\n[services.web]\n[database]\n[alerts]\n", vec![push, alarm, check]),
        ("[cluster]\n[services.web]\n[alerts]\n[reactions]\nenabled = false\n", vec![]),
    ] {
        assert_eq!(functions(file), wanted, "{file}");
    }
}

#[test]
fn a_secret_in_plain_text_is_refused_where_the_name_of_one_belongs() {
    insta::assert_snapshot!(bad_with(
        r#"[alerts]
slack = { secret = "https://hooks.slack.com/services/T0/B0/x" }
"#
    ), @r#"
     × `alerts.slack.secret` is the secret itself
      ╭─[wharf.toml:5:20]
    4 │ [alerts]
    5 │ slack = { secret = "https://hooks.slack.com/services/T0/B0/x" }
      ·                    ─────────────────────┬────────────────────
      ·                                         ╰── here
      ╰────
     help: put it into an SSM parameter, and write that parameter's name here
    "#);
}

#[test]
fn a_parameter_has_a_path() {
    insta::assert_snapshot!(bad_with(
        r#"[alerts]
slack = { secret = "slack-webhook" }
"#
    ), @r#"
     × `alerts.slack.secret` does not begin with a slash
      ╭─[wharf.toml:5:20]
    4 │ [alerts]
    5 │ slack = { secret = "slack-webhook" }
      ·                    ───────┬───────
      ·                           ╰── here
      ╰────
     help: write the parameter's whole name, such as `/shop/slack/webhook`
    "#);
}

#[test]
fn a_channel_is_written_by_its_id() {
    insta::assert_snapshot!(bad_with(
        r##"[alerts]
slack = { secret = "/shop/slack/token", channel = "#ops" }
"##
    ), @r##"
     × `alerts.slack.channel` is not the id of a channel
      ╭─[wharf.toml:5:51]
    4 │ [alerts]
    5 │ slack = { secret = "/shop/slack/token", channel = "#ops" }
      ·                                                   ───┬──
      ·                                                      ╰── here
      ╰────
     help: write the id at the end of the channel's address, such as `C0123456789`
    "##);
}

#[test]
fn who_is_called_is_written_as_slack_has_it() {
    insta::assert_snapshot!(bad_with(
        r#"[alerts]
slack = { secret = "/shop/slack/webhook", mention = "@here" }
"#
    ), @r#"
     × `alerts.slack.mention` is not how Slack writes it
      ╭─[wharf.toml:5:53]
    4 │ [alerts]
    5 │ slack = { secret = "/shop/slack/webhook", mention = "@here" }
      ·                                                     ───┬───
      ·                                                        ╰── here
      ╰────
     help: write `<!here>`
    "#);
}

#[test]
fn everybody_whom_slack_can_call_can_be_called() {
    for who in ["<!here>", "<!channel>", "<!everyone>", "<@U0123456789>", "<!subteam^S0123456789>"] {
        assert_eq!(
            functions(&format!("[alerts]\nslack = {{ secret = \"/shop/slack\", mention = \"{who}\" }}\n")),
            ["on-alarm"],
            "{who}"
        );
    }
}

#[test]
fn nobody_writes_to_slack_without_the_function() {
    insta::assert_snapshot!(bad_with(
        r#"[alerts]
slack = { secret = "/shop/slack/webhook" }
[reactions]
enabled = false
"#
    ), @r#"
     × nobody would write to Slack: `reactions.enabled` is false
      ╭─[wharf.toml:5:1]
    4 │ [alerts]
    5 │ slack = { secret = "/shop/slack/webhook" }
      · ──┬──
      ·   ╰── a function does that
    6 │ [reactions]
      ╰────
     help: leave `enabled` out of `[reactions]`, or `slack` out of `[alerts]`
    "#);
}

#[test]
fn nobody_migrates_without_the_function() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
before_deploy = ["python", "manage.py", "migrate"]
[reactions]
enabled = false
"#
    ), @r#"
     × nobody would run `services.web.before_deploy`: `reactions.enabled` is false
      ╭─[wharf.toml:6:1]
    5 │ [services.web]
    6 │ before_deploy = ["python", "manage.py", "migrate"]
      · ──────┬──────
      ·       ╰── a function does that
    7 │ [reactions]
      ╰────
     help: leave `enabled` out of `[reactions]`, or leave `before_deploy` out
    "#);
}

#[test]
fn a_limit_of_nothing_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
before_deploy_minutes = 5
"#
    ), @r#"
     × `services.web.before_deploy_minutes` limits nothing
      ╭─[wharf.toml:6:1]
    5 │ [services.web]
    6 │ before_deploy_minutes = 5
      · ──────────┬──────────
      ·           ╰── of what?
      ╰────
     help: add `before_deploy`, or leave it out
    "#);
}

#[test]
fn a_periodic_task_has_no_deployment_to_do_something_before() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.tidy]
schedule = "rate(1 hour)"
before_deploy = ["true"]
"#
    ), @r#"
     × `services.tidy.before_deploy` means nothing to a periodic task
      ╭─[wharf.toml:7:1]
    6 │ schedule = "rate(1 hour)"
    7 │ before_deploy = ["true"]
      · ──────┬──────
      ·       ╰── `tidy` runs by its `schedule` and ends
      ╰────
     help: leave `before_deploy` out, or `schedule` if it is to run all the time
    "#);
}

#[test]
fn other_processors_than_lambda_has_are_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[alerts]
[reactions]
architecture = "arm"
"#
    ), @r#"
     × `reactions.architecture` cannot be `arm`
      ╭─[wharf.toml:6:16]
    5 │ [reactions]
    6 │ architecture = "arm"
      ·                ──┬──
      ·                  ╰── not a choice
      ╰────
     help: write `arm64` or `x86_64`
    "#);
}

#[test]
fn an_exception_has_an_end() {
    insta::assert_snapshot!(bad_with(
        r#"[database]
[alerts]
[[backups.exceptions]]
control = "database-multi-az"
resource = "shop-database"
reason = "a trial"
"#
    ), @r#"
     × `backups.exceptions.0.until` is missing
      ╭─[wharf.toml:6:1]
    5 │ [alerts]
    6 │ [[backups.exceptions]]
      · ───────────┬──────────
      ·            ╰── `until` belongs here
    7 │ control = "database-multi-az"
      ╰────
     help: add `until = "2027-01-31"`
    "#);
}

#[test]
fn the_end_of_an_exception_is_a_day_that_there_is() {
    insta::assert_snapshot!(bad_with(
        r#"[database]
[alerts]
[[backups.exceptions]]
control = "database-multi-az"
resource = "shop-database"
until = "2027-02-30"
reason = "a trial"
"#
    ), @r#"
      × `backups.exceptions.0.until` is not a day
        ╭─[wharf.toml:9:9]
      8 │ resource = "shop-database"
      9 │ until = "2027-02-30"
        ·         ──────┬─────
        ·               ╰── here
     10 │ reason = "a trial"
        ╰────
      help: write year, month and day, such as `2027-01-31`
    "#);
}

#[test]
fn exceptions_from_a_check_that_nobody_makes_are_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[alerts]
[backups]
exceptions = [{ control = "a", resource = "b", until = "2027-01-31", reason = "c" }]
"#
    ), @r#"
     × nothing checks the snapshots: there is neither `[database]` nor `backups.volumes`
      ╭─[wharf.toml:6:1]
    5 │ [backups]
    6 │ exceptions = [{ control = "a", resource = "b", until = "2027-01-31", reason = "c" }]
      · ─────┬────
      ·      ╰── exceptions from what?
      ╰────
     help: leave `exceptions` out
    "#);
}

#[test]
fn settings_of_functions_that_are_not_there_are_warned_of() {
    insta::assert_snapshot!(warned_with(
        r#"[reactions]
log_days = 7
"#
    ), @r#"
     ⚠ `[reactions]` has nothing to react to
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [reactions]
      ·  ────┬────
      ·      ╰── no service runs, and nobody is told
    5 │ log_days = 7
      ╰────
     help: add `[cluster]` or `[alerts]`, or leave `[reactions]` out
    "#);
}
