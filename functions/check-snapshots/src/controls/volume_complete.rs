//! No snapshot of a volume has failed or hangs.

use wharf_events::Severity;

use super::{Control, Judged, volumes};
use crate::demands::Demands;
use crate::inventory::Inventory;

pub(super) const CONTROL: Control = Control {
    id: "volume.complete",
    severity: Severity::Warning,
    demand: |_| "every snapshot is whole and says its time".to_owned(),
    mend: "delete the snapshot that failed; DLM makes another at its time",
    judge,
};

fn judge(inventory: &Inventory, _: &Demands) -> Vec<Judged> {
    volumes(inventory, |volume| volume.subject().complete(inventory.at))
}
