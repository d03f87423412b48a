//! The database: PostgreSQL in the private subnets, encrypted, backed up, watched, reached by the tasks alone and by TLS
//! alone; its credentials in SSM Parameter Store.

use super::network::Network;
use super::{BuildError, Builder, Site};
use crate::aws::iam::role::Role;
use crate::aws::kms::key::Key;
use crate::aws::logs::log_group::LogGroup;
use crate::aws::policy::Document;
use crate::aws::rds::instance::{DatabaseInsights, Instance, Monitoring, PerformanceInsights};
use crate::aws::rds::parameter_group::ParameterGroup;
use crate::aws::rds::subnet_group::SubnetGroup;
use crate::aws::ssm::parameter::Parameter;
use crate::aws::ssm::secret::SecretParameter;
use crate::aws::units::{Days, HOUR, Seconds};
use crate::aws::{Handle, Tags};
use crate::config::{Config, Database, Insights};

/// The logs that PostgreSQL writes to CloudWatch.
const LOGS: [&str; 2] = ["postgresql", "upgrade"];
const MONITORING: &str = "service-role/AmazonRDSEnhancedMonitoringRole";

/// What other modules need of the database.
pub(super) struct Running {
    pub(super) instance: Handle<Instance>,
    pub(super) password: Handle<SecretParameter>,
}

/// What the database is called. Whoever is content with that does not wait for it.
pub(crate) fn identifier(config: &Config) -> String {
    format!("{}-database", config.stack.name)
}

/// The database with all that it needs.
pub(super) fn database(
    b: &mut Builder,
    config: &Config,
    site: &Site,
    wanted: &Database,
    network: &Network,
    key: &Handle<Key>,
) -> Result<Running, BuildError> {
    let stack = config.stack.name.as_str();
    let identifier = identifier(config);
    let subnets = SubnetGroup {
        description: format!("the private subnets of {stack}"),
        vpc: network.vpc.id(),
        subnets: network.private.iter().map(|subnet| subnet.id()).collect(),
        tags: b.tags(),
    };
    let subnets = b.add("database.subnet-group", subnets)?;
    let settings = b.add("database.parameter-group", parameters(stack, wanted, b.tags()))?;
    let secret = b.add("database.password", password(stack, wanted, key, b.tags()))?;
    let monitoring = b.add("database.monitoring-role", monitoring(stack, site, b.tags()))?;
    // RDS makes log groups that are missing, without retention and without the key: so they come first.
    let mut groups = Vec::new();
    for log in LOGS {
        let group = LogGroup {
            name: format!("/aws/rds/instance/{identifier}/{log}"),
            retention: Some(Days(i32::from(wanted.log_days))),
            key: Some(key.arn()),
            class: "STANDARD".to_owned(),
            archive: false,
            tags: b.tags(),
        };
        groups.push(b.add(&format!("database.log-{log}"), group)?.logical_id().clone());
    }
    let (insights, keep) = match wanted.insights {
        Insights::Standard => (DatabaseInsights::Standard, Days(7)),
        Insights::Advanced => (DatabaseInsights::Advanced, Days(465)),
    };
    let instance = Instance {
        identifier,
        engine_version: wanted.engine_version.clone(),
        class: wanted.class.clone(),
        storage_gib: gib(wanted.storage_gib),
        max_storage_gib: (wanted.storage_limit_gib() > wanted.storage_gib).then(|| gib(wanted.storage_limit_gib())),
        storage_type: "gp3".to_owned(),
        iops: None,
        throughput_mibs: None,
        multi_az: wanted.multi_az,
        kms_key: key.arn(),
        subnet_group: subnets.name(),
        security_groups: network.database.iter().map(|group| group.id()).collect(),
        parameter_group: settings.name(),
        database: wanted.name.clone(),
        username: wanted.username.clone(),
        password: secret.name(),
        password_version: secret.version(),
        port: i32::from(wanted.port),
        publicly_accessible: false,
        backup_days: Days(i32::from(wanted.backup_days)),
        backup_window: Some(wanted.backup_window.clone()),
        maintenance_window: Some(wanted.maintenance_window.clone()),
        deletion_protection: wanted.deletion_protection,
        copy_tags_to_snapshots: true,
        log_exports: LOGS.map(str::to_owned).into(),
        database_insights: insights,
        performance_insights: Some(PerformanceInsights { keep, key: Some(key.arn()) }),
        monitoring: Some(Monitoring { every: Seconds(60), role: monitoring.arn() }),
        auto_minor_upgrades: true,
        extended_support: false,
        ca_certificate: Some("rds-ca-rsa2048-g1".to_owned()),
        iam_authentication: false,
        apply_immediately: true,
        tags: b.tags(),
    };
    let instance = b.add_after("database.instance", instance, groups)?;
    for (name, value, what) in [
        ("host", instance.host(), "where the database listens"),
        ("port", instance.port(), "the database's port"),
        ("name", instance.database(), "the database's name"),
        ("username", instance.username(), "the master user's name"),
    ] {
        let parameter = Parameter {
            name: format!("/{stack}/database/{name}"),
            value,
            description: what.to_owned(),
            tier: "Standard".to_owned(),
            tags: b.tags(),
        };
        b.add(&format!("database.{name}"), parameter)?;
    }
    Ok(Running { instance, password: secret })
}

/// No connection without TLS; statements over a second and waits for locks are logged.
fn parameters(stack: &str, wanted: &Database, tags: Tags) -> ParameterGroup {
    let parameters = [("rds.force_ssl", "1"), ("log_lock_waits", "1"), ("log_min_duration_statement", "1000")];
    ParameterGroup {
        family: format!("postgres{}", wanted.major_version()),
        description: format!("the settings of {stack}'s database"),
        parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        tags,
    }
}

fn password(stack: &str, wanted: &Database, key: &Handle<Key>, tags: Tags) -> SecretParameter {
    SecretParameter {
        name: format!("/{stack}/database/password"),
        description: "the master user's password".to_owned(),
        key: Some(key.arn()),
        length: 40,
        rotation: wanted.password_rotation,
        tags,
    }
}

fn monitoring(stack: &str, site: &Site, tags: Tags) -> Role {
    let partition = &site.partition;
    Role {
        name: format!("{stack}-database-monitoring"),
        description: "writes the database's operating system metrics".to_owned(),
        trust: Document::trusting("monitoring.rds.amazonaws.com").text(),
        policies: [].into(),
        managed: vec![format!("arn:{partition}:iam::aws:policy/{MONITORING}").into()],
        max_session: HOUR,
        boundary: None,
        tags,
    }
}

/// AWS counts in signed numbers; the stack file's are checked to be far below.
fn gib(storage: u32) -> i32 {
    i32::try_from(storage).unwrap_or(i32::MAX)
}
