//! The stack's table: the first thing made and the last destroyed.

use std::collections::BTreeMap;

use wharf_engine::{AllowDestroy, Found, Options, Outcome, Stack, World, plan};

use super::{Apply, Error, Planned, Session};
use crate::drive::{Driver, sweep};

/// The logical id of the stack's table.
pub const TABLE: &str = "stack.table";

/// Takes the table out of the world when nothing of the stack shall be left: it goes after all else.
pub(super) fn take_table(stack: &Stack, world: &mut World) -> Option<Found> {
    if !stack.resources.is_empty() {
        return None;
    }
    let at = world.found.iter().position(|found| found.id.as_str() == TABLE)?;
    Some(world.found.swap_remove(at))
}

impl Session {
    /// Makes the table when it is not there yet, by a run of its own, and answers what was made.
    pub(super) async fn ensure_table(&self, planned: &Planned, request: &Apply<'_>) -> Result<Option<Found>, Error> {
        let exists = planned.world.found.iter().chain(&planned.table).any(|found| found.id.as_str() == TABLE);
        if exists {
            return Ok(None);
        }
        let table = request.stack.resources.iter().filter(|(id, _)| id.as_str() == TABLE);
        let alone = Stack { resources: table.map(|(id, r)| (id.clone(), r.clone())).collect() };
        self.table_run(&alone, planned, request, "make").await?;
        let world = sweep(&self.aws, &self.kinds.only("dynamodb.table"), &alone).await.map_err(Error::Sweep)?;
        Ok(world.found.into_iter().find(|found| found.id.as_str() == TABLE))
    }

    /// Deletes the table, and with it the lock and the history.
    pub(super) async fn delete_table(&self, planned: &Planned, request: &Apply<'_>) -> Result<(), Error> {
        let nothing = Stack { resources: BTreeMap::new() };
        self.table_run(&nothing, planned, request, "delete").await
    }

    async fn table_run(
        &self,
        stack: &Stack,
        planned: &Planned,
        request: &Apply<'_>,
        what: &'static str,
    ) -> Result<(), Error> {
        let found = planned.world.found.iter().chain(&planned.table).filter(|found| found.id.as_str() == TABLE);
        let world = World { found: found.cloned().collect() };
        let options = Options { allow_destroy: AllowDestroy::All, ..Options::default() };
        let plan = plan(stack, &world, None, &options)?;
        let driver = Driver { aws: &self.aws, kinds: &self.kinds, stack, on_event: &|_| {} };
        let outcome = driver.run(&plan, &world, request.limits, std::future::pending()).await?;
        match failure(&outcome) {
            None => Ok(()),
            Some(message) => Err(Error::Table(what, message)),
        }
    }
}

fn failure(outcome: &Outcome) -> Option<String> {
    outcome.failed.first().map(|(_, failure)| failure.message.clone())
}
