//! Whatever the stacks, the weather, and the moment of a crash: the account ends as the stack says.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod model;

use std::time::Duration;

use model::account::{Account, STORM};
use model::kinds::specs;
use proptest::prelude::*;
use wharf_engine::{LastApplied, Stack};

const NODES: usize = 8;

/// More than usual with `PROPTEST_CASES`, which proptest reads itself.
fn cases() -> u32 {
    ProptestConfig::default().cases.max(400)
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn in_calm_weather_one_round_is_enough_and_no_order_is_violated(
        seed: u64, record: bool, stacks in proptest::collection::vec(specs(NODES, true), 1..4),
    ) {
        let mut account = Account::new(seed);
        let mut last = None;
        for stack in stacks.iter().map(|spec| spec.stack()).chain([Stack::default()]) {
            let rounds = model::apply(&mut account, &stack, last.as_ref(), &[]);
            prop_assert!(rounds <= 1, "{rounds} rounds");
            account.assert_is(&stack);
            account.live();
            last = record.then(|| LastApplied::of(&stack));
        }
        prop_assert!(account.objects.is_empty());
    }

    #[test]
    fn a_storm_makes_nothing_twice_and_loses_nothing(
        seed: u64, stacks in proptest::collection::vec(specs(NODES, true), 1..4),
    ) {
        let mut account = Account::new(seed);
        account.weather = STORM;
        for stack in stacks.iter().map(|spec| spec.stack()).chain([Stack::default()]) {
            let _ = model::apply(&mut account, &stack, None, &[]);
            account.assert_is(&stack);
            account.meddle();
            let _ = model::apply(&mut account, &stack, None, &[]);
            account.assert_is(&stack);
        }
    }

    #[test]
    fn users_let_go_before_what_they_link_goes(
        seed: u64, record: bool, stacks in proptest::collection::vec(specs(NODES, false), 2..4),
    ) {
        let mut account = Account::new(seed);
        let mut last = None;
        for stack in stacks.iter().map(|spec| spec.stack()).chain([Stack::default()]) {
            let rounds = model::apply(&mut account, &stack, last.as_ref(), &[]);
            prop_assert!(rounds <= 1, "{rounds} rounds");
            account.assert_is(&stack);
            last = record.then(|| LastApplied::of(&stack));
        }
    }

    #[test]
    fn a_run_killed_anywhere_in_a_storm_is_healed_by_the_next(
        seed: u64,
        record: bool,
        stacks in proptest::collection::vec(specs(NODES, true), 1..4),
        kills in proptest::collection::vec(1..40_u64, 0..6),
    ) {
        let mut account = Account::new(seed);
        account.weather = STORM;
        account.strict = false;
        let mut last = None;
        for stack in stacks.iter().map(|spec| spec.stack()).chain([Stack::default()]) {
            let _ = model::apply(&mut account, &stack, last.as_ref(), &kills);
            account.advance(account.now + Duration::from_secs(60));
            let _ = model::apply(&mut account, &stack, last.as_ref(), &[]);
            account.assert_is(&stack);
            last = record.then(|| LastApplied::of(&stack));
        }
    }

    #[test]
    fn another_stack_can_take_over_from_a_killed_run(
        seed: u64, first in specs(NODES, true), second in specs(NODES, true), kill in 1..30_u64,
    ) {
        let mut account = Account::new(seed);
        account.strict = false;
        let world = account.sweep();
        let stack = first.stack();
        let plan = wharf_engine::plan(&stack, &world, None, &Default::default()).unwrap();
        let _ = model::drive(&mut account, &plan, &stack, &world, Some(kill));
        let _ = model::apply(&mut account, &second.stack(), None, &[]);
        account.assert_is(&second.stack());
    }
}
