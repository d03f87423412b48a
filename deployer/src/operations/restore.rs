//! Restore: the database as it was, in a new instance that takes the place of the one there is.
//!
//! RDS restores into a new instance only. So the new one is made beside the database, which goes on serving meanwhile. When
//! it is ready, and set as the stack says, with the password that is in force, the two exchange names: endpoint, log
//! groups, alarms and whatever else goes by the name stay as they are, and nobody has to be told. Only the exchange is an
//! outage, of some minutes: each rename restarts its instance, which cuts off who is connected to the old one, so that
//! nobody goes on writing there. The old instance is kept, protected, under another name and without the stack's identity:
//! no run of Wharf deletes it, and until somebody does it stands in the way of a destruction.
//!
//! Each step is known by what it leaves in AWS, so whoever runs the same restore again carries on where one died:
//!
//! | what is there | what comes next |
//! |---|---|
//! | no instance that says what it restores | it is made, `<name>-restored-<stamp>` |
//! | it, ready, not as the stack says | it is changed |
//! | it, and the database by its name | the database becomes `<name>-before-<stamp>` |
//! | it, and the name is free | it gets the name |
//! | both, and the old one is the stack's | the old one loses the stack's identity |
//! | it has the name, and no identity | it gets the stack's |
//! | it is the stack's database | its log exports begin, and it no longer says what it restores |
//!
//! At no moment does a plan see two databases, or take the name for free: between the last but two it sees one that is not
//! the stack's, and refuses.

mod work;

use std::future::Future;

use jiff::Timestamp;
use serde::Serialize;
use wharf_engine::{Action, Class, Generation, Inputs, LogicalId, Options, Stack, plan};

use super::{Error, Session, Who};
use crate::aws::CallError;
use crate::aws::erased::from_fields;
use crate::aws::rds::instance::Instance;
use crate::aws::rds::instance::restored::{self, Backup, Member, Part, Snapshot};
use crate::ledger::{Entry, Holder, LockError, Timing, Verdict};
use work::Work;

/// The logical id of the stack's database.
pub(super) const DATABASE: &str = "database.instance";

/// As of when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Point {
    /// The last second that can be had.
    Latest,
    /// This second.
    At(Timestamp),
    /// This snapshot.
    Snapshot(String),
}

impl Point {
    /// Whether a restore that says this of itself is the one that is meant.
    fn is(&self, word: &str) -> bool {
        match self {
            Self::Latest => word.starts_with("at "),
            Self::At(at) => word == format!("at {at}"),
            Self::Snapshot(name) => word == format!("snapshot {name}"),
        }
    }
}

/// A restore that is asked for.
pub struct Restore<'a> {
    /// The stack, as its file describes it.
    pub stack: &'a Stack,
    /// As of when.
    pub point: Point,
    /// Who does it.
    pub who: Who,
    /// The lock's times.
    pub timing: Timing,
    /// Asked before the first write.
    pub approve: &'a dyn Fn(&Intent) -> bool,
    /// Hears how far it has come.
    pub on_progress: &'a dyn Fn(&str),
    /// Hears of a lock's holder that has to be watched.
    pub on_wait: &'a dyn Fn(&Holder),
}

/// What would be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Intent {
    /// The database's name, now and afterwards.
    pub database: String,
    /// What it is made from, in a word.
    pub from: String,
    /// The instance that a restore made before it died, which is carried on with.
    pub carries_on: Option<String>,
    /// What is kept beside it: class, storage and copies of the present database.
    pub keeps: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// What was to be done.
    pub intent: Intent,
    /// How it ended.
    pub outcome: Ended,
    /// The instance that was the database, and stays.
    pub kept: Option<Kept>,
}

/// How a restore ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The database is as it was.
    Restored,
    /// Somebody was asked and said no.
    Declined,
    /// It was stopped; the same restore carries on.
    Interrupted,
}

/// An instance whose place another has taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its name.
    pub instance: String,
    /// What it costs by.
    pub size: String,
}

/// A restore cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The stack has none.
    #[error("the stack file has no `[database]`")]
    NoDatabase,
    /// What it stands on is not there.
    #[error("the database cannot be restored before the stack has {0}")]
    NotApplied(String),
    /// Without an instance there are no automated backups to go back by.
    #[error("there is no database whose past could be restored")]
    NoPast,
    /// It has no automated backups.
    #[error("{0} has no automated backups")]
    NoBackups(String),
    /// It is not among the moments that can be had.
    #[error("{asked} is not between {from} and {to}, to which {instance} can be restored")]
    Outside {
        /// The instance.
        instance: String,
        /// What was asked for.
        asked: Timestamp,
        /// The first moment.
        from: Timestamp,
        /// The last.
        to: Timestamp,
    },
    /// There is no such snapshot.
    #[error("there is no snapshot {0}")]
    NoSnapshot(String),
    /// A snapshot of something else, or one that cannot be read yet, or any more.
    #[error("the snapshot {name} cannot become the stack's database: {why}")]
    Unfit {
        /// The snapshot.
        name: String,
        /// What does not fit, and what to do.
        why: String,
    },
    /// Another restore died half way.
    #[error("a restore {of} was begun and has not come to its end: {instance}")]
    Other {
        /// What it is made from.
        of: String,
        /// Its instance.
        instance: String,
    },
    /// AWS gave up.
    #[error("AWS could not restore {instance}: {why}")]
    Failed {
        /// The instance.
        instance: String,
        /// AWS's word.
        why: String,
    },
    /// It does not come to its end.
    #[error("{0} does not become ready")]
    Unready(String),
    /// It came out otherwise than a change in place could mend.
    #[error("{instance} is restored, but only another instance could be as the stack says in {}", .fields.join(", "))]
    Differs {
        /// The instance.
        instance: String,
        /// The fields.
        fields: Vec<String>,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// The database as the stack says it should be, every reference in it known.
struct Goal {
    id: LogicalId,
    inputs: Inputs,
    wanted: Instance,
    generation: Generation,
}

/// Where a restore begins.
enum Way {
    Begin(Backup),
    CarryOn(String),
}

impl Way {
    fn word(&self) -> String {
        match self {
            Self::Begin(backup) => backup.word(),
            Self::CarryOn(word) => word.clone(),
        }
    }
}

impl Session {
    /// Restores the stack's database. Before the first write, everything that can be refused is.
    ///
    /// # Errors
    /// What stood against it, or what went wrong; the same restore carries on.
    pub async fn restore(&self, request: &Restore<'_>, interrupt: impl Future<Output = ()>) -> Result<Restored, Error> {
        let goal = self.goal(request.stack).await?;
        let members = restored::members(&self.aws, &goal.id).await.map_err(RestoreError::from)?;
        let way = self.way(&goal, &members, &request.point).await?;
        let intent = intent(&goal, &members, &way);
        let ended = |outcome, kept| Restored { intent: intent.clone(), outcome, kept };
        if !(request.approve)(&intent) {
            return Ok(ended(Ended::Declined, None));
        }
        let holder = Holder::new(self.aws.run(), &request.who.name, "restore", &request.who.at);
        let mut lock = match self.ledger.lock(holder, request.timing.clone(), request.on_wait).await {
            Err(LockError::Call(error)) if error.class == Class::Missing => {
                return Err(RestoreError::NotApplied(super::TABLE.to_owned()).into());
            }
            lock => lock?,
        };
        let work = Work { session: self, aws: self.aws.with_lease(lock.lease()), goal: &goal, request };
        let worked = async {
            tokio::select! {
                result = work.run(&way) => Some(result),
                () = interrupt => None,
            }
        };
        let result = lock.while_kept(worked).await;
        let written = self.note(request, &intent, result.as_ref()).await;
        lock.release().await.map_err(LockError::Call)?;
        let Some(result) = result else { return Ok(ended(Ended::Interrupted, None)) };
        let kept = result?;
        written?;
        Ok(ended(Ended::Restored, kept))
    }

    /// What the stack says of its database, in what exists.
    async fn goal(&self, stack: &Stack) -> Result<Goal, Error> {
        let id = LogicalId::new(DATABASE).map_err(|_| RestoreError::NoDatabase)?;
        if !stack.resources.contains_key(&id) {
            return Err(RestoreError::NoDatabase.into());
        }
        let (mut world, last, _) = self.look(stack).await?;
        // The plan of a world without it says how it would be made.
        world.found.retain(|found| found.id != id);
        let options = Options { keep_protected: true, ..Options::default() };
        let steps = plan(stack, &world, last.as_ref(), &options)?.steps;
        let made = steps.into_iter().find(|step| step.id == id);
        let Some(Action::Create { generation, inputs, .. }) = made.map(|step| step.action) else {
            return Err(RestoreError::NoDatabase.into());
        };
        let missing = inputs.values().flat_map(|value| value.references()).next().map(|reference| &reference.id);
        if let Some(missing) = missing {
            return Err(RestoreError::NotApplied(missing.to_string()).into());
        }
        let wanted = from_fields::<Instance>(&inputs).map_err(RestoreError::from)?;
        Ok(Goal { id, inputs, wanted, generation })
    }

    /// Where to begin, when nothing stands against it.
    async fn way(&self, goal: &Goal, members: &[Member], point: &Point) -> Result<Way, RestoreError> {
        for member in members {
            if let Part::Restoring(word) = &member.part {
                return match point.is(word) {
                    true => Ok(Way::CarryOn(word.clone())),
                    false => Err(RestoreError::Other { of: word.clone(), instance: member.name.clone() }),
                };
            }
        }
        let current = members.iter().find(|member| member.part == Part::Current);
        let at = match point {
            Point::Snapshot(name) => return self.snapshot_fits(goal, name).await,
            Point::At(at) => Some(*at),
            Point::Latest => None,
        };
        let current = current.ok_or(RestoreError::NoPast)?;
        let instance = current.name.clone();
        let window = restored::window(&self.aws, current).await?;
        let window = window.ok_or_else(|| RestoreError::NoBackups(instance.clone()))?;
        let at = at.unwrap_or(window.to);
        if at < window.from || at > window.to {
            return Err(RestoreError::Outside { instance, asked: at, from: window.from, to: window.to });
        }
        Ok(Way::Begin(Backup::Moment { instance, at }))
    }

    async fn snapshot_fits(&self, goal: &Goal, name: &str) -> Result<Way, RestoreError> {
        let snapshot = restored::snapshot(&self.aws, name).await?;
        let snapshot = snapshot.ok_or_else(|| RestoreError::NoSnapshot(name.to_owned()))?;
        match unfit(&snapshot, &goal.wanted)? {
            Some(why) => Err(RestoreError::Unfit { name: snapshot.name, why }),
            None => Ok(Way::Begin(Backup::Snapshot(snapshot.name))),
        }
    }

    /// Writes it into the stack's history.
    async fn note(
        &self,
        request: &Restore<'_>,
        intent: &Intent,
        result: Option<&Result<Option<Kept>, Error>>,
    ) -> Result<(), Error> {
        let verdict = match result {
            None => Verdict::Interrupted,
            Some(Ok(_)) => Verdict::Done,
            Some(Err(_)) => Verdict::Failed,
        };
        let mut entry = Entry::new(self.aws.run(), &request.who.at, &request.who.name, "restore", verdict);
        if verdict == Verdict::Done {
            entry.steps.push(format!("restore {DATABASE} {}", intent.from));
        }
        if let Some(Err(error)) = result {
            entry.failures.push(error.to_string());
        }
        Ok(self.ledger.add(&entry).await?)
    }
}

/// What is asked of somebody.
fn intent(goal: &Goal, members: &[Member], way: &Way) -> Intent {
    let current = members.iter().find(|member| member.part == Part::Current);
    let restoring = members.iter().find(|member| matches!(member.part, Part::Restoring(_)));
    Intent {
        database: goal.wanted.identifier.clone(),
        from: way.word(),
        carries_on: restoring.map(|member| member.name.clone()),
        keeps: current.map(Member::size),
    }
}

/// Why a snapshot cannot become the database; none when it can.
fn unfit(snapshot: &Snapshot, wanted: &Instance) -> Result<Option<String>, CallError> {
    let major = |version: &str| version.split('.').next().unwrap_or_default().to_owned();
    let key = wanted.kms_key.get()?;
    Ok(if snapshot.status != "available" {
        Some(format!("it is {}", snapshot.status))
    } else if snapshot.engine != "postgres" {
        Some(format!("it is of {}, not of PostgreSQL", snapshot.engine))
    } else if major(&snapshot.version) != major(&wanted.engine_version) {
        let (theirs, ours) = (major(&snapshot.version), &wanted.engine_version);
        Some(format!("it is of PostgreSQL {theirs}: write `database.engine_version = \"{theirs}\"` instead of {ours}"))
    } else if snapshot.username != wanted.username {
        let user = &snapshot.username;
        Some(format!("its master user is {user}: write `database.username = \"{user}\"`"))
    } else if snapshot.key.as_deref() != Some(key) {
        let with = snapshot.key.as_deref().map_or("it is not encrypted".to_owned(), |key| format!("its key is {key}"));
        Some(format!(
            "{with}, the stack's is {key}: copy it with `aws rds copy-db-snapshot --kms-key-id {key} \
             --source-db-snapshot-identifier {}`, and restore the copy",
            snapshot.name
        ))
    } else {
        (snapshot.storage_gib > wanted.storage_gib
            && wanted.max_storage_gib.is_some_and(|most| snapshot.storage_gib > most))
        .then(|| format!("it has {} GiB: raise `database.storage_limit_gib`", snapshot.storage_gib))
    })
}
