//! Apply: lock, look, run, heal, record.

use std::collections::BTreeMap;
use std::future::Future;

use futures::FutureExt;
use futures::future::Shared;
use wharf_engine::{Action, Class, Event, Limits, LogicalId, Moved, Options, Outcome, Plan, Stack, World};

use super::table::Taken;
use super::{Error, Left, Planned, Session};
use crate::aws::Aws;
use crate::drive::Driver;
use crate::ledger::{Holder, Timing};

/// Who applies, for the lock and the history.
#[derive(Clone, Debug)]
pub struct Who {
    /// User and machine.
    pub name: String,
    /// Now, RFC 3339.
    pub at: String,
}

/// How a plan gets its approval.
pub enum Approval<'a> {
    /// Given beforehand.
    Given,
    /// For this saved plan, and no other.
    For(&'a Plan),
    /// Somebody is asked.
    Ask(&'a dyn Fn(&Planned) -> bool),
}

/// What to apply, and how.
pub struct Apply<'a> {
    /// What should be; empty to destroy.
    pub stack: &'a Stack,
    /// What is allowed.
    pub options: &'a Options,
    /// `apply` or `destroy`.
    pub command: &'static str,
    /// Who does it.
    pub who: Who,
    /// Whether it may be done.
    pub approval: Approval<'a>,
    /// The lock's times.
    pub timing: Timing,
    /// How many calls at once.
    pub limits: Limits,
    /// Hears of the plan before its run begins. A run that healed something has several.
    pub on_plan: &'a dyn Fn(&Planned),
    /// Hears the run's events.
    pub on_event: &'a dyn Fn(&Event),
    /// Hears of a lock's holder that has to be watched.
    pub on_wait: &'a dyn Fn(&Holder),
}

/// What became of it.
#[derive(Debug)]
pub struct Applied {
    /// Each plan that was run, and how it ended; the first is the one that was approved. None when it was declined
    /// or there was nothing to do.
    pub runs: Vec<(Planned, Outcome)>,
    /// Somebody was asked and said no.
    pub declined: bool,
    /// What a destruction left on purpose.
    pub left: Vec<Left>,
}

impl Applied {
    fn nothing(declined: bool) -> Self {
        Self { runs: Vec::new(), declined, left: Vec::new() }
    }

    /// True when nothing is left to do.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.runs.last().is_none_or(|(_, outcome)| outcome.complete())
    }
}

/// After a lost reply the world is looked at again; so many times a plan is made of what is found.
const HEALINGS: usize = 3;

impl Session {
    /// Applies a stack. Before the first write, everything that can be refused is.
    ///
    /// # Errors
    /// What stood against it. A run whose steps failed is no error here: [`Applied`] says so.
    pub async fn apply(&self, request: Apply<'_>, interrupt: impl Future<Output = ()>) -> Result<Applied, Error> {
        let planned = self.plan(request.stack, request.options).await?;
        match &request.approval {
            Approval::Given => {}
            Approval::For(saved) => {
                saved.still_holds(request.stack, &planned.world, planned.last.as_ref(), request.options)?;
            }
            Approval::Ask(ask) if planned.plan.steps.is_empty() || ask(&planned) => {}
            Approval::Ask(_) => return Ok(Applied::nothing(true)),
        }
        if planned.nothing_to_do() {
            return Ok(nothing_to_do(&request, planned));
        }
        match self.take_lock(planned, &request).await? {
            Some(taken) => self.locked(&request, taken, interrupt).await,
            None => Ok(Applied::nothing(false)),
        }
    }

    /// What is done while the lock is held. The lock is given back however it ends, but for a crash.
    async fn locked(
        &self,
        request: &Apply<'_>,
        taken: Taken,
        interrupt: impl Future<Output = ()>,
    ) -> Result<Applied, Error> {
        let Taken { planned, mut lock, unsure } = taken;
        let aws = self.aws.with_lease(lock.lease());
        let interrupt = interrupt.boxed_local().shared();
        let result = lock.while_kept(self.work(request, planned, unsure, &aws, interrupt)).await;
        let destroyed = request.stack.resources.is_empty() && result.as_ref().is_ok_and(Applied::complete);
        match result {
            Ok(applied) if destroyed && applied.runs.iter().all(|(planned, _)| planned.plan.kept.is_empty()) => {
                // The final snapshot exists by now; the key was taken out of the plan for it.
                let mut left = self.leave(&mut World::default()).await?;
                if let Some((planned, _)) = applied.runs.first() {
                    self.delete_table(planned, request).await?;
                    left.extend(planned.left.iter().filter(|left| left.kind == "kms.key").cloned());
                }
                Ok(Applied { left, ..applied })
            }
            result => {
                lock.release().await.map_err(crate::ledger::LockError::Call)?;
                result
            }
        }
    }

    async fn work(
        &self,
        request: &Apply<'_>,
        first: Planned,
        unsure: bool,
        aws: &Aws,
        interrupt: Shared<impl Future<Output = ()>>,
    ) -> Result<Applied, Error> {
        let mut planned = self.current(request, first, unsure).await?;
        let driver = Driver { aws, kinds: &self.kinds, stack: request.stack, on_event: request.on_event };
        let mut runs = Vec::new();
        for _ in 0..HEALINGS {
            (request.on_plan)(&planned);
            let outcome = driver.run(&planned.plan, &planned.world, request.limits, interrupt.clone()).await?;
            let again = outcome.ambiguous && !outcome.interrupted && !refused(&outcome);
            self.close_first_rollouts(request, &planned, &outcome).await?;
            self.record(request, &planned, &outcome).await?;
            runs.push((planned.clone(), outcome));
            if !again {
                break;
            }
            planned = self.plan(request.stack, request.options).await?;
            if planned.plan.steps.is_empty() {
                break;
            }
        }
        Ok(Applied { runs, declined: false, left: Vec::new() })
    }

    /// The plan, made again when another run may have come between it and the lock.
    async fn current(&self, request: &Apply<'_>, planned: Planned, unsure: bool) -> Result<Planned, Error> {
        let now = self.ledger.applied().await?.map(|applied| applied.run);
        if !unsure && now == planned.last_run {
            return Ok(planned);
        }
        let now = self.plan(request.stack, request.options).await?;
        match &request.approval {
            Approval::Given => {}
            Approval::For(plan) => same(plan, &now.plan)?,
            Approval::Ask(_) => same(&planned.plan, &now.plan)?,
        }
        Ok(now)
    }
}

/// True when something failed that another plan would not show: that stands, whatever else there is to heal.
fn refused(outcome: &Outcome) -> bool {
    let passes = |class: Class| !matches!(class, Class::Refused | Class::Invalid | Class::Quota | Class::Internal);
    outcome.failed.iter().any(|(_, failure)| !passes(failure.class))
}

fn nothing_to_do(request: &Apply<'_>, planned: Planned) -> Applied {
    (request.on_plan)(&planned);
    Applied { left: planned.left, ..Applied::nothing(false) }
}

/// Holds a plan against the one that was approved, in which the stack's table may still have been to be made.
fn same(approved: &Plan, now: &Plan) -> Result<(), Moved> {
    let about = |plan: &Plan| -> BTreeMap<LogicalId, Vec<Action>> {
        let mut actions = BTreeMap::<_, Vec<_>>::new();
        for step in plan.steps.iter().filter(|step| step.id.as_str() != super::TABLE) {
            actions.entry(step.id.clone()).or_default().push(step.action.clone());
        }
        actions
    };
    let (approved, now) = (about(approved), about(now));
    let moved = approved.keys().chain(now.keys()).find(|id| approved.get(*id) != now.get(*id));
    match moved {
        None => Ok(()),
        Some(id) => Err(Moved::Resource { id: id.clone(), what: "it would now be done otherwise".to_owned() }),
    }
}
