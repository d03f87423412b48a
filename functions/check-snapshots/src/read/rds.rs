//! What instances and clusters have in common: snapshots by the database that they are of, and who may use them.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};

use super::AT_ONCE;
use crate::inventory::{Database, Known, Sharing, Snapshot, SnapshotState};

/// The attribute that says who may restore a snapshot, and the account that stands for everybody.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBSnapshotAttribute.html>
pub(super) const RESTORE: &str = "restore";
const EVERYBODY: &str = "all";

/// The snapshots of a region.
#[derive(Default)]
pub(super) struct Snapshots {
    by_database: BTreeMap<String, Vec<Snapshot>>,
    /// Those that RDS did not make by itself.
    made_by_somebody: BTreeSet<String>,
}

impl Snapshots {
    /// Adds one, of a database and a type.
    pub(super) fn add(&mut self, database: Option<String>, kind: Option<&str>, snapshot: Snapshot) {
        if kind != Some("automated") {
            self.made_by_somebody.insert(snapshot.id.clone());
        }
        self.by_database.entry(database.unwrap_or_default()).or_default().push(snapshot);
    }
}

/// How far a snapshot in this state is. A state that is not known is unfinished: nothing can be restored from it yet.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_CreateSnapshot.html>
pub(super) fn state(status: Option<&str>) -> SnapshotState {
    match status {
        Some("available") => SnapshotState::Available,
        Some(failed @ ("failed" | "incompatible-restore" | "incompatible-parameters")) => {
            SnapshotState::Failed(failed.to_owned())
        }
        Some(other) => SnapshotState::Unfinished(other.to_owned()),
        None => SnapshotState::Unfinished("in no state".to_owned()),
    }
}

/// Who may restore a snapshot whose attribute has these values.
pub(super) fn sharing(values: &[String]) -> Sharing {
    if values.iter().any(|value| value == EVERYBODY) {
        return Sharing::Public;
    }
    if values.is_empty() {
        return Sharing::Private;
    }
    let mut accounts = values.to_vec();
    accounts.sort();
    Sharing::With(accounts)
}

/// Gives each database its snapshots, and asks who may use each that somebody made: those that RDS makes cannot be
/// shared. <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ShareSnapshot.html>
pub(super) async fn with_snapshots(
    mut databases: Vec<Database>,
    snapshots: Known<Snapshots>,
    ask: impl AsyncFn(&str) -> Known<Sharing>,
) -> Vec<Database> {
    let mut snapshots = match snapshots {
        Ok(snapshots) => snapshots,
        Err(unknown) => {
            databases.iter_mut().for_each(|database| database.snapshots = Err(unknown.clone()));
            return databases;
        }
    };
    let mut ours: Vec<(&mut Database, Vec<Snapshot>)> = Vec::new();
    for database in &mut databases {
        let of_it = snapshots.by_database.remove(&database.id).unwrap_or_default();
        ours.push((database, of_it));
    }
    let made = &snapshots.made_by_somebody;
    let shareable = ours.iter_mut().flat_map(|(_, of_it)| of_it).filter(|one| made.contains(&one.id));
    let ask = &ask;
    let asked = stream::iter(shareable).map(|one| async move { one.sharing = ask(&one.id).await });
    asked.buffer_unordered(AT_ONCE).collect::<()>().await;
    ours.into_iter().for_each(|(database, of_it)| database.snapshots = Ok(of_it));
    databases
}
