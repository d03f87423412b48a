//! No snapshot has failed, hangs, or lacks its time.

use wharf_events::Severity;

use super::{Control, Judged, databases};
use crate::demands::Demands;
use crate::inventory::Inventory;

pub(super) const CONTROL: Control = Control {
    id: "database.complete",
    severity: Severity::Warning,
    demand: |_| "every snapshot is whole and says its time".to_owned(),
    mend: "delete the snapshot that failed, and take another",
    judge,
};

fn judge(inventory: &Inventory, _: &Demands) -> Vec<Judged> {
    databases(inventory, |one| Some(one.subject().complete(inventory.at)))
}
