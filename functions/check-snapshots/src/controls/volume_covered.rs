//! Every volume that is to be backed up is chosen by a policy that works.

use wharf_events::Severity;

use super::{Control, Judged, named, volumes};
use crate::demands::Demands;
use crate::inventory::{Inventory, Policy};

pub(super) const CONTROL: Control = Control {
    id: "volume.covered",
    severity: Severity::Warning,
    demand: |_| "an enabled lifecycle policy makes its snapshots".to_owned(),
    mend: "set `[backups] volumes` and apply; see `policy.enabled` and `policy.targets`",
    judge,
};

fn judge(inventory: &Inventory, _: &Demands) -> Vec<Judged> {
    volumes(inventory, |volume| {
        let policies = match &inventory.policies {
            Ok(policies) => policies,
            Err(unknown) => return Judged::unknown(&volume.id, unknown),
        };
        let choosing: Vec<&Policy> = policies.iter().filter(|policy| policy.chooses(volume)).collect();
        let working = choosing.iter().filter(|policy| policy.state == "ENABLED" && policy.scheduled);
        let working: Vec<&str> = working.map(|policy| policy.id.as_str()).collect();
        let evidence = match (working.as_slice(), choosing.len()) {
            ([], 0) => "no policy chooses it".to_owned(),
            ([], _) => format!("{} does not run", named(choosing.iter().map(|policy| policy.id.as_str()))),
            (working, _) => format!("by {}", named(working.iter().copied())),
        };
        Judged::of(&volume.id, !working.is_empty(), evidence)
    })
}
