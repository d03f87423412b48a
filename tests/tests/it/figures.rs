//! What the user's whole platform costs in calls and time: the same in each run of a seed, so that a call too many is
//! noticed the day it is written. `cargo run -p wharf-tests --example figures` prints each operation's share.

use wharf::config::Config;
use wharf_tests::figures::{Figure, Life, Sky, life};
use wharf_tests::stack::{in_virtual_time, whole_config, without_functions};

fn lived(config: &Config, sky: Sky) -> Life {
    in_virtual_time(life(config, 1, sky))
}

fn within(what: &str, figure: &Figure, calls: usize) {
    let number = figure.calls.number();
    assert!(number <= calls, "{what}: {number} calls instead of {calls} at most: {:#?}", figure.calls.by_operation());
}

#[test]
fn the_whole_platform_is_planned_applied_and_destroyed_within_its_calls() {
    for (config, plan, apply, destroy) in [(whole_config(), 140, 340, 330), (without_functions(), 110, 300, 290)] {
        let life = lived(&config, Sky::Swift);
        let what = |part| format!("{part} of {} resources", life.resources);
        within(&what("plan"), &life.plan, plan);
        assert!(life.plan.calls.round_trips() <= 4, "{} round trips of a plan", life.plan.calls.round_trips());
        within(&what("apply"), &life.apply, apply);
        within(&what("destroy"), &life.destroy, destroy);
    }
}

/// Two hundredths more than somebody needs who knows at once when AWS is done.
const LONGEST: f64 = 1.02;

#[test]
fn an_apply_takes_hardly_longer_than_its_longest_chain_and_the_database_waits_for_nothing_else() {
    let life = lived(&whole_config(), Sky::Steady);
    let path = life.apply.path.expect("a first apply has steps");
    assert!(path.ratio() <= LONGEST, "{path}");
    let (begun, could) = path.database.expect("the platform has a database");
    assert_eq!(begun, could, "the database waited for what it does not need: {path}");
}
