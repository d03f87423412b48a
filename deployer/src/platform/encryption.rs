//! Encryption at rest: one customer-managed key for all that the stack stores.

use super::{BuildError, Builder, Site};
use crate::aws::Handle;
use crate::aws::kms::alias::Alias;
use crate::aws::kms::key::Key;
use crate::aws::policy::{Document, Statement};
use crate::aws::units::Days;
use crate::config::Config;

/// The services through which the account's principals may use the key, as far as IAM lets them.
const SERVICES: [&str; 4] = ["dynamodb", "ecr", "rds", "ssm"];

/// The stack's key, renewed each year.
pub(super) fn encryption(b: &mut Builder, config: &Config, site: &Site) -> Result<Handle<Key>, BuildError> {
    let name = config.stack.name.as_str();
    let key = Key {
        description: format!("all that the stack {name} stores"),
        policy: policy(name, site).text(),
        enabled: true,
        rotation: Some(Days(365)),
        deletion_window: Days(7),
        tags: b.tags(),
    };
    let key = b.add("encryption.key", key)?;
    b.add("encryption.alias", Alias { key: key.id() })?;
    Ok(key)
}

/// Administration by the account's IAM; use only through the services that store something, and by CloudWatch Logs for
/// the stack's own log groups.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>,
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html>
fn policy(stack: &str, site: &Site) -> Document {
    let Site { partition, account, region, .. } = site;
    let administer = Statement::allow([
        "kms:CancelKeyDeletion",
        "kms:Create*",
        "kms:Delete*",
        "kms:Describe*",
        "kms:Disable*",
        "kms:Enable*",
        "kms:Get*",
        "kms:List*",
        "kms:Put*",
        "kms:Revoke*",
        "kms:ScheduleKeyDeletion",
        "kms:TagResource",
        "kms:UntagResource",
        "kms:Update*",
    ]);
    let use_it = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"];
    let through = Statement::allow(use_it.into_iter().chain(["kms:CreateGrant", "kms:RetireGrant"]))
        .aws("*")
        .on("*")
        .when("StringEquals", "kms:CallerAccount", account.as_str());
    let through = SERVICES.iter().fold(through, |statement, service| {
        let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        statement.when("StringEquals", "kms:ViaService", format!("{service}.{region}.{suffix}"))
    });
    let groups = format!("arn:{partition}:logs:{region}:{account}:log-group:*{stack}*");
    let logs = Statement::allow(use_it).service(&format!("logs.{region}.amazonaws.com")).on("*").when(
        "ArnLike",
        "kms:EncryptionContext:aws:logs:arn",
        groups,
    );
    Document::new([administer.aws(format!("arn:{partition}:iam::{account}:root")).on("*"), through, logs])
}
