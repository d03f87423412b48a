//! Bad `[database]` sections.

use super::bad;

#[test]
fn a_database_in_one_zone_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[network]
zones = 1

[database]
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × a database needs two availability zones
      ╭─[wharf.toml:5:9]
    4 │ [network]
    5 │ zones = 1
      ·         ┬
      ·         ╰── RDS takes no subnet group in a single zone
    6 │ 
      ╰────
     help: write `zones = 2`, or leave `[database]` out
    "#);
}

#[test]
fn another_engine_is_not_a_version() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]
engine_version = "mysql8"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `database.engine_version` is not a PostgreSQL version
      ╭─[wharf.toml:5:18]
    4 │ [database]
    5 │ engine_version = "mysql8"
      ·                  ────┬───
      ·                      ╰── here
      ╰────
     help: write a major version such as `17`, or an exact one such as `17.4`
    "#);
}

#[test]
fn a_version_that_rds_has_not_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]
engine_version = "9.6"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `database.engine_version` asks for PostgreSQL 9, which RDS does not offer
      ╭─[wharf.toml:5:18]
    4 │ [database]
    5 │ engine_version = "9.6"
      ·                  ──┬──
      ·                    ╰── here
      ╰────
     help: write one of `13` to `18`
    "#);
}

#[test]
fn a_version_without_quotes_is_not_a_text() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]
engine_version = 17
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `database.engine_version` must be a text
      ╭─[wharf.toml:5:18]
    4 │ [database]
    5 │ engine_version = 17
      ·                  ─┬
      ·                   ╰── this is a whole number
      ╰────
     help: write "17", in quotes
    "#);
}

#[test]
fn a_class_of_ec2_is_written_as_one_of_rds() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]
class = "t4g.medium"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `database.class` is a class of EC2, not of RDS
      ╭─[wharf.toml:5:9]
    4 │ [database]
    5 │ class = "t4g.medium"
      ·         ──────┬─────
      ·               ╰── here
      ╰────
     help: write `db.t4g.medium`
    "#);
}

#[test]
fn numbers_out_of_their_ranges_are_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]
backup_days = 0

[services.web]
port = 70000
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `database.backup_days` is out of range
      ╭─[wharf.toml:5:15]
    4 │ [database]
    5 │ backup_days = 0
      ·               ┬
      ·               ╰── 0 is not between 1 and 35
    6 │ 
      ╰────
     help: write a number from 1 to 35

     × `services.web.port` is out of range
      ╭─[wharf.toml:8:8]
    7 │ [services.web]
    8 │ port = 70000
      ·        ──┬──
      ·          ╰── 70000 is not between 1 and 65535
      ╰────
     help: write a number from 1 to 65535
    "#);
}

#[test]
fn storage_below_the_least_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]
storage_gib = 5
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `database.storage_gib` is out of range
      ╭─[wharf.toml:5:15]
    4 │ [database]
    5 │ storage_gib = 5
      ·               ┬
      ·               ╰── 5 is not between 20 and 65536
      ╰────
     help: write a number from 20 to 65536
    "#);
}

#[test]
fn storage_that_cannot_grow_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]
storage_gib = 50
max_storage_gib = 40
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `database.max_storage_gib` is below `database.storage_gib`
      ╭─[wharf.toml:6:19]
    5 │ storage_gib = 50
    6 │ max_storage_gib = 40
      ·                   ─┬
      ·                    ╰── less than the 50 GiB of `storage_gib`
      ╰────
     help: write 55 or more, or 50 for no growth
    "#);
}

#[test]
fn storage_that_can_hardly_grow_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]
storage_gib = 50
max_storage_gib = 52
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `database.max_storage_gib` leaves too little room to grow
      ╭─[wharf.toml:6:19]
    5 │ storage_gib = 50
    6 │ max_storage_gib = 52
      ·                   ─┬
      ·                    ╰── RDS wants a tenth more than `storage_gib` at least
      ╰────
     help: write 55 or more, or 50 for no growth
    "#);
}

#[test]
fn a_backup_during_maintenance_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]
backup_window = "04:00-05:00"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `database.backup_window` and `database.maintenance_window` meet
      ╭─[wharf.toml:5:17]
    4 │ [database]
    5 │ backup_window = "04:00-05:00"
      ·                 ──────┬──────
      ·                       ╰── `maintenance_window` is sun:04:30-sun:05:30
      ╰────
     help: let one begin after the other has ended, such as `03:00-04:00` and `sun:04:30-sun:05:30`
    "#);
}

#[test]
fn a_window_of_ten_minutes_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]
backup_window = "03:00-03:10"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `database.backup_window` is shorter than half an hour
      ╭─[wharf.toml:5:17]
    4 │ [database]
    5 │ backup_window = "03:00-03:10"
      ·                 ──────┬──────
      ·                       ╰── here
      ╰────
     help: write begin and end in UTC, at least half an hour apart, such as `03:00-04:00`
    "#);
}

#[test]
fn a_reserved_user_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]
username = "admin"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `database.username` is reserved
      ╭─[wharf.toml:5:12]
    4 │ [database]
    5 │ username = "admin"
      ·            ───┬───
      ·               ╰── here
      ╰────
     help: choose another, such as `app`
    "#);
}

#[test]
fn a_name_with_a_dash_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]
name = "my-app"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `database.name` is not a name that PostgreSQL on RDS takes
      ╭─[wharf.toml:5:8]
    4 │ [database]
    5 │ name = "my-app"
      ·        ────┬───
      ·            ╰── here
      ╰────
     help: use at most 63 letters, digits and underscores, a letter first, such as `app`
    "#);
}

#[test]
fn a_misspelt_key_is_named_with_the_one_that_was_meant() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[database]
multiaz = true
backup_day = 7
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × unknown key `database.multiaz`
      ╭─[wharf.toml:5:1]
    4 │ [database]
    5 │ multiaz = true
      · ───┬───
      ·    ╰── no such key
    6 │ backup_day = 7
      ╰────
     help: did you mean `multi_az`?

     × unknown key `database.backup_day`
      ╭─[wharf.toml:6:1]
    5 │ multiaz = true
    6 │ backup_day = 7
      · ─────┬────
      ·      ╰── no such key
      ╰────
     help: did you mean `backup_days`?
    "#);
}
