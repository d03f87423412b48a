//! Instances: made and shown.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Noun, answer, combination, date, engine, filters, identifier, invalid, lifecycle, paged, settings, subnet_group,
    tagged, tags, windows,
};
use crate::account::Ctx;
use crate::clock::later;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::rng::rank;
use crate::services::ec2::interface;
use crate::services::iam;
use crate::store::{Resource, Tags};

pub(super) static INSTANCE: Noun = Noun {
    kind: "rds.instance",
    resource_type: "db",
    not_found: "DBInstanceNotFound",
    words: ("DBInstance ", " not found."),
};

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = identifier(input, "DBInstanceIdentifier", 63)?;
    let tags = tags::requested(input)?;
    INSTANCE.authorise_create(ctx, "CreateDBInstance", &id, &tags)?;
    make(ctx, "CreateDBInstance", &id, tags, input, |_| {})
}

/// Makes an instance by what these parameters say, which an action on this instance was allowed for. `known` is what the
/// account remembers of it beside what it shows.
pub(super) fn make(
    ctx: &mut Ctx<'_>,
    action: &'static str,
    id: &str,
    tags: Tags,
    input: &Input,
    known: impl FnOnce(&mut Resource),
) -> Outcome {
    let mut instance = blank(ctx, id);
    instance.tags = tags;
    known(&mut instance);
    software(ctx, &mut instance, input, action)?;
    let places = placement(ctx, &mut instance, input, action)?;
    settings::storage(&mut instance, input)?;
    encryption(ctx, &mut instance, input)?;
    access(ctx, &mut instance, input)?;
    upkeep(ctx, &mut instance, input)?;
    settings::monitoring(ctx, &mut instance, input)?;
    settings::insights(ctx, &mut instance, input)?;
    free(ctx, id)?;
    iam::ensure_service_linked_role(ctx, "rds.amazonaws.com")?;
    let arn = instance.text("DBInstanceArn").to_owned();
    ctx.insert(instance.clone());
    interfaces(ctx, &instance, &arn, &places)?;
    lifecycle::begin_creation(ctx, &instance);
    answer("DBInstance", shown(ctx, &instance))
}

/// Refuses a name that is taken.
pub(super) fn free(ctx: &Ctx<'_>, id: &str) -> Result<(), ApiError> {
    match ctx.get(INSTANCE.kind, id) {
        Some(_) => Err(refuse("DBInstanceAlreadyExists", "DB instance already exists")),
        None => Ok(()),
    }
}

/// The name by which an instance is reached.
pub(super) fn endpoint(ctx: &Ctx<'_>, id: &str) -> String {
    let domain = format!("c{:011x}", rank(ctx.account.seed, "rds endpoint") & 0xfff_ffff_ffff);
    format!("{id}.{domain}.{}.rds.amazonaws.com", ctx.account.region)
}

/// What every instance has, whatever is asked for.
fn blank(ctx: &mut Ctx<'_>, id: &str) -> Resource {
    let resource: String = ctx.account.rng.hex(26).to_uppercase();
    let (endpoint, arn) = (endpoint(ctx, id), INSTANCE.arn(ctx, id));
    ctx.resource(
        INSTANCE.kind,
        id,
        json!({
            "DBInstanceIdentifier": id,
            "DBInstanceArn": arn,
            "DbiResourceId": format!("db-{resource}"),
            "DBInstanceStatus": "creating",
            "Engine": "postgres",
            "LicenseModel": "postgresql-license",
            "DbInstancePort": 0,
            "PendingModifiedValues": {},
            "DBSecurityGroups": [],
            "ReadReplicaDBInstanceIdentifiers": [],
            "DomainMemberships": [],
            "AssociatedRoles": [],
            "ActivityStreamStatus": "stopped",
            "BackupTarget": "region",
            "NetworkType": "IPV4",
            "CustomerOwnedIpEnabled": false,
            "DedicatedLogVolume": false,
            "IsStorageConfigUpgradeAvailable": false,
            "EngineLifecycleSupport": "open-source-rds-extended-support",
            "_endpoint": endpoint,
            "_pending": {},
        }),
    )
}

/// Engine, class, parameter and option group.
fn software(ctx: &mut Ctx<'_>, instance: &mut Resource, input: &Input, action: &'static str) -> Result<(), ApiError> {
    engine::postgres(input)?;
    let (major, minor) = engine::resolve(input.opt_str("EngineVersion"))?;
    let family = engine::family(major);
    let class = input.str("DBInstanceClass")?;
    engine::class(class)?;
    let group = settings::parameter_group(ctx, action, input.opt_str("DBParameterGroupName"), &family)?;
    let options = format!("default:postgres-{major}");
    settings::uses(ctx, action, &format!("og:{options}"))?;
    if input.opt_str("OptionGroupName").is_some_and(|name| name != options) {
        return Err(ApiError::not_simulated("option groups other than the default"));
    }
    if let Some(license) = input.opt_str("LicenseModel").filter(|license| *license != "postgresql-license") {
        return Err(combination(format!("Invalid license model {license} for engine postgres")));
    }
    if let Some(support) = input.opt_str("EngineLifecycleSupport") {
        instance.set("EngineLifecycleSupport", support);
    }
    instance.set("EngineVersion", format!("{major}.{minor}"));
    instance.set("DBInstanceClass", class);
    instance.set("DBParameterGroups", vec![json!({"DBParameterGroupName": group, "ParameterApplyStatus": "in-sync"})]);
    instance.set("OptionGroupMemberships", vec![json!({"OptionGroupName": options, "Status": "in-sync"})]);
    instance.set("AutoMinorVersionUpgrade", input.bool_or("AutoMinorVersionUpgrade", true)?);
    Ok(())
}

/// Zones, subnets and security groups; answers the subnets that get an interface.
fn placement(
    ctx: &mut Ctx<'_>,
    instance: &mut Resource,
    input: &Input,
    action: &'static str,
) -> Result<Vec<String>, ApiError> {
    let multi = input.bool_or("MultiAZ", false)?;
    let zone = input.opt_str("AvailabilityZone").map(str::to_owned);
    if multi && zone.is_some() {
        return Err(combination("Requesting a specific availability zone is not valid for Multi-AZ instances."));
    }
    // A new account of ours has no default VPC to fall back to.
    let name = input.opt_str("DBSubnetGroupName").map(str::to_ascii_lowercase).ok_or_else(|| {
        refuse(
            "InvalidSubnet",
            "No default subnet detected in VPC. Please contact AWS Support to recreate the default Subnets.",
        )
    })?;
    let group = subnet_group::GROUP.permitted(ctx, action, &name)?;
    let mut places = subnet_group::places(&group);
    places.sort_by_key(|(subnet, _)| rank(ctx.account.seed, subnet));
    let first = match &zone {
        Some(zone) => places.iter().position(|(_, z)| z == zone).ok_or_else(|| {
            invalid(format!("DB Subnet Group {name} doesn't have a subnet in the availability zone {zone}"))
        })?,
        None => 0,
    };
    let first = places.remove(first);
    let second = places.into_iter().find(|(_, zone)| *zone != first.1).filter(|_| multi);
    let groups = settings::security_groups(ctx, &input.strings("VpcSecurityGroupIds"), group.text("VpcId"))?;
    if input.opt_str("NetworkType").is_some_and(|kind| kind != "IPV4") {
        return Err(ApiError::not_simulated("NetworkType other than IPV4"));
    }
    instance.set("MultiAZ", multi);
    instance.set("AvailabilityZone", first.1);
    if let Some((_, zone)) = &second {
        instance.set("SecondaryAvailabilityZone", zone.clone());
    }
    instance.set("_subnetGroup", name);
    instance.set("VpcSecurityGroups", settings::memberships(&groups, "active"));
    instance.set("PubliclyAccessible", input.bool_or("PubliclyAccessible", false)?);
    Ok([Some(first.0), second.map(|(subnet, _)| subnet)].into_iter().flatten().collect())
}

fn encryption(ctx: &mut Ctx<'_>, instance: &mut Resource, input: &Input) -> Result<(), ApiError> {
    let key = input.opt_str("KmsKeyId").map(str::to_owned);
    // A key alone means encryption: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.html>
    let on = input.opt_bool("StorageEncrypted")?.unwrap_or(key.is_some());
    if !on && key.is_some() {
        return Err(combination("KMS Key ID cannot be specified for unencrypted DB instances"));
    }
    instance.set("StorageEncrypted", on);
    if on {
        let key = settings::encryption_key(ctx, key.as_deref(), &["DescribeKey", "CreateGrant"])?;
        instance.set("KmsKeyId", key);
    }
    Ok(())
}

/// User, password, database, port, certificate.
fn access(ctx: &Ctx<'_>, instance: &mut Resource, input: &Input) -> Result<(), ApiError> {
    let user = input.str("MasterUsername")?;
    settings::user(user)?;
    let password = input.str("MasterUserPassword")?;
    settings::password(password)?;
    instance.set("MasterUsername", user);
    instance.set("_masterUserPassword", password);
    remember_password(ctx.now, instance, password);
    // Shown, masked, until the instance is there.
    instance.set("PendingModifiedValues", json!({"MasterUserPassword": "****"}));
    if let Some(name) = input.opt_str("DBName") {
        settings::database(name)?;
        instance.set("DBName", name);
    }
    instance.set("_port", settings::port(input.opt_int("Port")?.unwrap_or(5432))?);
    let login = input.bool_or("EnableIAMDatabaseAuthentication", false)?;
    instance.set("IAMDatabaseAuthenticationEnabled", login);
    settings::certificate(ctx, instance, input.opt_str("CACertificateIdentifier").unwrap_or("rds-ca-rsa2048-g1"))
}

/// A restore to a moment brings the password of that moment back.
pub(super) fn remember_password(now: Timestamp, instance: &mut Resource, password: &str) {
    instance.list_mut("_passwords").push(json!([now.as_second(), password]));
}

/// The password that was in force at a moment.
pub(super) fn password_at(instance: &Resource, at: Timestamp) -> String {
    let all = instance.items("_passwords").iter();
    let mut before = all.filter(|entry| entry[0].as_i64().is_some_and(|since| since <= at.as_second()));
    let password = before.next_back().and_then(|entry| entry[1].as_str());
    password.unwrap_or(instance.text("_masterUserPassword")).to_owned()
}

/// Backups, windows, protection, log exports.
fn upkeep(ctx: &mut Ctx<'_>, instance: &mut Resource, input: &Input) -> Result<(), ApiError> {
    instance.set("BackupRetentionPeriod", settings::retention(input.opt_int("BackupRetentionPeriod")?.unwrap_or(1))?);
    let (backup, maintenance) =
        windows::chosen(ctx, input.opt_str("PreferredBackupWindow"), input.opt_str("PreferredMaintenanceWindow"))?;
    instance.set("PreferredBackupWindow", backup);
    instance.set("PreferredMaintenanceWindow", maintenance);
    instance.set("DeletionProtection", input.bool_or("DeletionProtection", false)?);
    instance.set("CopyTagsToSnapshot", input.bool_or("CopyTagsToSnapshot", false)?);
    let logs = input.strings("EnableCloudwatchLogsExports");
    settings::log_types(&logs)?;
    if !logs.is_empty() {
        instance.set("EnabledCloudwatchLogsExports", logs);
    }
    Ok(())
}

/// The instance's network interfaces, which hold its subnets and security groups until it is gone.
fn interfaces(ctx: &mut Ctx<'_>, instance: &Resource, arn: &str, subnets: &[String]) -> Result<(), ApiError> {
    let groups = guarded_by(instance);
    for subnet in subnets {
        let wanted = interface::Wanted {
            owner: arn,
            subnet,
            groups: &groups,
            interface_type: "interface",
            description: "RDSNetworkInterface",
            requester: "amazon-rds",
        };
        interface::make(ctx, &wanted)
            .map_err(|error| refuse("InsufficientAvailableIPsInSubnetFault", error.message))?;
    }
    Ok(())
}

pub(super) fn guarded_by(instance: &Resource) -> Vec<String> {
    let groups = instance.items("VpcSecurityGroups");
    groups.iter().filter_map(|group| group["VpcSecurityGroupId"].as_str().map(str::to_owned)).collect()
}

/// An instance as answers show it.
pub(super) fn shown(ctx: &Ctx<'_>, instance: &Resource) -> Map<String, Value> {
    let mut map = tagged(instance);
    if let Some(group) = ctx.get(subnet_group::GROUP.kind, instance.text("_subnetGroup")) {
        let mut group = crate::services::shared::shown(&group);
        group.remove("DBSubnetGroupArn");
        group.remove("SupportedNetworkTypes");
        map.insert("DBSubnetGroup".to_owned(), Value::Object(group));
    }
    if let Some(at) = restorable(ctx.now, instance) {
        map.insert("LatestRestorableTime".to_owned(), date(at).into());
    }
    // An instance whose key is gone or disabled cannot work:
    // <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html#Overview.DBInstance.Status>
    let key = instance.text("KmsKeyId").rsplit('/').next().unwrap_or_default();
    let unusable = ctx.get("kms.key", key).is_none_or(|key| key.text("KeyState") != "Enabled");
    if instance.flag("StorageEncrypted") && unusable && instance.text("DBInstanceStatus") == "available" {
        map.insert("DBInstanceStatus".to_owned(), "inaccessible-encryption-credentials-recoverable".into());
    }
    map
}

/// Up to when an instance can be restored: logs are uploaded every five minutes.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html>
pub(super) fn restorable(now: Timestamp, instance: &Resource) -> Option<Timestamp> {
    let since: Timestamp = instance.text("_backedUpSince").parse().ok()?;
    let last = Timestamp::from_second(now.as_second() / 300 * 300).ok()?;
    (instance.number("BackupRetentionPeriod") > 0).then(|| last.max(since))
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let asked = input.opt_str("DBInstanceIdentifier").map(str::to_ascii_lowercase);
    let prefix = INSTANCE.arn(ctx, "");
    let id = asked.as_deref().map(|id| id.strip_prefix(&prefix).unwrap_or(id));
    let filters = filters(input, &["db-cluster-id", "db-instance-id", "dbi-resource-id", "domain", "engine"])?;
    let found = INSTANCE.asked(ctx, "DescribeDBInstances", id)?;
    let fits = |instance: &Resource| {
        filters.iter().all(|(name, values)| match name.as_str() {
            "db-instance-id" => values.iter().any(|v| *v == instance.id || *v == instance.text("DBInstanceArn")),
            "dbi-resource-id" => values.iter().any(|v| v == instance.text("DbiResourceId")),
            "engine" => values.iter().any(|v| v == instance.text("Engine")),
            _ => false,
        })
    };
    let found = found.iter().filter(|instance| fits(instance));
    let shown = found.map(|instance| Value::Object(shown(ctx, instance))).collect();
    paged(input, "DBInstances", shown)
}

/// How long after now something of about this length ends: `longest - shortest` more or less.
pub(super) fn between(ctx: &mut Ctx<'_>, shortest: u64, longest: u64) -> Duration {
    let range = Duration::from_secs(longest - shortest);
    let typical = Duration::from_secs(shortest) + range.mul_f64(ctx.account.rng.unit());
    typical.mul_f64(ctx.account.weather.pace)
}

/// The moment that long after now.
pub(super) fn moment(ctx: &Ctx<'_>, wait: Duration) -> Timestamp {
    later(ctx.now, wait)
}
