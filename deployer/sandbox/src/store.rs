//! Every AWS object in the account, of whatever kind, with the recent past that stale reads show.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::clock::later;

/// Tags of one object.
pub type Tags = BTreeMap<String, String>;

/// One object of the account. Its attributes have the shape and names in which AWS gives them back;
/// what AWS does not show stands under names that begin with `_`.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Service and noun, such as `ec2.vpc`.
    pub kind: &'static str,
    /// The identifier, unique within the kind.
    pub id: String,
    /// What AWS would answer, and hidden bookkeeping under `_…`.
    pub attrs: Map<String, Value>,
    /// The object's tags.
    pub tags: Tags,
    /// Whether AWS made it by itself.
    pub aws_made: bool,
    /// When it was made.
    pub created: Timestamp,
}

impl Resource {
    /// A text attribute, or "".
    pub fn text(&self, name: &str) -> &str {
        self.attrs.get(name).and_then(Value::as_str).unwrap_or("")
    }

    /// Whether a boolean attribute is true.
    pub fn flag(&self, name: &str) -> bool {
        self.attrs.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A number attribute, or 0.
    pub fn number(&self, name: &str) -> i64 {
        self.attrs.get(name).and_then(Value::as_i64).unwrap_or(0)
    }

    /// A list attribute, or an empty one.
    pub fn items(&self, name: &str) -> &[Value] {
        self.attrs.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Sets an attribute.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.attrs.insert(name.to_owned(), value.into());
    }

    /// The list under `name`, made when there is none.
    pub(crate) fn list_mut(&mut self, name: &str) -> &mut Vec<Value> {
        let slot = self.attrs.entry(name).or_insert(Value::Null);
        if !slot.is_array() {
            *slot = Value::Array(Vec::new());
        }
        match slot {
            Value::Array(items) => items,
            _ => unreachable!("made a list just above"),
        }
    }
}

type Key = (&'static str, String);

/// What an object was before a change, and when readers come to see the change.
#[derive(Clone, Debug)]
struct Past {
    before: Option<Arc<Resource>>,
    seen_from: Timestamp,
}

/// What an object was until a moment.
#[derive(Clone, Debug)]
struct Late {
    before: Option<Arc<Resource>>,
    until: Timestamp,
}

/// Nobody hears of a change later than this.
const LATEST: Duration = Duration::from_secs(60);

/// Something that happens later by itself.
#[derive(Clone, Debug)]
pub(crate) struct Timer {
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    pub(crate) event: &'static str,
}

/// What a client token was used for.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) parameters: Value,
    pub(crate) id: String,
}

/// What a call has changed so far, as it was before.
#[derive(Clone, Debug)]
struct Journal {
    objects: BTreeMap<Key, Before>,
    tokens: BTreeMap<(String, String), Option<Token>>,
    version: u64,
    timer_seq: u64,
}

/// What stood under a key.
#[derive(Clone, Debug)]
struct Before {
    live: Option<Arc<Resource>>,
    past: Option<Vec<Past>>,
    late: Option<Late>,
}

/// All state of the account that calls change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    live: BTreeMap<Key, Arc<Resource>>,
    past: BTreeMap<Key, Vec<Past>>,
    /// What was before the last changes, for those who hear of them late.
    late: BTreeMap<Key, Late>,
    /// Goes up with every change.
    pub(crate) version: u64,
    timers: BTreeMap<(Timestamp, u64), Timer>,
    timer_seq: u64,
    tokens: BTreeMap<(String, String), Token>,
    /// Kept while a call is under way, which may yet be refused.
    journal: Option<Journal>,
}

impl Store {
    /// From here on, what is changed can be taken back.
    pub(crate) fn begin(&mut self) {
        let (version, timer_seq) = (self.version, self.timer_seq);
        self.journal = Some(Journal { objects: BTreeMap::new(), tokens: BTreeMap::new(), version, timer_seq });
    }

    /// What was changed since stays.
    pub(crate) fn keep(&mut self) {
        self.journal = None;
    }

    /// Nothing has happened since. No timer comes due while a call is under way: there can only be new ones.
    pub(crate) fn take_back(&mut self) {
        let Some(journal) = self.journal.take() else { return };
        for (key, before) in journal.objects {
            set(&mut self.live, &key, before.live);
            set(&mut self.past, &key, before.past);
            set(&mut self.late, &key, before.late);
        }
        for (token, before) in journal.tokens {
            set(&mut self.tokens, &token, before);
        }
        self.timers.retain(|(_, seq), _| *seq <= journal.timer_seq);
        (self.version, self.timer_seq) = (journal.version, journal.timer_seq);
    }

    /// Something under this key is about to change.
    fn note(&mut self, key: &Key) {
        let Some(journal) = &mut self.journal else { return };
        journal.objects.entry(key.clone()).or_insert_with(|| Before {
            live: self.live.get(key).cloned(),
            past: self.past.get(key).cloned(),
            late: self.late.get(key).cloned(),
        });
    }

    /// What a client token was used for, if it was.
    pub(crate) fn token(&self, operation: &str, token: &str) -> Option<&Token> {
        self.tokens.get(&(operation.to_owned(), token.to_owned()))
    }

    pub(crate) fn use_token(&mut self, operation: &str, token: &str, used: Token) {
        let key = (operation.to_owned(), token.to_owned());
        let before = self.tokens.insert(key.clone(), used);
        if let Some(journal) = &mut self.journal {
            journal.tokens.entry(key).or_insert(before);
        }
    }

    pub(crate) fn get(&self, kind: &'static str, id: &str) -> Option<Arc<Resource>> {
        self.live.get(&(kind, id.to_owned())).cloned()
    }

    pub(crate) fn all(&self, kind: &'static str) -> impl Iterator<Item = &Arc<Resource>> {
        self.live.range((kind, String::new())..).take_while(move |((k, _), _)| *k == kind).map(|(_, r)| r)
    }

    pub(crate) fn everything(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.live.values()
    }

    /// What a reader sees at `now`: the state before the first change that has not reached it yet.
    pub(crate) fn seen(&self, kind: &'static str, id: &str, now: Timestamp) -> Option<Arc<Resource>> {
        let key = (kind, id.to_owned());
        match self.past.get(&key).and_then(|past| past.iter().find(|p| p.seen_from > now)) {
            Some(past) => past.before.clone(),
            None => self.live.get(&key).cloned(),
        }
    }

    pub(crate) fn seen_all(&self, kind: &'static str, now: Timestamp) -> Vec<Arc<Resource>> {
        let from = (kind, String::new());
        let mut ids: Vec<&str> = self
            .live
            .range(from.clone()..)
            .take_while(|((k, _), _)| *k == kind)
            .map(|((_, id), _)| id.as_str())
            .collect();
        for ((_, id), _) in self.past.range(from..).take_while(|((k, _), _)| *k == kind) {
            if !self.live.contains_key(&(kind, id.clone())) {
                ids.push(id);
            }
        }
        ids.into_iter().filter_map(|id| self.seen(kind, id, now)).collect()
    }

    /// Puts, changes or (with `None`) removes an object; readers see it `lag` later.
    pub(crate) fn put(&mut self, kind: &'static str, id: &str, new: Option<Resource>, now: Timestamp, lag: Duration) {
        self.version += 1;
        let key = (kind, id.to_owned());
        self.note(&key);
        let before = match new {
            Some(resource) => self.live.insert(key.clone(), Arc::new(resource)),
            None => self.live.remove(&key),
        };
        self.remember(&key, before.clone(), now);
        let past = self.past.entry(key.clone()).or_default();
        past.retain(|p| p.seen_from > now);
        if !lag.is_zero() {
            past.push(Past { before, seen_from: later(now, lag) });
        } else if past.is_empty() {
            self.past.remove(&key);
        }
    }

    /// Keeps what was before a change of tags; of several in a row, what was before the first.
    fn remember(&mut self, key: &Key, before: Option<Arc<Resource>>, now: Timestamp) {
        self.late.retain(|_, late| later(late.until, LATEST) > now);
        let tags = |resource: Option<&Arc<Resource>>| resource.map(|resource| resource.tags.clone());
        if tags(before.as_ref()) != tags(self.live.get(key)) {
            self.late.entry(key.clone()).or_insert(Late { before, until: now });
        }
    }

    /// Everything as those know it who hear of each object's changes after a delay of its own.
    pub(crate) fn known_late(&self, now: Timestamp, delay: impl Fn(&str) -> Duration) -> Vec<Arc<Resource>> {
        let hidden = |key: &Key| self.late.get(key).filter(|late| later(late.until, delay(&key.1)) > now);
        let live = self.live.iter().filter(|(key, _)| hidden(key).is_none()).map(|(_, resource)| Arc::clone(resource));
        let before = self.late.keys().filter_map(|key| hidden(key)?.before.clone());
        live.chain(before).collect()
    }

    /// Puts or removes an object with everyone seeing it at once.
    pub(crate) fn put_at_once(&mut self, kind: &'static str, id: &str, new: Option<Resource>) {
        let key = (kind, id.to_owned());
        self.note(&key);
        self.past.remove(&key);
        self.version += 1;
        self.late.remove(&key);
        match new {
            Some(resource) => self.live.insert(key, Arc::new(resource)),
            None => self.live.remove(&key),
        };
    }

    pub(crate) fn schedule(&mut self, due: Timestamp, timer: Timer) {
        self.timer_seq += 1;
        self.timers.insert((due, self.timer_seq), timer);
    }

    /// The next timer due at or before `now`, with its moment.
    pub(crate) fn next_due(&mut self, now: Timestamp) -> Option<(Timestamp, Timer)> {
        let entry = self.timers.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((due, _), timer) = entry.remove_entry();
        Some((due, timer))
    }

    /// When the next thing happens by itself.
    pub(crate) fn next_timer(&self) -> Option<Timestamp> {
        self.timers.keys().next().map(|(due, _)| *due)
    }
}

/// Lets `value` stand under `key`, or nothing.
fn set<K: Clone + Ord, V>(map: &mut BTreeMap<K, V>, key: &K, value: Option<V>) {
    match value {
        Some(value) => drop(map.insert(key.clone(), value)),
        None => drop(map.remove(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(id: &str, size: i64) -> Resource {
        let attrs = Map::from_iter([("size".to_owned(), Value::from(size))]);
        let created = Timestamp::UNIX_EPOCH;
        Resource { kind: "test.thing", id: id.to_owned(), attrs, tags: Tags::new(), aws_made: false, created }
    }

    fn timer(id: &str) -> Timer {
        Timer { kind: "test.thing", id: id.to_owned(), event: "ready" }
    }

    fn call(store: &mut Store) {
        let (now, lag) = (Timestamp::UNIX_EPOCH, Duration::from_secs(4));
        store.begin();
        store.put("test.thing", "kept", Some(thing("kept", 2)), now, lag);
        store.put("test.thing", "kept", Some(thing("kept", 3)), now, lag);
        store.put("test.thing", "gone", None, now, lag);
        store.put_at_once("test.thing", "new", Some(thing("new", 1)));
        store.schedule(now, timer("new"));
        store.use_token("Create", "a", Token { parameters: Value::Null, id: "new".to_owned() });
    }

    #[test]
    fn what_a_refused_call_did_is_taken_back_and_what_another_did_stays() {
        let now = Timestamp::UNIX_EPOCH;
        let mut store = Store::default();
        store.put("test.thing", "kept", Some(thing("kept", 1)), now, Duration::from_secs(4));
        store.put("test.thing", "gone", Some(thing("gone", 1)), now, Duration::ZERO);
        store.schedule(now, timer("kept"));
        let before = format!("{store:?}");

        call(&mut store);
        store.take_back();
        assert_eq!(format!("{store:?}"), before);

        call(&mut store);
        store.keep();
        store.take_back();
        assert_eq!(store.get("test.thing", "kept").map(|thing| thing.number("size")), Some(3));
        assert!(store.get("test.thing", "gone").is_none() && store.get("test.thing", "new").is_some());
        assert_eq!(store.token("Create", "a").map(|token| token.id.as_str()), Some("new"));
        assert_eq!(store.timers.len(), 2);
    }
}
