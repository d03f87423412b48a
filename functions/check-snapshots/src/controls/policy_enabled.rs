//! A lifecycle policy runs. Nothing tells of one that somebody disabled, and one in error keeps its old snapshots and makes no new ones.

use wharf_events::Severity;

use super::{Control, Judged, policies};
use crate::demands::Demands;
use crate::inventory::Inventory;

pub(super) const CONTROL: Control = Control {
    id: "policy.enabled",
    severity: Severity::Warning,
    demand: |_| "is enabled, not in error, and has a schedule".to_owned(),
    mend: "apply the stack: it enables the policy again; where DLM names an error, mend that first",
    judge,
};

/// <https://docs.aws.amazon.com/ebs/latest/userguide/dlm-view-policy-state.html>
fn judge(inventory: &Inventory, _: &Demands) -> Vec<Judged> {
    policies(inventory, |policy| {
        let evidence = match policy.state.as_str() {
            "ENABLED" if policy.scheduled => "it is enabled".to_owned(),
            "ENABLED" => "it is enabled, and has no schedule".to_owned(),
            state if policy.message.is_empty() || policy.message == state => format!("it is {state}"),
            state => format!("it is {state}: {}", policy.message),
        };
        Judged::of(&policy.id, policy.state == "ENABLED" && policy.scheduled, evidence)
    })
}
