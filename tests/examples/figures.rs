//! What the user's whole platform costs in calls and time, on the sandbox:
//! `cargo run -p wharf-tests --example figures`; with `--operations`, each operation's share too; with the name of a
//! weather (`swift`, `steady`, `typical`), only that.
//!
//! Durations are the sandbox's model of AWS, not a promise.

#![expect(clippy::disallowed_macros, reason = "it prints for people")]

use wharf_tests::figures::{Life, Sky, life};
use wharf_tests::stack::{in_virtual_time, whole_config, without_functions};

fn main() {
    let (flags, named): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|one| one.starts_with("--"));
    let operations = flags.iter().any(|flag| flag == "--operations");
    let whole = whole_config();
    let lives = [
        ("swift", &whole, 1, Sky::Swift),
        ("swift", &without_functions(), 1, Sky::Swift),
        ("steady", &whole, 1, Sky::Steady),
        ("typical", &whole, 1, Sky::Typical),
        ("typical", &whole, 2, Sky::Typical),
    ];
    let asked = |name: &str| named.is_empty() || named.iter().any(|one| one == name);
    for (name, config, seed, sky) in lives.into_iter().filter(|(name, ..)| asked(name)) {
        let life = in_virtual_time(life(config, seed, sky));
        let functions = if config.reactions.enabled { "with" } else { "without" };
        println!("{name} weather, seed {seed}: {} resources, {functions} the functions", life.resources);
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
