//! What the user's whole platform costs in calls and time, on the sandbox:
//! `cargo run -p wharf-tests --example figures`; with `--operations`, each operation's share too.
//!
//! Durations are the sandbox's model of AWS, not a promise.

#![expect(clippy::disallowed_macros, reason = "it prints for people")]

use wharf_tests::figures::{CALL, Life, Sky, life};
use wharf_tests::stack::{in_virtual_time, whole_config};

fn main() {
    let operations = std::env::args().any(|argument| argument == "--operations");
    let config = whole_config();
    for (name, seed, sky) in [("steady", 1, Sky::Steady), ("typical", 1, Sky::Typical), ("typical", 2, Sky::Typical)] {
        let life = in_virtual_time(life(&config, seed, sky));
        println!("{name} weather, seed {seed}: {} resources, about {} ms a call", life.resources, CALL.as_millis());
        print(&life, operations);
    }
}

fn print(life: &Life, operations: bool) {
    for (name, figure) in life.parts() {
        println!("\n{name}\n{figure}");
        if operations {
            let mut all: Vec<_> = figure.calls.by_operation().into_iter().collect();
            all.sort_by_key(|(action, share)| (std::cmp::Reverse(share.calls), *action));
            for (action, share) in all {
                let in_vain: Vec<_> = share.in_vain.iter().map(|(why, number)| format!("{number} {why}")).collect();
                let in_vain = if in_vain.is_empty() { String::new() } else { format!(" ({})", in_vain.join(", ")) };
                println!("    {:>4} {action}{in_vain}", share.calls);
            }
        }
    }
}
