//! What a destruction leaves on purpose.

use std::collections::BTreeSet;

use wharf_engine::{Found, Value, World};

use super::{Error, Session};
use crate::aws::rds::snapshots;

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
}
