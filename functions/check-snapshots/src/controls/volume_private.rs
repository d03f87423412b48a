//! No snapshot of a volume is anybody else's.

use wharf_events::Severity;

use super::{Control, Judged, volumes};
use crate::demands::Demands;
use crate::inventory::Inventory;

pub(super) const CONTROL: Control = Control {
    id: "volume.private",
    severity: Severity::Critical,
    demand: |_| "no snapshot is public or shared with another account".to_owned(),
    mend: "`aws ec2 modify-snapshot-attribute --operation-type remove`; then find out who copied it",
    judge,
};

fn judge(inventory: &Inventory, _: &Demands) -> Vec<Judged> {
    volumes(inventory, |volume| volume.subject().private())
}
