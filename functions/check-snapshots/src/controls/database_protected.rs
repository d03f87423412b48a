//! AWS refuses to delete a database.

use wharf_events::Severity;

use super::{Control, Judged, databases};
use crate::demands::Demands;
use crate::inventory::Inventory;

pub(super) const CONTROL: Control = Control {
    id: "database.protected",
    severity: Severity::Warning,
    demand: |_| "is protected from deletion".to_owned(),
    mend: "set `[database] deletion_protection = true` and apply",
    judge,
};

fn judge(inventory: &Inventory, demands: &Demands) -> Vec<Judged> {
    databases(inventory, |one| {
        let evidence = format!("deletion protection is {}", if one.deletion_protection { "on" } else { "off" });
        demands.deletion_protection.then(|| Judged::of(&one.id, one.deletion_protection, evidence))
    })
}
