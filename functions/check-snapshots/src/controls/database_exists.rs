//! Every database that the stack has is there: of one that is gone, no other control says anything.

use wharf_events::Severity;

use super::{Control, Judged};
use crate::demands::Demands;
use crate::inventory::{Inventory, Unknown};

pub(super) const CONTROL: Control = Control {
    id: "database.exists",
    severity: Severity::Critical,
    demand: |_| "every database of the stack is there".to_owned(),
    mend: "find out who deleted it; restore its last snapshot with `wharf restore database`, or apply the stack anew",
    judge,
};

fn judge(inventory: &Inventory, demands: &Demands) -> Vec<Judged> {
    let found = |id: &str| inventory.instances.iter().chain(&inventory.clusters).flatten().any(|one| one.id == id);
    let unread: Option<&Unknown> = inventory.instances.as_ref().err().or(inventory.clusters.as_ref().err());
    let judge = |id: &String| match (found(id), unread) {
        (true, _) => Judged::of(id, true, "it is there"),
        (false, None) => Judged::of(id, false, "there is no such database, or it lacks the stack's tag"),
        (false, Some(unknown)) => Judged::unknown(id, unknown),
    };
    demands.databases.iter().map(judge).collect()
}
