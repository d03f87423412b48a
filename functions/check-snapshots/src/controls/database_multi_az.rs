//! A database has a standby in another zone.

use wharf_events::Severity;

use super::{Control, Judged, databases};
use crate::demands::Demands;
use crate::inventory::Inventory;

pub(super) const CONTROL: Control = Control {
    id: "database.multi-az",
    severity: Severity::Warning,
    demand: |_| "has a standby in another zone".to_owned(),
    mend: "set `[database] multi_az = true` and apply; a cluster wants a reader in another zone",
    judge,
};

fn judge(inventory: &Inventory, demands: &Demands) -> Vec<Judged> {
    databases(inventory, |one| {
        let evidence = if one.multi_az { "it has one" } else { "it is in one zone alone" };
        (demands.multi_az && !one.replica).then(|| Judged::of(&one.id, one.multi_az, evidence))
    })
}
