//! Single steps, as they follow on signals.

use std::time::Duration;

use jiff::Timestamp;

use super::super::*;
use crate::record::{Holder, Moment, Push, Record, Rollout, Status};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn goal(prepares: bool) -> Goal {
    Goal {
        service: "web".to_owned(),
        repository: "r/web".to_owned(),
        least: 2,
        periodic: false,
        prepares,
        timeout: Duration::from_secs(900),
    }
}

fn push(digest: &str, second: i64) -> Push {
    Push {
        digest: digest.to_owned(),
        tag: Some("v2".to_owned()),
        moment: Moment { at: at(second), id: "e".to_owned() },
    }
}

fn me() -> Me {
    Me { run: "me".to_owned(), who: "tests".to_owned() }
}

fn seen(revision: &str) -> Seen {
    let primary = Deployment { id: "d1".to_owned(), primary: true, progress: Progress::Done, since: None };
    Seen { revision: revision.to_owned(), desired: 3, deployments: vec![primary], ..Seen::default() }
}

fn read(record: Option<Record>, seen: Seen) -> Signal {
    Signal::Read(Box::new(Read { record, seen: Some(seen), no_image: None }))
}

fn base(digest: &str) -> Option<Base> {
    Some(Base { arn: "web:1".to_owned(), repository: "r/web".to_owned(), digest: Some(digest.to_owned()) })
}

/// Sends signals in turn; answers all commands.
fn commands(trigger: Trigger, prepares: bool, signals: Vec<Signal>) -> Vec<Command> {
    let (mut state, first) = State::new(goal(prepares), me(), trigger);
    let mut commands = vec![first];
    for signal in signals {
        let (next, command) = state.step(signal, at(2000)).unwrap();
        state = next;
        commands.push(command);
    }
    commands
}

fn made(revision: &str, now: &str) -> Signal {
    Signal::Made(Ok(revision.to_owned()), Some(seen(now)))
}

#[test]
fn a_push_is_five_steps_from_the_update_of_its_service() {
    let signals =
        vec![read(None, seen("web:1")), Signal::Described(base("old")), Signal::Written(true), made("web:2", "web:1")];
    let commands = commands(Trigger::Push(push("new", 1000)), false, signals);
    let [
        Command::Read,
        Command::Describe(like),
        Command::Write(record),
        Command::Make { image, .. },
        Command::Tell(change),
    ] = &commands[..]
    else {
        panic!("{commands:#?}")
    };
    assert_eq!((like.as_str(), image.as_str()), ("web:1", "r/web@new"));
    assert_eq!((record.version, record.holder.as_ref().map(|holder| holder.run.as_str())), (1, Some("me")));
    assert_eq!(*change, Change { revision: Some("web:2".to_owned()), count: None });
}

#[test]
fn a_service_that_was_changed_meanwhile_gets_a_revision_like_its_new_one() {
    let signals = vec![
        read(None, seen("web:1")),
        Signal::Described(base("old")),
        Signal::Written(true),
        made("web:3", "web:2"),
        Signal::Described(Some(Base { arn: "web:2".to_owned(), ..base("old").unwrap() })),
        made("web:4", "web:2"),
    ];
    let commands = commands(Trigger::Push(push("new", 1000)), false, signals);
    let last = commands.last().unwrap();
    assert_eq!(*last, Command::Tell(Change { revision: Some("web:4".to_owned()), count: None }));
}

#[test]
fn what_runs_in_another_registry_or_under_nobodys_tag_is_left_alone() {
    let elsewhere = Some(Base { repository: "other/web".to_owned(), ..base("old").unwrap() });
    for (base, said) in [(elsewhere, "other/web"), (None, "names no container")] {
        let signals = vec![read(None, seen("web:1")), Signal::Described(base)];
        let commands = commands(Trigger::Push(push("new", 1000)), false, signals);
        let Some(Command::Stop(Outcome::Ignored(why))) = commands.last() else { panic!("{commands:#?}") };
        assert!(why.contains(said), "{why}");
    }
}

#[test]
fn a_push_waits_for_whoever_holds_the_record_and_comes_again_when_that_goes_on() {
    let holder = |command: &str| Holder {
        run: "other".to_owned(),
        who: "ann".to_owned(),
        command: command.to_owned(),
        since: String::new(),
    };
    let held = |version: u64| {
        let mut record = Record::new("web");
        (record.version, record.holder) = (version, Some(holder("deploy")));
        read(Some(record), seen("web:1"))
    };
    let signals = vec![
        held(4),
        Signal::Described(base("old")),
        Signal::Waited(Waited::Moved),
        held(5),
        Signal::Described(base("old")),
    ];
    let commands = commands(Trigger::Push(push("new", 1000)), false, signals);
    assert_eq!(commands[2], Command::Wait { version: 4, lease: Duration::from_secs(45) });
    assert!(
        matches!(commands.last(), Some(Command::Stop(Outcome::Failed(why))) if why.contains("ann")),
        "{commands:#?}"
    );
}

#[test]
fn a_dead_holder_is_taken_over_from() {
    let mut record = Record::new("web");
    record.version = 4;
    record.holder = Some(Holder {
        run: "other".to_owned(),
        who: "ann".to_owned(),
        command: "apply".to_owned(),
        since: String::new(),
    });
    let look = || read(Some(record.clone()), seen("web:1"));
    let signals = vec![
        look(),
        Signal::Described(base("old")),
        Signal::Waited(Waited::Dead),
        look(),
        Signal::Described(base("old")),
    ];
    let commands = commands(Trigger::Push(push("new", 1000)), false, signals);
    let Some(Command::Write(next)) = commands.last() else { panic!("{commands:#?}") };
    assert_eq!((next.version, next.holder.as_ref().map(|holder| holder.run.as_str())), (5, Some("me")));
}

/// A record whose newest rollout is by a push, and so far.
fn record(status: Status, change: impl FnOnce(&mut Rollout)) -> Record {
    let (mut state, _) = State::new(goal(true), me(), Trigger::Event);
    state.seen = seen("web:1");
    let mut rollout = state.rollout(&push("new", 1000), at(1000));
    rollout.status = status;
    change(&mut rollout);
    let mut record = Record::new("web");
    record.version = 7;
    record.decide(push("new", 1000).moment);
    record.rollout = Some(rollout);
    record
}

#[test]
fn a_command_that_never_ends_is_stopped_and_then_told_of() {
    let going = record(Status::Preparing, |rollout| {
        (rollout.done.task, rollout.done.since) = (Some("task".to_owned()), Some(at(1000)));
    });
    let signals = vec![read(Some(going.clone()), seen("web:1")), Signal::Progress(Progress::Going), Signal::Halted];
    let halted = commands(Trigger::Schedule, true, signals);
    assert_eq!(halted[2], Command::Halt("task".to_owned()));
    let Some(Command::Write(stopped)) = halted.last() else { panic!("{halted:#?}") };
    assert!(stopped.rollout.as_ref().unwrap().done.stopped);

    let ended = Progress::Failed("exit code 143".to_owned());
    let signals = vec![read(Some(Record::clone(stopped)), seen("web:1")), Signal::Progress(ended)];
    let told = commands(Trigger::Event, true, signals);
    let Some(Command::Write(failed)) = told.last() else { panic!("{told:#?}") };
    let why = failed.rollout.as_ref().unwrap().why.clone().unwrap();
    assert!(why.contains("15 minutes") && why.contains("exit code 143"), "{why}");
    assert_eq!(failed.untold.len(), 1);
}

#[test]
fn tasks_without_room_are_waited_for_and_then_make_way_for_those_that_ran_before() {
    let deploying = |since: i64| {
        record(Status::Deploying, |rollout| {
            (rollout.deployment, rollout.done.since) = (Some("d1".to_owned()), Some(at(since)));
        })
    };
    let mut now = seen("web:2");
    now.deployments[0].progress = Progress::Going;
    now.unplaced = Some("unable to place a task".to_owned());
    let early = commands(Trigger::Event, false, vec![read(Some(deploying(1600)), now.clone())]);
    assert!(matches!(early.last(), Some(Command::Stop(Outcome::Ignored(_)))), "{early:#?}");
    let signals = vec![read(Some(deploying(1000)), now), Signal::Written(true)];
    let late = commands(Trigger::Event, false, signals);
    let back = Change { revision: Some("web:1".to_owned()), count: None };
    assert_eq!(late.last(), Some(&Command::Tell(back)));
}

#[test]
fn who_cannot_be_told_is_told_by_the_next_look() {
    let mut untold = record(Status::Settled, |_| {});
    let settling = record(Status::Deploying, |rollout| rollout.deployment = Some("d1".to_owned()));
    let told = commands(Trigger::Event, false, vec![read(Some(settling), seen("web:2"))]);
    let Some(Command::Write(settled)) = told.last() else { panic!("{told:#?}") };
    untold.untold.clone_from(&settled.untold);
    let failed =
        commands(Trigger::Event, false, vec![read(Some(untold.clone()), seen("web:2")), Signal::Published(false)]);
    assert!(matches!(failed.last(), Some(Command::Stop(_))), "{failed:#?}");
    let told = commands(Trigger::Event, false, vec![read(Some(untold), seen("web:2")), Signal::Published(true)]);
    assert!(matches!(told.last(), Some(Command::Write(record)) if record.untold.is_empty()), "{told:#?}");
}

#[test]
fn the_same_image_is_tried_again_by_a_push_that_knew_of_the_failure_and_by_no_other() {
    let failed = record(Status::RolledBack, |rollout| rollout.done.ended = Some(at(1500)));
    for (second, again) in [(1400, false), (1500, false), (1600, true)] {
        let signals = vec![read(Some(failed.clone()), seen("web:1"))];
        let commands = commands(Trigger::Push(push("new", second)), false, signals);
        assert_eq!(matches!(commands.last(), Some(Command::Describe(_))), again, "{second} {commands:#?}");
    }
}

#[test]
fn the_schedule_acts_on_no_image_that_was_decided_about_and_on_none_from_before_the_last_decision() {
    let settled = record(Status::Settled, |_| {});
    for (digest, second, acts) in [("new", 1500, false), ("other", 900, false), ("other", 1500, true)] {
        let signals = vec![read(Some(settled.clone()), seen("web:2")), Signal::Newest(Some(push(digest, second)))];
        let commands = commands(Trigger::Schedule, false, signals);
        assert_eq!(commands[1], Command::Newest);
        assert_eq!(matches!(commands.last(), Some(Command::Describe(_))), acts, "{digest} {second} {commands:#?}");
    }
}

#[test]
fn a_signal_that_nothing_asked_for_is_refused() {
    let (state, _) = State::new(goal(false), me(), Trigger::Event);
    assert!(state.step(Signal::Written(true), at(0)).is_err());
}
