//! What the user's whole platform costs in calls, its functions included: the same in each run of a seed, so that a call too many is noticed the
//! day it is written. `cargo run -p wharf-tests --example figures` prints each operation's share.

use wharf_tests::figures::{Figure, Sky, life};
use wharf_tests::stack::{in_virtual_time, whole_config};

fn within(what: &str, figure: &Figure, calls: usize) {
    let number = figure.calls.number();
    assert!(number <= calls, "{what}: {number} calls instead of {calls} at most: {:#?}", figure.calls.by_operation());
}

#[test]
fn the_whole_platform_is_planned_applied_and_destroyed_within_its_calls() {
    let life = in_virtual_time(life(&whole_config(), 1, Sky::Swift));
    within("plan", &life.plan, 140);
    assert!(life.plan.calls.round_trips() <= 4, "{} round trips of a plan", life.plan.calls.round_trips());
    within("apply", &life.apply, 340);
    within("destroy", &life.destroy, 330);
}
