//! Point-in-time restore reaches up to the last minutes.

use wharf_events::Severity;

use jiff::SignedDuration;

use super::{Control, Judged, databases};
use crate::aged::age;
use crate::demands::Demands;
use crate::inventory::Inventory;
use crate::report::Verdict;

pub(super) const CONTROL: Control = Control {
    id: "database.restorable",
    severity: Severity::Warning,
    demand: |demands| format!("can be restored to a moment no more than {} min ago", demands.restorable_lag_minutes),
    mend: "RDS uploads the transaction log every five minutes: see its events, and whether the storage is full",
    judge,
};

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html>
fn judge(inventory: &Inventory, demands: &Demands) -> Vec<Judged> {
    let longest = SignedDuration::from_mins(i64::from(demands.restorable_lag_minutes));
    databases(inventory, |one| {
        if one.replica {
            return None;
        }
        let now = inventory.at;
        let judged = match (one.restorable, one.status.as_str()) {
            (Some(at), _) => {
                let evidence = format!("the newest moment is {} ago", age(at, now));
                Judged::of(&one.id, now.duration_since(at) <= longest, evidence)
            }
            (None, "creating" | "backing-up") => {
                Judged::new(&one.id, Verdict::Unknown, format!("there is no such moment yet: it is {}", one.status))
            }
            (None, _) => Judged::of(&one.id, false, "there is no such moment"),
        };
        Some(judged)
    })
}
