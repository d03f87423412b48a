//! A lifecycle policy has a role that it can act as.

use wharf_events::Severity;

use super::{Control, Judged, policies};
use crate::demands::Demands;
use crate::inventory::{Inventory, Role};

pub(super) const CONTROL: Control = Control {
    id: "policy.role",
    severity: Severity::Warning,
    demand: |_| "acts as a role that is there and trusts DLM".to_owned(),
    mend: "apply the stack: it makes the role again; then enable the policy",
    judge,
};

fn judge(inventory: &Inventory, _: &Demands) -> Vec<Judged> {
    policies(inventory, |policy| match &policy.role {
        Ok(Role::Trusting(name)) => Judged::of(&policy.id, true, format!("as {name}")),
        Ok(Role::NotTrusting(name)) => {
            Judged::of(&policy.id, false, format!("{name} does not trust dlm.amazonaws.com"))
        }
        Ok(Role::Missing(name)) => Judged::of(&policy.id, false, format!("there is no role {name}")),
        Err(unknown) => Judged::unknown(&policy.id, unknown),
    })
}
