//! Whatever comes in, whatever AWS says that there is, whatever the last check left behind: there is a report, the same
//! each time, and no more than one notice. `PROPTEST_CASES` says how many inputs are tried.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;
use wharf_inputs::{Dice, Inputs};

use crate::check::{Asked, asked};
use crate::demands::{Demands, Exception, Tag};
use crate::inventory::{
    Database, DatabaseKind, Inventory, Key, Known, Policy, Role, Sharing, Snapshot, SnapshotState, Unknown, Volume,
};
use crate::memory::Memory;
use crate::notice::decide;
use crate::report::{Report, Verdict};
use crate::{INPUT, html};

static INPUTS: LazyLock<Inputs> = LazyLock::new(|| {
    let demands = Demands {
        databases: vec!["shop-database".to_owned()],
        volume_tag: Some(Tag { key: "wharf-backup".to_owned(), value: "shop".to_owned() }),
        exceptions: vec![Exception {
            control: "volume.fresh".to_owned(),
            resource: "vol-*".to_owned(),
            until: "2027-01-31".parse().unwrap(),
            reason: "a test".to_owned(),
        }],
        ..Demands::default()
    };
    let whole = r#"{"wharf-check-snapshots": 1, "report": "whole"}"#;
    Inputs::from_samples().unwrap().and([serde_json::to_string(&demands).unwrap(), INPUT.to_owned(), whole.to_owned()])
});

/// What must hold of an input, as an event and as a setting.
fn judge(input: &str, dice: &mut Dice) {
    if let Ok(payload) = serde_json::from_str::<Value>(input) {
        match asked(&payload) {
            Ok(Asked::Check { .. }) => checked(&any_demands(dice), dice),
            Ok(Asked::Nothing(why)) => assert!(!why.is_empty()),
            Err(fault) => assert_eq!(fault.kind, "NotUnderstood"),
        }
    }
    if let Ok(demands) = serde_json::from_str::<Demands>(input) {
        checked(&demands, dice);
    }
}

/// A check of anything that there could be.
fn checked(demands: &Demands, dice: &mut Dice) {
    let inventory = any_inventory(dice);
    let report = Report::of("shop", "us-east-1", &inventory, demands);
    assert_eq!(report, Report::of("shop", "us-east-1", &inventory, demands), "the same world, another report");
    assert_eq!(report.open().count(), report.counts.fail + report.counts.unknown);
    let unread = [&inventory.instances, &inventory.clusters].iter().any(|all| all.is_err());
    assert!(!unread || report.verdict != Verdict::Pass, "what cannot be read may be anything");
    assert!(html(&report).ends_with("</html>\n"));
    let written = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&written).unwrap(), report);
    let last = any_item(dice).and_then(|item| Memory::read(&item));
    let (notice, memory) = decide(last.as_ref(), &report, demands, inventory.at);
    if let Some(notice) = notice {
        assert!([&notice.title, &notice.subject, &notice.key].iter().all(|text| !text.trim().is_empty()), "{notice:?}");
    }
    assert_eq!(Memory::read(&memory.item()), Some(memory));
}

fn word(dice: &mut Dice) -> String {
    let words = ["shop-database", "vol-1", "vol-2", "a", "", "<b>&", "arn:aws:kms:us-east-1:1:key/k", "é\u{202e}"];
    dice.pick(&words).unwrap_or_default().to_owned()
}

/// Mostly at about one time, and sometimes at the end of all times.
fn at(dice: &mut Dice) -> Timestamp {
    match dice.below(30) {
        0 => Timestamp::MIN,
        1 => Timestamp::MAX,
        _ => Timestamp::from_second(1_767_603_600 + i64::try_from(dice.below(4_000_000)).unwrap_or_default()).unwrap(),
    }
}

fn number(dice: &mut Dice) -> u32 {
    match dice.below(8) {
        0 => u32::MAX,
        _ => u32::try_from(dice.below(40)).unwrap_or_default(),
    }
}

fn known<T>(dice: &mut Dice, make: impl FnOnce(&mut Dice) -> T) -> Known<T> {
    if dice.below(6) == 0 {
        return Err(Unknown { action: "rds:DescribeDBInstances", why: word(dice) });
    }
    Ok(make(dice))
}

fn some<T>(dice: &mut Dice, make: impl Fn(&mut Dice) -> T) -> Vec<T> {
    (0..dice.below(4)).map(|_| make(dice)).collect()
}

fn perhaps<T>(dice: &mut Dice, make: impl FnOnce(&mut Dice) -> T) -> Option<T> {
    dice.flip().then(|| make(dice))
}

fn any_snapshot(dice: &mut Dice) -> Snapshot {
    let states =
        [SnapshotState::Available, SnapshotState::Unfinished("creating".to_owned()), SnapshotState::Failed(word(dice))];
    let sharing = [Sharing::Private, Sharing::With(vec![word(dice)]), Sharing::Public];
    Snapshot {
        id: word(dice),
        state: dice.pick(&states).unwrap(),
        at: perhaps(dice, at),
        encrypted: dice.flip(),
        key: perhaps(dice, word),
        sharing: known(dice, |dice| dice.pick(&sharing).unwrap()),
    }
}

fn any_database(dice: &mut Dice) -> Database {
    Database {
        kind: dice.pick(&[DatabaseKind::Instance, DatabaseKind::Cluster]).unwrap(),
        id: word(dice),
        status: dice.pick(&["available", "deleting", "creating", ""]).unwrap().to_owned(),
        created: perhaps(dice, at),
        replica: dice.flip(),
        backup_days: number(dice),
        restorable: perhaps(dice, at),
        multi_az: dice.flip(),
        deletion_protection: dice.flip(),
        encrypted: dice.flip(),
        key: perhaps(dice, word),
        snapshots: known(dice, |dice| some(dice, any_snapshot)),
    }
}

fn any_volume(dice: &mut Dice) -> Volume {
    Volume {
        id: word(dice),
        created: perhaps(dice, at),
        encrypted: dice.flip(),
        key: perhaps(dice, word),
        tags: some(dice, |dice| (word(dice), word(dice))).into_iter().collect(),
        snapshots: known(dice, |dice| some(dice, any_snapshot)),
    }
}

fn any_policy(dice: &mut Dice) -> Policy {
    let roles = [Role::Trusting(word(dice)), Role::NotTrusting(word(dice)), Role::Missing(word(dice))];
    Policy {
        id: word(dice),
        state: dice.pick(&["ENABLED", "DISABLED", "ERROR", "new"]).unwrap().to_owned(),
        message: word(dice),
        targets: some(dice, |dice| (word(dice), word(dice))),
        takes_all: dice.flip(),
        of_volumes: dice.flip(),
        keeps: perhaps(dice, number),
        scheduled: dice.flip(),
        role: known(dice, |dice| dice.pick(&roles).unwrap()),
    }
}

fn any_inventory(dice: &mut Dice) -> Inventory {
    let keys = [Key::Enabled, Key::Unusable("PendingDeletion".to_owned()), Key::Missing];
    let key = |dice: &mut Dice| (word(dice), known(dice, |dice| dice.pick(&keys).unwrap()));
    Inventory {
        at: at(dice),
        instances: known(dice, |dice| some(dice, any_database)),
        clusters: known(dice, |dice| some(dice, any_database)),
        volumes: known(dice, |dice| some(dice, any_volume)),
        policies: known(dice, |dice| some(dice, any_policy)),
        keys: some(dice, key).into_iter().collect::<BTreeMap<_, _>>(),
    }
}

fn any_demands(dice: &mut Dice) -> Demands {
    let control = |dice: &mut Dice| dice.pick(&["*", "volume.fresh", "database.exists", "none"]).unwrap().to_owned();
    Demands {
        databases: some(dice, word),
        all_databases: dice.flip(),
        database_backup_days: number(dice),
        restorable_lag_minutes: number(dice),
        multi_az: dice.flip(),
        deletion_protection: dice.flip(),
        volume_tag: perhaps(dice, |dice| Tag { key: word(dice), value: word(dice) }),
        volume_keep: number(dice),
        max_age_hours: number(dice),
        heartbeat_days: number(dice),
        exceptions: some(dice, |dice| Exception {
            control: control(dice),
            resource: format!("{}*", word(dice)),
            until: dice.pick(&["2026-01-06", "2027-01-31", "-009999-01-01", "9999-12-31"]).unwrap().parse().unwrap(),
            reason: word(dice),
        }),
    }
}

/// What may stand in the table: a memory, whole or not.
fn any_item(dice: &mut Dice) -> Option<HashMap<String, AttributeValue>> {
    let open: BTreeSet<String> = some(dice, word).into_iter().collect();
    let mut item = Memory::of(dice.throw() >> dice.below(64), &open, at(dice)).item();
    match dice.below(6) {
        0 => return None,
        1 => drop(item.insert("run".to_owned(), AttributeValue::N(u64::MAX.to_string()))),
        2 => drop(item.insert("told".to_owned(), AttributeValue::S(word(dice)))),
        3 => drop(item.remove(dice.pick(&["run", "open", "digest", "told", "form"]).unwrap())),
        _ => {}
    }
    Some(item)
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn of_what_looks_like_a_payload(seed in any::<u64>()) {
        judge(&INPUTS.of(seed), &mut Dice::of(seed));
    }

    #[test]
    fn of_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400), seed in any::<u64>()) {
        judge(&String::from_utf8_lossy(&bytes), &mut Dice::of(seed));
    }

    #[test]
    fn of_anything_that_there_could_be(seed in any::<u64>()) {
        let dice = &mut Dice::of(seed);
        checked(&any_demands(dice), dice);
    }
}
