//! A model of an account, and a driver for it: independent of how the engine works inside.

pub(crate) mod account;
pub(crate) mod kinds;

use std::time::Duration;

use account::Account;
use wharf_engine::{LastApplied, Limits, Op, Options, Outcome, Plan, Run, Stack, plan};

/// Carries a plan out against the account, unless it is killed after some operations.
pub(crate) fn drive(
    account: &mut Account,
    plan: &Plan,
    stack: &Stack,
    world: &wharf_engine::World,
    kill_after: Option<u64>,
) -> Option<Outcome> {
    let mut run = Run::new(plan, stack, world, Limits { in_flight: 4, ..Limits::default() });
    let mut wire: Vec<(Duration, Op, Option<_>)> = Vec::new();
    let mut handled = 0;
    for _ in 0..1_000_000 {
        for op in run.poll(account.now) {
            let took = Duration::from_millis(10 + account.dice.roll(900));
            // The effect comes with the call or with the reply.
            let early = account.dice.percent(50).then(|| account.handle(&op));
            wire.push((account.now + took, op, early));
        }
        assert!(wire.len() <= 4, "too many operations at once");
        wire.sort_by_key(|(at, ..)| *at);
        let wake = run.wake_at();
        let next = wire.first().map(|(at, ..)| *at);
        match (next, wake) {
            (Some(at), wake) if wake.is_none_or(|wake| at <= wake) || wire.len() == 4 => {
                let (at, op, result) = wire.remove(0);
                account.advance(at);
                let result = result.unwrap_or_else(|| account.handle(&op));
                run.reply(account.now, op.id, result).unwrap();
                handled += 1;
                if Some(handled) == kill_after {
                    return None;
                }
            }
            (_, Some(wake)) => account.advance(wake),
            (_, None) => match run.outcome() {
                Some(outcome) => return Some(outcome),
                None => assert!(!run.poll(account.now).is_empty(), "the run is stuck"),
            },
        }
    }
    panic!("the run does not end")
}

/// Sweeps, plans and runs until there is nothing to do; the number of rounds that had work.
pub(crate) fn apply(account: &mut Account, stack: &Stack, last: Option<&LastApplied>, kills: &[u64]) -> usize {
    for round in 0..24 {
        account.expect(stack);
        let world = account.sweep();
        let plan = plan(stack, &world, last, &Options::default()).unwrap();
        if plan.steps.is_empty() {
            assert!(plan.unchanged == stack.resources.len());
            return round;
        }
        let outcome = drive(account, &plan, stack, &world, kills.get(round).copied());
        if outcome.is_some() {
            account.advance(account.now + Duration::from_secs(60));
        }
    }
    panic!("still something to do after 24 rounds")
}
