//! How a run goes on after each kind of reply.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wharf_engine::{
    Call, Class, Estimate, Event, Failure, Field, Found, Health, Identity, Limits, LogicalId, Op, OpId, Options, Order,
    Outcome, Outputs, Reference, Reply, Resource, Rules, Run, Stack, Value, World, generations, plan,
};

static THING: Rules = Rules {
    kind: "test.thing",
    fields: &[Field::new("size"), Field::new("parent").replaces()],
    order: Order::CreateFirst,
    protected: false,
    visible_within: Duration::from_secs(10),
    estimate: Estimate::seconds(60, 10, 30),
};

const START: Duration = Duration::ZERO;

fn id(text: &str) -> LogicalId {
    LogicalId::new(text).unwrap()
}

/// Resources, each with its parent.
fn stack(parents: &[(&str, Option<&str>)]) -> Stack {
    let resource = |(name, parent): &(&str, Option<&str>)| {
        let mut inputs = BTreeMap::from([("size".to_owned(), Value::Int(1))]);
        if let Some(parent) = parent {
            let output = "id".to_owned();
            inputs.insert("parent".to_owned(), Value::Ref(Reference { id: id(parent), output }));
        }
        (id(name), Resource { id: id(name), rules: &THING, inputs, after: BTreeSet::new() })
    };
    Stack { resources: parents.iter().map(resource).collect() }
}

fn outputs(physical: &str) -> Outputs {
    Outputs::from([("id".to_owned(), Value::text(physical))])
}

fn found(stack: &Stack, name: &str, size: i64, health: Health) -> Found {
    Found {
        id: id(name),
        rules: &THING,
        physical: format!("{name}-1"),
        identity: Identity::Ours(Some(generations(stack).unwrap()[&id(name)].clone())),
        health,
        inputs: BTreeMap::from([("size".to_owned(), Value::Int(size))]),
        outputs: outputs(&format!("{name}-1")),
        blockers: BTreeSet::new(),
    }
}

fn run(stack: &Stack, world: &World) -> Run {
    Run::new(&plan(stack, world, None, &Options::default()).unwrap(), stack, world, Limits::default())
}

fn failure(class: Class) -> Failure {
    Failure { class, message: "no".to_owned(), code: None, hint: None }
}

/// The only operation that starts now.
fn one(run: &mut Run, now: Duration) -> Op {
    let mut ops = run.poll(now);
    assert_eq!(ops.len(), 1, "{ops:?}");
    ops.remove(0)
}

/// The next operation, when it is due.
fn next(run: &mut Run) -> (Duration, Op) {
    let at = run.wake_at().unwrap();
    (at, one(run, at))
}

fn ended(run: &Run) -> Outcome {
    run.outcome().unwrap()
}

#[test]
fn what_is_created_and_ready_needs_no_read_and_lets_its_users_start() {
    let stack = stack(&[("a", None), ("b", Some("a"))]);
    let mut run = run(&stack, &World::default());
    let op = one(&mut run, START);
    assert!(matches!(op.call, Call::Create { .. }));
    run.reply(START, op.id, Ok(Reply::Created { physical: "a-1".to_owned(), outputs: Some(outputs("a-1")) })).unwrap();
    let Call::Create { inputs, .. } = one(&mut run, START).call else { unreachable!("b is created next") };
    assert_eq!(inputs["parent"], Value::Known("a-1".to_owned()));
}

#[test]
fn what_a_creation_leaves_unset_follows_at_the_first_look_and_what_it_set_is_looked_for_again() {
    static TABLE: Rules = Rules { fields: &[Field::new("size"), Field::new("kept").set_once_ready()], ..THING };
    let inputs = BTreeMap::from([("size".to_owned(), Value::Int(1)), ("kept".to_owned(), Value::Int(7))]);
    let resource = Resource { id: id("a"), rules: &TABLE, inputs, after: BTreeSet::new() };
    let stack = Stack { resources: BTreeMap::from([(id("a"), resource)]) };
    for (size, updates) in [(1, true), (2, false)] {
        let mut run = run(&stack, &World::default());
        let op = one(&mut run, START);
        run.reply(START, op.id, Ok(Reply::Created { physical: "a-1".to_owned(), outputs: None })).unwrap();
        let (at, op) = next(&mut run);
        let seen = Found { rules: &TABLE, ..found(&stack, "a", size, Health::Ready) };
        run.reply(at, op.id, Ok(Reply::Read(vec![seen]))).unwrap();
        let call = run.poll(at).pop().map(|op| op.call);
        assert_eq!(matches!(call, Some(Call::Update { .. })), updates, "size {size}: {call:?}");
        assert_eq!(call.is_none(), !updates);
    }
}

#[test]
fn after_a_lost_reply_nothing_is_created_again_before_it_would_be_seen() {
    let stack = stack(&[("a", None)]);
    let mut run = run(&stack, &World::default());
    let op = one(&mut run, START);
    run.reply(START, op.id, Err(failure(Class::Ambiguous))).unwrap();
    loop {
        let (now, op) = next(&mut run);
        match op.call {
            Call::Read { .. } => run.reply(now, op.id, Ok(Reply::Read(Vec::new()))).unwrap(),
            Call::Create { .. } => unreachable!("a creation is decided on after a read, not by the clock"),
            other => unreachable!("{other:?}"),
        }
        if now >= THING.visible_within {
            assert!(matches!(one(&mut run, now).call, Call::Create { .. }));
            break;
        }
        assert!(run.poll(now).is_empty());
    }
    assert!(run.outcome().is_none());
}

#[test]
fn what_a_lost_reply_had_created_is_found_and_mended() {
    let stack = stack(&[("a", None)]);
    let mut run = run(&stack, &World::default());
    let op = one(&mut run, START);
    run.reply(START, op.id, Err(failure(Class::Ambiguous))).unwrap();
    let (now, op) = next(&mut run);
    run.reply(now, op.id, Ok(Reply::Read(vec![found(&stack, "a", 9, Health::Ready)]))).unwrap();
    let op = one(&mut run, now);
    assert!(matches!(&op.call, Call::Update { changes, .. } if changes.len() == 1 && changes[0].field == "size"));
    run.reply(now, op.id, Ok(Reply::Updated { outputs: Some(outputs("a-1")) })).unwrap();
    let outcome = ended(&run);
    assert!(outcome.complete() && outcome.ambiguous);
    assert_eq!(outcome.outputs[&id("a")], outputs("a-1"));
}

#[test]
fn a_taken_name_is_gone_on_with_when_it_is_ours_and_fails_when_it_is_not() {
    let stack = stack(&[("a", None)]);
    for (identity, complete) in [(found(&stack, "a", 1, Health::Ready).identity, true), (Identity::Foreign, false)] {
        let mut run = run(&stack, &World::default());
        let op = one(&mut run, START);
        run.reply(START, op.id, Err(failure(Class::Exists))).unwrap();
        let mut now = START;
        while run.outcome().is_none() {
            let op;
            (now, op) = next(&mut run);
            assert!(matches!(op.call, Call::Read { .. }));
            let there = Found { identity: identity.clone(), ..found(&stack, "a", 1, Health::Ready) };
            run.reply(now, op.id, Ok(Reply::Read(vec![there]))).unwrap();
        }
        assert!(now <= THING.visible_within + Duration::from_secs(3));
        assert_eq!(ended(&run).complete(), complete);
        assert!(complete || ended(&run).failed[0].1.message.contains("`a-1` exists but does not belong"));
    }
}

#[test]
fn every_retry_of_a_write_is_preceded_by_a_read_unless_aws_said_that_it_did_nothing() {
    let stack = stack(&[("a", None)]);
    let world = World { found: vec![found(&stack, "a", 9, Health::Ready)] };
    for class in [Class::NotYetVisible, Class::Draining, Class::Busy, Class::Throttled, Class::Ambiguous] {
        for stack in [&stack, &Stack::default()] {
            let mut run = run(stack, &world);
            let op = one(&mut run, START);
            assert!(!matches!(op.call, Call::Read { .. }), "the sweep was the first read");
            run.reply(START, op.id, Err(failure(class))).unwrap();
            assert!(run.poll(START).is_empty());
            let (now, mut op) = next(&mut run);
            // What is in use or busy was not deleted, and is as it was.
            let untouched = matches!(class, Class::Draining | Class::Busy) && stack.resources.is_empty();
            if !untouched {
                assert_eq!(op.call, Call::Read { physical: Some("a-1".to_owned()) });
                run.reply(now, op.id, Ok(Reply::Read(world.found.clone()))).unwrap();
                op = one(&mut run, now);
            }
            assert!(matches!(op.call, Call::Update { .. } | Call::Delete { .. }));
            run.reply(now, op.id, Err(failure(Class::Refused))).unwrap();
            assert_eq!(ended(&run).failed.len(), 1);
        }
    }
}

#[test]
fn when_something_is_let_go_of_whatever_else_waits_for_that_tries_again_at_once() {
    let all = stack(&[("a", None), ("b", None)]);
    let there = ["a", "b"].map(|name| found(&all, name, 1, Health::Ready));
    let mut run = run(&Stack::default(), &World { found: there.to_vec() });
    let ops = run.poll(START);
    assert_eq!(ops.len(), 2);
    for op in &ops {
        run.reply(START, op.id, Err(failure(Class::Draining))).unwrap();
    }
    // One of them is refused again, so that it would wait for longer than the other.
    let now = run.wake_at().unwrap();
    let ops = run.poll(now);
    run.reply(now, ops[0].id, Err(failure(Class::Draining))).unwrap();
    run.reply(now, ops[1].id, Ok(Reply::Deleted { gone: true })).unwrap();
    let again = one(&mut run, now);
    assert_eq!(again.logical, ops[0].logical);
    run.reply(now, again.id, Ok(Reply::Deleted { gone: true })).unwrap();
    assert!(ended(&run).complete());
}

#[test]
fn a_class_that_does_not_pass_fails_at_once_and_stops_only_its_users() {
    let stack = stack(&[("a", None), ("b", Some("a")), ("c", Some("b")), ("d", None)]);
    for class in [Class::Refused, Class::Invalid, Class::Quota, Class::Internal] {
        let mut run = run(&stack, &World::default());
        let ops = run.poll(START);
        assert_eq!(ops.iter().map(|op| op.logical.as_str()).collect::<Vec<_>>(), ["a", "d"], "the longer path first");
        run.reply(START, ops[0].id, Err(failure(class))).unwrap();
        assert_eq!(run.outcome(), None, "d goes on");
        run.reply(START, ops[1].id, Ok(Reply::Created { physical: "d-1".to_owned(), outputs: Some(outputs("d-1")) }))
            .unwrap();
        let outcome = ended(&run);
        assert_eq!((outcome.done.len(), outcome.failed.len(), outcome.skipped.len()), (1, 1, 2));
    }
}

#[test]
fn passing_failures_are_given_up_after_their_time() {
    let stack = stack(&[("a", None)]);
    let give_up = Limits::default().give_up;
    let limits = [
        (Class::NotYetVisible, give_up.not_yet_visible),
        (Class::Draining, give_up.draining),
        (Class::Busy, give_up.busy),
        (Class::Throttled, give_up.throttled),
    ];
    for (class, limit) in limits {
        let mut run = run(&stack, &World::default());
        let (mut now, mut op) = (START, one(&mut run, START));
        while run.outcome().is_none() {
            match op.call {
                Call::Read { .. } => {
                    run.reply(now, op.id, Ok(Reply::Read(Vec::new()))).unwrap();
                    op = one(&mut run, now);
                }
                _ => {
                    run.reply(now, op.id, Err(failure(class))).unwrap();
                    if run.outcome().is_some() {
                        break;
                    }
                    (now, op) = next(&mut run);
                }
            }
        }
        assert!(now <= limit && now + Duration::from_secs(30) >= limit, "{class:?} after {now:?}");
        assert_eq!(ended(&run).failed[0].1.class, class);
    }
}

#[test]
fn a_deletion_is_done_when_nothing_is_there() {
    let stack = stack(&[("a", None)]);
    let world = World { found: vec![found(&stack, "a", 1, Health::Ready)] };
    let mut run_missing = run(&Stack::default(), &world);
    let op = one(&mut run_missing, START);
    run_missing.reply(START, op.id, Err(failure(Class::Missing))).unwrap();
    assert!(ended(&run_missing).complete());

    let mut run = run(&Stack::default(), &world);
    let op = one(&mut run, START);
    run.reply(START, op.id, Ok(Reply::Deleted { gone: false })).unwrap();
    let (now, op) = next(&mut run);
    run.reply(now, op.id, Ok(Reply::Read(vec![found(&stack, "a", 1, Health::Deleting)]))).unwrap();
    let (now, op) = next(&mut run);
    run.reply(now, op.id, Ok(Reply::Read(Vec::new()))).unwrap();
    assert!(ended(&run).complete());
}

#[test]
fn a_wait_that_never_ends_fails_with_what_aws_last_said_and_not_before_its_time() {
    let stack = stack(&[("a", None)]);
    let mut run = run(&stack, &World::default());
    let op = one(&mut run, START);
    run.reply(START, op.id, Ok(Reply::Created { physical: "a-1".to_owned(), outputs: None })).unwrap();
    let mut last = START;
    while run.outcome().is_none() {
        let (now, op) = next(&mut run);
        assert!(now - last <= Duration::from_secs(30));
        let settling = found(&stack, "a", 1, Health::Settling("backing-up".to_owned()));
        run.reply(now, op.id, Ok(Reply::Read(vec![settling]))).unwrap();
        last = now;
    }
    assert!(last > THING.estimate.create * 4 + Duration::from_secs(600));
    assert!(ended(&run).failed[0].1.message.contains("backing-up"));
    assert!(
        run.take_events().iter().any(|event| matches!(event, Event::StepWaiting { what, .. } if what == "backing-up"))
    );
}

#[test]
fn an_interrupt_starts_nothing_and_finishes_what_is_in_flight() {
    let stack = stack(&[("a", None), ("b", Some("a"))]);
    let mut run = run(&stack, &World::default());
    let op = one(&mut run, START);
    run.interrupt();
    assert_eq!(run.outcome(), None);
    run.reply(START, op.id, Ok(Reply::Created { physical: "a-1".to_owned(), outputs: Some(outputs("a-1")) })).unwrap();
    assert!(run.poll(START).is_empty());
    let outcome = ended(&run);
    assert!(outcome.interrupted);
    assert_eq!((outcome.done.len(), outcome.left.len()), (1, 1));
}

#[test]
fn a_reply_to_another_call_or_to_none_is_illegal() {
    let stack = stack(&[("a", None)]);
    let mut run = run(&stack, &World::default());
    let op = one(&mut run, START);
    assert!(run.reply(START, OpId(99), Ok(Reply::Adopted)).is_err());
    for reply in
        [Reply::Adopted, Reply::Updated { outputs: None }, Reply::Deleted { gone: true }, Reply::Read(Vec::new())]
    {
        assert!(run.reply(START, op.id, Ok(reply)).is_err());
    }
    run.reply(START, op.id, Ok(Reply::Created { physical: "a-1".to_owned(), outputs: Some(outputs("a-1")) })).unwrap();
    assert!(run.reply(START, op.id, Ok(Reply::Adopted)).is_err(), "each operation is answered once");
}

#[test]
fn a_change_that_aws_accepts_but_never_shows_fails_in_the_end() {
    let stack = stack(&[("a", None)]);
    let as_it_is = || vec![found(&stack, "a", 9, Health::Ready)];
    let mut run = run(&stack, &World { found: as_it_is() });
    let (mut now, mut op) = (START, one(&mut run, START));
    let mut updates = 0;
    while run.outcome().is_none() {
        let reply = match op.call {
            Call::Update { .. } => {
                updates += 1;
                Reply::Updated { outputs: None }
            }
            _ => Reply::Read(as_it_is()),
        };
        run.reply(now, op.id, Ok(reply)).unwrap();
        match run.poll(now).pop() {
            Some(at_once) => op = at_once,
            None if run.outcome().is_some() => break,
            None => (now, op) = next(&mut run),
        }
    }
    assert_eq!(updates, 3);
    assert!(ended(&run).failed[0].1.message.contains("size"));
}

#[test]
fn a_plan_of_another_world_fails_and_does_nothing() {
    let stack = stack(&[("a", None)]);
    let world = World { found: vec![found(&stack, "a", 9, Health::Ready)] };
    let plan = plan(&stack, &world, None, &Options::default()).unwrap();
    let mut run = Run::new(&plan, &stack, &World::default(), Limits::default());
    assert!(run.poll(START).is_empty());
    assert_eq!(ended(&run).failed[0].1.class, Class::Internal);
}
