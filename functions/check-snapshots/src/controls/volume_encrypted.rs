//! A volume and its snapshots are encrypted with keys that can be used.

use wharf_events::Severity;

use super::{Control, Judged, volumes};
use crate::demands::Demands;
use crate::inventory::Inventory;

pub(super) const CONTROL: Control = Control {
    id: "volume.encrypted",
    severity: Severity::Critical,
    demand: |_| "it and its snapshots are encrypted, by keys that can be used".to_owned(),
    mend: "cancel the key's deletion or enable it; let the instances be replaced by ones whose volumes are encrypted",
    judge,
};

fn judge(inventory: &Inventory, _: &Demands) -> Vec<Judged> {
    volumes(inventory, |volume| volume.subject().encrypted(&inventory.keys))
}
