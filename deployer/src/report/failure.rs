//! What went wrong, by whose it is to mend; that decides the exit code.

use std::error::Error;

use wharf_engine::{Blocker, Class, PlanError};

use super::printer::Paint;
use crate::aws::{CallError, ConnectError};
use crate::config::{LoadError, Problems};
use crate::ledger::{ClaimError, HistoryError, LockError};
use crate::operations::{self, RestoreError, RolloutError};
use crate::packages::PackageError;
use crate::platform::BuildError;

/// Whose it is to mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The user's: the stack file or the command line.
    Config,
    /// AWS refused, or a step failed.
    Refused,
    /// Something stands against it: a lock, another account, a moved world, a resource that is protected or not ours.
    Conflict,
    /// A fault of wharf's own.
    Ours,
    /// Somebody stopped it.
    Interrupted,
}

impl Kind {
    /// The process's exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Refused => 1,
            Self::Config => 2,
            Self::Conflict => 3,
            Self::Ours => 4,
            Self::Interrupted => 130,
        }
    }
}

/// What went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Whose it is to mend.
    pub kind: Kind,
    /// What happened.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Problems of a stack file, which show themselves.
    pub problems: Option<Problems>,
}

/// Why a command ended early.
#[derive(Debug)]
pub enum Stop {
    /// Something went wrong.
    Failed(Box<Failure>),
    /// The reader of stdout has gone, which is no failure.
    NobodyReads,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hint: None, problems: None }
    }

    /// Something that the user wrote.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Kind::Config, message)
    }

    /// A fault of wharf's own.
    pub fn ours(message: impl Into<String>) -> Self {
        Self::new(Kind::Ours, message)
            .hint("this is a fault in wharf: please report it with the command and its output")
    }

    /// The same, with an error as its cause.
    #[must_use]
    pub fn because(mut self, error: &dyn Error) -> Self {
        self.causes.extend(chain(error));
        self
    }

    /// The same, saying what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As it is shown.
    #[must_use]
    pub fn render(&self, paint: Paint, width: usize) -> String {
        let mut text = match &self.problems {
            Some(problems) => problems.render(paint.0, width),
            None => String::new(),
        };
        text.push_str(&format!("{} {}\n", paint.red(paint.bold("error:")), indent(&self.message)));
        for cause in &self.causes {
            text.push_str(&format!("  {} {}\n", paint.dim("because:"), indent(cause)));
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("  {} {}\n", paint.cyan("hint:"), indent(hint)));
        }
        text
    }
}

fn indent(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

/// An error and what caused it; a cause that the text before already holds is not said twice.
fn chain(error: &dyn Error) -> Vec<String> {
    let mut all: Vec<String> = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !all.iter().any(|said| said.contains(&text)) {
            all.push(text);
        }
        source = cause.source();
    }
    all
}

fn without_causes(kind: Kind, error: &dyn Error) -> Failure {
    let mut texts = chain(error).into_iter();
    let message = texts.next().unwrap_or_default();
    Failure { causes: texts.collect(), ..Failure::new(kind, message) }
}

/// Whose a failed call is to mend.
fn of_class(class: Class) -> Kind {
    if class == Class::Internal { Kind::Ours } else { Kind::Refused }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Unreadable { .. } => without_causes(Kind::Config, &error).hint(
                "give the stack file with `--config FILE`; without it, `infra/wharf.toml` or `wharf.toml` here is read",
            ),
            LoadError::Wrong(problems) => {
                let count = problems.iter().filter(|p| p.severity == crate::config::Severity::Error).count();
                let things = if count == 1 { "one thing is" } else { "several things are" };
                let message = format!("{}: {things} wrong, nothing was done", problems.file());
                Self { problems: Some(*problems), ..Self::config(message) }
            }
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let hint = error.hint.clone();
        Self { hint, ..Self::new(of_class(error.class), error.message) }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held(_) => without_causes(Kind::Conflict, &error)
                .hint("wait for it to end; `wharf unlock` shows the lock and can take it away"),
            LockError::Call(error) => error.into(),
        }
    }
}

impl From<PackageError> for Failure {
    fn from(error: PackageError) -> Self {
        let hint = error.hint();
        let causes = error.source().into_iter().flat_map(chain).collect();
        Self { causes, ..Self::config(error.to_string()) }.hint(hint)
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Zones { .. } => {
                Self::config(error.to_string()).hint("write fewer `zones`, or choose another region")
            }
            BuildError::Zone(_) | BuildError::Trunking(_) => Self::config(error.to_string()),
            BuildError::Id(_) | BuildError::Twice(_) | BuildError::Inputs(..) => {
                Self::ours("the stack file is good, but no stack can be made of it").because(&error)
            }
        }
    }
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Newer { .. } => without_causes(Kind::Conflict, &error),
            HistoryError::Malformed(..) => without_causes(Kind::Conflict, &error)
                .hint("the stack's table was written by something else; a plan needs no record, so it can be deleted"),
            HistoryError::Call(error) => error.into(),
        }
    }
}

impl From<operations::Error> for Failure {
    fn from(error: operations::Error) -> Self {
        use operations::Error;
        match error {
            Error::Connect(
                ConnectError::Identity(ref call)
                | ConnectError::Zones(ref call)
                | ConnectError::Zone(_, ref call)
                | ConnectError::Trunking(ref call),
            )
            | Error::Sweep(ref call) => {
                let hint = call.hint.clone();
                Self { hint, ..without_causes(of_class(call.class), &error) }
            }
            Error::Guard(_) => without_causes(Kind::Conflict, &error)
                .hint("nothing was read or written; check `--profile`, `AWS_PROFILE` and `[stack] account`"),
            Error::History(error) => error.into(),
            Error::Lock(error) => error.into(),
            Error::Table(..) => without_causes(Kind::Refused, &error),
            Error::Plan(error) => error.into(),
            Error::Moved(_) => without_causes(Kind::Conflict, &error).hint("plan again, and look at what is different"),
            Error::Rollout(error) => error.into(),
            Error::Restore(error) => error.into(),
            Error::Run(_) => Self::ours("the run went wrong").because(&error),
        }
    }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Call(error) => error.into(),
            RestoreError::NoDatabase | RestoreError::NoSnapshot(_) => without_causes(Kind::Config, &error),
            RestoreError::Outside { .. } => without_causes(Kind::Config, &error)
                .hint("name a time between them, `--at latest`, or a `--snapshot`; nothing was changed"),
            RestoreError::Unfit { .. } => without_causes(Kind::Config, &error),
            RestoreError::NoPast | RestoreError::NoBackups(_) => {
                without_causes(Kind::Refused, &error).hint("`--snapshot ID` restores a snapshot; nothing was changed")
            }
            RestoreError::NotApplied(_) => without_causes(Kind::Refused, &error).hint("run `wharf apply` first"),
            RestoreError::Other { .. } => without_causes(Kind::Conflict, &error)
                .hint("carry on with that one by the same command, or delete its instance"),
            RestoreError::Failed { .. } | RestoreError::Unready(_) => without_causes(Kind::Refused, &error)
                .hint("look at the instance's events (`aws rds describe-events`); the same command carries on"),
            RestoreError::Differs { .. } => without_causes(Kind::Refused, &error)
                .hint("write into the stack file what the backup has, and run the same command; it carries on"),
        }
    }
}

impl From<RolloutError> for Failure {
    fn from(error: RolloutError) -> Self {
        match error {
            RolloutError::Call(error) => error.into(),
            RolloutError::Claim(error) => error.into(),
            RolloutError::Illegal(_) => Self::ours("the rollout went wrong").because(&error),
            RolloutError::NoService(_) => without_causes(Kind::Refused, &error).hint("`wharf apply` makes it"),
            RolloutError::NoImage { .. } | RolloutError::NoRelease { .. } => without_causes(Kind::Refused, &error)
                .hint("nothing was changed; push the image first, or name another by `--tag` or `--digest`"),
            RolloutError::NothingBefore(_) => without_causes(Kind::Refused, &error)
                .hint("nothing was changed; `wharf deploy SERVICE --tag TAG` brings any image out"),
            RolloutError::NoContainer(_) | RolloutError::Elsewhere { .. } => without_causes(Kind::Refused, &error),
        }
    }
}

impl From<ClaimError> for Failure {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Call(error) => error.into(),
            ClaimError::Held { .. } => without_causes(Kind::Conflict, &error)
                .hint("wait for it to end; a run that has died loses its claim within a minute"),
            ClaimError::Lost(_) => without_causes(Kind::Conflict, &error).hint("look at the service, and deploy again"),
            ClaimError::NoTable(_) => without_causes(Kind::Refused, &error).hint("run `wharf apply`"),
            ClaimError::Malformed { .. } => without_causes(Kind::Conflict, &error)
                .hint("use the wharf that wrote it, or delete the item `rollout` of the stack's table"),
        }
    }
}

impl From<operations::TaskError> for Failure {
    fn from(error: operations::TaskError) -> Self {
        match error {
            operations::TaskError::Call(error) => error.into(),
            operations::TaskError::Refused(operations::Refusal { what, because, hint }) => {
                Self { causes: because, hint, ..Self::new(Kind::Refused, what) }
            }
        }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match &error {
            PlanError::Blocked(blockers) => blocked(blockers),
            _ => Self::ours("there is no plan").because(&error),
        }
    }
}

fn blocked(blockers: &[Blocker]) -> Failure {
    let things = if blockers.len() == 1 { "one thing stands" } else { "several things stand" };
    let causes = blockers.iter().map(ToString::to_string).collect();
    Failure { causes, ..Failure::new(Kind::Conflict, format!("{things} against this plan, nothing was done")) }
}
