//! What Wharf does to a stack, apart from how it is shown: plan, drift, apply, destroy.

mod apply;
mod destroy;
mod error;
mod exec;
mod first_rollouts;
mod obstacles;
mod one_off;
mod preparation;
mod record;
mod restore;
mod rollout;
mod service_log;
mod table;
mod tasks;

use std::time::Duration;

use wharf_engine::{
    Action, Because, Drift, FieldChange, Found, Gone, LastApplied, Options, Plan, Reason, Replaces, Stack, World,
    drift, plan,
};

pub use apply::{Applied, Apply, Approval, Who};
pub use destroy::Left;
pub use error::{Error, GuardError};
pub use exec::{Exec, Opened};
pub use one_off::{Progress, Ran};
pub use preparation::BeforeDeploy;
pub use restore::{Ended, Intent, Kept, Point, Restore, RestoreError, Restored};
pub use rollout::{Deploy, Deployed, RolloutError, Serves, Wanted};
pub use service_log::{Line, Page, ServiceLog};
pub use table::TABLE;
pub use tasks::{Refusal, TaskError, short};

use crate::aws::connect::{self, Connection, connect};
use crate::aws::{Aws, Grant, Observer};
use crate::drive::{Kinds, sweep};
use crate::ledger::Ledger;

/// What operating a stack's services needs: to read their logs, to run a command beside them, to enter them.
#[must_use]
pub fn operating() -> Vec<Grant> {
    [tasks::grants(), service_log::grants(), one_off::grants(), exec::grants()].concat()
}

/// What running a command before a deployment needs.
#[must_use]
pub fn preparing() -> Vec<Grant> {
    one_off::grants()
}

/// A stack in an account.
pub struct Session {
    connection: Connection,
    /// AWS, scoped to the stack; without a lease, so for reading.
    pub aws: Aws,
    /// The stack's table.
    pub ledger: Ledger,
    /// All kinds.
    pub kinds: Kinds,
}

/// What is, what should be, and the way from one to the other.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What exists.
    pub world: World,
    /// What was applied last.
    pub last: Option<LastApplied>,
    /// The run that applied it, by which a later run is noticed.
    pub last_run: Option<String>,
    /// The stack's table, when the stack is to be destroyed: it holds the lock while the plan runs, so it is not in the
    /// plan and goes last.
    pub table: Option<Found>,
    /// What a destruction leaves on purpose.
    pub left: Vec<Left>,
    /// The way.
    pub plan: Plan,
}

/// Reads of EC2 and IAM can be older than a write that was answered seconds ago: what looks as if somebody had
/// changed it is looked at again after this.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>
const STALE: Duration = Duration::from_secs(5);

/// True when the plan holds what nobody asked for: a drifted field, a vanished resource, one that exists twice.
fn surprising(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| {
        let changes = match &step.action {
            Action::Update { changes, .. } | Action::Create { replaces: Some(Replaces { changes, .. }), .. } => changes,
            _ => &Vec::new(),
        };
        let drifted = |change: &FieldChange| matches!(change.because, Because::Drifted { .. });
        let reasons = [Reason::Vanished, Reason::Gone(Gone::Duplicate)];
        changes.iter().any(drifted) || step.reasons.iter().any(|reason| reasons.contains(reason))
    })
}

impl Session {
    /// Connects to the account of a stack.
    ///
    /// # Errors
    /// No way to the account, or it is another than the stack's `account`.
    pub async fn open(
        options: &connect::Options,
        stack: &str,
        account: Option<&str>,
        run: &str,
        observer: Observer,
    ) -> Result<Self, Error> {
        let connection = connect(options, observer.clone()).await?;
        if let Some(wanted) = account.filter(|wanted| *wanted != connection.account) {
            let found = connection.account.clone();
            return Err(GuardError::Account { wanted: wanted.to_owned(), found }.into());
        }
        let aws = connection.scoped(stack, run, observer);
        let ledger = Ledger::new(&aws);
        Ok(Self { connection, aws, ledger, kinds: Kinds::default() })
    }

    /// The same, where a database that is deleted leaves no final snapshot.
    #[must_use]
    pub fn without_final_snapshots(self) -> Self {
        Self { aws: self.aws.without_final_snapshots(), ..self }
    }

    /// Who the caller is and where.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What exists and what was applied last: all reads at once.
    ///
    /// # Errors
    /// A call that failed, or a stack that a later wharf applied.
    pub async fn look(&self, stack: &Stack) -> Result<(World, Option<LastApplied>, Option<String>), Error> {
        let (world, applied) = tokio::join!(sweep(&self.aws, &self.kinds, stack), self.ledger.applied());
        let (last, run) = applied?.map(|applied| (applied.last, applied.run)).unzip();
        Ok((world.map_err(Error::Sweep)?, last, run))
    }

    /// Plans the way to `stack`.
    ///
    /// # Errors
    /// As [`Session::look`], or there is no plan.
    pub async fn plan(&self, stack: &Stack, options: &Options) -> Result<Planned, Error> {
        let planned = self.plan_once(stack, options).await?;
        if !surprising(&planned.plan) {
            return Ok(planned);
        }
        tokio::time::sleep(STALE).await;
        self.plan_once(stack, options).await
    }

    async fn plan_once(&self, stack: &Stack, options: &Options) -> Result<Planned, Error> {
        let (mut world, last, last_run) = self.look(stack).await?;
        let table = table::take_table(stack, &mut world);
        let left = match stack.resources.is_empty() {
            true => self.leave(&mut world).await?,
            false => Vec::new(),
        };
        let plan = plan(stack, &world, last.as_ref(), options)?;
        self.passable(&plan).await?;
        Ok(Planned { world, last, last_run, table, left, plan })
    }

    /// What changed outside of Wharf since the last apply.
    ///
    /// # Errors
    /// As [`Session::plan`].
    pub async fn drift(&self, stack: &Stack, options: &Options) -> Result<Vec<Drift>, Error> {
        let look = async || {
            let (world, last, _) = self.look(stack).await?;
            Ok::<_, Error>(drift(stack, &world, last.as_ref(), options)?)
        };
        let first = look().await?;
        if first.is_empty() {
            return Ok(first);
        }
        tokio::time::sleep(STALE).await;
        look().await
    }
}
