//! A PostgreSQL database instance.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_PostgreSQL.html>

mod observe;
mod password;
pub mod restored;
#[cfg(test)]
mod tests;
mod write;

use serde::{Deserialize, Serialize};
use wharf_engine::{Compare, Estimate, Field, Health, Order, Outputs, Owner, Rules};

use super::groups::or_none;
use super::parameter_group::ParameterGroupName;
use super::subnet_group::SubnetGroupName;
use super::tagging;
use crate::aws::call::{Aws, CallError};
use crate::aws::ec2::security_group::SecurityGroupId;
use crate::aws::iam::role::RoleArn;
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::kms::key::KeyArn;
use crate::aws::out::{Handle, Out, Text};
use crate::aws::ssm::parameter::ParameterName;
use crate::aws::ssm::secret::SecretVersion;
use crate::aws::tags::Tags;
use crate::aws::units::{Days, Seconds};

/// A PostgreSQL instance, always encrypted. What is an `Option` and none is AWS's to choose, and what AWS (or
/// somebody else) chose is kept; [`Instance::max_storage_gib`], [`Instance::performance_insights`] and
/// [`Instance::monitoring`] are off when they are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name in the account, in lower case. It counts at creation: an instance that was restored under another
    /// name and adopted keeps that one.
    pub identifier: String,
    /// The version of PostgreSQL: `17`, or as exact as one likes, `17.4`. A step down is impossible.
    pub engine_version: String,
    /// The machine, such as `db.t4g.medium`.
    pub class: String,
    /// The storage in GiB. It can grow and never shrinks.
    pub storage_gib: i32,
    /// RDS grows the storage by itself up to this; none: it does not.
    pub max_storage_gib: Option<i32>,
    /// `gp3`, `io2`, …
    pub storage_type: String,
    /// Provisioned operations a second. RDS takes none for `gp3` under 400 GiB, where 3000 come with it.
    pub iops: Option<i32>,
    /// Provisioned throughput in MiB/s, for `gp3` from 400 GiB.
    pub throughput_mibs: Option<i32>,
    /// A synchronous standby in another zone.
    pub multi_az: bool,
    /// Encrypts the storage, the snapshots and the backups.
    pub kms_key: Out<KeyArn>,
    /// Where it stands.
    pub subnet_group: Out<SubnetGroupName>,
    /// Who reaches it.
    pub security_groups: Vec<Out<SecurityGroupId>>,
    /// The server's settings.
    pub parameter_group: Out<ParameterGroupName>,
    /// The database that RDS makes in it.
    pub database: String,
    /// The master user.
    pub username: String,
    /// The SSM parameter that holds the master password. The password is read at the moment of use and is nowhere
    /// else; the tag `wharf:password` says which parameter and version is in force.
    pub password: Out<ParameterName>,
    /// The version of that parameter: a new one, and the database gets the new password.
    pub password_version: Out<SecretVersion>,
    /// The port. A change restarts the database.
    pub port: i32,
    /// It has an address on the internet.
    pub publicly_accessible: bool,
    /// Automated backups, and with them point-in-time restore, reach so far back; 0 turns them off.
    pub backup_days: Days,
    /// When the daily backup is taken, in UTC: `03:00-04:00`.
    pub backup_window: Option<String>,
    /// When AWS may restart it, in UTC: `sun:04:00-sun:05:00`.
    pub maintenance_window: Option<String>,
    /// AWS refuses to delete it. A deletion that was allowed by name lifts this first.
    pub deletion_protection: bool,
    /// Snapshots get its tags, by which they are found when it is gone.
    pub copy_tags_to_snapshots: bool,
    /// What it writes to CloudWatch Logs: `postgresql`, `upgrade`, `iam-db-auth-error`.
    pub log_exports: Vec<String>,
    /// How much CloudWatch Database Insights shows; advanced needs 465 days of Performance Insights.
    pub database_insights: DatabaseInsights,
    /// Which queries cost what; none: off.
    pub performance_insights: Option<PerformanceInsights>,
    /// The metrics of the operating system; none: off.
    pub monitoring: Option<Monitoring>,
    /// AWS brings minor versions in the maintenance window.
    pub auto_minor_upgrades: bool,
    /// When the major version is past its end, it goes on for money; otherwise AWS upgrades it.
    pub extended_support: bool,
    /// The certificate authority of its TLS certificate, such as `rds-ca-rsa2048-g1`.
    pub ca_certificate: Option<String>,
    /// IAM identities can sign in.
    pub iam_authentication: bool,
    /// A change that takes an outage is made at once; otherwise in the next maintenance window, and until then it
    /// counts as made.
    pub apply_immediately: bool,
    /// The user's tags.
    pub tags: Tags,
}

/// How much CloudWatch Database Insights shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseInsights {
    /// What Performance Insights has.
    Standard,
    /// Fleet, locks, plans and traces as well, for money.
    Advanced,
}

/// Performance Insights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerformanceInsights {
    /// 7 (free), a multiple of 31, 465 with advanced Database Insights, or 731.
    pub keep: Days,
    /// Encrypts what it keeps. AWS cannot change it once it is on.
    pub key: Option<Out<KeyArn>>,
}

/// Enhanced Monitoring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitoring {
    /// How often: 1, 5, 10, 15, 30 or 60 seconds.
    pub every: Seconds,
    /// The role by which RDS writes to CloudWatch Logs.
    pub role: Out<RoleArn>,
}

/// Marks the ARN of a database instance.
#[derive(Debug)]
pub enum InstanceArn {}

/// Marks the name of a database instance.
#[derive(Debug)]
pub enum InstanceIdentifier {}

impl Handle<Instance> {
    /// The name by which clients reach it. It stays through a failover.
    #[must_use]
    pub fn host(&self) -> Text {
        self.output("host")
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> Text {
        self.output("port")
    }

    /// The name of its database.
    #[must_use]
    pub fn database(&self) -> Text {
        self.output("database")
    }

    /// The master user's name.
    #[must_use]
    pub fn username(&self) -> Text {
        self.output("username")
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> Out<InstanceArn> {
        self.output("arn")
    }

    /// Its identifier, the dimension of its metrics.
    #[must_use]
    pub fn identifier(&self) -> Out<InstanceIdentifier> {
        self.output("identifier")
    }

    /// Its resource id, which `rds-db:connect` is allowed on.
    #[must_use]
    pub fn resource_id(&self) -> Text {
        self.output("resource_id")
    }
}

impl Kind for Instance {
    const RULES: &'static Rules = &Rules {
        kind: "rds.instance",
        fields: &[
            Field::new("identifier").owned_by(Owner::Aws),
            Field::new("engine_version").compared(Compare::VersionPrefix),
            Field::new("class"),
            Field::new("storage_gib").compared(Compare::AtLeast),
            Field::new("max_storage_gib"),
            Field::new("storage_type"),
            Field::new("iops"),
            Field::new("throughput_mibs"),
            Field::new("multi_az"),
            Field::new("kms_key").replaces(),
            Field::new("subnet_group").replaces(),
            Field::new("security_groups").compared(Compare::Set),
            Field::new("parameter_group"),
            Field::new("database").replaces(),
            Field::new("username").replaces(),
            Field::new("password"),
            Field::new("password_version"),
            Field::new("port").renews(&["port"]),
            Field::new("publicly_accessible"),
            Field::new("backup_days"),
            Field::new("backup_window"),
            Field::new("maintenance_window"),
            Field::new("deletion_protection"),
            Field::new("copy_tags_to_snapshots"),
            Field::new("log_exports").compared(Compare::Set),
            Field::new("database_insights"),
            Field::new("performance_insights"),
            Field::new("monitoring"),
            Field::new("auto_minor_upgrades"),
            Field::new("extended_support"),
            Field::new("ca_certificate"),
            Field::new("iam_authentication"),
            Field::new("apply_immediately"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::DeleteFirst,
        protected: true,
        visible_within: std::time::Duration::from_secs(60),
        estimate: Estimate::seconds(720, 300, 400),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let name = query.only_physical();
        let send = |marker| {
            let name = name.map(str::to_owned);
            aws.rds.describe_db_instances().set_db_instance_identifier(name).set_marker(marker).send()
        };
        let page = |page: aws_sdk_rds::operation::describe_db_instances::DescribeDbInstancesOutput| {
            (page.db_instances.unwrap_or_default(), page.marker)
        };
        let all = or_none(aws.pages("rds:DescribeDBInstances", name.unwrap_or_default(), send, page).await)?;
        Ok(all.iter().filter_map(|instance| observe::observed(&aws.scope.stack, query, instance)).collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let secret = password::read(aws, self).await?;
        let mut tags = new.tags(&self.tags);
        tags.insert(password::TAG.to_owned(), password::applied(self)?);
        let request = write::creation(self, aws, &secret)?.set_tags(Some(tagging::to_sdk(&tags)));
        aws.call("rds:CreateDBInstance", new.id.as_str(), || request.clone().send()).await?;
        Ok(Made { physical: self.identifier.clone(), outputs: None })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let modified = changed.0.iter().any(|field| field != "tags");
        let arn = arn(aws, &now.physical);
        if modified {
            let request = write::modification(self, aws, now, changed).await?;
            aws.call("rds:ModifyDBInstance", &now.physical, || request.clone().send()).await?;
        }
        // After the password: if this is not reached, the next run sets the same password again.
        if changed.any(&["password", "password_version"]) {
            let tag = Tags::from([(password::TAG.to_owned(), password::applied(self)?)]);
            tagging::write(aws, &arn, &tag).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, &arn, &now.inputs.tags, &self.tags).await?;
        }
        Ok((!modified).then(|| now.outputs.clone()))
    }

    /// Leaves a final snapshot, `<identifier>-final-<token>`, and with it the data as of the deletion; so the
    /// automated backups, which would cost money and hold the key for weeks, go. An instance that has failed takes
    /// no snapshot (AWS refuses it); then its automated backups stay until they expire.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DeleteInstance.html>
    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let name = &now.physical;
        if now.inputs.deletion_protection {
            // Takes effect at once, whatever else is pending.
            let send = || aws.rds.modify_db_instance().db_instance_identifier(name).deletion_protection(false).send();
            aws.call("rds:ModifyDBInstance", name, send).await?;
        }
        let request = aws.rds.delete_db_instance().db_instance_identifier(name);
        let request = match now.health {
            Health::Failed(_) => request.skip_final_snapshot(true).delete_automated_backups(false),
            _ if !aws.final_snapshots() => request.skip_final_snapshot(true).delete_automated_backups(true),
            _ => request
                .skip_final_snapshot(false)
                .final_db_snapshot_identifier(write::final_snapshot(aws, now))
                .delete_automated_backups(true),
        };
        aws.call("rds:DeleteDBInstance", name, || request.clone().send()).await?;
        Ok(Gone::Later)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &arn(aws, &now.physical), identity).await
    }

    fn grants() -> Vec<Grant> {
        const INSTANCE: &[&str] = &["arn:{partition}:rds:{region}:{account}:db:*"];
        // An instance's request is judged on each of these too; the instance's own tag is what limits it.
        const STANDS_ON: &[&str] = &[
            "arn:{partition}:rds:{region}:{account}:og:*",
            "arn:{partition}:rds:{region}:{account}:pg:*",
            "arn:{partition}:rds:{region}:{account}:subgrp:*",
        ];
        const SNAPSHOT: &[&str] = &["arn:{partition}:rds:{region}:{account}:snapshot:*-final-*"];
        const KEYS: &[&str] = &["arn:{partition}:kms:{region}:{account}:key/*"];
        const THROUGH_RDS: &[(&str, &str, &str)] = &[("StringEquals", "kms:ViaService", "rds.{region}.amazonaws.com")];
        const THROUGH_SSM: &[(&str, &str, &str)] = &[("StringEquals", "kms:ViaService", "ssm.{region}.amazonaws.com")];
        const TO_RDS: &[(&str, &str, &str)] =
            &[("StringEquals", "iam:PassedToService", "monitoring.rds.amazonaws.com")];
        const FOR_RDS: &[(&str, &str, &str)] = &[("StringEquals", "iam:AWSServiceName", "rds.amazonaws.com")];
        let own = [
            Grant::read(&["rds:DescribeDBInstances", "rds:ListTagsForResource"]),
            Grant::write(&["rds:CreateDBInstance"], INSTANCE).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["rds:ModifyDBInstance", "rds:DeleteDBInstance", "rds:CreateDBSnapshot"], INSTANCE)
                .when(OF_THIS_STACK),
            Grant::write(&["rds:CreateDBInstance", "rds:ModifyDBInstance"], STANDS_ON),
            Grant::write(&["rds:CreateDBSnapshot", "rds:AddTagsToResource"], SNAPSHOT),
            Grant::write(&["kms:CreateGrant", "kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey"], KEYS)
                .when(THROUGH_RDS),
            Grant::write(&["ssm:GetParameter"], &["arn:{partition}:ssm:{region}:{account}:parameter/{stack}/*"]),
            Grant::write(&["kms:Decrypt"], KEYS).when(THROUGH_SSM),
            Grant::write(&["iam:PassRole"], &["arn:{partition}:iam::{account}:role/wharf/{stack}/*"]).when(TO_RDS),
            Grant::write(
                &["iam:CreateServiceLinkedRole"],
                &["arn:{partition}:iam::{account}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS"],
            )
            .when(FOR_RDS),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

fn arn(aws: &Aws, name: &str) -> String {
    tagging::arn(aws, "db", name)
}
