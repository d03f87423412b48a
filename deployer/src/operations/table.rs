//! The stack's table: the first thing made and the last destroyed, because it holds the lock.
//!
//! A run may die while AWS makes the table or deletes it. So whoever wants the lock first brings the table to one of
//! two ends: it is ready, or, for a destruction, it is gone and nothing is left that a lock would be needed for.

use std::collections::BTreeMap;

use wharf_engine::{AllowDestroy, Class, Found, Health, LogicalId, Options, Outcome, Resource, Stack, World, plan};

use super::{Apply, Approval, Error, Planned, STALE, Session};
use crate::aws::Tags;
use crate::aws::dynamodb::table::Table;
use crate::aws::erased::to_fields;
use crate::aws::kind::Kind;
use crate::drive::{Driver, sweep};
use crate::ledger::{self, Holder, Lock, LockError};

/// The logical id of the stack's table.
pub const TABLE: &str = "stack.table";

/// How often the table may come, or go, between a look and the next before somebody is told.
const LOOKS: usize = 4;

/// The plan, and the lock under which it is carried out.
pub(super) struct Taken {
    pub(super) planned: Planned,
    pub(super) lock: Lock,
    /// Another run may have come between the plan and the lock.
    pub(super) unsure: bool,
}

/// Takes the table out of the world when nothing of the stack shall be left: it goes after all else.
pub(super) fn take_table(stack: &Stack, world: &mut World) -> Option<Found> {
    if !stack.resources.is_empty() {
        return None;
    }
    let at = world.found.iter().position(is_table)?;
    Some(world.found.swap_remove(at))
}

fn is_table(found: &Found) -> bool {
    found.id.as_str() == TABLE
}

impl Planned {
    /// True when the plan has no step and no table waits to be deleted after it.
    pub(super) fn nothing_to_do(&self) -> bool {
        self.plan.steps.is_empty() && (self.table.is_none() || !self.plan.kept.is_empty())
    }

    fn found_table(&self) -> Option<&Found> {
        self.world.found.iter().chain(&self.table).find(|found| is_table(found))
    }
}

impl Session {
    /// Takes the stack's lock, for which the table is made ready. None when a destruction finds that nothing is left.
    pub(super) async fn take_lock(&self, mut planned: Planned, request: &Apply<'_>) -> Result<Option<Taken>, Error> {
        let unsure = std::cell::Cell::new(matches!(request.approval, Approval::Ask(_)));
        let on_wait = |other: &Holder| {
            unsure.set(true);
            (request.on_wait)(other);
        };
        for _ in 0..LOOKS {
            let Some(ready) = self.table_ready_or_gone(planned, request, &unsure).await? else { return Ok(None) };
            let holder = Holder::new(self.aws.run(), &request.who.name, request.command, &request.who.at);
            match self.ledger.lock(holder, request.timing.clone(), &on_wait).await {
                Ok(lock) => return Ok(Some(Taken { planned: ready, lock, unsure: unsure.get() })),
                // Whoever had the lock has deleted the table that held it.
                Err(LockError::Call(error)) if error.class == Class::Missing => {
                    planned = self.look_again(request, &unsure).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(comes_and_goes())
    }

    /// Waits for a table that AWS is making or deleting, and makes one that is not there. None when a destruction
    /// finds that nothing is left.
    async fn table_ready_or_gone(
        &self,
        mut planned: Planned,
        request: &Apply<'_>,
        unsure: &std::cell::Cell<bool>,
    ) -> Result<Option<Planned>, Error> {
        let destroys = request.stack.resources.is_empty();
        let mut looked = false;
        for _ in 0..LOOKS {
            match planned.found_table().map(|table| table.health.clone()) {
                Some(Health::Ready) => return Ok(Some(planned)),
                Some(Health::Deleting) => self.delete_table(&planned, request).await?,
                // The table is the last to go: what is still seen without it may be an old answer.
                None if destroys && !looked => looked = true,
                None if !destroys => {
                    unsure.set(unsure.get() || !planned.world.found.is_empty());
                    return self.with_new_table(planned, request).await.map(Some);
                }
                Some(_) | None => self.make_table(&planned, request).await?,
            }
            planned = self.look_again(request, unsure).await?;
            if destroys && planned.nothing_to_do() {
                return Ok(None);
            }
        }
        Err(comes_and_goes())
    }

    async fn look_again(&self, request: &Apply<'_>, unsure: &std::cell::Cell<bool>) -> Result<Planned, Error> {
        unsure.set(true);
        tokio::time::sleep(STALE).await;
        self.plan(request.stack, request.options).await
    }

    /// The same plan once the table is made. All else is as it was seen a moment ago.
    async fn with_new_table(&self, planned: Planned, request: &Apply<'_>) -> Result<Planned, Error> {
        self.make_table(&planned, request).await?;
        let kinds = self.kinds.only(Table::RULES.kind);
        let table = sweep(&self.aws, &kinds, request.stack).await.map_err(Error::Sweep)?;
        let Planned { mut world, last, last_run, .. } = planned;
        world.found.extend(table.found.into_iter().filter(is_table));
        let plan = plan(request.stack, &world, last.as_ref(), request.options)?;
        Ok(Planned { world, last, last_run, table: None, left: Vec::new(), plan })
    }

    /// Makes the table, or waits until it is ready, by a run of its own.
    async fn make_table(&self, planned: &Planned, request: &Apply<'_>) -> Result<(), Error> {
        let id = LogicalId::new(TABLE).map_err(|error| Error::Table("make", error.to_string()))?;
        let table = match (request.stack.resources.get(&id), planned.found_table()) {
            (Some(wanted), _) => wanted.clone(),
            // It is to go: as it is, it is good enough to hold the lock until then.
            (None, Some(found)) => as_resource(id, found.inputs.clone()),
            (None, None) => {
                let inputs = to_fields(&ledger::table(Tags::new()));
                as_resource(id, inputs.map_err(|error| Error::Table("make", error.to_string()))?)
            }
        };
        let alone = Stack { resources: BTreeMap::from([(table.id.clone(), table)]) };
        self.table_run(&alone, planned, request, "make").await
    }

    /// Deletes the table, and with it the lock and the history; waits for one that is on its way out.
    pub(super) async fn delete_table(&self, planned: &Planned, request: &Apply<'_>) -> Result<(), Error> {
        self.table_run(&Stack::default(), planned, request, "delete").await
    }

    async fn table_run(
        &self,
        stack: &Stack,
        planned: &Planned,
        request: &Apply<'_>,
        what: &'static str,
    ) -> Result<(), Error> {
        let world = World { found: planned.found_table().cloned().into_iter().collect() };
        let options = Options { allow_destroy: AllowDestroy::All, ..request.options.clone() };
        let plan = plan(stack, &world, None, &options)?;
        let driver = Driver { aws: &self.aws, kinds: &self.kinds, stack, on_event: &|_| {} };
        let outcome = driver.run(&plan, &world, request.limits, std::future::pending()).await?;
        match failure(&outcome) {
            None => Ok(()),
            Some(message) => Err(Error::Table(what, message)),
        }
    }
}

fn as_resource(id: LogicalId, inputs: wharf_engine::Inputs) -> Resource {
    Resource { id, rules: Table::RULES, inputs, after: Default::default() }
}

fn failure(outcome: &Outcome) -> Option<String> {
    outcome.failed.first().map(|(_, failure)| failure.message.clone())
}

fn comes_and_goes() -> Error {
    Error::Table("find", "it comes and goes: another run is making or deleting it".to_owned())
}
