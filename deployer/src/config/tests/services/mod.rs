//! Bad `[services]` sections.

mod reach;
mod tasks;
mod variables;

use super::bad;

#[test]
fn keys_of_a_later_version_are_refused_as_not_built_yet() {
    let file = r#"[stack]
name = "shop"
region = "us-east-1"
[services.web]
port = 8000
volumes = ["/data"]
"#;
    insta::assert_snapshot!(bad(file), @r#"
     × `services.web.volumes` is not built yet in this version
      ╭─[wharf.toml:6:1]
    5 │ port = 8000
    6 │ volumes = ["/data"]
      · ───┬───
      ·    ╰── volumes
      ╰────
     help: leave it out for now
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
