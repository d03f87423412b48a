//! Bad `[alerts]` and `[backups]` sections.

use super::bad_with;

#[test]
fn what_is_no_address_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[alerts]
email = ["ops"]
"#
    ), @r#"
     × `alerts.email.0` is not an e-mail address
      ╭─[wharf.toml:5:10]
    4 │ [alerts]
    5 │ email = ["ops"]
      ·          ──┬──
      ·            ╰── here
      ╰────
     help: write one address, such as `ops@example.com`
    "#);
}

#[test]
fn a_threshold_out_of_range_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[alerts]
thresholds = { memory_percent = 120 }
"#
    ), @r#"
     × `alerts.thresholds.memory_percent` is out of range
      ╭─[wharf.toml:5:33]
    4 │ [alerts]
    5 │ thresholds = { memory_percent = 120 }
      ·                                 ─┬─
      ·                                  ╰── 120 is not between 1 and 100
      ╰────
     help: write a number from 1 to 100
    "#);
}

#[test]
fn a_time_of_day_is_hours_and_minutes() {
    insta::assert_snapshot!(bad_with(
        r#"[backups]
volumes = { at = "3am", keep = 14 }
"#
    ), @r#"
     × `backups.volumes.at` is not a time of day
      ╭─[wharf.toml:5:18]
    4 │ [backups]
    5 │ volumes = { at = "3am", keep = 14 }
      ·                  ──┬──
      ·                    ╰── here
      ╰────
     help: write hours and minutes in UTC, such as `03:00`
    "#);
}

#[test]
fn hours_that_dlm_does_not_have_are_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[backups]
volumes = { every_hours = 5 }
"#
    ), @r#"
     × `backups.volumes.every_hours` is not one of AWS's choices
      ╭─[wharf.toml:5:27]
    4 │ [backups]
    5 │ volumes = { every_hours = 5 }
      ·                           ┬
      ·                           ╰── not a choice
      ╰────
     help: write 4, or another of 1, 2, 3, 4, 6, 8, 12, 24
    "#);
}

#[test]
fn a_plan_for_volumes_is_a_table() {
    insta::assert_snapshot!(bad_with(
        r#"[backups]
volumes = true
"#
    ), @r#"
     × `backups.volumes` must be a section or table
      ╭─[wharf.toml:5:11]
    4 │ [backups]
    5 │ volumes = true
      ·           ──┬─
      ·             ╰── this is true or false
      ╰────
     help: write a table, such as `{ key = "value" }`
    "#);
}
