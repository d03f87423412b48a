//! Automated backups are on, and are kept long enough.

use wharf_events::Severity;

use super::{Control, Judged, databases};
use crate::demands::Demands;
use crate::inventory::Inventory;

pub(super) const CONTROL: Control = Control {
    id: "database.backup-days",
    severity: Severity::Warning,
    demand: |demands| format!("can be restored to any second of the last {} days", demands.database_backup_days),
    mend: "set `[database] backup_days` and apply, or `aws rds modify-db-instance --backup-retention-period`",
    judge,
};

fn judge(inventory: &Inventory, demands: &Demands) -> Vec<Judged> {
    databases(inventory, |one| {
        let evidence = match one.backup_days {
            0 => "automated backups are off".to_owned(),
            days => format!("{days} days are kept"),
        };
        (!one.replica).then(|| Judged::of(&one.id, one.backup_days >= demands.database_backup_days, evidence))
    })
}
