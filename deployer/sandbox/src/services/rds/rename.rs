//! An instance gets another name, and with it another ARN and endpoint; what it is, its tags and its backups stay.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RenameInstance.html>

use super::instance::{INSTANCE, endpoint, free};
use super::{automated_backup, identifier};
use crate::account::Ctx;
use crate::error::ApiError;
use crate::input::Input;
use crate::store::Resource;

/// The name that a change asks for, when it is another one. It has to be free.
pub(super) fn asked(ctx: &Ctx<'_>, before: &Resource, input: &Input) -> Result<Option<String>, ApiError> {
    if !input.has("NewDBInstanceIdentifier") {
        return Ok(None);
    }
    let name = identifier(input, "NewDBInstanceIdentifier", 63)?;
    if name == before.id {
        return Ok(None);
    }
    free(ctx, &name)?;
    Ok(Some(name))
}

/// The name changes hands: from now on the old one is nobody's.
pub(super) fn complete(ctx: &mut Ctx<'_>, id: &str, name: &str) {
    let Some(before) = ctx.get(INSTANCE.kind, id).filter(|_| id != name) else { return };
    let (arn, address) = (INSTANCE.arn(ctx, name), endpoint(ctx, name));
    let mut instance = Resource::clone(&before);
    name.clone_into(&mut instance.id);
    instance.set("DBInstanceIdentifier", name);
    instance.set("DBInstanceArn", arn.clone());
    instance.set("_endpoint", address.clone());
    if let Some(endpoint) = instance.attrs.get_mut("Endpoint") {
        endpoint["Address"] = address.into();
    }
    let old = before.text("DBInstanceArn").to_owned();
    for interface in ctx.those("ec2.network-interface", |interface| interface.text("_for") == old) {
        ctx.update("ec2.network-interface", &interface.id, |interface| interface.set("_for", arn.clone()));
    }
    automated_backup::renamed(ctx, &instance);
    ctx.remove(INSTANCE.kind, id);
    ctx.insert(instance);
}
