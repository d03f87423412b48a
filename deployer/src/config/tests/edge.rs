//! Bad `[edge]` sections.

use super::{bad_with, warned_with};

#[test]
fn https_without_a_certificate_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[edge]
domain = "shop.example.com"
[services.web]
port = 8000
"#
    ), @r#"
     × `[edge]` has no certificate
      ╭─[wharf.toml:5:2]
    4 │ [cluster]
    5 │ [edge]
      ·  ──┬─
      ·    ╰── HTTPS needs one
    6 │ domain = "shop.example.com"
      ╰────
     help: add `zone = "example.com"`, a Route 53 zone in which one is made; or `certificate =
           "arn:…"`
    "#);
}

#[test]
fn a_zone_without_a_domain_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[edge]
zone = "example.com"
[services.web]
port = 8000
"#
    ), @r#"
     × `edge.domain` is missing
      ╭─[wharf.toml:5:2]
    4 │ [cluster]
    5 │ [edge]
      ·  ──┬─
      ·    ╰── a certificate for what?
    6 │ zone = "example.com"
      ╰────
     help: add `domain = "shop.example.com"`
    "#);
}

#[test]
fn a_domain_outside_of_its_zone_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[edge]
domain = "shop.example.org"
zone = "example.com"
[services.web]
port = 8000
"#
    ), @r#"
     × `edge.domain` is outside of `edge.zone`
      ╭─[wharf.toml:6:10]
    5 │ [edge]
    6 │ domain = "shop.example.org"
      ·          ─────────┬────────
      ·                   ╰── not in example.com
    7 │ zone = "example.com"
      ╰────
     help: write a name that ends in `.example.com`, or the zone that shop.example.org lies in
    "#);
}

#[test]
fn a_host_outside_of_the_zone_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[edge]
domain = "shop.example.com"
zone = "example.com"
[services.web]
port = 8000
[services.mailhog]
port = 8025
allow = ["203.0.113.0/24"]
host = "mail.example.org"
"#
    ), @r#"
     × `services.mailhog.host` is outside of `edge.zone`
       ╭─[wharf.toml:13:8]
    12 │ allow = ["203.0.113.0/24"]
    13 │ host = "mail.example.org"
       ·        ─────────┬────────
       ·                 ╰── here
       ╰────
     help: write a name that ends in `.example.com`
    "#);
}

#[test]
fn a_host_taken_twice_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[edge]
domain = "shop.example.com"
zone = "example.com"
[services.web]
port = 8000
[services.mailhog]
port = 8025
allow = ["203.0.113.0/24"]
host = "shop.example.com"
"#
    ), @r#"
     × both `web` and `mailhog` are called shop.example.com
       ╭─[wharf.toml:13:8]
    12 │ allow = ["203.0.113.0/24"]
    13 │ host = "shop.example.com"
       ·        ─────────┬────────
       ·                 ╰── taken already
       ╰────
     help: give each its own name
    "#);
}

#[test]
fn an_address_is_no_domain() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[edge]
domain = "https://shop.example.com/"
zone = "example.com"
[services.web]
port = 8000
"#
    ), @r#"
     × `edge.domain` is an address, not a name
      ╭─[wharf.toml:6:10]
    5 │ [edge]
    6 │ domain = "https://shop.example.com/"
      ·          ─────────────┬─────────────
      ·                       ╰── here
    7 │ zone = "example.com"
      ╰────
     help: write `shop.example.com`
    "#);
}

#[test]
fn a_wildcard_is_no_domain() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[edge]
domain = "*.example.com"
zone = "example.com"
[services.web]
port = 8000
"#
    ), @r#"
     × `edge.domain` stands for many names
      ╭─[wharf.toml:6:10]
    5 │ [edge]
    6 │ domain = "*.example.com"
      ·          ───────┬───────
      ·                 ╰── here
    7 │ zone = "example.com"
      ╰────
     help: name each host: the certificate covers exactly those
    "#);
}

#[test]
fn a_certificate_of_another_region_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[edge]
certificate = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
[services.web]
port = 8000
"#
    ), @r#"
     × `edge.certificate` is in another region than the stack
      ╭─[wharf.toml:6:15]
    5 │ [edge]
    6 │ certificate = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
      ·               ──────────────────────────┬──────────────────────────
      ·                                         ╰── in eu-central-1
    7 │ [services.web]
      ╰────
     help: a load balancer takes certificates of its own region alone: request one in us-east-1
    "#);
}

#[test]
fn a_certificate_of_iam_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[edge]
certificate = "arn:aws:iam::123456789012:server-certificate/shop"
[services.web]
port = 8000
"#
    ), @r#"
     × `edge.certificate` is a certificate of IAM's, which renews none
      ╭─[wharf.toml:6:15]
    5 │ [edge]
    6 │ certificate = "arn:aws:iam::123456789012:server-certificate/shop"
      ·               ─────────────────────────┬─────────────────────────
      ·                                        ╰── here
    7 │ [services.web]
      ╰────
     help: import it into ACM
    "#);
}

#[test]
fn a_zone_to_make_without_its_name_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[edge]
certificate = "arn:aws:acm:us-east-1:123456789012:certificate/1"
create_zone = true
[services.web]
port = 8000
"#
    ), @r#"
     × `edge.create_zone` makes no zone
      ╭─[wharf.toml:7:1]
    6 │ certificate = "arn:aws:acm:us-east-1:123456789012:certificate/1"
    7 │ create_zone = true
      · ─────┬─────
      ·      ╰── which one?
    8 │ [services.web]
      ╰────
     help: add `zone = "example.com"`
    "#);
}

#[test]
fn a_service_without_a_name_outside_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[edge]
certificate = "arn:aws:acm:us-east-1:123456789012:certificate/1"
[services.web]
port = 8000
[services.mailhog]
port = 8025
allow = ["203.0.113.0/24"]
"#
    ), @r#"
     × `mailhog` has no name outside
       ╭─[wharf.toml:9:11]
     8 │ port = 8000
     9 │ [services.mailhog]
       ·           ───┬───
       ·              ╰── `host` is missing
    10 │ port = 8025
       ╰────
     help: add `host = "mail.example.com"`; with `edge.domain` it would have one of its own
    "#);
}

#[test]
fn a_host_without_a_port_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[edge]
domain = "shop.example.com"
zone = "example.com"
[services.web]
port = 8000
[services.worker]
host = "worker.example.com"
"#
    ), @r#"
     × `services.worker.host` names what has no `port`
       ╭─[wharf.toml:11:1]
    10 │ [services.worker]
    11 │ host = "worker.example.com"
       · ──┬─
       ·   ╰── what should answer?
       ╰────
     help: give the service a `port`, or leave `host` out
    "#);
}

#[test]
fn a_host_without_an_edge_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[services.web]
port = 8000
host = "shop.example.com"
"#
    ), @r#"
     × `web` has a `host`, but there is no `[edge]`
      ╭─[wharf.toml:7:1]
    6 │ port = 8000
    7 │ host = "shop.example.com"
      · ──┬─
      ·   ╰── reached how?
      ╰────
     help: add `[edge]` with its `domain` and `zone`, or leave `host` out
    "#);
}

#[test]
fn an_edge_without_a_cluster_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[edge]
domain = "shop.example.com"
zone = "example.com"
[services.web]
port = 8000
"#
    ), @r#"
     × `[edge]` has nothing to send requests to
      ╭─[wharf.toml:4:2]
    3 │ region = "us-east-1"
    4 │ [edge]
      ·  ──┬─
      ·    ╰── no `[cluster]`
    5 │ domain = "shop.example.com"
      ╰────
     help: add `[cluster]`; all its keys have defaults
    "#);
}

#[test]
fn an_old_version_of_tls_is_refused() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[edge]
domain = "shop.example.com"
zone = "example.com"
tls_policy = "ELBSecurityPolicy-2016-08"
[services.web]
port = 8000
"#
    ), @r#"
     × `edge.tls_policy` cannot be `ELBSecurityPolicy-2016-08`
      ╭─[wharf.toml:8:14]
    7 │ zone = "example.com"
    8 │ tls_policy = "ELBSecurityPolicy-2016-08"
      ·              ─────────────┬─────────────
      ·                           ╰── not a choice
    9 │ [services.web]
      ╰────
     help: write `ELBSecurityPolicy-TLS13-1-2-2021-06`, `ELBSecurityPolicy-TLS13-1-2-Res-2021-06`,
           `ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09`, `ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04`,
           `ELBSecurityPolicy-TLS13-1-3-2021-06` or `ELBSecurityPolicy-TLS13-1-3-FIPS-2023-04`
    "#);
}

#[test]
fn the_address_of_a_bucket_is_no_bucket() {
    insta::assert_snapshot!(bad_with(
        r#"[cluster]
[edge]
domain = "shop.example.com"
zone = "example.com"
access_logs = { bucket = "s3://shop-logs/alb" }
[services.web]
port = 8000
"#
    ), @r#"
     × `edge.access_logs.bucket` is an address, not a bucket
      ╭─[wharf.toml:8:26]
    7 │ zone = "example.com"
    8 │ access_logs = { bucket = "s3://shop-logs/alb" }
      ·                          ──────────┬─────────
      ·                                    ╰── here
    9 │ [services.web]
      ╰────
     help: write `shop-logs`
    "#);
}

#[test]
fn an_edge_with_nothing_behind_it_is_warned_of() {
    insta::assert_snapshot!(warned_with(
        r#"[cluster]
[edge]
domain = "shop.example.com"
zone = "example.com"
[services.worker]
"#
    ), @r#"
     ⚠ `[edge]` has nothing to send requests to
      ╭─[wharf.toml:5:2]
    4 │ [cluster]
    5 │ [edge]
      ·  ──┬─
      ·    ╰── no service has a `port`
    6 │ domain = "shop.example.com"
      ╰────
     help: give a service its `port`, or leave `[edge]` out
    "#);
}
