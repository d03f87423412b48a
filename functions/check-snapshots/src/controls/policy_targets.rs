//! A lifecycle policy chooses volumes that are there.

use wharf_events::Severity;

use super::{Control, Judged, policies};
use crate::demands::Demands;
use crate::inventory::Inventory;
use crate::report::Verdict;

pub(super) const CONTROL: Control = Control {
    id: "policy.targets",
    severity: Severity::Warning,
    demand: |_| "chooses at least one volume".to_owned(),
    mend: "give the volumes the tag that the policy wants, in the launch template, or the policy the tag that they have",
    judge,
};

fn judge(inventory: &Inventory, _: &Demands) -> Vec<Judged> {
    policies(inventory, |policy| {
        if !policy.of_volumes {
            return Judged::new(&policy.id, Verdict::Unknown, "it is about whole instances, which are not looked at");
        }
        let volumes = match &inventory.volumes {
            Ok(volumes) => volumes,
            Err(unknown) => return Judged::unknown(&policy.id, unknown),
        };
        let chosen = volumes.iter().filter(|volume| policy.chooses(volume)).count();
        let evidence = match (chosen, policy.targets.is_empty() && !policy.takes_all) {
            (_, true) => "it has no target tags".to_owned(),
            (0, _) => "no volume has any of its tags".to_owned(),
            (chosen, _) => format!("{chosen} of {} volumes", volumes.len()),
        };
        Judged::of(&policy.id, chosen > 0, evidence)
    })
}
