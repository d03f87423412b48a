//! Whatever comes in: of everything it is said what is to be done, or why nothing is; and whatever AWS answers then, a
//! look comes to its end. `PROPTEST_CASES` says how many inputs are tried.

use std::sync::LazyLock;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;
use wharf_events::Arrival;
use wharf_inputs::{Dice, Inputs, any_json};
use wharf_shell::batch::Batch;

use crate::choice;
use crate::incoming::{self, Work};
use crate::machine::{
    Base, Command, Deployment, Found, Goal, Me, NotRun, Progress, Read, Seen, Signal, State, Told, Traced, Trigger,
    Waited,
};
use crate::record::{Holder, Moment, Push, Record, Rollout};
use crate::settings::Settings;

const DIGEST: &str = "sha256:4d2bb18d28a0dd71e5a1ba81d1f1d9bbf1b2ad0b8b9b1b8a7f3a0f6f1b9d9a01";
const REGISTRY: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
/// A look has an end.
const STEPS: usize = 400;

static INPUTS: LazyLock<Inputs> = LazyLock::new(|| {
    let record = include_str!("../record/format-2.json").to_owned();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": DIGEST,
            "platform": {"os": "linux", "architecture": "arm64"}, "annotations": {"vnd.docker.reference.type": "x"},
        }], "config": {"mediaType": "application/vnd.oci.image.config.v1+json"}, "layers": [{"mediaType": "x.image.layer.y"}],
    });
    Inputs::from_samples().unwrap().and([record, manifest.to_string()])
});

static SETTINGS: LazyLock<Settings> = LazyLock::new(|| {
    let mut settings = incoming::tests::settings();
    settings.services.truncate(2);
    for service in &mut settings.services {
        service.repository.clone_from(&service.service);
        service.least = 2;
    }
    settings.services[0].before_deploy.push("migrate".to_owned());
    settings
});

/// What must hold of an input, as a whole payload or as the body of a message, as a record and as a manifest.
fn judge(input: &str, seed: u64) {
    let mut arrivals = Arrival::in_message(input, Some("q-1"));
    if let Ok(payload) = serde_json::from_str::<Value>(input) {
        match Batch::of(&payload) {
            Some(batch) => arrivals.extend(batch.records.iter().flat_map(crate::arrivals)),
            None => arrivals.extend(Arrival::with_payload(&payload)),
        }
    }
    assert!(!arrivals.is_empty(), "nothing arrived");
    for arrival in &arrivals {
        match Work::of(arrival, &SETTINGS) {
            Work::Look(looks) => {
                assert!(!looks.is_empty());
                for (place, trigger) in looks {
                    looked_after(&SETTINGS.goal(&SETTINGS.services[place]), trigger, &mut Dice::of(seed));
                }
            }
            Work::Untagged(services, push) => {
                assert!(services.iter().all(|place| *place < SETTINGS.services.len()) && push.tag.is_none());
            }
            Work::Ignored(why) | Work::Foreign(why) => assert!(!why.is_empty()),
        }
    }
    if let Ok(record) = Record::from_json(input) {
        assert_eq!(Record::from_json(&record.to_json().unwrap()).unwrap(), record);
    }
    if let Err(why) = choice::runnable(input) {
        assert!(!why.to_string().is_empty());
    }
}

/// Looks after a service while AWS answers anything that it could, however little one answer fits the other.
fn looked_after(goal: &Goal, trigger: Trigger, dice: &mut Dice) {
    if let Trigger::Push(push) = &trigger {
        assert!(push.tag.as_deref().is_some_and(|tag| choice::is_release("v*", tag)), "{push:?}");
    }
    let me = Me { run: "me".to_owned(), who: "tests".to_owned() };
    let (mut state, mut command) = State::new(goal.clone(), me, trigger);
    for _ in 0..STEPS {
        let Some(signal) = answer(&command, goal, dice) else { return };
        (state, command) = state.step(signal, moment(dice).at).unwrap_or_else(|illegal| panic!("{illegal}"));
    }
    panic!("it never ends: {command:?}");
}

fn answer(command: &Command, goal: &Goal, dice: &mut Dice) -> Option<Signal> {
    Some(match command {
        Command::Read => Signal::Read(Box::new(Read {
            record: dice.flip().then(|| record(goal, dice)),
            seen: (dice.below(8) > 0).then(|| seen(dice)),
            no_image: (dice.below(8) == 0).then(|| "it is none".to_owned()),
        })),
        Command::Wait { .. } => Signal::Waited(dice.pick(&[Waited::Moved, Waited::Dead, Waited::OutOfTime])?),
        Command::Describe(_) => Signal::Described(dice.flip().then(|| Base {
            arn: word(dice),
            repository: format!("{REGISTRY}/shop/{}", goal.service),
            digest: dice.flip().then(|| digest(dice)),
        })),
        Command::Write(_) => Signal::Written(dice.below(4) > 0),
        Command::Find { .. } => {
            Signal::Found(Found { revision: dice.flip().then(|| word(dice)), trace: dice.flip().then(|| word(dice)) })
        }
        Command::Make { .. } => {
            let made = if dice.flip() { Ok(word(dice)) } else { Err("no".to_owned()) };
            Signal::Made(made, dice.flip().then(|| seen(dice)))
        }
        Command::Run { .. } => {
            let not: [fn(String) -> NotRun; 3] = [NotRun::NoRoom, NotRun::NotAlone, NotRun::Refused];
            Signal::Ran(if dice.flip() { Ok(word(dice)) } else { Err(dice.pick(&not)?(word(dice))) })
        }
        Command::Tell(_) => Signal::Told(if dice.flip() {
            Ok(Told { deployment: word(dice), trace: dice.flip().then(|| word(dice)) })
        } else {
            Err("no".to_owned())
        }),
        Command::Task(_) => Signal::Progress(progress(dice)),
        Command::Halt(_) => Signal::Halted,
        Command::Trace(_) => Signal::Traced(match dice.below(3) {
            0 => None,
            1 => Some(Traced::Overtaken),
            _ => Some(Traced::Progress(progress(dice))),
        }),
        Command::Explain { why, .. } => Signal::Explained(why.clone()),
        Command::Raise(_) => Signal::Raised,
        Command::Newest => Signal::Newest(dice.flip().then(|| push(dice))),
        Command::Publish(_) => Signal::Published(dice.flip()),
        Command::Stop(_) => return None,
    })
}

fn word(dice: &mut Dice) -> String {
    format!("w{}", dice.below(3))
}

fn digest(dice: &mut Dice) -> String {
    DIGEST.replacen('4', &dice.below(3).to_string(), 1)
}

fn progress(dice: &mut Dice) -> Progress {
    let all = [Progress::Going, Progress::Done, Progress::Failed("no".to_owned()), Progress::Unknown];
    dice.pick(&all).unwrap_or(Progress::Unknown)
}

/// Mostly at about one time, and sometimes at the end of all times.
fn moment(dice: &mut Dice) -> Moment {
    let second = i64::try_from(dice.below(4000)).unwrap_or_default();
    let about = Timestamp::from_second(1_767_603_600 + second).unwrap();
    let at = match dice.below(40) {
        0 => Timestamp::MIN,
        1 => Timestamp::MAX,
        _ => about,
    };
    Moment { at, id: word(dice) }
}

fn push(dice: &mut Dice) -> Push {
    Push { digest: digest(dice), tag: dice.flip().then(|| "v1".to_owned()), moment: moment(dice) }
}

fn seen(dice: &mut Dice) -> Seen {
    let deployment = |dice: &mut Dice| Deployment {
        id: word(dice),
        primary: dice.flip(),
        progress: progress(dice),
        since: dice.flip().then(|| moment(dice).at),
    };
    Seen {
        revision: word(dice),
        desired: i32::try_from(dice.below(3)).unwrap_or_default(),
        deployments: (0..dice.below(3)).map(|_| deployment(dice)).collect(),
        given_up: (0..dice.below(2)).map(|_| word(dice)).collect(),
        unplaced: (dice.below(4) == 0).then(|| "unable to place a task".to_owned()),
        rolls_back: dice.flip(),
    }
}

/// A record as it may stand in the table: what another left in the middle, or a later wharf knows better.
fn record(goal: &Goal, dice: &mut Dice) -> Record {
    let kept: Record = Record::from_json(include_str!("../record/format-2.json")).unwrap();
    let mut record = Record { service: goal.service.clone(), version: dice.throw() >> 8, ..kept };
    let commands = ["push", "deploy", "apply"];
    record.holder = dice.flip().then(|| Holder {
        run: dice.pick(&["me", "other"]).unwrap_or_default().to_owned(),
        who: "somebody".to_owned(),
        command: dice.pick(&commands).unwrap_or_default().to_owned(),
        since: "now".to_owned(),
    });
    let rollouts: Vec<Rollout> = record.all().cloned().collect();
    record.rollout = dice.pick(&rollouts).filter(|_| dice.below(4) > 0).map(|one| varied(one, dice));
    record.history = (0..dice.below(3)).filter_map(|_| dice.pick(&rollouts)).collect();
    record.history = record.history.into_iter().map(|one| varied(one, dice)).collect();
    record.decided = dice.flip().then(|| moment(dice));
    record.next = (dice.below(4) == 0).then(|| push(dice));
    if dice.flip() {
        record.untold.clear();
    }
    record
}

fn varied(mut rollout: Rollout, dice: &mut Dice) -> Rollout {
    use crate::record::Status::{Deploying, Failed, Preparing, RolledBack, Settled};
    rollout.status = dice.pick(&[Preparing, Deploying, Settled, Failed, RolledBack]).unwrap_or(Settled);
    rollout.command = dice.pick(&["push", "deploy", "rollback"]).unwrap_or_default().to_owned();
    rollout.digest = digest(dice);
    rollout.deployment = dice.flip().then(|| word(dice));
    rollout.done.task = dice.flip().then(|| word(dice));
    rollout.done.trace = dice.flip().then(|| word(dice));
    rollout.done.since = dice.flip().then(|| moment(dice).at);
    (rollout.done.prepared, rollout.done.stopped) = (dice.flip(), dice.flip());
    if dice.flip() {
        rollout.done.revision = None;
    }
    rollout
}

/// Names that mean something in what comes in.
const NAMES: &str = "Records|body|detail|detail-type|source|Message|messageId|eventSource|time";

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn of_what_looks_like_a_payload(seed in any::<u64>()) {
        judge(&INPUTS.of(seed), seed);
    }

    #[test]
    fn of_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400), seed in any::<u64>()) {
        judge(&String::from_utf8_lossy(&bytes), seed);
    }

    #[test]
    fn of_any_json(value in any_json(NAMES), seed in any::<u64>()) {
        judge(&value.to_string(), seed);
    }

    #[test]
    fn of_any_trigger_whatever_aws_answers(seed in any::<u64>()) {
        let dice = &mut Dice::of(seed);
        let failed = Trigger::Failed { deployment: word(dice), why: "no".to_owned() };
        let pushed = Trigger::Push(Push { tag: Some("v1".to_owned()), ..push(dice) });
        let trigger = dice.pick(&[pushed, failed, Trigger::Event, Trigger::Schedule]).unwrap();
        let service = dice.pick(&SETTINGS.services).unwrap();
        looked_after(&SETTINGS.goal(&service), trigger, dice);
    }
}
