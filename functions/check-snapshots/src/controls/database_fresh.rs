//! The newest snapshot that can be restored is young enough.

use wharf_events::Severity;

use super::{Control, Judged, databases, snapshots};
use crate::demands::Demands;
use crate::inventory::Inventory;

pub(super) const CONTROL: Control = Control {
    id: "database.fresh",
    severity: Severity::Warning,
    demand: |demands| {
        format!("never more than {} without a snapshot that can be restored", snapshots::longest(demands))
    },
    mend: "see RDS's events for why the daily backup failed; take one by hand with `aws rds create-db-snapshot`",
    judge,
};

fn judge(inventory: &Inventory, demands: &Demands) -> Vec<Judged> {
    databases(inventory, |one| (!one.replica).then(|| one.subject().fresh(demands, inventory.at)))
}
