//! The lock: a lease that its holder keeps through bad weather, and loses by dying.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wharf::ledger::Holder;
use wharf_sandbox::{Fate, Weather};
use wharf_tests::stack::{World, config, in_virtual_time, virtual_timing};

const STACK: &str = "[services.web]\nport = 8000\n";

fn holder(run: &str) -> Holder {
    Holder::new(run, "tests", "apply", "2026-01-05T09:00:00Z")
}

#[test]
fn a_lock_is_kept_while_only_one_renewal_in_three_is_written_and_heard_of() {
    in_virtual_time(async {
        let world = World::calm(1, config(STACK));
        world.apply().await.expect("the stack can be applied");
        let session = world.session("first").await.expect("the account");
        let mut lock = session.ledger.lock(holder("first"), virtual_timing(), &|_| {}).await.expect("it is free");
        let lease = lock.lease();
        let puts = AtomicU64::new(0);
        world.sandbox.on_call(move |call| match call.operation.as_str() {
            "PutItem" => match puts.fetch_add(1, Ordering::SeqCst) % 3 {
                0 => Fate::RefuseBefore,
                1 => Fate::ServerError,
                _ => Fate::Normal,
            },
            // An answer to the question whether it was written is lost as well.
            "GetItem" if puts_lost(call.n) => Fate::LoseReply,
            _ => Fate::Normal,
        });
        tokio::select! {
            () = lock.keep() => panic!("the lock was lost"),
            () = async {
                for second in 0..600 {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    lease.check().unwrap_or_else(|why| panic!("after {second} s: {why}"));
                }
            } => {}
        }
    });
}

fn puts_lost(n: u64) -> bool {
    n.is_multiple_of(7)
}

#[test]
fn a_lock_is_kept_through_seconds_without_an_answer_and_is_not_used_once_they_are_too_many() {
    in_virtual_time(async {
        let world = World::calm(1, config(STACK));
        world.apply().await.expect("the stack can be applied");
        let session = world.session("first").await.expect("the account");
        let mut lock = session.ledger.lock(holder("first"), virtual_timing(), &|_| {}).await.expect("it is free");
        let lease = lock.lease();
        let silent = |seconds| {
            let sandbox = world.sandbox.clone();
            async move {
                sandbox.set_weather(Weather { latency: Duration::from_secs(60), ..Weather::calm() });
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                sandbox.set_weather(Weather::calm());
            }
        };
        tokio::select! {
            () = lock.keep() => panic!("the lock was lost"),
            () = async {
                for _ in 0..10 {
                    silent(10).await;
                    lease.check().expect("the lease goes on");
                    tokio::time::sleep(Duration::from_secs(10)).await;
                    lease.check().expect("the lease goes on");
                }
                silent(40).await;
                let why = lease.check().expect_err("by now another may have watched it stand still");
                assert_eq!(why, "the stack's lock could not be renewed in time");
            } => {}
        }
    });
}

#[test]
fn the_lock_of_a_run_that_died_is_had_within_a_minute_and_nobodys_clock_is_asked() {
    in_virtual_time(async {
        let world = World::calm(1, config(STACK));
        world.apply().await.expect("the stack can be applied");
        let first = world.session("first").await.expect("the account");
        let dead = first.ledger.lock(holder("first"), virtual_timing(), &|_| {}).await.expect("it is free");
        drop(dead);
        let second = world.session("second").await.expect("the account");
        let begun = tokio::time::Instant::now();
        let lock = second.ledger.lock(holder("second"), virtual_timing(), &|_| {}).await.expect("nobody holds it");
        assert!(begun.elapsed() < Duration::from_secs(60), "it took {:?}", begun.elapsed());
        lock.release().await.expect("it is given back");
    });
}
