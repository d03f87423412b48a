//! What an instance's observation and requests must hold, against answers as AWS gives them.

use std::collections::BTreeMap;

use aws_sdk_rds::types::builders::{DbInstanceBuilder, PendingModifiedValuesBuilder};
use aws_sdk_rds::types::{
    DbInstance as Sdk, DbParameterGroupStatus, DbSubnetGroup, Endpoint, PendingCloudwatchLogsExports,
    PendingModifiedValues, Tag, VpcSecurityGroupMembership,
};
use wharf_engine::{Health, Identity, LogicalId};

use super::observe::observed;
use super::*;
use crate::aws::erased::to_fields;

fn id() -> LogicalId {
    LogicalId::new("database.instance").unwrap()
}

/// An instance as the stack wants it, with all that can be left to AWS left to it.
pub(super) fn wanted() -> Instance {
    Instance {
        identifier: "shop-database".to_owned(),
        engine_version: "17".to_owned(),
        class: "db.t4g.medium".to_owned(),
        storage_gib: 50,
        max_storage_gib: Some(200),
        storage_type: "gp3".to_owned(),
        iops: None,
        throughput_mibs: None,
        multi_az: true,
        kms_key: "arn:aws:kms:us-east-1:123456789012:key/1".into(),
        subnet_group: "shop-subnets".into(),
        security_groups: vec!["sg-1".into()],
        parameter_group: "shop-parameters".into(),
        database: "app".to_owned(),
        username: "app_admin".to_owned(),
        password: "/shop/database/password".into(),
        password_version: "3".into(),
        port: 5432,
        publicly_accessible: false,
        backup_days: Days(14),
        backup_window: None,
        maintenance_window: None,
        deletion_protection: true,
        copy_tags_to_snapshots: true,
        log_exports: vec!["postgresql".to_owned(), "upgrade".to_owned()],
        database_insights: DatabaseInsights::Standard,
        performance_insights: Some(PerformanceInsights { keep: Days(7), key: None }),
        monitoring: Some(Monitoring { every: Seconds(60), role: "arn:aws:iam::123456789012:role/m".into() }),
        auto_minor_upgrades: true,
        extended_support: false,
        ca_certificate: None,
        iam_authentication: true,
        apply_immediately: true,
        tags: Tags::new(),
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// What AWS answers for [`wanted`]: exact versions, windows and figures that nobody sent, lists in its own order.
fn answered() -> DbInstanceBuilder {
    Sdk::builder()
        .db_instance_identifier("shop-database")
        .db_instance_status("available")
        .db_instance_arn("arn:aws:rds:us-east-1:123456789012:db:shop-database")
        .dbi_resource_id("db-ABC")
        .engine("postgres")
        .engine_version("17.4")
        .engine_lifecycle_support("open-source-rds-extended-support-disabled")
        .db_instance_class("db.t4g.medium")
        .allocated_storage(50)
        .max_allocated_storage(200)
        .storage_type("gp3")
        .iops(3000)
        .storage_throughput(125)
        .multi_az(true)
        .storage_encrypted(true)
        .kms_key_id("arn:aws:kms:us-east-1:123456789012:key/1")
        .db_subnet_group(DbSubnetGroup::builder().db_subnet_group_name("shop-subnets").build())
        .vpc_security_groups(
            VpcSecurityGroupMembership::builder().vpc_security_group_id("sg-1").status("active").build(),
        )
        .db_parameter_groups(DbParameterGroupStatus::builder().db_parameter_group_name("shop-parameters").build())
        .db_name("app")
        .master_username("app_admin")
        .endpoint(Endpoint::builder().address("shop-database.abc.us-east-1.rds.amazonaws.com").port(5432).build())
        .db_instance_port(0)
        .publicly_accessible(false)
        .backup_retention_period(14)
        .preferred_backup_window("07:11-07:41")
        .preferred_maintenance_window("sat:05:02-sat:05:32")
        .deletion_protection(true)
        .copy_tags_to_snapshot(true)
        .enabled_cloudwatch_logs_exports("upgrade")
        .enabled_cloudwatch_logs_exports("postgresql")
        .database_insights_mode(aws_sdk_rds::types::DatabaseInsightsMode::Standard)
        .performance_insights_enabled(true)
        .performance_insights_retention_period(7)
        .performance_insights_kms_key_id("arn:aws:kms:us-east-1:123456789012:key/aws-rds")
        .monitoring_interval(60)
        .monitoring_role_arn("arn:aws:iam::123456789012:role/m")
        .auto_minor_version_upgrade(true)
        .ca_certificate_identifier("rds-ca-rsa2048-g1")
        .iam_database_authentication_enabled(true)
        .pending_modified_values(PendingModifiedValues::builder().build())
        .tag_list(tag("wharf:stack", "shop"))
        .tag_list(tag("wharf:id", "database.instance"))
        .tag_list(tag("wharf:gen", "0a1b2c3d"))
        .tag_list(tag("wharf:password", "/shop/database/password:3"))
}

fn query(wanted: Instance) -> Query<Instance> {
    Query { wanted: BTreeMap::from([(id(), wanted)]), only: None }
}

/// The names of the fields that differ between what is wanted and what AWS answers.
fn differing(wanted: &Instance, answer: DbInstanceBuilder) -> Vec<String> {
    let found = observed("shop", &query(wanted.clone()), &answer.build()).unwrap();
    let now = wharf_engine::Found {
        id: found.id,
        rules: Instance::RULES,
        physical: found.physical,
        identity: found.identity,
        health: found.health,
        inputs: to_fields(&found.inputs).unwrap(),
        outputs: found.outputs,
        blockers: found.blockers,
    };
    let changes = wharf_engine::diff(Instance::RULES, &to_fields(wanted).unwrap(), &now);
    changes.into_iter().map(|change| change.field).collect()
}

fn pending(change: impl FnOnce(PendingModifiedValuesBuilder) -> PendingModifiedValuesBuilder) -> DbInstanceBuilder {
    answered().pending_modified_values(change(PendingModifiedValues::builder()).build())
}

#[test]
fn every_field_has_a_rule() {
    for name in to_fields(&wanted()).unwrap().keys() {
        assert!(Instance::RULES.field(name).is_some(), "{name}");
    }
}

#[test]
fn what_the_stack_leaves_to_aws_is_no_difference() {
    assert_eq!(differing(&wanted(), answered()), [""; 0]);
    let chosen = Instance { backup_window: Some("03:00-04:00".to_owned()), iops: Some(6000), ..wanted() };
    assert_eq!(differing(&chosen, answered()), ["iops", "backup_window"]);
}

#[test]
fn a_pending_value_counts_as_had() {
    let bigger = Instance { class: "db.m7g.large".to_owned(), multi_az: false, storage_gib: 80, ..wanted() };
    assert_eq!(differing(&bigger, answered()), ["class", "storage_gib", "multi_az"]);
    let answer = pending(|p| p.db_instance_class("db.m7g.large").multi_az(false).allocated_storage(80));
    assert_eq!(differing(&bigger, answer), [""; 0]);
    let fewer = Instance { log_exports: vec!["postgresql".to_owned()], ..wanted() };
    let off = PendingCloudwatchLogsExports::builder().log_types_to_disable("upgrade").build();
    assert_eq!(differing(&fewer, pending(|p| p.pending_cloudwatch_logs_exports(off))), [""; 0]);
}

#[test]
fn a_rotated_password_is_one_changed_field() {
    let rotated = Instance { password_version: "4".into(), ..wanted() };
    assert_eq!(differing(&rotated, answered()), ["password_version"]);
}

#[test]
fn a_security_group_on_its_way_out_is_not_had() {
    let leaving = VpcSecurityGroupMembership::builder().vpc_security_group_id("sg-0").status("removing").build();
    assert_eq!(differing(&wanted(), answered().vpc_security_groups(leaving)), [""; 0]);
}

#[test]
fn storage_that_has_grown_and_a_weekday_in_capitals_are_no_difference() {
    let wanted = Instance { maintenance_window: Some("Sat:05:02-Sat:05:32".to_owned()), ..wanted() };
    assert_eq!(differing(&wanted, answered().allocated_storage(80)), [""; 0]);
}

#[test]
fn growing_turned_off_is_told_by_a_limit_at_what_there_is() {
    let fixed = Instance { max_storage_gib: None, ..wanted() };
    assert_eq!(differing(&fixed, answered()), ["max_storage_gib"]);
    assert_eq!(differing(&fixed, answered().max_allocated_storage(50)), [""; 0]);
}

#[test]
fn storage_that_is_not_encrypted_can_only_be_replaced() {
    assert_eq!(differing(&wanted(), answered().storage_encrypted(false)), ["kms_key"]);
}

fn health(query: &Query<Instance>, answer: DbInstanceBuilder) -> Health {
    observed("shop", query, &answer.build()).unwrap().health
}

#[test]
fn a_nightly_backup_is_nothing_to_wait_for_but_the_first_one_of_a_run_is() {
    let backup = || answered().db_instance_status("backing-up");
    assert_eq!(health(&query(wanted()), backup()), Health::Ready);
    let in_run = Query { only: Some((id(), None)), ..query(wanted()) };
    assert_eq!(health(&in_run, backup()), Health::Settling("backing-up".to_owned()));
}

#[test]
fn a_run_waits_for_a_change_made_at_once_and_not_for_the_maintenance_window() {
    let at_once = Query { only: Some((id(), None)), ..query(wanted()) };
    let later = Instance { apply_immediately: false, ..wanted() };
    let later = Query { only: Some((id(), None)), ..query(later) };
    let answer = || pending(|p| p.multi_az(true));
    assert!(matches!(health(&at_once, answer()), Health::Settling(_)));
    assert_eq!(health(&later, answer()), Health::Ready);
    assert_eq!(health(&query(wanted()), answer()), Health::Ready);
}

#[test]
fn a_name_that_the_stack_wants_and_does_not_own_is_foreign() {
    let answer = Sdk::builder().db_instance_identifier("shop-database").db_instance_status("available");
    let found = observed("shop", &query(wanted()), &answer.build()).unwrap();
    assert_eq!((found.id, found.identity), (id(), Identity::Foreign));
    let other = Sdk::builder().db_instance_identifier("theirs").build();
    assert!(observed("shop", &query(wanted()), &other).is_none());
}

#[test]
fn what_others_refer_to_is_known_once_aws_has_an_endpoint() {
    let found = observed("shop", &query(wanted()), &answered().build()).unwrap();
    let output = |name: &str| found.outputs.get(name).and_then(wharf_engine::Value::as_text);
    assert_eq!(output("host").as_deref(), Some("shop-database.abc.us-east-1.rds.amazonaws.com"));
    assert_eq!(output("port").as_deref(), Some("5432"));
    assert_eq!(output("database").as_deref(), Some("app"));
}
