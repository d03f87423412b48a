//! Instances leave, perhaps with a last snapshot.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html>

use super::instance::{INSTANCE, between, shown};
use super::{answer, automated_backup, combination, emitted, identifier, lifecycle, snapshot};
use crate::account::Ctx;
use crate::error::{Outcome, refuse};
use crate::input::Input;
use crate::services::ec2::interface;
use crate::store::Resource;

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = identifier(input, "DBInstanceIdentifier", 63)?;
    let instance = INSTANCE.permitted(ctx, "DeleteDBInstance", &id)?;
    let skip = input.bool_or("SkipFinalSnapshot", false)?;
    let last = match input.opt_str("FinalDBSnapshotIdentifier") {
        Some(_) if skip => {
            return Err(combination(
                "FinalDBSnapshotIdentifier can not be specified when deleting an instance with SkipFinalSnapshot",
            ));
        }
        Some(_) => Some(identifier(input, "FinalDBSnapshotIdentifier", 255)?),
        None if skip => None,
        None => {
            return Err(combination("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."));
        }
    };
    let drop_backups = input.bool_or("DeleteAutomatedBackups", true)?;
    if instance.text("DBInstanceStatus") == "deleting" {
        return Err(refuse("InvalidDBInstanceState", format!("Instance {id} is already being deleted.")));
    }
    // <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DeleteInstance.html#USER_DeleteInstance.DeletionProtection>
    if instance.flag("DeletionProtection") {
        return Err(combination(
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
        ));
    }
    if let Some(name) = &last {
        if !matches!(instance.text("DBInstanceStatus"), "available" | "storage-optimization") {
            return Err(refuse(
                "InvalidDBInstanceState",
                format!(
                    "Cannot create a snapshot because the database instance {id} is not currently in the available state."
                ),
            ));
        }
        snapshot::authorise_last(ctx, name)?;
        snapshot::make(ctx, &instance, name, "manual")?;
    }
    lifecycle::status(ctx, &id, "deleting");
    ctx.update(INSTANCE.kind, &id, |instance| instance.set("_dropBackups", drop_backups));
    let wait = if last.is_some() { between(ctx, 280, 520) } else { between(ctx, 170, 310) };
    lifecycle::schedule_in(ctx, &instance, wait, "gone");
    let instance = ctx.get(INSTANCE.kind, &id).ok_or_else(|| INSTANCE.missing(&id))?;
    answer("DBInstance", shown(ctx, &instance))
}

/// Only now are subnets, groups and the names free. The log groups stay.
pub(super) fn gone(ctx: &mut Ctx<'_>, instance: &Resource) {
    interface::remove_for(ctx, instance.text("DBInstanceArn"));
    automated_backup::instance_gone(ctx, instance);
    ctx.remove(INSTANCE.kind, &instance.id);
    emitted::instance(ctx, instance, emitted::DELETED);
}
