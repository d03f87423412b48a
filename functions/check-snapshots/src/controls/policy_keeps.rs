//! A lifecycle policy keeps enough snapshots.

use wharf_events::Severity;

use super::{Control, Judged, policies};
use crate::demands::Demands;
use crate::inventory::Inventory;
use crate::report::Verdict;

pub(super) const CONTROL: Control = Control {
    id: "policy.keeps",
    severity: Severity::Warning,
    demand: |demands| format!("keeps at least {} snapshots of each volume", demands.volume_keep),
    mend: "set `[backups] volumes = { keep = … }` and apply",
    judge,
};

fn judge(inventory: &Inventory, demands: &Demands) -> Vec<Judged> {
    policies(inventory, |policy| match policy.keeps {
        Some(keeps) => Judged::of(&policy.id, keeps >= demands.volume_keep, format!("it keeps {keeps}")),
        None => Judged::new(&policy.id, Verdict::Unknown, "it does not keep a number of snapshots"),
    })
}
