//! Every order in which pushes, calls, deaths, deployments and tasks can follow each other. In each state that can be
//! reached the laws that the world asserts hold; from each that is quiet, the last look leaves what must be left.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::prelude::*;

use super::world::{Event, Scenario, World};

fn key(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

/// Lets the schedule look until nothing is left to be done.
fn settle(mut world: World, scenario: &Scenario) {
    for _ in 0..5_000 {
        let event = world.events(1).first().copied();
        match event {
            Some(event) => world.happen(event, scenario),
            None => {
                let before = world.clone();
                world.happen(Event::Look, scenario);
                while let Some(event) = world.events(1).first().copied() {
                    world.happen(event, scenario);
                }
                if world.same_as(&before) {
                    return world.judge(scenario);
                }
            }
        }
    }
    panic!("it comes to no end: {world:#?}");
}

/// Goes through all of it, with so many looks at once; answers how many states there are.
fn explore(scenario: &Scenario, workers: usize) -> usize {
    let first = scenario.world();
    let mut known = HashSet::from([key(&first)]);
    let mut open = vec![first];
    while let Some(world) = open.pop() {
        let events = world.events(workers);
        if events.is_empty() {
            settle(world, scenario);
            continue;
        }
        for event in events {
            let mut next = world.clone();
            next.happen(event, scenario);
            if known.insert(key(&next)) {
                open.push(next);
            }
        }
    }
    known.len()
}

#[expect(clippy::disallowed_macros, reason = "tests have no printer")]
fn explored(name: &str, scenario: &Scenario, workers: usize) {
    eprintln!("{name}: {} states", explore(scenario, workers));
}

#[test]
fn copies_of_a_push_are_one_rollout_whoever_dies() {
    let scenario = Scenario { pushes: &['a'], copies: 2, ..Scenario::default() };
    explored("two copies at once", &scenario, 2);
    let scenario = Scenario { deaths: 1, silent: true, ..scenario };
    explored("two copies at once, one death, and no event", &scenario, 2);
    let scenario = Scenario { deaths: 2, ..scenario };
    explored("two copies, one after the other, two deaths, and no event", &scenario, 1);
}

#[test]
fn three_pushes_in_any_order_leave_the_newest() {
    let scenario = Scenario { pushes: &['a', 'b', 'c'], copies: 1, silent: true, ..Scenario::default() };
    explored("three pushes, one after the other", &scenario, 1);
    let scenario = Scenario { pushes: &['a', 'b'], copies: 1, silent: true, apart: true, ..Scenario::default() };
    explored("two pushes at once", &scenario, 2);
    let scenario = Scenario { deaths: 1, apart: false, ..scenario };
    explored("two pushes, one after the other, one death", &scenario, 1);
}

#[test]
fn a_later_push_of_an_old_image_brings_it_back() {
    let scenario = Scenario { pushes: &['a', 'b', 'a'], copies: 1, silent: true, ..Scenario::default() };
    explored("there and back", &scenario, 1);
}

#[test]
fn an_image_that_crashes_is_taken_back_and_told_of_whoever_dies() {
    let scenario = Scenario { pushes: &['x'], bad: &['x'], copies: 1, deaths: 1, ..Scenario::default() };
    explored("one that crashes, one death", &scenario, 2);
    let scenario = Scenario { pushes: &['x', 'b'], bad: &['x'], copies: 1, ..Scenario::default() };
    explored("one that crashes and its successor", &scenario, 1);
    let scenario = Scenario { pushes: &['a', 'x'], bad: &['x'], copies: 1, silent: true, ..Scenario::default() };
    explored("one that runs and one that crashes", &scenario, 1);
}

#[test]
fn a_first_version_that_crashes_leaves_no_task_and_its_successor_comes_up() {
    let first = Scenario { bad: &['x', '0'], copies: 1, first: true, ..Scenario::default() };
    let scenario = Scenario { pushes: &['x'], deaths: 1, ..first.clone() };
    explored("a first version that crashes, one death", &scenario, 2);
    let scenario = Scenario { pushes: &['x', 'b'], ..first };
    explored("a first version that crashes and its successor", &scenario, 1);
}

#[test]
fn commands_run_once_each_one_after_the_other_and_before_their_rollouts() {
    let with = Scenario { commands: Some(&[]), copies: 1, ..Scenario::default() };
    let scenario = Scenario { pushes: &['a'], deaths: 1, ..with.clone() };
    explored("a command, one death", &scenario, 2);
    let scenario = Scenario { pushes: &['a', 'b'], silent: true, ..with };
    explored("two pushes with commands", &scenario, 1);
    let scenario = Scenario { pushes: &['a'], deaths: 1, left: true, silent: false, ..scenario };
    explored("a command, one that a deployment left, one death", &scenario, 1);
    let scenario = Scenario { pushes: &['a', 'b'], deaths: 0, silent: true, ..scenario };
    explored("two pushes with commands, one that a deployment left, and no event", &scenario, 1);
}

#[test]
fn a_command_that_fails_stops_its_rollout_alone() {
    let scenario = Scenario { pushes: &['x'], commands: Some(&['x']), copies: 1, deaths: 1, ..Scenario::default() };
    explored("a command that fails, one death", &scenario, 2);
    let scenario = Scenario { pushes: &['x', 'b'], commands: Some(&['x']), copies: 1, ..Scenario::default() };
    explored("a command that fails and its successor", &scenario, 1);
}

#[test]
fn an_apply_and_a_push_at_once_leave_the_image_and_the_setting() {
    let scenario = Scenario { pushes: &['a'], copies: 1, deaths: 1, apply: true, ..Scenario::default() };
    explored("an apply and a push, one death", &scenario, 1);
    let scenario = Scenario { pushes: &['a', 'b'], copies: 1, apply: true, silent: true, ..Scenario::default() };
    explored("an apply and two pushes", &scenario, 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Larger worlds, at random: four pushes of three images, one of which crashes, copies, deaths, an apply.
    #[test]
    fn any_order_of_events_ends_well(
        choices in prop::collection::vec(any::<u16>(), 0..300),
        commands in any::<bool>(),
        left in any::<bool>(),
        silent in any::<bool>(),
        first in any::<bool>(),
    ) {
        let scenario = Scenario {
            pushes: &['a', 'x', 'b', 'a'],
            bad: if first { &['x', '0'] } else { &['x'] },
            commands: commands.then_some(&['b']),
            left: commands && left,
            first,
            copies: 2,
            deaths: 3,
            silent,
            apply: !first,
            apart: false,
        };
        let mut world = scenario.world();
        for choice in choices {
            let events = world.events(3);
            if events.is_empty() {
                break;
            }
            world.happen(events[usize::from(choice) % events.len()], &scenario);
        }
        while let Some(event) = world.events(3).first().copied() {
            world.happen(event, &scenario);
        }
        settle(world, &scenario);
    }
}
