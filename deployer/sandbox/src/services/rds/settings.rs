//! The settings that an instance is made with and changed by, and their rules.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_CreateDBInstance.html#USER_CreateDBInstance.Settings>

use std::time::Duration;

use serde_json::{Value, json};

use super::{combination, invalid, not_found, parameter_group};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, refuse};
use crate::input::Input;
use crate::rng::rank;
use crate::services::{iam, kms};
use crate::store::Resource;

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.Constraints>
pub(super) fn password(text: &str) -> Result<(), ApiError> {
    if text.len() < 8 {
        return Err(invalid(
            "The parameter MasterUserPassword is not a valid password because it is shorter than 8 characters.",
        ));
    }
    if text.len() > 128 {
        return Err(invalid(
            "The parameter MasterUserPassword is not a valid password because it is longer than 128 characters.",
        ));
    }
    if text.bytes().any(|b| !b.is_ascii_graphic() || matches!(b, b'/' | b'@' | b'"')) {
        return Err(invalid(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.",
        ));
    }
    Ok(())
}

pub(super) fn user(name: &str) -> Result<(), ApiError> {
    let fine = name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !fine {
        return Err(invalid(
            "The parameter MasterUsername is not a valid identifier: it must begin with a letter and hold letters, digits and underscores",
        ));
    }
    if name.starts_with("rds")
        || name.starts_with("pg_")
        || matches!(name, "admin" | "user" | "public" | "none" | "table")
    {
        return Err(invalid(format!(
            "MasterUsername {name} cannot be used as it is a reserved word used by the engine"
        )));
    }
    Ok(())
}

pub(super) fn database(name: &str) -> Result<(), ApiError> {
    let fine = name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match name {
        "db" | "user" | "table" => {
            Err(invalid(format!("DBName {name} cannot be used.  It is a reserved word for this engine")))
        }
        _ if fine => Ok(()),
        _ => Err(invalid("DBName must begin with a letter and contain only alphanumeric characters.")),
    }
}

/// Type, size and speed of storage, with their rules.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html>
pub(super) fn storage(instance: &mut Resource, input: &Input) -> Result<(), ApiError> {
    let size = match input.opt_int("AllocatedStorage")? {
        Some(size) => size,
        None if instance.number("AllocatedStorage") > 0 => instance.number("AllocatedStorage"),
        None => return Err(input.missing("AllocatedStorage")),
    };
    let before = instance.text("StorageType").to_owned();
    let (iops, throughput) = (input.opt_int("Iops")?, input.opt_int("StorageThroughput")?);
    let kind = match input.opt_str("StorageType") {
        Some(kind) => kind.to_owned(),
        None if !before.is_empty() => before,
        None if iops.is_some() => "io1".to_owned(),
        None => "gp3".to_owned(),
    };
    let wrong = || invalid(format!("Invalid storage size for engine name postgres and storage type {kind}: {size}"));
    let (smallest, speeds) = match kind.as_str() {
        "gp2" => (20, None),
        "gp3" if size < 400 => {
            if iops.is_some_and(|iops| iops != 3000) || throughput.is_some_and(|t| t != 125) {
                return Err(combination(
                    "You can't specify IOPS or storage throughput for engine postgres and a storage size less than 400.",
                ));
            }
            (20, Some((3000, Some(125))))
        }
        "gp3" => (20, Some((iops.unwrap_or(12_000), Some(throughput.unwrap_or(500))))),
        "io1" | "io2" => {
            let iops = iops.or(Some(instance.number("Iops")).filter(|iops| *iops > 0));
            let iops = iops.ok_or_else(|| combination(format!("You must specify IOPS for storage type {kind}")))?;
            (100, Some((iops, None)))
        }
        "standard" => (5, None),
        _ => return Err(invalid(format!("Invalid storage type: {kind}"))),
    };
    if !(smallest..=65_536).contains(&size) {
        return Err(wrong());
    }
    instance.set("AllocatedStorage", size);
    instance.set("StorageType", kind.clone());
    for name in ["Iops", "StorageThroughput"] {
        instance.attrs.remove(name);
    }
    // gp2 and standard say 0 of what they do not have.
    let (iops, throughput) = speeds.unwrap_or((0, Some(0)));
    if iops > 0 {
        instance.set("Iops", iops);
    }
    instance.set("StorageThroughput", throughput.unwrap_or(0));
    limit(instance, input, size)
}

/// Autoscaling's limit: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html>
fn limit(instance: &mut Resource, input: &Input, size: i64) -> Result<(), ApiError> {
    match input.opt_int("MaxAllocatedStorage")? {
        None => Ok(()),
        // The same size as the storage switches autoscaling off.
        Some(limit) if limit == size => {
            instance.attrs.remove("MaxAllocatedStorage");
            Ok(())
        }
        Some(limit) if limit * 10 >= size * 11 && limit <= 65_536 => {
            instance.set("MaxAllocatedStorage", limit);
            Ok(())
        }
        Some(limit) => Err(invalid(format!(
            "Invalid max storage size for engine name postgres and storage type {}: {limit}",
            instance.text("StorageType")
        ))),
    }
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.Enabling.html>
pub(super) fn monitoring(ctx: &mut Ctx<'_>, instance: &mut Resource, input: &Input) -> Result<(), ApiError> {
    let asked = input.opt_int("MonitoringInterval")?;
    let interval = asked.unwrap_or(instance.number("MonitoringInterval"));
    if !matches!(interval, 0 | 1 | 5 | 10 | 15 | 30 | 60) {
        return Err(invalid(format!(
            "Invalid monitoring interval: {interval}. Valid values are 0, 1, 5, 10, 15, 30, 60"
        )));
    }
    let role = input.opt_str("MonitoringRoleArn").filter(|role| !role.is_empty());
    if interval == 0 {
        if role.is_some() && asked != Some(0) {
            return Err(combination(
                "You must specify a MonitoringInterval value other than 0 when you specify a MonitoringRoleARN value.",
            ));
        }
        instance.attrs.remove("MonitoringRoleArn");
        instance.attrs.remove("EnhancedMonitoringResourceArn");
        instance.set("MonitoringInterval", 0);
        return Ok(());
    }
    let before = instance.text("MonitoringRoleArn").to_owned();
    let role = role.unwrap_or(&before).to_owned();
    if role.is_empty() {
        return Err(combination(
            "A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0.",
        ));
    }
    if role != before {
        iam::authorise_pass(ctx, &role, "monitoring.rds.amazonaws.com")?;
        assumable(ctx, &role)?;
    }
    let stream = format!("log-group:RDSOSMetrics:log-stream:{}", instance.text("DbiResourceId"));
    instance.set("EnhancedMonitoringResourceArn", ctx.arn("logs", stream));
    instance.set("MonitoringRoleArn", role);
    instance.set("MonitoringInterval", interval);
    Ok(())
}

/// A role that RDS can assume and that may write metrics. News of a fresh role takes a while to reach RDS.
fn assumable(ctx: &Ctx<'_>, arn: &str) -> Result<(), ApiError> {
    let refused = || {
        invalid("IAM role ARN value is invalid or does not include the required permissions for: ENHANCED_MONITORING")
    };
    let role = iam::role_by_arn(ctx, arn).ok_or_else(refused)?;
    let seen = ctx.visible_one("iam.role", &role.id).ok_or_else(refused)?;
    let longest = ctx.account.weather.stale_reads * 2;
    let spread = u32::try_from(rank(ctx.account.seed, arn) % 50).unwrap_or(0) + 50;
    let reached = longest * spread / 100;
    let age = Duration::try_from(ctx.now.duration_since(role.created)).unwrap_or_default();
    let policies = !seen.items("_attached").is_empty()
        || seen.attrs.get("_inline").and_then(Value::as_object).is_some_and(|inline| !inline.is_empty());
    if age < reached || !policies || !iam::trusts(&role, "monitoring.rds.amazonaws.com") {
        return Err(refused());
    }
    Ok(())
}

/// Performance Insights, and Database Insights on top of it.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DatabaseInsights.html>
pub(super) fn insights(ctx: &mut Ctx<'_>, instance: &mut Resource, input: &Input) -> Result<(), ApiError> {
    let before = instance.text("DatabaseInsightsMode").to_owned();
    let mode = input
        .opt_str("DatabaseInsightsMode")
        .unwrap_or(if before.is_empty() { "standard" } else { &before })
        .to_owned();
    if !matches!(mode.as_str(), "standard" | "advanced") {
        return Err(invalid(format!("Invalid DatabaseInsightsMode: {mode}")));
    }
    let on = input.opt_bool("EnablePerformanceInsights")?.unwrap_or(instance.flag("PerformanceInsightsEnabled"));
    let days = input.opt_int("PerformanceInsightsRetentionPeriod")?;
    let key = input.opt_str("PerformanceInsightsKMSKeyId").map(str::to_owned);
    if mode == "advanced" && !on {
        return Err(combination(
            "To enable the Advanced mode of Database Insights, enable Performance Insights and set the retention period to at least 465 days.",
        ));
    }
    instance.set("DatabaseInsightsMode", mode.clone());
    instance.set("PerformanceInsightsEnabled", on);
    if !on {
        if days.is_some() || key.is_some() {
            return Err(combination(
                "You can't set Performance Insights options while Performance Insights is disabled",
            ));
        }
        instance.attrs.remove("PerformanceInsightsRetentionPeriod");
        instance.attrs.remove("PerformanceInsightsKMSKeyId");
        return Ok(());
    }
    let kept = Some(instance.number("PerformanceInsightsRetentionPeriod")).filter(|days| *days > 0);
    let days = days.or(kept).unwrap_or(7);
    if days != 7 && days != 731 && !(days % 31 == 0 && (1..=23).contains(&(days / 31))) {
        return Err(invalid(format!("Invalid Performance Insights retention period: {days}")));
    }
    if mode == "advanced" && days < 465 {
        return Err(combination(
            "To enable the Advanced mode of Database Insights, set the retention period for Performance Insights to at least 465 days.",
        ));
    }
    instance.set("PerformanceInsightsRetentionPeriod", days);
    if key.is_some() || instance.text("PerformanceInsightsKMSKeyId").is_empty() {
        let key = encryption_key(ctx, key.as_deref(), &["DescribeKey", "CreateGrant"])?;
        instance.set("PerformanceInsightsKMSKeyId", key);
    }
    Ok(())
}

/// The ARN of the key asked for, or of AWS's own for RDS.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.Keys.html>
pub(super) fn encryption_key(ctx: &mut Ctx<'_>, wanted: Option<&str>, actions: &[&str]) -> Result<String, ApiError> {
    let Some(wanted) = wanted else { return Ok(kms::managed(ctx, "rds")) };
    let key = kms::usable(ctx, wanted).map_err(|_| {
        refuse("KMSKeyNotAccessibleFault", format!(
            "The specified KMS key [{wanted}] does not exist, is not enabled or you do not have permissions to access it."))
    })?;
    kms::authorise_via(ctx, &key, actions, "rds")?;
    Ok(key.text("Arn").to_owned())
}

/// Log types that PostgreSQL can export, in the order asked for.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Concepts.PostgreSQL.html>
pub(super) fn log_types(asked: &[String]) -> Result<(), ApiError> {
    match asked.iter().find(|name| !matches!(name.as_str(), "postgresql" | "upgrade" | "iam-db-auth-error")) {
        None => Ok(()),
        Some(name) => Err(combination(format!("You cannot use the log types '{name}' with engine version postgres."))),
    }
}

/// The security groups asked for, which must be of the instance's VPC, or the VPC's default group.
pub(super) fn security_groups(ctx: &Ctx<'_>, asked: &[String], vpc: &str) -> Result<Vec<String>, ApiError> {
    if asked.is_empty() {
        let default = ctx.those("ec2.security-group", |g| g.text("vpcId") == vpc && g.text("groupName") == "default");
        return Ok(default.iter().map(|group| group.id.clone()).collect());
    }
    for id in asked {
        let group = ctx
            .usable("ec2.security-group", id)
            .ok_or_else(|| invalid(format!("Invalid security group , groupId= {id}, groupName=.")))?;
        if group.text("vpcId") != vpc {
            return Err(combination(format!(
                "The DB instance and EC2 security group are in different VPCs. The DB instance is in {vpc} and the EC2 security group is in {}",
                group.text("vpcId")
            )));
        }
    }
    Ok(asked.to_vec())
}

pub(super) fn memberships(groups: &[String], status: &str) -> Value {
    groups.iter().map(|id| json!({"VpcSecurityGroupId": id, "Status": status})).collect()
}

/// The parameter group asked for, of the family of the engine version.
pub(super) fn parameter_group(
    ctx: &mut Ctx<'_>,
    action: &str,
    asked: Option<&str>,
    family: &str,
) -> Result<String, ApiError> {
    let name = asked.map_or_else(|| format!("default.{family}"), str::to_ascii_lowercase);
    if name == format!("default.{family}") {
        // Default groups are resources of the call too: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/security_iam_id-based-policy-examples-create-and-modify-examples.html>
        uses(ctx, action, &format!("pg:{name}"))?;
        return Ok(parameter_group::default_of(ctx, family));
    }
    let group = parameter_group::GROUP.permitted(ctx, action, &name)?;
    fitting(&group, family)?;
    Ok(name)
}

pub(super) fn fitting(group: &Resource, family: &str) -> Result<(), ApiError> {
    let actual = group.text("DBParameterGroupFamily");
    if actual == family {
        return Ok(());
    }
    Err(combination(format!(
        "The parameter group {} with DBParameterGroupFamily {actual} cannot be used for this instance. Please use a Parameter Group with DBParameterGroupFamily {family}",
        group.id
    )))
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html>
pub(super) fn certificate(ctx: &Ctx<'_>, instance: &mut Resource, name: &str) -> Result<(), ApiError> {
    if !matches!(name, "rds-ca-rsa2048-g1" | "rds-ca-rsa4096-g1" | "rds-ca-ecc384-g1") {
        return Err(not_found("CertificateNotFound", format!("Certificate not found: {name}")));
    }
    instance.set("CACertificateIdentifier", name);
    let until = crate::clock::later(ctx.now, Duration::from_secs(365 * 24 * 60 * 60));
    instance.set("CertificateDetails", json!({"CAIdentifier": name, "ValidTill": super::date(until)}));
    Ok(())
}

/// Days of backups, from none to five weeks.
pub(super) fn retention(days: i64) -> Result<i64, ApiError> {
    if (0..=35).contains(&days) {
        Ok(days)
    } else {
        Err(invalid(format!("Invalid backup retention period: {days}. Must be between 0 and 35")))
    }
}

pub(super) fn port(port: i64) -> Result<i64, ApiError> {
    if (1150..=65_535).contains(&port) {
        Ok(port)
    } else {
        Err(invalid(format!("Invalid port {port}: must be between 1150 and 65535")))
    }
}

/// Demands the action on something that the instance uses.
pub(super) fn uses(ctx: &mut Ctx<'_>, action: &str, resource: &str) -> Result<(), ApiError> {
    let arn = ctx.arn("rds", resource);
    ctx.authorise(Grant::new(format!("rds:{action}"), arn))
}
