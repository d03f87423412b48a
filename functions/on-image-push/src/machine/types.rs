//! What goes into the machine, and what comes out of it.

use std::time::Duration;

use jiff::Timestamp;
use wharf_events::Notice;

use crate::record::{Push, Record};

/// What the stack's file says of a service, as far as rollouts need it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Goal {
    /// The service.
    pub service: String,
    /// The address of its repository, registry and all, as a container's image has it before tag or digest.
    pub repository: String,
    /// How many tasks it gets if it has none.
    pub least: i32,
    /// It runs now and then: the newest revision is what it runs next.
    pub periodic: bool,
    /// A command is run once in a task of its own before each rollout.
    pub prepares: bool,
    /// So long that command may take.
    pub timeout: Duration,
}

/// Who looks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Me {
    /// This look's own id.
    pub run: String,
    /// For people.
    pub who: String,
}

/// What woke a look.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// An image was pushed.
    Push(Push),
    /// ECS says that a deployment failed.
    Failed {
        /// Its id.
        deployment: String,
        /// Why, in ECS's words.
        why: String,
    },
    /// Something about the service's tasks or deployments has changed.
    Event,
    /// It is time to look, whether there were events or not.
    Schedule,
}

/// The record and the service as they were read at about the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The record, if there is one.
    pub record: Option<Record>,
    /// The service, if it is in ECS.
    pub seen: Option<Seen>,
    /// Why what was pushed is no image to deploy, if it is none.
    pub no_image: Option<String>,
}

/// A service as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// The revision that it is to run.
    pub revision: String,
    /// How many tasks there should be.
    pub desired: i32,
    /// Its deployments, as long as ECS shows them.
    pub deployments: Vec<Deployment>,
    /// The deployments that its events say failed.
    pub given_up: Vec<String>,
    /// What its newest event says, when it is that a task finds no place.
    pub unplaced: Option<String>,
    /// ECS brings back what ran before when a deployment fails.
    pub rolls_back: bool,
}

/// A deployment of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// The service is to be what it says.
    pub primary: bool,
    /// How far it has come.
    pub progress: Progress,
    /// Since when, by ECS's clock.
    pub since: Option<Timestamp>,
}

/// How far something has come: a deployment, or a task that runs a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Progress {
    /// On its way.
    Going,
    /// It has ended well.
    Done,
    /// It has not: why.
    Failed(String),
    /// ECS does not know it, or not any more.
    Unknown,
}

/// What became of a deployment, by the record that ECS keeps of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Traced {
    /// As far as this.
    Progress(Progress),
    /// It was stopped for another one.
    Overtaken,
}

/// A revision with the image in it that rollouts decide about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Base {
    /// Its ARN.
    pub arn: String,
    /// The address of the image's repository.
    pub repository: String,
    /// The image's digest, where it names one.
    pub digest: Option<String>,
}

/// What who died had done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Found {
    /// The revision that was registered.
    pub revision: Option<String>,
    /// ECS's ARN of the service deployment that brought it out.
    pub trace: Option<String>,
}

/// A deployment that ECS has begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Told {
    /// Its id.
    pub deployment: String,
    /// ECS's ARN of the service deployment, where it names one.
    pub trace: Option<String>,
}

/// A task that does not run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NotRun {
    /// No instance has room for it now: why.
    NoRoom(String),
    /// Another command before a deployment of the service runs: its task.
    NotAlone(String),
    /// ECS refuses it: why.
    Refused(String),
}

/// What came of waiting for another to be done with the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waited {
    /// It moved.
    Moved,
    /// It stood still for a whole lease.
    Dead,
    /// There is no time left for that.
    OutOfTime,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Record and service were read.
    Read(Box<Read>),
    /// It was waited for another.
    Waited(Waited),
    /// A revision was read; none where it is gone, or names no container whose image rollouts decide about.
    Described(Option<Base>),
    /// The record was written, or another was faster.
    Written(bool),
    /// What who died had done was looked up.
    Found(Found),
    /// A revision was registered, or refused; and the service was looked at.
    Made(Result<String, String>, Option<Seen>),
    /// The task was started, or refused.
    Ran(Result<String, NotRun>),
    /// ECS was told, or refuses.
    Told(Result<Told, String>),
    /// The task was looked at.
    Progress(Progress),
    /// The task was told to stop.
    Halted,
    /// The deployment was looked up.
    Traced(Option<Traced>),
    /// Why it failed.
    Explained(String),
    /// The service scales no lower any more, if it scales at all.
    Raised,
    /// The newest image with a release's tag, as if it had been pushed just now.
    Newest(Option<Push>),
    /// People were told, or could not be.
    Published(bool),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Read the record, the service, and what was pushed.
    Read,
    /// Wait until the record has moved, or its holder is dead.
    Wait {
        /// The record's version.
        version: u64,
        /// Who does not move it for so long is dead.
        lease: Duration,
    },
    /// Read a revision.
    Describe(String),
    /// Write the record, on the condition that it stands as the one before it.
    Write(Box<Record>),
    /// Look whether a revision like this with this image was registered, and brought out since the rollout began.
    Find {
        /// The revision.
        like: String,
        /// The image.
        image: String,
        /// When the rollout began.
        since: Timestamp,
    },
    /// Register a revision like this with this image, and meanwhile look at the service.
    Make {
        /// The revision.
        like: String,
        /// The image.
        image: String,
    },
    /// Run the command in a task of this revision. The same token starts no second task.
    Run {
        /// The revision.
        revision: String,
        /// The token.
        token: String,
    },
    /// Tell ECS.
    Tell(Change),
    /// Look at the task.
    Task(String),
    /// Tell the task to stop.
    Halt(String),
    /// Look up what became of a service deployment.
    Trace(String),
    /// Find out why a deployment failed.
    Explain {
        /// Its id.
        deployment: String,
        /// What is known of it.
        why: String,
    },
    /// See to it that the service, if it scales, keeps so many tasks at least.
    Raise(i32),
    /// Find the newest image.
    Newest,
    /// Tell people.
    Publish(Vec<Notice>),
    /// It is over.
    Stop(Outcome),
}

/// What ECS is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Change {
    /// To run this revision.
    pub revision: Option<String>,
    /// With so many tasks.
    pub count: Option<i32>,
}

/// How a look ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Something was done.
    Done(String),
    /// There was nothing to do: why.
    Ignored(String),
    /// It has to be looked again: why.
    Failed(String),
}

/// A signal that the machine cannot have caused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a look that is {phase} cannot take {signal}")]
pub struct Illegal {
    pub(super) phase: String,
    pub(super) signal: String,
}
