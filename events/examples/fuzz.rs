//! Reads inputs that nobody means: `cargo run --release -p wharf-events --example fuzz -- 10000000 [SEED]`.
//!
//! What must hold: nothing panics, and of everything something is said, or why not.

use std::io::Write as _;

use jiff::Timestamp;
use wharf_events::{Arrival, Told};
use wharf_inputs::Inputs;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let number = |n: usize| std::env::args().nth(n).and_then(|text| text.parse::<u64>().ok());
    let (count, seed) = (number(1).unwrap_or(100_000), number(2).unwrap_or(1));
    let inputs = Inputs::from_samples()?;
    let mut counts = [0_u64; 3];
    let mut out = std::io::stdout().lock();
    for n in 0..count {
        // Every input has a seed of its own, by which it can be made again.
        let input = inputs.of(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n.wrapping_mul(0xbf58_476d_1ce4_e5b9));
        if let Err(what) = judge(&input, &mut counts) {
            return Err(format!("input {n} of seed {seed}: {what}\n{input}").into());
        }
        if n % 1_000_000 == 999_999 {
            writeln!(out, "{} million", (n + 1) / 1_000_000)?;
        }
    }
    let [told, nothing, unreadable] = counts;
    writeln!(
        out,
        "{count} inputs of seed {seed}: {told} told, {nothing} nothing to tell, {unreadable} unreadable notices"
    )?;
    Ok(())
}

/// What must hold of any input.
fn judge(input: &str, counts: &mut [u64; 3]) -> Result<(), String> {
    let mut arrivals = Arrival::in_message(input, Some("q-1"));
    if let Ok(payload) = serde_json::from_str(input) {
        arrivals.extend(Arrival::with_payload(&payload));
    }
    if arrivals.is_empty() {
        return Err("nothing arrived".to_owned());
    }
    for arrival in arrivals {
        match wharf_events::tell(&arrival, Timestamp::UNIX_EPOCH) {
            Ok(Told::Notice(notice) | Told::IfOpen(notice)) => {
                if [&notice.title, &notice.subject, &notice.key].iter().any(|text| text.trim().is_empty()) {
                    return Err(format!("a notice without title, subject or key: {notice:?}"));
                }
                counts[0] += 1;
            }
            Ok(Told::Nothing(why)) if why.is_empty() => return Err("no reason".to_owned()),
            Ok(Told::Nothing(_)) => counts[1] += 1,
            Err(_) => counts[2] += 1,
        }
    }
    Ok(())
}
