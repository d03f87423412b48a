//! What databases and volumes have in common: snapshots, judged alike.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Judged, named};
use crate::aged::{age, span};
use crate::demands::Demands;
use crate::inventory::{Database, Key, Known, Sharing, Snapshot, SnapshotState, Unknown, Volume, newest};
use crate::report::Verdict;

/// What has snapshots.
pub(super) struct Subject<'a> {
    pub(super) id: &'a str,
    pub(super) created: Option<Timestamp>,
    pub(super) encrypted: bool,
    pub(super) key: Option<&'a str>,
    pub(super) snapshots: &'a Known<Vec<Snapshot>>,
}

/// The longest that making a snapshot takes unless something is wrong.
const MAKING: SignedDuration = SignedDuration::from_hours(24);

impl Subject<'_> {
    /// No more than the demanded time may pass without a snapshot that can be restored, from the beginning on.
    pub(super) fn fresh(&self, demands: &Demands, now: Timestamp) -> Judged {
        let snapshots = match self.snapshots {
            Ok(snapshots) => snapshots,
            Err(unknown) => return Judged::unknown(self.id, unknown),
        };
        let longest = SignedDuration::from_hours(i64::from(demands.max_age_hours));
        if let Some((newest, at)) = newest(snapshots) {
            let holds = now.duration_since(at) <= longest;
            return Judged::of(self.id, holds, format!("the newest, {}, is {} old", newest.id, age(at, now)));
        }
        let unfinished = snapshots.iter().filter(|one| matches!(one.state, SnapshotState::Unfinished(_))).count();
        let none = match (snapshots.len(), unfinished) {
            (0, _) => "there is none".to_owned(),
            (_, 0) => "there is none that can be restored and says its time".to_owned(),
            (_, unfinished) => format!("there is none that can be restored yet; {unfinished} being made"),
        };
        let Some(created) = self.created else {
            return Judged::new(self.id, Verdict::Unknown, format!("{none}, and it does not say when it was made"));
        };
        let holds = now.duration_since(created) <= longest;
        let since = if holds { "none is due yet: it was made" } else { "it was made" };
        Judged::of(self.id, holds, format!("{none}; {since} {} ago", age(created, now)))
    }

    /// Every snapshot is whole, or being made in the time that this takes.
    pub(super) fn complete(&self, now: Timestamp) -> Judged {
        let snapshots = match self.snapshots {
            Ok(snapshots) => snapshots,
            Err(unknown) => return Judged::unknown(self.id, unknown),
        };
        let (mut broken, mut open) = (Vec::new(), Vec::new());
        for one in snapshots {
            match (&one.state, one.at) {
                (SnapshotState::Available, Some(_)) => {}
                (SnapshotState::Available, None) => broken.push(format!("{} has no time", one.id)),
                (SnapshotState::Failed(state), _) => broken.push(format!("{} is {state}", one.id)),
                (SnapshotState::Unfinished(state), Some(at)) if now.duration_since(at) > MAKING => {
                    broken.push(format!("{} is {state} for {}", one.id, age(at, now)));
                }
                (SnapshotState::Unfinished(state), _) => open.push(format!("{} is {state}", one.id)),
            }
        }
        let shown = |texts: &[String]| named(texts.iter().map(String::as_str));
        match (broken.as_slice(), open.as_slice()) {
            ([], []) => Judged::of(self.id, true, format!("{} whole", snapshots.len())),
            ([], open) => Judged::new(self.id, Verdict::Unknown, format!("not finished yet: {}", shown(open))),
            (broken, _) => Judged::of(self.id, false, shown(broken)),
        }
    }

    /// It and every snapshot of it is encrypted, by keys that can be used: what no key opens any more is lost.
    pub(super) fn encrypted(&self, keys: &BTreeMap<String, Known<Key>>) -> Judged {
        if !self.encrypted {
            return Judged::of(self.id, false, "it is not encrypted");
        }
        let snapshots = match self.snapshots {
            Ok(snapshots) => snapshots,
            Err(unknown) => return Judged::unknown(self.id, unknown),
        };
        let plain = snapshots.iter().filter(|one| !one.encrypted).map(|one| one.id.as_str());
        let plain: Vec<&str> = plain.collect();
        if !plain.is_empty() {
            return Judged::of(self.id, false, format!("not encrypted: {}", named(plain)));
        }
        let mut used: Vec<&str> = snapshots.iter().filter_map(|one| one.key.as_deref()).chain(self.key).collect();
        used.sort_unstable();
        used.dedup();
        let mut unknown: Option<&Unknown> = None;
        for key in &used {
            match keys.get(*key) {
                Some(Ok(Key::Enabled)) => {}
                Some(Ok(Key::Unusable(state))) => {
                    return Judged::of(self.id, false, format!("the key {key} is {state}"));
                }
                Some(Ok(Key::Missing)) => return Judged::of(self.id, false, format!("there is no key {key}")),
                Some(Err(why)) => unknown = Some(why),
                None => return Judged::new(self.id, Verdict::Unknown, format!("the key {key} was not looked at")),
            }
        }
        match (unknown, used.len()) {
            (Some(why), _) => Judged::unknown(self.id, why),
            (None, 0) => Judged::new(self.id, Verdict::Unknown, "it does not say which key it is encrypted with"),
            (None, _) => Judged::of(self.id, true, format!("encrypted with {}", named(used))),
        }
    }

    /// No snapshot is anybody else's.
    pub(super) fn private(&self) -> Judged {
        let snapshots = match self.snapshots {
            Ok(snapshots) => snapshots,
            Err(unknown) => return Judged::unknown(self.id, unknown),
        };
        let mut shared = Vec::new();
        let mut unknown = None;
        for one in snapshots {
            match &one.sharing {
                Ok(Sharing::Private) => {}
                Ok(Sharing::Public) => shared.push(format!("{} is public", one.id)),
                Ok(Sharing::With(accounts)) => {
                    let accounts = named(accounts.iter().map(String::as_str));
                    shared.push(format!("{} is shared with {accounts}", one.id));
                }
                Err(why) => unknown = Some(why),
            }
        }
        match (shared.as_slice(), unknown) {
            ([], None) => Judged::of(self.id, true, format!("{} private", snapshots.len())),
            ([], Some(why)) => Judged::unknown(self.id, why),
            (shared, _) => Judged::of(self.id, false, named(shared.iter().map(String::as_str))),
        }
    }
}

/// How old a snapshot may be, as a demand says it.
pub(super) fn longest(demands: &Demands) -> String {
    span(SignedDuration::from_hours(i64::from(demands.max_age_hours)))
}

impl Database {
    /// As what has snapshots.
    pub(super) fn subject(&self) -> Subject<'_> {
        let Self { id, created, encrypted, key, snapshots, .. } = self;
        Subject { id, created: *created, encrypted: *encrypted, key: key.as_deref(), snapshots }
    }
}

impl Volume {
    /// As what has snapshots.
    pub(super) fn subject(&self) -> Subject<'_> {
        let Self { id, created, encrypted, key, snapshots, .. } = self;
        Subject { id, created: *created, encrypted: *encrypted, key: key.as_deref(), snapshots }
    }
}
