//! Bad `[stack]` sections, and files that are no stack files.

use super::bad;

#[test]
fn text_that_is_not_toml_is_shown_where_it_breaks() {
    let file = r#"[stack]
name = "shop
region = "us-east-1"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × this is not TOML
      ╭─[wharf.toml:2:13]
    1 │ [stack]
    2 │ name = "shop
      ·             ▲
      ·             ╰── invalid basic string, expected `"`
    3 │ region = "us-east-1"
      ╰────
     help: see https://toml.io for how TOML is written
    "#);
}

#[test]
fn a_key_given_twice_is_shown() {
    let file = r#"[stack]
name = "shop"
name = "shop"
region = "us-east-1"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × this is not TOML
      ╭─[wharf.toml:3:1]
    2 │ name = "shop"
    3 │ name = "shop"
      · ──┬─
      ·   ╰── duplicate key
    4 │ region = "us-east-1"
      ╰────
     help: see https://toml.io for how TOML is written
    "#);
}

#[test]
fn an_empty_file_says_what_belongs_in_it() {
    let file = r#""#;
    insta::assert_snapshot!(bad(file), @r#"
    × `stack` is missing
     ╭─[wharf.toml:1:1]
     ╰────
    help: add `[stack] name = "shop" region = "us-east-1"`
    "#);
}

#[test]
fn a_missing_name_and_region_are_both_named() {
    let file = r#"[stack]
account = "123456789012"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `stack.name` is missing
      ╭─[wharf.toml:1:2]
    1 │ [stack]
      ·  ──┬──
      ·    ╰── `name` belongs here
    2 │ account = "123456789012"
      ╰────
     help: add `name = "shop"`

     × `stack.region` is missing
      ╭─[wharf.toml:1:2]
    1 │ [stack]
      ·  ──┬──
      ·    ╰── `region` belongs here
    2 │ account = "123456789012"
      ╰────
     help: add `region = "us-east-1"`
    "#);
}

#[test]
fn an_unknown_section_is_named_with_the_one_that_was_meant() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[databse]
class = "db.t4g.medium"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × unknown key `databse`
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [databse]
      ·  ───┬───
      ·     ╰── no such key
    5 │ class = "db.t4g.medium"
      ╰────
     help: did you mean `database`?
    "#);
}

#[test]
fn an_unknown_key_is_answered_with_what_can_stand_there() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
owner = "me"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × unknown key `stack.owner`
      ╭─[wharf.toml:4:1]
    3 │ region = "us-east-1"
    4 │ owner = "me"
      · ──┬──
      ·   ╰── no such key
      ╰────
     help: what can stand here: `name`, `region`, `account` or `tags`
    "#);
}

#[test]
fn a_section_of_a_later_version_is_refused_as_not_built_yet() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[jenkins]
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `jenkins` is not built yet in this version
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [jenkins]
      ·  ───┬───
      ·     ╰── the Jenkins machine
      ╰────
     help: leave it out for now
    "#);
}

#[test]
fn an_upper_case_name_is_written_for_the_user() {
    let file = r#"[stack]
name = "Shop"
region = "us-east-1"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `stack.name` has upper-case letters
      ╭─[wharf.toml:2:8]
    1 │ [stack]
    2 │ name = "Shop"
      ·        ───┬──
      ·           ╰── here
    3 │ region = "us-east-1"
      ╰────
     help: write `shop`
    "#);
}

#[test]
fn a_name_too_long_for_a_load_balancer_is_refused() {
    let file = r#"[stack]
name = "the-shop-of-all-the-shops"
region = "us-east-1"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `stack.name` has 25 characters, 20 is the most
      ╭─[wharf.toml:2:8]
    1 │ [stack]
    2 │ name = "the-shop-of-all-the-shops"
      ·        ─────────────┬─────────────
      ·                     ╰── here
    3 │ region = "us-east-1"
      ╰────
     help: use at most 20 lower-case letters, digits and single dashes, a letter first, such as
           `shop`
    "#);
}

#[test]
fn a_name_that_aws_keeps_for_itself_is_refused() {
    let file = r#"[stack]
name = "internal-shop"
region = "us-east-1"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `stack.name` begins with `internal`, which AWS keeps for load balancers of its own
      ╭─[wharf.toml:2:8]
    1 │ [stack]
    2 │ name = "internal-shop"
      ·        ───────┬───────
      ·               ╰── here
    3 │ region = "us-east-1"
      ╰────
     help: use at most 20 lower-case letters, digits and single dashes, a letter first, such as
           `shop`
    "#);
}

#[test]
fn two_regions_in_one_stack_get_the_explanation() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1, us-east-2"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `stack.region` is more than one region
      ╭─[wharf.toml:3:10]
    2 │ name = "shop"
    3 │ region = "us-east-1, us-east-2"
      ·          ───────────┬──────────
      ·                     ╰── here
      ╰────
     help: a VPC is in one region: write one, such as `us-east-1`, and let `network.zones` spread the
           stack over its availability zones; for a second region write a second stack file
    "#);
}

#[test]
fn a_list_of_regions_gets_the_explanation() {
    let file = r#"[stack]
name = "shop"
region = ["us-east-1", "us-east-2"]
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `stack.region` is a list of regions
      ╭─[wharf.toml:3:10]
    2 │ name = "shop"
    3 │ region = ["us-east-1", "us-east-2"]
      ·          ─────────────┬────────────
      ·                       ╰── more than one region
      ╰────
     help: a VPC is in one region: write one, such as `us-east-1`, and let `network.zones` spread the
           stack over its availability zones; for a second region write a second stack file
    "#);
}

#[test]
fn a_zone_is_not_a_region() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1a"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `stack.region` is an availability zone, not a region
      ╭─[wharf.toml:3:10]
    2 │ name = "shop"
    3 │ region = "us-east-1a"
      ·          ──────┬─────
      ·                ╰── here
      ╰────
     help: write `us-east-1`
    "#);
}

#[test]
fn a_city_is_not_a_region() {
    let file = r#"[stack]
name = "shop"
region = "Frankfurt"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `stack.region` is not a region
      ╭─[wharf.toml:3:10]
    2 │ name = "shop"
    3 │ region = "Frankfurt"
      ·          ─────┬─────
      ·               ╰── here
      ╰────
     help: write one such as `us-east-1` or `eu-central-1`
    "#);
}

#[test]
fn an_account_of_eleven_digits_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
account = "12345678901"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `stack.account` is not an AWS account, which has 12 digits
      ╭─[wharf.toml:4:11]
    3 │ region = "us-east-1"
    4 │ account = "12345678901"
      ·           ──────┬──────
      ·                 ╰── here
      ╰────
     help: write the 12 digits that `aws sts get-caller-identity` shows
    "#);
}

#[test]
fn an_account_with_dashes_is_written_for_the_user() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
account = "1234-5678-9012"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `stack.account` is not an AWS account, which has 12 digits
      ╭─[wharf.toml:4:11]
    3 │ region = "us-east-1"
    4 │ account = "1234-5678-9012"
      ·           ────────┬───────
      ·                   ╰── here
      ╰────
     help: write "123456789012"
    "#);
}

#[test]
fn an_account_without_quotes_is_not_a_text() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
account = 123456789012
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `stack.account` must be a text
      ╭─[wharf.toml:4:11]
    3 │ region = "us-east-1"
    4 │ account = 123456789012
      ·           ──────┬─────
      ·                 ╰── this is a whole number
      ╰────
     help: write "123456789012", in quotes
    "#);
}

#[test]
fn tags_of_aws_and_of_wharf_are_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
tags = { "aws:owner" = "me", "wharf:id" = "x" }
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × the tag `aws:owner` is not allowed
      ╭─[wharf.toml:4:10]
    3 │ region = "us-east-1"
    4 │ tags = { "aws:owner" = "me", "wharf:id" = "x" }
      ·          ─────┬─────
      ·               ╰── AWS keeps tags that begin with `aws:` for itself
      ╰────
     help: choose another key

     × the tag `wharf:id` is not allowed
      ╭─[wharf.toml:4:30]
    3 │ region = "us-east-1"
    4 │ tags = { "aws:owner" = "me", "wharf:id" = "x" }
      ·                              ─────┬────
      ·                                   ╰── tags that begin with `wharf:` are how Wharf finds what is its own
      ╰────
     help: choose another key
    "#);
}
