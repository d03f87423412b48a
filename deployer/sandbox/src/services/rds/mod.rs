//! Relational Database Service: PostgreSQL instances and what belongs to them, one file per noun.

mod automated_backup;
mod change;
mod cluster;
mod emitted;
mod engine;
mod engine_answers;
mod instance;
mod lifecycle;
mod modify;
mod parameter;
mod parameter_group;
mod remove;
mod rename;
mod restore;
mod settings;
mod snapshot;
mod snapshot_attribute;
mod subnet_group;
mod tags;
mod windows;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::shared::{page, shown};
use super::{Service, access_denied, read_one, throttling, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Tags};
use crate::weather::Bucket;

pub(crate) static SERVICE: Service = Service {
    name: "rds",
    namespace: "http://rds.amazonaws.com/doc/2014-10-31/",
    global: false,
    operations: &[
        write("CreateDBSubnetGroup", subnet_group::create),
        read_one("DescribeDBSubnetGroups", subnet_group::describe),
        write("ModifyDBSubnetGroup", subnet_group::modify),
        write("DeleteDBSubnetGroup", subnet_group::delete),
        write("CreateDBParameterGroup", parameter_group::create),
        read_one("DescribeDBParameterGroups", parameter_group::describe),
        write("ModifyDBParameterGroup", parameter_group::modify),
        write("ResetDBParameterGroup", parameter_group::reset),
        read_one("DescribeDBParameters", parameter_group::describe_parameters),
        write("DeleteDBParameterGroup", parameter_group::delete),
        write("CreateDBInstance", instance::create),
        read_one("DescribeDBInstances", instance::describe),
        write("ModifyDBInstance", modify::modify),
        write("RebootDBInstance", modify::reboot),
        write("DeleteDBInstance", remove::delete),
        write("RestoreDBInstanceToPointInTime", restore::to_point_in_time),
        write("RestoreDBInstanceFromDBSnapshot", restore::from_snapshot),
        write("CreateDBSnapshot", snapshot::create),
        read_one("DescribeDBSnapshots", snapshot::describe),
        write("DeleteDBSnapshot", snapshot::delete),
        read_one("DescribeDBSnapshotAttributes", snapshot_attribute::describe),
        read_one("DescribeDBClusters", cluster::describe),
        read_one("DescribeDBClusterSnapshots", cluster::describe_snapshots),
        read_one("DescribeDBClusterSnapshotAttributes", snapshot_attribute::describe_of_cluster),
        read_one("DescribeDBInstanceAutomatedBackups", automated_backup::describe),
        write("DeleteDBInstanceAutomatedBackup", automated_backup::delete),
        read_one("DescribeDBEngineVersions", engine_answers::versions),
        read_one("DescribeOrderableDBInstanceOptions", engine_answers::orderable),
        write("AddTagsToResource", tags::add),
        write("RemoveTagsFromResource", tags::remove),
        read_one("ListTagsForResource", tags::list),
    ],
    on_timer: lifecycle::on_timer,
    // As operators have measured it; AWS publishes no figures.
    bucket: |_, _| Bucket { name: "rds", burst: 300.0, rate: 12.0 },
    throttled: throttling,
    denied: access_denied,
};

/// What lists are called inside: query services name the elements of each list in their own way.
const ELEMENTS: &[(&str, &str)] = &[
    ("AttributeValues", "AttributeValue"),
    ("AvailabilityZones", "AvailabilityZone"),
    ("DBClusterMembers", "DBClusterMember"),
    ("DBClusterSnapshotAttributes", "DBClusterSnapshotAttribute"),
    ("DBClusterSnapshots", "DBClusterSnapshot"),
    ("DBClusters", "DBCluster"),
    ("DBEngineVersions", "DBEngineVersion"),
    ("DBInstanceAutomatedBackups", "DBInstanceAutomatedBackup"),
    ("DBInstances", "DBInstance"),
    ("DBParameterGroups", "DBParameterGroup"),
    ("DBSecurityGroups", "DBSecurityGroup"),
    ("DBSnapshotAttributes", "DBSnapshotAttribute"),
    ("DBSnapshots", "DBSnapshot"),
    ("DBSubnetGroups", "DBSubnetGroup"),
    ("OptionGroupMemberships", "OptionGroupMembership"),
    ("OrderableDBInstanceOptions", "OrderableDBInstanceOption"),
    ("Parameters", "Parameter"),
    ("ReadReplicaDBInstanceIdentifiers", "ReadReplicaDBInstanceIdentifier"),
    ("DomainMemberships", "DomainMembership"),
    ("StatusInfos", "DBInstanceStatusInfo"),
    ("Subnets", "Subnet"),
    ("TagList", "Tag"),
    ("ValidUpgradeTarget", "UpgradeTarget"),
    ("VpcSecurityGroups", "VpcSecurityGroupMembership"),
];

/// An answer with its lists named for the wire.
fn wire(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (element(&key, &value), wire(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(wire).collect(),
        other => other,
    }
}

fn element(key: &str, value: &Value) -> String {
    let name = ELEMENTS.iter().find(|(list, _)| *list == key && value.is_array()).map(|(_, name)| name);
    name.map_or_else(|| key.to_owned(), |name| format!("{key}:{name}"))
}

/// An object as AWS shows it, in an answer of its own.
fn answer(name: &str, shown: Map<String, Value>) -> Outcome {
    Ok(wire(json!({name: shown})))
}

/// A page of a list, as `MaxRecords` and `Marker` ask.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html>
fn paged(input: &Input, name: &str, items: Vec<Value>) -> Outcome {
    let size = input.opt_int("MaxRecords")?.unwrap_or(100);
    if !(20..=100).contains(&size) {
        return Err(invalid(format!("Invalid value {size} for MaxRecords. Must be between 20 and 100")));
    }
    let page = page(items, input.opt_str("Marker").filter(|m| !m.is_empty()), usize::try_from(size).unwrap_or(100))
        .ok_or_else(|| invalid("The marker is not valid"))?;
    let mut answer = json!({name: page.items});
    if let Some(next) = page.next {
        answer["Marker"] = next.into();
    }
    Ok(wire(answer))
}

/// `Filters`, each a name and values of which one must fit.
fn filters(input: &Input, known: &[&str]) -> Result<Vec<(String, Vec<String>)>, ApiError> {
    let mut found = Vec::new();
    for filter in input.objects("Filters") {
        let name = filter.string("Name")?;
        if !known.contains(&name.as_str()) {
            return Err(invalid(format!("Unrecognized filter name: {name}")));
        }
        found.push((name, filter.strings("Values")));
    }
    Ok(found)
}

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("InvalidParameterValue", message)
}

fn combination(message: impl Into<String>) -> ApiError {
    refuse("InvalidParameterCombination", message)
}

fn not_found(code: &str, message: impl Into<String>) -> ApiError {
    ApiError::with_status(404, code, message)
}

/// A moment as RDS writes it.
fn date(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// A kind of RDS object: its place in the account and in ARNs.
struct Noun {
    kind: &'static str,
    /// As in ARNs, such as `subgrp`.
    resource_type: &'static str,
    not_found: &'static str,
    /// The message around the name that was not found.
    words: (&'static str, &'static str),
}

static NOUNS: &[&Noun] = &[
    &subnet_group::GROUP,
    &parameter_group::GROUP,
    &instance::INSTANCE,
    &snapshot::SNAPSHOT,
    &cluster::CLUSTER,
    &cluster::SNAPSHOT,
];

/// The ARN of an object of RDS's.
pub(crate) fn arn_of(ctx: &Ctx<'_>, resource: &Resource) -> Option<String> {
    let noun = NOUNS.iter().find(|noun| noun.kind == resource.kind)?;
    Some(noun.arn(ctx, &resource.id))
}

impl Noun {
    fn arn(&self, ctx: &Ctx<'_>, id: &str) -> String {
        ctx.arn("rds", format!("{}:{id}", self.resource_type))
    }

    fn missing(&self, id: &str) -> ApiError {
        not_found(self.not_found, format!("{}{id}{}", self.words.0, self.words.1))
    }

    /// An object that a write names, once the caller may do this to it.
    fn permitted(&self, ctx: &mut Ctx<'_>, action: &str, id: &str) -> Result<Arc<Resource>, ApiError> {
        let found = ctx.usable(self.kind, id);
        let mut grant = Grant::new(format!("rds:{action}"), self.arn(ctx, id));
        if let Some(found) = &found {
            grant = grant.resource_tags(&found.tags);
        }
        ctx.authorise(grant)?;
        found.ok_or_else(|| self.missing(id))
    }

    /// Demands a creation, and the tagging that comes with it.
    fn authorise_create(&self, ctx: &mut Ctx<'_>, action: &str, id: &str, tags: &Tags) -> Result<(), ApiError> {
        let arn = self.arn(ctx, id);
        ctx.authorise(Grant::new(format!("rds:{action}"), arn.clone()).request_tags(tags))?;
        if tags.is_empty() {
            return Ok(());
        }
        ctx.authorise(Grant::new("rds:AddTagsToResource", arn).request_tags(tags))
    }

    /// The objects that a describe asks for: one by its id, or all, in AWS's order.
    fn asked(&self, ctx: &mut Ctx<'_>, action: &str, id: Option<&str>) -> Result<Vec<Arc<Resource>>, ApiError> {
        let arn = self.arn(ctx, id.unwrap_or("*"));
        ctx.authorise(Grant::new(format!("rds:{action}"), arn))?;
        match id {
            Some(id) => Ok(vec![ctx.visible_one(self.kind, id).ok_or_else(|| self.missing(id))?]),
            None => Ok(ctx.visible(self.kind)),
        }
    }
}

/// Identifiers are kept in lower case: letters, digits and single hyphens, a letter first.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.Constraints>
fn identifier(input: &Input, parameter: &str, longest: usize) -> Result<String, ApiError> {
    let name = input.str(parameter)?.to_ascii_lowercase();
    let fine = name.len() <= longest
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.ends_with('-')
        && !name.contains("--");
    if fine {
        return Ok(name);
    }
    Err(invalid(format!(
        "The parameter {parameter} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
    )))
}

/// The public part of an object with its tags under `TagList`.
fn tagged(resource: &Resource) -> Map<String, Value> {
    let mut map = shown(resource);
    map.insert("TagList".to_owned(), tags::list_of(&resource.tags));
    map
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_clusters;
#[cfg(test)]
mod tests_of_restores;
