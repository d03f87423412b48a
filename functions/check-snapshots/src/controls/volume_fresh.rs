//! The newest snapshot of a volume that can be restored is young enough.

use wharf_events::Severity;

use super::{Control, Judged, snapshots, volumes};
use crate::demands::Demands;
use crate::inventory::Inventory;

pub(super) const CONTROL: Control = Control {
    id: "volume.fresh",
    severity: Severity::Warning,
    demand: |demands| {
        format!("never more than {} without a snapshot that can be restored", snapshots::longest(demands))
    },
    mend: "see what DLM says of the policy; take one by hand with `aws ec2 create-snapshot`",
    judge,
};

fn judge(inventory: &Inventory, demands: &Demands) -> Vec<Judged> {
    volumes(inventory, |volume| volume.subject().fresh(demands, inventory.at))
}
