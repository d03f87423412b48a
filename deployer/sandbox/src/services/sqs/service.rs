//! Messages that services of AWS send, and the keys that messages are encrypted with.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::message::{self, Draft};
use super::{attribute, by_arn, by_name, invalid, no_such_queue, shaped};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::ApiError;
use crate::services::{document, kms};
use crate::store::Resource;

/// A service of AWS that sends by itself.
pub(crate) struct Sender<'a> {
    /// Such as `events.amazonaws.com`.
    pub(crate) service: &'static str,
    /// For what it sends, as `aws:SourceArn`.
    pub(crate) source: &'a str,
}

/// A service sends: the queue's policy must let it, and the policy of the queue's key too.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions>
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html#compatibility-with-aws-services>
pub(crate) fn put_by_service(
    ctx: &mut Ctx<'_>,
    queue: &str,
    sender: &Sender<'_>,
    body: &str,
    attributes: Map<String, Value>,
) -> Result<String, ApiError> {
    let found = by_arn(ctx, queue).ok_or_else(no_such_queue)?;
    let grant = Grant::new("sqs:SendMessage", queue)
        .key("aws:SourceArn", sender.source)
        .key("aws:SourceAccount", ctx.account.id.clone())
        .key("aws:SecureTransport", "true");
    let about = |kind: &str, name: &str| (kind, name) == ("Service", sender.service) || (kind, name) == ("AWS", "*");
    if document::judge(&attribute::policy(&found), about, &grant)? != Some(true) {
        let refused = format!(
            "{} is not authorized to perform: sqs:sendmessage on resource: {queue} because no resource-based policy allows the sqs:sendmessage action",
            sender.service
        );
        return Err(shaped(403, "AccessDenied", "AccessDeniedException", refused));
    }
    if let Some(key) = Some(found.text("KmsMasterKeyId")).filter(|key| !key.is_empty()) {
        let key = usable(ctx, key)?;
        if !kms::allows_service(&key, sender.service, &["GenerateDataKey", "Decrypt"], &[])? {
            let refused = format!("the key of {queue} does not let {} use it", sender.service);
            return Err(shaped(400, "KMS.AccessDeniedException", "KmsAccessDenied", refused));
        }
    }
    let draft = Draft { body: body.to_owned(), attributes, sender: unique_id(sender.service), ..Draft::default() };
    let longest = attribute::number(&found, "MaximumMessageSize");
    if i64::try_from(draft.size()).unwrap_or(i64::MAX) > longest {
        return Err(invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {longest} bytes."
        )));
    }
    Ok(message::put(ctx, &found, draft))
}

/// Who calls, or whom a service acts for, sends: by a policy of its own.
pub(crate) fn put_as_caller(
    ctx: &mut Ctx<'_>,
    queue: &str,
    body: &str,
    attributes: Map<String, Value>,
) -> Result<String, ApiError> {
    let found = demand(ctx, queue, "SendMessage", &["GenerateDataKey", "Decrypt"])?;
    let sender = ctx.principal.user_id();
    let draft = Draft { body: body.to_owned(), attributes, sender, ..Draft::default() };
    Ok(message::put(ctx, &found, draft))
}

/// Demands an action on a queue, and what that takes of the queue's key.
pub(crate) fn demand(
    ctx: &mut Ctx<'_>,
    queue: &str,
    action: &str,
    of_key: &[&str],
) -> Result<std::sync::Arc<Resource>, ApiError> {
    let name = queue.rsplit(':').next().unwrap_or_default().to_owned();
    let found = by_name(ctx, &name, action, |grant| grant)?;
    authorise_key(ctx, &found, of_key)?;
    Ok(found)
}

/// For how many seconds nobody else sees what was received; none where there is no such queue.
pub(crate) fn visibility_timeout(ctx: &Ctx<'_>, queue: &str) -> Option<i64> {
    by_arn(ctx, queue).map(|queue| attribute::number(&queue, "VisibilityTimeout"))
}

/// The id of 21 letters that stands for a principal.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
pub(super) fn unique_id(principal: &str) -> String {
    let digest = Sha256::digest(principal.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("AIDA{}", &hex[..17])
}

fn usable(ctx: &mut Ctx<'_>, key: &str) -> Result<std::sync::Arc<Resource>, ApiError> {
    // Its first use is what makes the key that AWS keeps for SQS.
    if key.ends_with("alias/aws/sqs") {
        kms::managed(ctx, "sqs");
    }
    kms::usable(ctx, key).map_err(|error| {
        let (code, shape) = match error.code.as_str() {
            "DisabledException" => ("KMS.DisabledException", "KmsDisabled"),
            "KMSInvalidStateException" => ("KMS.KMSInvalidStateException", "KmsInvalidState"),
            _ => ("KMS.NotFoundException", "KmsNotFound"),
        };
        shaped(400, code, shape, error.message)
    })
}

/// What a caller needs of the queue's own key to send or to receive. That of AWS lets everybody in the account use it
/// through SQS.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html>
pub(super) fn authorise_key(ctx: &mut Ctx<'_>, queue: &Resource, actions: &[&str]) -> Result<(), ApiError> {
    let key = queue.text("KmsMasterKeyId").to_owned();
    if key.is_empty() || actions.is_empty() {
        return Ok(());
    }
    let found = usable(ctx, &key)?;
    if key.contains("alias/aws/") {
        return Ok(());
    }
    kms::authorise_via(ctx, &found, actions, "sqs")
        .map_err(|error| shaped(400, "KMS.AccessDeniedException", "KmsAccessDenied", error.message))
}
