//! A database and its snapshots are encrypted with keys that can be used.

use wharf_events::Severity;

use super::{Control, Judged, databases};
use crate::demands::Demands;
use crate::inventory::Inventory;

pub(super) const CONTROL: Control = Control {
    id: "database.encrypted",
    severity: Severity::Critical,
    demand: |_| "it and its snapshots are encrypted, by keys that can be used".to_owned(),
    mend: "cancel the key's deletion or enable it, before the database needs it; what is not encrypted is copied with a key and restored",
    judge,
};

fn judge(inventory: &Inventory, _: &Demands) -> Vec<Judged> {
    databases(inventory, |one| Some(one.subject().encrypted(&inventory.keys)))
}
