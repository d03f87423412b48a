//! The stack's table: the first thing made and the last destroyed.

use std::collections::{BTreeMap, BTreeSet};

use wharf_engine::{AllowDestroy, Found, Health, Options, Outcome, Stack, Value, World, plan};

use super::{Apply, Error, Planned, Session};
use crate::aws::rds::snapshots;
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

/// What a destruction leaves on purpose.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Left {
    /// Its kind: `rds.snapshot` or `kms.key`.
    pub kind: String,
    /// AWS's name for it.
    pub physical: String,
    /// Why it stays, and what it costs.
    pub why: String,
}

impl Session {
    /// Takes out of the world what a final snapshot needs: a snapshot whose key is gone cannot be restored.
    pub(super) async fn leave(&self, world: &mut World) -> Result<Vec<Left>, Error> {
        let snapshots = snapshots::list(&self.aws).await.map_err(Error::Sweep)?;
        let to_come = world.found.iter().filter(|found| found.rules.kind == "rds.instance");
        let to_come = to_come
            .filter(|_| self.aws.final_snapshots())
            .filter_map(|database| database.inputs.get("kms_key").and_then(Value::as_text));
        let needed: BTreeSet<_> = snapshots.iter().filter_map(|snapshot| snapshot.key.clone()).chain(to_come).collect();
        let arn = |found: &Found| found.outputs.get("arn").and_then(Value::as_text);
        let is_needed =
            |found: &Found| found.rules.kind == "kms.key" && arn(found).is_some_and(|arn| needed.contains(&arn));
        let keys: Vec<_> =
            world.found.iter().filter(|found| is_needed(found)).map(|key| key.physical.clone()).collect();
        world.found.retain(|found| !is_needed(found));
        let snapshots = snapshots.into_iter().map(|snapshot| Left {
            kind: "rds.snapshot".to_owned(),
            physical: snapshot.id,
            why: format!(
                "a snapshot of the database ({} GiB at most, by the GiB and month): delete it when its data is not \
                 needed any more",
                snapshot.storage_gib
            ),
        });
        let keys = keys.into_iter().map(|key| Left {
            kind: "kms.key".to_owned(),
            physical: key,
            why: "the snapshot cannot be restored without it (1 USD a month): schedule its deletion after the \
                  snapshot's"
                .to_owned(),
        });
        Ok(snapshots.chain(keys).collect())
    }

    /// Makes the table when it is not there yet, by a run of its own, and answers what was made.
    pub(super) async fn ensure_table(&self, planned: &Planned, request: &Apply<'_>) -> Result<Option<Found>, Error> {
        // A run that died may have left one that AWS is still making: it is waited for like a new one.
        let mut found = planned.world.found.iter().chain(&planned.table);
        if found.any(|found| found.id.as_str() == TABLE && found.health == Health::Ready) {
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
