//! What a stack's table holds of a service's rollouts: who is changing the service now, which image it is to run, and
//! which it ran before. One item a service, keys `pk = rollout` and `sk = SERVICE`, attributes `version` (a number) and
//! `record` (this, as JSON). Whoever changes the image of a service writes here first, on the condition that `version`
//! is still the one that was read; each write adds one to it.

use serde::{Deserialize, Serialize};

/// The form of the record.
pub const FORMAT: u32 = 1;

/// So many past rollouts are kept.
pub const KEPT: usize = 20;

/// A service's rollouts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// Who is changing a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: String,
    /// User and machine, for people.
    pub who: String,
    /// What it does: `apply`, `deploy`, `rollback`.
    pub command: String,
    /// Since when (RFC 3339), for people.
    pub since: String,
}

/// One image that was decided to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The digest of the image, or of the index of images.
    pub digest: String,
    /// The tag that it was asked for by, or known by.
    pub tag: Option<String>,
    /// The run that decided it.
    pub run: String,
    /// Who did, for people.
    pub who: String,
    /// `deploy` or `rollback`.
    pub command: String,
    /// When (RFC 3339).
    pub at: String,
    /// ECS's id of the deployment, once there is one.
    pub deployment: Option<String>,
    /// How far it has come.
    pub status: Status,
    /// Why it failed.
    pub why: Option<String>,
}

/// How far a rollout has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

impl Status {
    /// True for a rollout whose end is not known.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Preparing | Self::Deploying)
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
        }
    }

    /// Takes a new rollout in. One before it whose end nobody wrote down ends here: settled when its image runs.
    pub fn begin(&mut self, rollout: Rollout, runs: Option<&str>) {
        self.close(runs);
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

    /// Every rollout, newest first.
    pub fn all(&self) -> impl Iterator<Item = &Rollout> {
        self.rollout.iter().chain(&self.history)
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
        }
    }

    fn record(newest_first: &[(&str, Status)]) -> Record {
        let mut record = Record::new("web");
        for (digest, status) in newest_first.iter().rev() {
            record.begin(rollout(digest, *status), None);
        }
        record
    }

    #[test]
    fn the_form_that_others_read_stays_as_it_is() {
        let golden = r#"{
  "format": 1,
  "service": "web",
  "version": 7,
  "by": "run-2",
  "holder": {
    "run": "run-2",
    "who": "ann@laptop",
    "command": "deploy",
    "since": "2026-01-02T03:04:05Z"
  },
  "rollout": {
    "digest": "sha256:b",
    "tag": "v2",
    "run": "run-2",
    "who": "ann@laptop",
    "command": "deploy",
    "at": "2026-01-02T03:04:05Z",
    "deployment": "ecs-svc/2",
    "status": "deploying",
    "why": null
  },
  "history": [
    {
      "digest": "sha256:a",
      "tag": null,
      "run": "run-1",
      "who": "ci",
      "command": "deploy",
      "at": "2026-01-01T00:00:00Z",
      "deployment": "ecs-svc/1",
      "status": "rolled-back",
      "why": "exit code 1"
    }
  ]
}"#;
        let record: Record = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string_pretty(&record).unwrap(), golden);
        assert_eq!(record.rollout.unwrap().status, Status::Deploying);
        assert_eq!(record.history[0].status, Status::RolledBack);
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
