//! What is to be told of a batch, and how: without any I/O.

use std::collections::BTreeMap;

use wharf_events::{Notice, State};

use super::{News, Verdict};
use crate::table::Claim;
use crate::thread::{Decision, Post, Telling, Thread, decide};

/// A notice that is to be told.
#[derive(Debug)]
pub(super) struct Job<'a> {
    /// Its place in the batch, and the places of its copies.
    pub(super) index: usize,
    pub(super) copies: Vec<usize>,
    pub(super) notice: &'a Notice,
    /// How Slack is told; nothing when it was told before.
    pub(super) telling: Option<Telling>,
    /// Whether each way is done with, or why it cannot be.
    pub(super) people: Result<bool, String>,
    pub(super) slack: Result<bool, String>,
}

impl Job<'_> {
    pub(super) fn for_slack(&self) -> bool {
        self.slack == Ok(false)
    }
}

/// What comes of a batch.
#[derive(Debug)]
pub(super) struct Planned<'a> {
    /// What is to be told, in the order in which it happened.
    pub(super) jobs: Vec<Job<'a>>,
    /// What became of the rest already.
    pub(super) verdicts: BTreeMap<usize, Verdict>,
    /// The keys of those of the rest that are over and done with.
    pub(super) done: Vec<String>,
    /// What these leave to remember of their subjects.
    pub(super) noted: BTreeMap<String, Thread>,
}

/// Decides about each notice, in the order in which they happened, as if all before it had been told.
pub(super) fn plan<'a>(
    news: &'a [News],
    claims: &BTreeMap<String, Result<Claim, String>>,
    threads: &BTreeMap<String, Result<Option<Thread>, String>>,
) -> Planned<'a> {
    let mut planned = Planned { jobs: Vec::new(), verdicts: BTreeMap::new(), done: Vec::new(), noted: BTreeMap::new() };
    let mut known: BTreeMap<&str, Option<Thread>> = BTreeMap::new();
    for (index, copies) in in_order(news) {
        let News { notice, only_if_open } = &news[index];
        let mut settle = |verdict: Verdict| {
            for place in std::iter::once(index).chain(copies.iter().copied()) {
                planned.verdicts.insert(place, verdict.clone());
            }
        };
        let (people, slack) = match claims.get(&notice.key) {
            Some(Ok(Claim::Given { people, slack })) => (*people, *slack),
            Some(Ok(Claim::Done)) => {
                settle(Verdict::Ignored("it was told before".to_owned()));
                continue;
            }
            Some(Ok(Claim::Held)) => {
                settle(Verdict::Failed("another invocation is telling it".to_owned()));
                continue;
            }
            Some(Err(error)) => {
                settle(Verdict::Failed(error.clone()));
                continue;
            }
            None => {
                settle(Verdict::Failed("it was not claimed".to_owned()));
                continue;
            }
        };
        let before = match threads.get(&notice.subject) {
            Some(Err(error)) => {
                settle(Verdict::Failed(error.clone()));
                continue;
            }
            Some(Ok(thread)) => known.entry(&notice.subject).or_insert_with(|| thread.clone()),
            None => known.entry(&notice.subject).or_insert(None),
        };
        let decision = if slack { Decision::Posted } else { decide(notice, *only_if_open, before.as_ref()) };
        let telling = match decision {
            Decision::Silent(why, next) => {
                settle(Verdict::Ignored(why));
                planned.done.push(notice.key.clone());
                if let Some(next) = next {
                    planned.noted.insert(notice.subject.clone(), (*next).clone());
                    *before = Some(*next);
                }
                continue;
            }
            Decision::Posted => None,
            Decision::Tell(telling) => {
                planned.noted.remove(&notice.subject);
                *before = Some(telling.next.clone());
                Some(*telling)
            }
        };
        let slack = Ok(telling.is_none());
        planned.jobs.push(Job { index, copies, notice, telling, people: Ok(people), slack });
    }
    planned
}

/// The first of all copies of each notice with the places of the others, in the order in which they happened; of what
/// happened at the same moment, what begins comes before what ends.
fn in_order(news: &[News]) -> Vec<(usize, Vec<usize>)> {
    let mut places: BTreeMap<&str, (usize, Vec<usize>)> = BTreeMap::new();
    for (n, one) in news.iter().enumerate() {
        places.entry(&one.notice.key).and_modify(|(_, copies)| copies.push(n)).or_insert((n, Vec::new()));
    }
    let mut places: Vec<(usize, Vec<usize>)> = places.into_values().collect();
    places.sort_by_key(|(n, _)| (news[*n].notice.at, news[*n].notice.state == State::Closed, *n));
    places
}

/// The messages of the subjects, as the table has them.
pub(super) fn posts(threads: &BTreeMap<String, Result<Option<Thread>, String>>) -> BTreeMap<String, Option<Post>> {
    let post = |thread: &Result<Option<Thread>, String>| thread.as_ref().ok()?.as_ref()?.post.clone();
    threads.iter().map(|(subject, thread)| (subject.clone(), post(thread))).collect()
}
