//! What is said of a subject, given what was said of it before: one thread for as long as it is one story.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use wharf_events::{Notice, Severity, State};

use crate::message::Series;

/// The form of the record.
pub(crate) const FORMAT: u32 = 1;

/// What begins again within this after it ended is the same story.
const QUIET: SignedDuration = SignedDuration::from_mins(30);
/// What happens once is told in the thread of what was told of the same thing within this.
const STORY: SignedDuration = SignedDuration::from_hours(24);
/// A record of something that goes on is kept this long, else of something that ended.
const KEPT_OPEN: Duration = Duration::from_secs(90 * 24 * 3600);
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// What was told of a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Thread {
    pub(crate) format: u32,
    /// As the last notice left it.
    pub(crate) state: State,
    /// When that happened.
    pub(crate) at: Timestamp,
    /// The key of the last notice.
    pub(crate) key: String,
    /// How much the worst of it matters.
    pub(crate) severity: Severity,
    /// How often it began, and when for the first time.
    pub(crate) count: u32,
    pub(crate) since: Timestamp,
    /// The message in Slack.
    pub(crate) post: Option<Post>,
}

/// A message in Slack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Post {
    pub(crate) channel: String,
    pub(crate) ts: String,
    /// Whether it tells of other subjects too, so that it cannot be edited for one.
    #[serde(default)]
    pub(crate) shared: bool,
}

/// What is to be done about a notice.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    /// Nothing, for this reason; but this is to be remembered, if it changes what comes later.
    Silent(String, Option<Box<Thread>>),
    /// Slack has it already.
    Posted,
    /// This.
    Tell(Box<Telling>),
}

/// How a notice is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Telling {
    pub(crate) shape: Shape,
    /// Whether it is news for whoever follows: not every flap is.
    pub(crate) loud: bool,
    /// What there is to remember, but for the message.
    pub(crate) next: Thread,
}

/// The place of a notice in the story of its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// It begins one.
    Begins,
    /// It turns it: it is over, or begins again.
    Turns,
    /// It adds to it. Whether the channel should see that, for it is worse than what it sees.
    Adds { worse: bool },
}

impl Thread {
    fn begun(notice: &Notice, count: u32) -> Self {
        Self {
            format: FORMAT,
            state: notice.state,
            at: notice.at,
            key: notice.key.clone(),
            severity: notice.severity,
            count,
            since: notice.at,
            post: None,
        }
    }

    fn then(&self, notice: &Notice) -> Self {
        let severity = self.severity.max(notice.severity);
        let (state, at, key) = (notice.state, notice.at, notice.key.clone());
        Self { state, at, key, severity, ..self.clone() }
    }

    /// How often it began.
    pub(crate) fn series(&self) -> Series {
        Series { count: self.count, since: self.since }
    }

    /// How long it is to be remembered.
    pub(crate) fn kept(&self) -> Duration {
        if self.state == State::Opened { KEPT_OPEN } else { KEPT }
    }
}

/// What is to be done about a notice. `only_if_open`: it is news only where something was open.
pub(crate) fn decide(notice: &Notice, only_if_open: bool, known: Option<&Thread>) -> Decision {
    match (known, notice.state) {
        (Some(known), _) if known.key == notice.key => Decision::Posted,
        (Some(known), State::Opened | State::Closed) if notice.at < known.at && known.state != State::Once => {
            Decision::Silent(late(notice, known), None)
        }
        (Some(known), State::Opened) => opened(notice, known),
        (Some(known), State::Closed) if known.state == State::Opened => {
            let loud = told(known.count);
            tell(Shape::Turns, loud, known.then(notice))
        }
        (Some(known), State::Closed) if known.state == State::Closed => {
            // What began before this end, and comes after it, comes late.
            let next = Thread { at: notice.at, ..known.clone() };
            Decision::Silent("it was over already".to_owned(), Some(Box::new(next)))
        }
        (_, State::Closed) if only_if_open => Decision::Silent("nothing was open that it closes".to_owned(), None),
        (Some(known), State::Once) if known.state == State::Opened || continues(notice, known) => {
            let worse = notice.severity > known.severity;
            // It goes on as it went: what was added changes nothing about that.
            let next =
                Thread { key: notice.key.clone(), severity: known.severity.max(notice.severity), ..known.clone() };
            tell(Shape::Adds { worse }, true, next)
        }
        (_, State::Opened) => tell(Shape::Begins, true, Thread::begun(notice, 1)),
        (_, State::Closed | State::Once) => tell(Shape::Begins, true, Thread::begun(notice, 0)),
    }
}

fn opened(notice: &Notice, known: &Thread) -> Decision {
    let again = match known.state {
        State::Opened => true,
        State::Closed => known.count > 0 && notice.at.duration_since(known.at) <= QUIET,
        State::Once => false,
    };
    if !again {
        return tell(Shape::Begins, true, Thread::begun(notice, 1));
    }
    let count = known.count.saturating_add(1);
    let next = Thread { count, ..known.then(notice) };
    let worse = notice.severity > known.severity;
    tell(Shape::Turns, told(count) || worse, next)
}

fn tell(shape: Shape, loud: bool, next: Thread) -> Decision {
    Decision::Tell(Box::new(Telling { shape, loud, next }))
}

fn continues(notice: &Notice, known: &Thread) -> bool {
    let gap = notice.at.duration_since(known.at);
    notice.severity <= known.severity && known.post.is_some() && gap.abs() <= STORY
}

fn late(notice: &Notice, known: &Thread) -> String {
    let since = if known.state == State::Closed { "it is over" } else { "something newer was told" };
    format!("it comes late: it is of {}, and since {} {since}", notice.at, known.at)
}

/// Of many times, these are told; the count in the message moves with every one.
fn told(count: u32) -> bool {
    matches!(count, 0..=3 | 5 | 10 | 20 | 30 | 50) || count.is_multiple_of(100)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing;

    fn at(minute: i64) -> Timestamp {
        testing::at(60 * minute)
    }

    fn notice(state: State, minute: i64) -> Notice {
        let (severity, key) = (Severity::Warning, format!("{state:?} {minute}"));
        Notice { severity, state, key, at: at(minute), ..testing::notice("t", "") }
    }

    fn told_of(notices: &[(State, i64)]) -> Option<Thread> {
        let mut known = None;
        for (state, minute) in notices {
            if let Decision::Tell(telling) = decide(&notice(*state, *minute), false, known.as_ref()) {
                let post = Post { channel: "C".to_owned(), ts: "1".to_owned(), shared: false };
                known = Some(Thread { post: Some(post), ..telling.next });
            }
        }
        known
    }

    fn shape(known: Option<&Thread>, state: State, minute: i64) -> Option<(Shape, u32)> {
        match decide(&notice(state, minute), false, known) {
            Decision::Tell(telling) => Some((telling.shape, telling.next.count)),
            Decision::Silent(..) | Decision::Posted => None,
        }
    }

    #[test]
    fn it_begins_ends_and_begins_again_within_the_story() {
        assert_eq!(shape(None, State::Opened, 0), Some((Shape::Begins, 1)));
        let open = told_of(&[(State::Opened, 0)]);
        assert_eq!(shape(open.as_ref(), State::Closed, 5), Some((Shape::Turns, 1)));
        let over = told_of(&[(State::Opened, 0), (State::Closed, 5)]);
        assert_eq!(shape(over.as_ref(), State::Opened, 35), Some((Shape::Turns, 2)));
        assert_eq!(shape(over.as_ref(), State::Opened, 36), Some((Shape::Begins, 1)));
        assert_eq!(shape(over.as_ref(), State::Closed, 6), None);
    }

    #[test]
    fn what_comes_late_is_not_told() {
        let over = told_of(&[(State::Closed, 10)]);
        let Decision::Silent(why, None) = decide(&notice(State::Opened, 5), false, over.as_ref()) else {
            panic!("told")
        };
        assert!(why.contains("late"), "{why}");
        let open = told_of(&[(State::Opened, 10)]);
        assert_eq!(shape(open.as_ref(), State::Closed, 5), None);
        assert_eq!(shape(open.as_ref(), State::Opened, 5), None);
    }

    #[test]
    fn the_same_notice_is_posted_once() {
        let open = told_of(&[(State::Opened, 0)]);
        assert_eq!(decide(&notice(State::Opened, 0), false, open.as_ref()), Decision::Posted);
    }

    #[test]
    fn an_end_without_a_beginning_is_told_unless_it_is_no_news() {
        assert_eq!(shape(None, State::Closed, 0), Some((Shape::Begins, 0)));
        assert!(matches!(decide(&notice(State::Closed, 0), true, None), Decision::Silent(..)));
        let open = told_of(&[(State::Opened, 0)]);
        assert!(matches!(decide(&notice(State::Closed, 1), true, open.as_ref()), Decision::Tell(_)));
    }

    #[test]
    fn what_happens_while_it_goes_on_is_added_and_seen_when_it_is_worse() {
        let open = told_of(&[(State::Opened, 0)]);
        assert_eq!(shape(open.as_ref(), State::Once, 90), Some((Shape::Adds { worse: false }, 1)));
        let worse = Notice { severity: Severity::Critical, ..notice(State::Once, 90) };
        let Decision::Tell(telling) = decide(&worse, false, open.as_ref()) else { panic!("silent") };
        assert_eq!((telling.shape, telling.next.state), (Shape::Adds { worse: true }, State::Opened));
        let once = told_of(&[(State::Once, 0)]);
        assert_eq!(shape(once.as_ref(), State::Once, 24 * 60), Some((Shape::Adds { worse: false }, 0)));
        assert_eq!(shape(once.as_ref(), State::Once, 24 * 60 + 1), Some((Shape::Begins, 0)));
        assert!(matches!(decide(&worse, false, once.as_ref()), Decision::Tell(t) if t.shape == Shape::Begins));
    }

    #[test]
    fn of_thirty_flaps_the_count_is_thirty_and_few_are_news() {
        let mut known: Option<Thread> = None;
        let mut news = 0;
        for flap in 0..30 {
            for notice in [notice(State::Opened, 2 * flap), notice(State::Closed, 2 * flap + 1)] {
                let Decision::Tell(telling) = decide(&notice, false, known.as_ref()) else { panic!("silent") };
                news += usize::from(telling.loud);
                known = Some(telling.next);
            }
        }
        assert_eq!((known.unwrap().count, news), (30, 14));
    }

    proptest! {
        /// In whatever order they come, the last state is that of the newest notice, and the newest is never silent.
        #[test]
        fn the_newest_wins_in_any_order(order in Just((0_i64..8).collect::<Vec<_>>()).prop_shuffle()) {
            let mut known: Option<Thread> = None;
            for minute in order {
                let state = if minute % 2 == 0 { State::Opened } else { State::Closed };
                match decide(&notice(state, minute), false, known.as_ref()) {
                    Decision::Tell(telling) => known = Some(telling.next),
                    Decision::Silent(_, Some(next)) => known = Some(*next),
                    Decision::Silent(_, None) | Decision::Posted => {}
                }
            }
            let known = known.unwrap();
            prop_assert_eq!((known.at, known.state), (at(7), State::Closed));
        }
    }
}
