//! Bad `[network]` sections.

use super::bad;

#[test]
fn a_range_with_host_bits_is_written_without_them() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[network]
cidr = "10.0.0.1/16"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `network.cidr` has host bits set
      ╭─[wharf.toml:5:8]
    4 │ [network]
    5 │ cidr = "10.0.0.1/16"
      ·        ──────┬──────
      ·              ╰── here
      ╰────
     help: write `10.0.0.0/16`
    "#);
}

#[test]
fn a_range_that_is_none_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[network]
cidr = "10.0.0.0.0/16"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `network.cidr` is not an IPv4 range
      ╭─[wharf.toml:5:8]
    4 │ [network]
    5 │ cidr = "10.0.0.0.0/16"
      ·        ───────┬───────
      ·               ╰── here
      ╰────
     help: write four numbers up to 255 and a length, such as `10.0.0.0/16`
    "#);
}

#[test]
fn an_address_needs_a_length() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[network]
cidr = "10.0.0.0"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `network.cidr` is an address without a length
      ╭─[wharf.toml:5:8]
    4 │ [network]
    5 │ cidr = "10.0.0.0"
      ·        ─────┬────
      ·             ╰── here
      ╰────
     help: write `10.0.0.0/16`
    "#);
}

#[test]
fn a_range_too_small_for_its_subnets_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[network]
cidr = "10.0.0.0/27"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `network.cidr` is too small: each of its subnets is an eighth of it, and AWS has none smaller
     │ than /28
      ╭─[wharf.toml:5:8]
    4 │ [network]
    5 │ cidr = "10.0.0.0/27"
      ·        ──────┬──────
      ·              ╰── here
      ╰────
     help: take /25 or larger; /16 leaves room for everything
    "#);
}

#[test]
fn a_range_larger_than_a_vpc_is_refused() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[network]
cidr = "10.0.0.0/8"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `network.cidr` is larger than AWS lets a VPC be
      ╭─[wharf.toml:5:8]
    4 │ [network]
    5 │ cidr = "10.0.0.0/8"
      ·        ──────┬─────
      ·              ╰── here
      ╰────
     help: write `10.0.0.0/16`
    "#);
}

#[test]
fn a_public_range_is_refused_with_the_reason() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[network]
cidr = "8.8.0.0/16"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `network.cidr` is not a private range: hosts on the internet that have these addresses could
     │ not be reached
      ╭─[wharf.toml:5:8]
    4 │ [network]
    5 │ cidr = "8.8.0.0/16"
      ·        ──────┬─────
      ·              ╰── here
      ╰────
     help: take one inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16, such as `10.0.0.0/16`
    "#);
}

#[test]
fn four_zones_are_too_many() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[network]
zones = 4
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `network.zones` is out of range
      ╭─[wharf.toml:5:9]
    4 │ [network]
    5 │ zones = 4
      ·         ┬
      ·         ╰── 4 is not between 1 and 3
      ╰────
     help: write a number from 1 to 3
    "#);
}

#[test]
fn a_way_out_that_is_none_is_answered_with_the_choices() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[network]
egress = "nat-gateway"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `network.egress` cannot be `nat-gateway`
      ╭─[wharf.toml:5:10]
    4 │ [network]
    5 │ egress = "nat-gateway"
      ·          ──────┬──────
      ·                ╰── not a choice
      ╰────
     help: write `nat`, `nat-zonal`, `endpoints` or `public`
    "#);
}

#[test]
fn a_number_in_quotes_is_not_a_number() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[network]
zones = "2"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `network.zones` must be a whole number
      ╭─[wharf.toml:5:9]
    4 │ [network]
    5 │ zones = "2"
      ·         ─┬─
      ·          ╰── this is a text
      ╰────
     help: write 2, without quotes
    "#);
}

#[test]
fn yes_is_not_true() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[network]
flow_logs = "yes"
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `network.flow_logs` must be true or false
      ╭─[wharf.toml:5:13]
    4 │ [network]
    5 │ flow_logs = "yes"
      ·             ──┬──
      ·               ╰── this is a text
      ╰────
     help: write `true` or `false`, without quotes
    "#);
}

#[test]
fn days_that_cloudwatch_does_not_offer_are_answered_with_the_nearest() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[network]
flow_log_days = 10
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `network.flow_log_days` is not one of AWS's choices
      ╭─[wharf.toml:5:17]
    4 │ [network]
    5 │ flow_log_days = 10
      ·                 ─┬
      ·                  ╰── not a choice
      ╰────
     help: write 7, or another of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731,
           1096, 1827, 2192, 2557, 2922, 3288, 3653
    "#);
}
