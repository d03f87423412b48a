//! No snapshot of a database is anybody else's.

use wharf_events::Severity;

use super::{Control, Judged, databases};
use crate::demands::Demands;
use crate::inventory::Inventory;

pub(super) const CONTROL: Control = Control {
    id: "database.private",
    severity: Severity::Critical,
    demand: |_| "no snapshot is public or shared with another account".to_owned(),
    mend: "`aws rds modify-db-snapshot-attribute --attribute-name restore --values-to-remove`; then find out who copied it",
    judge,
};

fn judge(inventory: &Inventory, _: &Demands) -> Vec<Judged> {
    databases(inventory, |one| Some(one.subject().private()))
}
