//! Encryption at rest: one customer-managed key for all that the stack stores.

use super::{BuildError, Builder, Site};
use crate::aws::Handle;
use crate::aws::kms::alias::Alias;
use crate::aws::kms::key::Key;
use crate::aws::policy::{Document, Statement};
use crate::aws::units::Days;
use crate::config::Config;

/// The services through which the account's principals may use the key, as far as IAM lets them. Through EC2 it is
/// Auto Scaling's service-linked role that encrypts the instances' volumes; it may be younger than the key, so it is not
/// named. <https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html>
const SERVICES: [&str; 5] = ["dynamodb", "ec2", "ecr", "rds", "ssm"];

/// The stack's key, renewed each year.
pub(super) fn encryption(b: &mut Builder, config: &Config, site: &Site) -> Result<Handle<Key>, BuildError> {
    let name = config.stack.name.as_str();
    let key = Key {
        description: format!("all that the stack {name} stores"),
        policy: policy(config, site).text(),
        enabled: true,
        rotation: Some(Days(365)),
        deletion_window: Days(7),
        tags: b.tags(),
    };
    let key = b.add("encryption.key", key)?;
    b.add("encryption.alias", Alias { key: key.id() })?;
    Ok(key)
}

/// Administration by the account's IAM; use only through the services that store something, by CloudWatch Logs for the
/// stack's own log groups, by CloudWatch for what it sends to the stack's topic, and by whoever gets into a task.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>,
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html>
fn policy(config: &Config, site: &Site) -> Document {
    let stack = config.stack.name.as_str();
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
    // The functions send to the stack's topics.
    let sns = (!config.functions().is_empty()).then_some("sns");
    let through = SERVICES.into_iter().chain(sns).fold(through, |statement, service| {
        let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        statement.when("StringEquals", "kms:ViaService", format!("{service}.{region}.{suffix}"))
    });
    let groups = format!("arn:{partition}:logs:{region}:{account}:log-group:*{stack}*");
    let logs = Statement::allow(use_it).service(&format!("logs.{region}.amazonaws.com")).on("*").when(
        "ArnLike",
        "kms:EncryptionContext:aws:logs:arn",
        groups,
    );
    let administer = administer.aws(format!("arn:{partition}:iam::{account}:root")).on("*");
    let document = Document::new([administer, through, logs]);
    let document =
        if config.cluster.is_some() { exec(stack, site).into_iter().fold(document, Document::and) } else { document };
    if config.alerts.is_some() { document.and(alarms(site)) } else { document }
}

/// A session in a task is encrypted between whoever has it and the task's own role.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html#ecs-exec-logging>
fn exec(stack: &str, site: &Site) -> [Statement; 2] {
    let Site { partition, account, .. } = site;
    let of_account = |actions: &[&str]| {
        let statement = Statement::allow(actions.iter().copied()).aws("*").on("*");
        statement.when("StringEquals", "kms:CallerAccount", account.as_str())
    };
    let tasks = format!("arn:{partition}:iam::{account}:role/wharf/{stack}/*");
    [of_account(&["kms:GenerateDataKey"]), of_account(&["kms:Decrypt"]).when("ArnLike", "aws:PrincipalArn", tasks)]
}

/// What is sent to an encrypted topic is encrypted by the sender.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services>
fn alarms(site: &Site) -> Statement {
    Statement::allow(["kms:Decrypt", "kms:GenerateDataKey*"]).service("cloudwatch.amazonaws.com").on("*").when(
        "StringEquals",
        "aws:SourceAccount",
        site.account.as_str(),
    )
}
