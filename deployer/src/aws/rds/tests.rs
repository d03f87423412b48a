//! Each kind of the database lives in the sandbox from its creation to its deletion.

use wharf_engine::Found;

use super::instance::{DatabaseInsights, Instance, Monitoring, PerformanceInsights};
use super::parameter_group::ParameterGroup;
use super::subnet_group::SubnetGroup;
use crate::aws::Tags;
use crate::aws::ec2::security_group::SecurityGroup;
use crate::aws::ec2::subnet::Subnet;
use crate::aws::ec2::vpc::Vpc;
use crate::aws::iam::role::Role;
use crate::aws::kms::key::Key;
use crate::aws::policy::{Document, Statement};
use crate::aws::ssm::secret::SecretParameter;
use crate::aws::testing::{World, out};
use crate::aws::units::{Days, HOUR, Seconds};

fn tags(value: &str) -> Tags {
    Tags::from([("team".to_owned(), value.to_owned())])
}

/// What a database stands on.
struct Ground {
    vpc: Found,
    subnets: Vec<Found>,
    key: Found,
    role: Found,
}

async fn ground(world: &World) -> Ground {
    let vpc = Vpc { cidr: "10.0.0.0/16".to_owned(), dns_support: true, dns_hostnames: true, tags: Tags::new() };
    let vpc = world.create("network.vpc", &vpc).await;
    let mut subnets = Vec::new();
    for (number, zone) in ["a", "b", "c"].into_iter().enumerate() {
        let subnet = Subnet {
            vpc: out(&vpc, "id"),
            cidr: format!("10.0.{number}.0/24"),
            zone: format!("us-east-1{zone}"),
            public_ips: false,
            tags: Tags::new(),
        };
        subnets.push(world.create(&format!("network.private-{zone}"), &subnet).await);
    }
    let everyone =
        Statement::allow(["kms:*"]).aws("*").on("*").when("StringEquals", "kms:CallerAccount", "123456789012");
    let key = Key {
        description: "data".to_owned(),
        policy: Document::new([everyone]).text(),
        enabled: true,
        rotation: Some(Days(365)),
        deletion_window: Days(7),
        tags: Tags::new(),
    };
    let key = world.create("encryption.key", &key).await;
    let role = Role {
        name: "shop-database-monitoring".to_owned(),
        description: "writes metrics".to_owned(),
        trust: Document::trusting("monitoring.rds.amazonaws.com").text(),
        policies: [].into(),
        managed: vec!["arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole".into()],
        max_session: HOUR,
        boundary: None,
        tags: Tags::new(),
    };
    let role = world.create("database.monitoring-role", &role).await;
    Ground { vpc, subnets, key, role }
}

fn subnet_group(ground: &Ground, of: [usize; 2]) -> SubnetGroup {
    SubnetGroup {
        description: "private subnets".to_owned(),
        vpc: out(&ground.vpc, "id"),
        subnets: of.map(|number| out(&ground.subnets[number], "id")).into(),
        tags: tags("a"),
    }
}

fn parameter_group(parameters: &[(&str, &str)]) -> ParameterGroup {
    ParameterGroup {
        family: "postgres17".to_owned(),
        description: "settings".to_owned(),
        parameters: parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        tags: tags("a"),
    }
}

async fn security_group(world: &World, ground: &Ground, name: &str) -> Found {
    let group = SecurityGroup {
        description: "database".to_owned(),
        vpc: out(&ground.vpc, "id"),
        ingress: Vec::new(),
        egress: Vec::new(),
        tags: Tags::new(),
    };
    world.create(&format!("network.{name}"), &group).await
}

#[tokio::test(start_paused = true)]
async fn a_subnet_group_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let ground = ground(&world).await;
    let made = world.create("database.subnet-group", &subnet_group(&ground, [1, 0])).await;
    let changed = SubnetGroup { description: "others".to_owned(), tags: tags("b"), ..subnet_group(&ground, [2, 0]) };
    let made = world.update(&made, &changed).await;
    world.delete::<SubnetGroup>(&made).await;
}

#[tokio::test(start_paused = true)]
async fn a_parameter_group_has_the_parameters_that_are_wanted_and_no_others() {
    let world = World::calm().await;
    // One that only a restart changes, and one that is at its default anyway.
    let wanted = [("rds.force_ssl", "1"), ("log_min_duration_statement", "1000"), ("max_connections", "200")];
    let made = world.create("database.parameter-group", &parameter_group(&wanted)).await;
    let changed = [("rds.force_ssl", "1"), ("log_min_duration_statement", "500"), ("log_lock_waits", "1")];
    let made = world.update(&made, &ParameterGroup { tags: tags("b"), ..parameter_group(&changed) }).await;
    world.delete::<ParameterGroup>(&made).await;
    assert!(world.sandbox.inventory().is_empty());
}

/// A database with all that it needs, and what its life changes.
async fn database(world: &World, ground: &Ground) -> (Instance, Found) {
    let subnets = world.create("database.subnet-group", &subnet_group(ground, [0, 1])).await;
    let parameters = world.create("database.parameter-group", &parameter_group(&[("rds.force_ssl", "1")])).await;
    let group = security_group(world, ground, "database").await;
    let secret = SecretParameter {
        name: "/shop/database/password".to_owned(),
        description: "master".to_owned(),
        key: Some(out(&ground.key, "arn")),
        length: 40,
        rotation: 1,
        tags: Tags::new(),
    };
    let secret = world.create("database.password", &secret).await;
    let key = out(&ground.key, "arn");
    let wanted = Instance {
        identifier: "shop-database".to_owned(),
        engine_version: "17".to_owned(),
        class: "db.t4g.medium".to_owned(),
        storage_gib: 50,
        max_storage_gib: Some(200),
        storage_type: "gp3".to_owned(),
        iops: None,
        throughput_mibs: None,
        multi_az: true,
        kms_key: out(&ground.key, "arn"),
        subnet_group: out(&subnets, "name"),
        security_groups: vec![out(&group, "id")],
        parameter_group: out(&parameters, "name"),
        database: "app".to_owned(),
        username: "app_admin".to_owned(),
        password: out(&secret, "name"),
        password_version: out(&secret, "version"),
        port: 5432,
        publicly_accessible: false,
        backup_days: Days(14),
        backup_window: None,
        maintenance_window: None,
        deletion_protection: true,
        copy_tags_to_snapshots: true,
        log_exports: vec!["postgresql".to_owned(), "upgrade".to_owned()],
        database_insights: DatabaseInsights::Standard,
        performance_insights: Some(PerformanceInsights { keep: Days(7), key: Some(key) }),
        monitoring: Some(Monitoring { every: Seconds(60), role: out(&ground.role, "arn") }),
        auto_minor_upgrades: true,
        extended_support: false,
        ca_certificate: None,
        iam_authentication: false,
        apply_immediately: true,
        tags: tags("a"),
    };
    let made = world.create("database.instance", &wanted).await;
    (wanted, made)
}

#[tokio::test(start_paused = true)]
async fn a_database_lives_from_creation_to_its_final_snapshot() {
    let world = World::calm().await;
    let ground = ground(&world).await;
    let (wanted, made) = database(&world, &ground).await;
    let other = security_group(&world, &ground, "other").await;
    let changed = Instance {
        class: "db.m7g.large".to_owned(),
        storage_gib: 80,
        max_storage_gib: Some(300),
        multi_az: false,
        security_groups: vec![out(&other, "id")],
        backup_days: Days(7),
        backup_window: Some("03:00-04:00".to_owned()),
        maintenance_window: Some("Sun:05:00-Sun:06:00".to_owned()),
        copy_tags_to_snapshots: false,
        log_exports: vec!["upgrade".to_owned()],
        auto_minor_upgrades: false,
        extended_support: true,
        iam_authentication: true,
        tags: tags("b"),
        ..wanted
    };
    let made = world.update(&made, &changed).await;
    let off = Instance {
        max_storage_gib: None,
        performance_insights: None,
        monitoring: None,
        port: 5433,
        ca_certificate: Some("rds-ca-ecc384-g1".to_owned()),
        ..changed
    };
    let made = world.update(&made, &off).await;
    // Protected against deletion still: an allowed deletion lifts that.
    world.delete::<Instance>(&made).await;
    let send = world.aws.rds.describe_db_snapshots().send();
    let snapshots = world.elsewhere(send).await.unwrap();
    let names: Vec<_> = snapshots.db_snapshots().iter().filter_map(|one| one.db_snapshot_identifier()).collect();
    assert!(matches!(names.as_slice(), [name] if name.starts_with("shop-database-final-")), "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rotated_password_reaches_the_database() {
    let world = World::calm().await;
    let ground = ground(&world).await;
    let (wanted, made) = database(&world, &ground).await;
    let put = world.aws.ssm.put_parameter().name("/shop/database/password").value("another-password").overwrite(true);
    let answer = world.elsewhere(put.send()).await.unwrap();
    let rotated = Instance { password_version: answer.version().to_string().into(), ..wanted };
    world.update(&made, &rotated).await;
}
