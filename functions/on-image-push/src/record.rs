//! What a stack's table holds of a service's rollouts: who is changing the service now, which image it is to run, and
//! which it ran before. One item a service, keys `pk = rollout` and `sk = SERVICE`, attributes `version` (a number) and
//! `record` (this, as JSON). Whoever changes the image of a service writes here first, on the condition that `version`
//! is still the one that was read; each write adds one to it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wharf_events::Notice;

/// The form of the record. The first had neither pushes nor notices; it is read as one that never had any.
pub const FORMAT: u32 = 2;

/// So many past rollouts are kept.
pub const KEPT: usize = 20;

/// The key that the records of all services begin with.
pub const PK: &str = "rollout";

/// Who holds a record by `deploy` or `apply` and does not move it for so long is dead.
pub const LEASE: Duration = Duration::from_secs(45);

/// The same for who holds it because of a push: that is over within a few calls.
pub const PUSH_LEASE: Duration = Duration::from_secs(15);

/// By this, holders and rollouts that pushes caused are told from those that people caused.
pub const PUSH: &str = "push";

/// A service's rollouts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// The record's format.
    pub format: u32,
    /// The service.
    pub service: String,
    /// Moves with each write.
    pub version: u64,
    /// The run that wrote it last.
    pub by: String,
    /// Who is changing the service now. Who does not move the version for the length of a lease is dead.
    pub holder: Option<Holder>,
    /// The newest rollout.
    pub rollout: Option<Rollout>,
    /// Those before it, newest first.
    pub history: Vec<Rollout>,
    /// The moment of the newest decision about the image. What was pushed before it comes too late.
    #[serde(default)]
    pub decided: Option<Moment>,
    /// An image that was pushed while the command before another one's rollout ran: its turn comes after that.
    #[serde(default)]
    pub next: Option<Push>,
    /// Notices of what is written here that nobody was told of yet.
    #[serde(default)]
    pub untold: Vec<Notice>,
    /// The fewest tasks that scaling may go down to, from the next rollout on that comes through: a service that stood
    /// at no task is registered with none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_bound: Option<i32>,
}

/// Who is changing a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: String,
    /// User and machine, for people.
    pub who: String,
    /// What it does: `apply`, `deploy`, `rollback`, `push`.
    pub command: String,
    /// Since when (RFC 3339), for people.
    pub since: String,
}

/// A point in the order of decisions, which is that of their own times, in whatever order they become known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment {
    /// When, by AWS's clock.
    pub at: Timestamp,
    /// Tells decisions of one time apart: an event's id, a run's.
    pub id: String,
}

/// An image that was pushed and counts as a release.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Push {
    /// The digest of the image, or of the index of images.
    pub digest: String,
    /// Its tag.
    pub tag: Option<String>,
    /// When it was pushed.
    pub moment: Moment,
}

/// One image that was decided to run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rollout {
    /// The digest of the image, or of the index of images.
    pub digest: String,
    /// The tag that it was asked for by, or known by.
    pub tag: Option<String>,
    /// The run that decided it.
    pub run: String,
    /// Who did, for people.
    pub who: String,
    /// `deploy`, `rollback` or `push`.
    pub command: String,
    /// When (RFC 3339).
    pub at: String,
    /// ECS's id of the deployment, once there is one.
    pub deployment: Option<String>,
    /// How far it has come.
    pub status: Status,
    /// Why it failed.
    pub why: Option<String>,
    /// What has been done for it, where it need not be who began it that goes on with it.
    #[serde(default)]
    pub done: Done,
}

/// What has been done for a rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Done {
    /// The revision that was registered for it, and the one that this was made from.
    pub revision: Option<Made>,
    /// The revision that ran before, if any task did.
    pub before: Option<String>,
    /// How many tasks it starts, where none were to run.
    pub count: Option<i32>,
    /// The task that runs the command before it.
    pub task: Option<String>,
    /// That command has ended well.
    pub prepared: bool,
    /// The task took too long and was told to stop.
    pub stopped: bool,
    /// Since when it is so far: its task runs, or ECS is at it.
    pub since: Option<Timestamp>,
    /// ECS's ARN of what it calls a service deployment: what became of it can be asked when all else is gone.
    pub trace: Option<String>,
    /// When it ended, by itself: not when another took its place.
    pub ended: Option<Timestamp>,
}

/// A revision that was registered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Made {
    /// Its ARN.
    pub arn: String,
    /// The ARN of the revision that it differs from in the image alone.
    pub from: String,
}

/// How far a rollout has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Decided; ECS was told nothing yet.
    Preparing,
    /// ECS is at it.
    Deploying,
    /// It runs.
    Settled,
    /// It does not run, and what ran before was not brought back by anybody.
    Failed,
    /// It failed, and what ran before is back.
    RolledBack,
}

/// What stands in a table and is no record that this wharf knows.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// A later Wharf wrote it.
    #[error("it has the form {0}, this wharf knows {FORMAT}")]
    Later(u64),
    /// It lacks something, or is no JSON.
    #[error("{0}")]
    Unreadable(#[from] serde_json::Error),
}

impl Status {
    /// True for a rollout whose end is not known.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Preparing | Self::Deploying)
    }
}

impl Holder {
    /// True for one that a push made the holder.
    #[must_use]
    pub fn is_push(&self) -> bool {
        self.command == PUSH
    }

    /// Who holds a record and does not move it for so long is dead.
    #[must_use]
    pub fn lease(&self) -> Duration {
        if self.is_push() { PUSH_LEASE } else { LEASE }
    }
}

impl Rollout {
    /// True for one that a push caused: it is nobody's in particular to go on with.
    #[must_use]
    pub fn is_push(&self) -> bool {
        self.command == PUSH
    }

    /// What people call its image.
    #[must_use]
    pub fn name(&self) -> &str {
        self.tag.as_deref().unwrap_or(&self.digest)
    }
}

impl Record {
    /// The record of a service that never had a rollout.
    #[must_use]
    pub fn new(service: &str) -> Self {
        Self {
            format: FORMAT,
            service: service.to_owned(),
            version: 0,
            by: String::new(),
            holder: None,
            rollout: None,
            history: Vec::new(),
            decided: None,
            next: None,
            untold: Vec::new(),
            lower_bound: None,
        }
    }

    /// A record as it stands in a table, of this form or the one before.
    ///
    /// # Errors
    /// It is of a later form, or none at all.
    pub fn from_json(json: &str) -> Result<Self, Malformed> {
        let value: serde_json::Value = serde_json::from_str(json)?;
        if let Some(later) = value["format"].as_u64().filter(|format| *format > u64::from(FORMAT)) {
            return Err(Malformed::Later(later));
        }
        Ok(Self { format: FORMAT, ..serde_json::from_value(value)? })
    }

    /// As it stands in a table.
    ///
    /// # Errors
    /// None that is known.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Takes a new rollout in. One before it whose end nobody wrote down ends here: settled when its image runs.
    pub fn begin(&mut self, rollout: Rollout, runs: Option<&str>) {
        self.close(runs);
        self.follow(rollout);
    }

    /// Takes a new rollout in, and leaves the end of those before it open.
    pub fn follow(&mut self, rollout: Rollout) {
        if let Some(before) = self.rollout.replace(rollout) {
            self.history.insert(0, before);
            self.history.truncate(KEPT);
        }
    }

    /// Ends a rollout whose end nobody wrote down.
    pub fn close(&mut self, runs: Option<&str>) {
        let Some(open) = self.rollout.as_mut().filter(|rollout| rollout.status.is_open()) else { return };
        if runs == Some(open.digest.as_str()) {
            open.status = Status::Settled;
        } else {
            open.status = Status::Failed;
            open.why = Some("nobody followed it to its end".to_owned());
        }
    }

    /// Remembers a decision, if it is the newest. A push that waited for its turn and is older has none any more.
    pub fn decide(&mut self, moment: Moment) {
        if self.decided.as_ref().is_none_or(|decided| *decided < moment) {
            self.next = self.next.take().filter(|next| next.moment >= moment);
            self.decided = Some(moment);
        }
    }

    /// Every rollout, newest first.
    pub fn all(&self) -> impl Iterator<Item = &Rollout> {
        self.rollout.iter().chain(&self.history)
    }

    /// Every rollout, newest first, to change it.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Rollout> {
        self.rollout.iter_mut().chain(&mut self.history)
    }

    /// The rollout to go back to from the image that runs: the last one that settled before it with another image.
    #[must_use]
    pub fn before(&self, runs: Option<&str>) -> Option<&Rollout> {
        let settled: Vec<&Rollout> = self.all().filter(|rollout| rollout.status == Status::Settled).collect();
        let present = settled.iter().position(|rollout| Some(rollout.digest.as_str()) == runs);
        let mut older = settled.into_iter().skip(present.unwrap_or(0));
        older.find(|rollout| Some(rollout.digest.as_str()) != runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(digest: &str, status: Status) -> Rollout {
        Rollout {
            digest: digest.to_owned(),
            tag: None,
            run: "r".to_owned(),
            who: "w".to_owned(),
            command: "deploy".to_owned(),
            at: "2026-01-01T00:00:00Z".to_owned(),
            deployment: None,
            status,
            why: None,
            done: Done::default(),
        }
    }

    fn record(newest_first: &[(&str, Status)]) -> Record {
        let mut record = Record::new("web");
        for (digest, status) in newest_first.iter().rev() {
            record.begin(rollout(digest, *status), None);
        }
        record
    }

    fn moment(second: i64, id: &str) -> Moment {
        Moment { at: Timestamp::from_second(second).unwrap(), id: id.to_owned() }
    }

    const FIRST: &str = include_str!("record/format-1.json");
    const SECOND: &str = include_str!("record/format-2.json");

    #[test]
    fn the_form_that_others_read_stays_as_it_is() {
        let record = Record::from_json(SECOND).unwrap();
        assert_eq!(serde_json::to_string_pretty(&record).unwrap(), SECOND.trim_end());
        assert_eq!(Record::from_json(&record.to_json().unwrap()).unwrap(), record);
        let rollout = record.rollout.unwrap();
        assert_eq!((rollout.status, rollout.done.task.as_deref()), (Status::Preparing, Some("task/1")));
        assert_eq!(record.next.unwrap().tag.as_deref(), Some("v3"));
    }

    #[test]
    fn the_first_form_is_read_as_a_record_that_no_push_wrote_to() {
        let record = Record::from_json(FIRST).unwrap();
        assert_eq!((record.format, record.version, &record.decided, &record.next), (FORMAT, 7, &None, &None));
        assert_eq!(record.rollout.as_ref().unwrap().status, Status::Deploying);
        assert_eq!(record.history[0].status, Status::RolledBack);
        assert!(record.all().all(|rollout| rollout.done == Done::default()));
    }

    #[test]
    fn a_later_form_and_what_is_none_are_refused() {
        assert!(matches!(Record::from_json(r#"{"format": 3}"#), Err(Malformed::Later(3))));
        assert!(matches!(Record::from_json(r#"{"format": 2}"#), Err(Malformed::Unreadable(_))));
        assert!(matches!(Record::from_json(""), Err(Malformed::Unreadable(_))));
    }

    #[test]
    fn decisions_are_ordered_by_their_time_and_then_by_their_id() {
        let mut record = Record::new("web");
        for (second, id, decided) in [(5, "b", "b"), (4, "z", "b"), (5, "a", "b"), (5, "c", "c"), (6, "a", "a")] {
            record.decide(moment(second, id));
            assert_eq!(record.decided.as_ref().unwrap().id, decided);
        }
    }

    #[test]
    fn a_push_that_waits_gives_way_to_a_newer_decision_and_to_no_older_one() {
        let mut record = Record::new("web");
        record.decide(moment(5, "push"));
        record.next = Some(Push { digest: "d".to_owned(), tag: None, moment: moment(5, "push") });
        record.decide(moment(4, "older"));
        assert!(record.next.is_some());
        record.decide(moment(6, "newer"));
        assert!(record.next.is_none());
    }

    #[test]
    fn one_goes_back_to_what_settled_before_the_present_image() {
        use Status::{Failed, RolledBack, Settled};
        for (newest_first, runs, wanted) in [
            (&[("b", Settled), ("a", Settled)][..], "b", Some("a")),
            (&[("c", RolledBack), ("b", Settled), ("a", Settled)], "b", Some("a")),
            (&[("b", Settled), ("b", Settled), ("x", Failed), ("a", Settled)], "b", Some("a")),
            (&[("a", Settled), ("b", Settled), ("a", Settled)], "a", Some("b")),
            (&[("b", Settled), ("a", Settled)], "by hand", Some("b")),
            (&[("a", Settled)], "a", None),
            (&[("x", Failed)], "a", None),
        ] {
            let record = record(newest_first);
            let before = record.before(Some(runs)).map(|rollout| rollout.digest.as_str());
            assert_eq!(before, wanted, "{newest_first:?} {runs}");
        }
    }

    #[test]
    fn a_rollout_that_nobody_followed_ends_by_what_runs() {
        for (runs, status) in [(Some("a"), Status::Settled), (Some("b"), Status::Failed), (None, Status::Failed)] {
            let mut record = record(&[("a", Status::Deploying)]);
            record.begin(rollout("c", Status::Preparing), runs);
            assert_eq!(record.history[0].status, status);
        }
    }

    #[test]
    fn the_past_is_kept_to_a_length() {
        let mut record = Record::new("web");
        for number in 0..50 {
            record.begin(rollout(&number.to_string(), Status::Settled), None);
        }
        assert_eq!((record.history.len(), record.history[0].digest.as_str()), (KEPT, "48"));
    }
}
