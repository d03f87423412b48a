//! Log groups under a customer's key.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html>

use super::{arn, authorise, find, group, invalid};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::kms;

/// The key to keep with a group: it must work, and its own policy must let Logs use it for this group.
pub(super) fn key(ctx: &Ctx<'_>, key: &str, group: &str) -> Result<String, ApiError> {
    if !key.starts_with("arn:") || key.contains(":alias/") {
        return Err(invalid(format!("The specified KMS key '{key}' is not valid: give the ARN of a key")));
    }
    let group = arn(ctx, group);
    let unfit =
        || invalid(format!("The specified KMS key does not exist or is not allowed to be used with Arn '{group}'"));
    let found = kms::usable(ctx, key).map_err(|_| unfit())?;
    if found.text("KeySpec") != "SYMMETRIC_DEFAULT" {
        return Err(unfit());
    }
    let service = format!("logs.{}.amazonaws.com", ctx.account.region);
    let context = [("kms:EncryptionContext:aws:logs:arn", group.as_str())];
    match kms::allows_service(&found, &service, &["Encrypt", "Decrypt", "GenerateDataKey"], &context)? {
        true => Ok(found.text("Arn").to_owned()),
        false => Err(unfit()),
    }
}

/// The group under either of the names that these operations take.
fn asked(ctx: &Ctx<'_>, input: &Input) -> Result<String, ApiError> {
    match (input.opt_str("logGroupName"), input.opt_str("resourceIdentifier")) {
        (Some(name), None) => Ok(name.to_owned()),
        (None, Some(identifier)) => Ok(group::name_in(ctx, identifier)),
        _ => Err(invalid("Exactly one of logGroupName and resourceIdentifier must be given")),
    }
}

pub(super) fn associate(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = find(ctx, &asked(ctx, input)?)?;
    authorise(ctx, "AssociateKmsKey", &group)?;
    let key = key(ctx, input.str("kmsKeyId")?, &group.id)?;
    ctx.update("logs.group", &group.id, |group| group.set("kmsKeyId", key));
    Ok(nothing())
}

pub(super) fn disassociate(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = find(ctx, &asked(ctx, input)?)?;
    authorise(ctx, "DisassociateKmsKey", &group)?;
    ctx.update("logs.group", &group.id, |group| {
        group.attrs.remove("kmsKeyId");
    });
    Ok(nothing())
}
