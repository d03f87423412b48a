use std::time::Duration;

use crate::Sandbox;
use crate::services::testing::{Refusal, code, element, heard, listen, query};
use crate::testing::calm;

pub(super) fn rds(sandbox: &Sandbox, operation: &str, parameters: &[(&str, &str)]) -> Result<String, Refusal> {
    query(sandbox, "rds", operation, parameters)
}

pub(super) async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn ec2(sandbox: &Sandbox, operation: &str, parameters: &[(&str, &str)], id: &str) -> String {
    element(&query(sandbox, "ec2", operation, parameters).unwrap(), id)
}

pub(super) struct Place {
    subnets: [String; 2],
    pub(super) group: String,
}

/// A VPC with two subnets in two zones, a subnet group and a security group.
pub(super) fn place(sandbox: &Sandbox) -> Place {
    let vpc = ec2(sandbox, "CreateVpc", &[("CidrBlock", "10.0.0.0/16")], "vpcId");
    let subnet = |cidr: &str, zone: &str| {
        let parameters = [("VpcId", vpc.as_str()), ("CidrBlock", cidr), ("AvailabilityZone", zone)];
        ec2(sandbox, "CreateSubnet", &parameters, "subnetId")
    };
    let subnets = [subnet("10.0.1.0/24", "us-east-1a"), subnet("10.0.2.0/24", "us-east-1b")];
    let group = ec2(
        sandbox,
        "CreateSecurityGroup",
        &[("VpcId", &vpc), ("GroupName", "db"), ("GroupDescription", "db")],
        "groupId",
    );
    subnet_group(sandbox, &[&subnets[0], &subnets[1]]).unwrap();
    Place { subnets, group }
}

fn subnet_group(sandbox: &Sandbox, subnets: &[&str]) -> Result<String, Refusal> {
    let names: Vec<String> = (1..=subnets.len()).map(|n| format!("SubnetIds.SubnetIdentifier.{n}")).collect();
    let mut parameters = vec![("DBSubnetGroupName", "Shop"), ("DBSubnetGroupDescription", "shop")];
    parameters.extend(names.iter().map(String::as_str).zip(subnets.iter().copied()));
    rds(sandbox, "CreateDBSubnetGroup", &parameters)
}

pub(super) fn create(sandbox: &Sandbox, group: &str, more: &[(&str, &str)]) -> Result<String, Refusal> {
    let mut parameters = vec![
        ("DBInstanceIdentifier", "shop"),
        ("Engine", "postgres"),
        ("EngineVersion", "17"),
        ("DBInstanceClass", "db.t4g.medium"),
        ("AllocatedStorage", "20"),
        ("MasterUsername", "shop"),
        ("MasterUserPassword", "long-enough"),
        ("DBSubnetGroupName", "shop"),
        ("VpcSecurityGroupIds.VpcSecurityGroupId.1", group),
    ];
    for (name, value) in more {
        parameters.retain(|(known, _)| known != name);
        parameters.push((name, value));
    }
    rds(sandbox, "CreateDBInstance", &parameters)
}

fn described(sandbox: &Sandbox) -> Result<String, Refusal> {
    rds(sandbox, "DescribeDBInstances", &[("DBInstanceIdentifier", "shop")])
}

fn status(sandbox: &Sandbox) -> String {
    element(&described(sandbox).unwrap(), "DBInstanceStatus")
}

fn delete(sandbox: &Sandbox) -> Result<String, Refusal> {
    rds(sandbox, "DeleteDBInstance", &[("DBInstanceIdentifier", "shop"), ("SkipFinalSnapshot", "true")])
}

#[tokio::test(start_paused = true)]
async fn a_subnet_group_needs_two_zones() {
    let sandbox = calm();
    let place = place(&sandbox);
    rds(&sandbox, "DeleteDBSubnetGroup", &[("DBSubnetGroupName", "shop")]).unwrap();
    let one = [place.subnets[0].as_str()];
    assert_eq!(code(subnet_group(&sandbox, &one)), "DBSubnetGroupDoesNotCoverEnoughAZs");
    assert_eq!(code(subnet_group(&sandbox, &[&place.subnets[0], "subnet-0123456789abcdef0"])), "InvalidSubnet");
}

#[tokio::test(start_paused = true)]
async fn an_instance_comes_to_be_in_minutes_and_holds_what_it_uses_until_it_is_gone() {
    let sandbox = calm();
    let place = place(&sandbox);
    let answer = create(&sandbox, &place.group, &[("MultiAZ", "true"), ("BackupRetentionPeriod", "7")]).unwrap();
    assert_eq!(element(&answer, "EngineVersion"), "17.7");
    assert!(!answer.contains("long-enough") && !answer.contains("<Address>"));
    assert_eq!(status(&sandbox), "creating");
    pass(590).await;
    assert_ne!(status(&sandbox), "available");
    pass(270).await;
    assert_eq!(status(&sandbox), "available");
    assert!(described(&sandbox).unwrap().contains("<Port>5432</Port>"));
    delete(&sandbox).unwrap();
    let free = |operation: &str, name: &str, id: &str| code(query(&sandbox, "ec2", operation, &[(name, id)]));
    assert_eq!(
        code(rds(&sandbox, "DeleteDBSubnetGroup", &[("DBSubnetGroupName", "shop")])),
        "InvalidDBSubnetGroupStateFault"
    );
    assert_eq!(free("DeleteSubnet", "SubnetId", &place.subnets[0]), "DependencyViolation");
    assert_eq!(free("DeleteSecurityGroup", "GroupId", &place.group), "DependencyViolation");
    assert_eq!(code(delete(&sandbox)), "InvalidDBInstanceState");
    pass(320).await;
    assert_eq!(code(described(&sandbox)), "DBInstanceNotFound");
    rds(&sandbox, "DeleteDBSubnetGroup", &[("DBSubnetGroupName", "shop")]).unwrap();
    query(&sandbox, "ec2", "DeleteSubnet", &[("SubnetId", &place.subnets[0])]).unwrap();
    query(&sandbox, "ec2", "DeleteSecurityGroup", &[("GroupId", &place.group)]).unwrap();
    let left: Vec<String> =
        sandbox.inventory().into_iter().filter(|r| r.kind.starts_with("rds.")).map(|r| r.id).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn what_aws_refuses_at_creation_is_refused() {
    let sandbox = calm();
    let place = place(&sandbox);
    for (more, expected) in [
        (("MasterUserPassword", "with@sign-in-it"), "InvalidParameterValue"),
        (("MasterUserPassword", "short"), "InvalidParameterValue"),
        (("MasterUsername", "admin"), "InvalidParameterValue"),
        (("EngineVersion", "17.99"), "InvalidParameterValue"),
        (("DBInstanceClass", "db.nothing"), "InvalidParameterValue"),
        (("AllocatedStorage", "10"), "InvalidParameterValue"),
        (("MaxAllocatedStorage", "21"), "InvalidParameterValue"),
        (("DBSubnetGroupName", "nowhere"), "DBSubnetGroupNotFoundFault"),
        (("DBParameterGroupName", "nothing"), "DBParameterGroupNotFound"),
        (("KmsKeyId", "alias/nothing"), "KMSKeyNotAccessibleFault"),
        (("MonitoringInterval", "60"), "InvalidParameterCombination"),
        (("DatabaseInsightsMode", "advanced"), "InvalidParameterCombination"),
        (("PreferredBackupWindow", "03:00-03:10"), "InvalidParameterValue"),
        (("Iops", "4000"), "InvalidParameterValue"),
        (("Domain", "d-1"), "NotSimulated"),
    ] {
        assert_eq!(code(create(&sandbox, &place.group, &[more])), expected, "{more:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_monitoring_role_must_trust_rds_and_have_permissions() {
    let sandbox = calm();
    let place = place(&sandbox);
    let trust = |service: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"sts:AssumeRole"}}]}}"#
        )
    };
    let role = "arn:aws:iam::123456789012:role/monitoring";
    let monitored = [("MonitoringInterval", "60"), ("MonitoringRoleArn", role)];
    assert_eq!(code(create(&sandbox, &place.group, &monitored)), "InvalidParameterValue");
    let make = |service: &str| {
        let document = trust(service);
        query(&sandbox, "iam", "CreateRole", &[("RoleName", "monitoring"), ("AssumeRolePolicyDocument", &document)])
            .unwrap();
    };
    make("monitoring.rds.amazonaws.com");
    assert_eq!(code(create(&sandbox, &place.group, &monitored)), "InvalidParameterValue");
    let policy = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole";
    query(&sandbox, "iam", "AttachRolePolicy", &[("RoleName", "monitoring"), ("PolicyArn", policy)]).unwrap();
    create(&sandbox, &place.group, &monitored).unwrap();
    pass(1000).await;
    assert!(sandbox.inventory().iter().any(|r| r.id == "RDSOSMetrics" && r.aws_made));
}

#[tokio::test(start_paused = true)]
async fn a_change_waits_for_its_window_unless_applied_immediately() {
    let sandbox = calm();
    let place = place(&sandbox);
    create(&sandbox, &place.group, &[("PreferredMaintenanceWindow", "Sun:04:00-Sun:04:30")]).unwrap();
    pass(1000).await;
    let modify = |at_once: &str, name: &str, value: &str| {
        rds(
            &sandbox,
            "ModifyDBInstance",
            &[("DBInstanceIdentifier", "shop"), ("ApplyImmediately", at_once), (name, value)],
        )
    };
    let answer = modify("false", "DBInstanceClass", "db.t4g.large").unwrap();
    assert!(
        answer
            .contains("<PendingModifiedValues><DBInstanceClass>db.t4g.large</DBInstanceClass></PendingModifiedValues>")
    );
    pass(3600).await;
    assert!(described(&sandbox).unwrap().contains("<DBInstanceClass>db.t4g.medium</DBInstanceClass>"));
    // The window is on the Sunday after.
    pass(7 * 24 * 3600).await;
    assert!(!described(&sandbox).unwrap().contains("db.t4g.medium"));
    modify("true", "AllocatedStorage", "30").unwrap();
    pass(30).await;
    assert_eq!(status(&sandbox), "modifying");
    assert_eq!(code(modify("true", "MultiAZ", "true")), "InvalidDBInstanceState");
    pass(300).await;
    assert_eq!(status(&sandbox), "storage-optimization");
    assert_eq!(code(modify("true", "AllocatedStorage", "40")), "InvalidParameterCombination");
    pass(1000).await;
    assert_eq!(status(&sandbox), "available");
    assert_eq!(code(modify("true", "AllocatedStorage", "20")), "InvalidParameterCombination");
}

#[tokio::test(start_paused = true)]
async fn a_protected_instance_stays_and_a_last_snapshot_keeps_tags_and_name() {
    let sandbox = calm();
    let place = place(&sandbox);
    let tags = [
        ("Tags.Tag.1.Key", "stack"),
        ("Tags.Tag.1.Value", "shop"),
        ("CopyTagsToSnapshot", "true"),
        ("DeletionProtection", "true"),
    ];
    create(&sandbox, &place.group, &tags).unwrap();
    pass(1000).await;
    assert_eq!(code(delete(&sandbox)), "InvalidParameterCombination");
    rds(&sandbox, "ModifyDBInstance", &[("DBInstanceIdentifier", "shop"), ("DeletionProtection", "false")]).unwrap();
    let last = || {
        rds(
            &sandbox,
            "DeleteDBInstance",
            &[("DBInstanceIdentifier", "shop"), ("FinalDBSnapshotIdentifier", "shop-last")],
        )
    };
    last().unwrap();
    pass(1000).await;
    let snapshots = rds(&sandbox, "DescribeDBSnapshots", &[("SnapshotType", "manual")]).unwrap();
    assert_eq!(
        (element(&snapshots, "Status"), element(&snapshots, "Value")),
        ("available".to_owned(), "shop".to_owned())
    );
    create(&sandbox, &place.group, &[]).unwrap();
    pass(1000).await;
    assert_eq!(code(last()), "DBSnapshotAlreadyExists");
}

#[tokio::test(start_paused = true)]
async fn parameters_set_by_the_user_are_told_from_the_rest() {
    let sandbox = calm();
    let place = place(&sandbox);
    let group = ("DBParameterGroupName", "shop");
    rds(&sandbox, "CreateDBParameterGroup", &[group, ("DBParameterGroupFamily", "postgres17"), ("Description", "d")])
        .unwrap();
    let set = |name: &str, value: &str, method: &str| {
        rds(
            &sandbox,
            "ModifyDBParameterGroup",
            &[
                group,
                ("Parameters.Parameter.1.ParameterName", name),
                ("Parameters.Parameter.1.ParameterValue", value),
                ("Parameters.Parameter.1.ApplyMethod", method),
            ],
        )
    };
    assert_eq!(code(set("max_connections", "100", "immediate")), "InvalidParameterCombination");
    assert_eq!(code(set("no_such_thing", "1", "immediate")), "InvalidParameterValue");
    assert_eq!(code(set("log_statement", "some", "immediate")), "InvalidParameterValue");
    create(&sandbox, &place.group, &[group]).unwrap();
    pass(1000).await;
    set("max_connections", "100", "pending-reboot").unwrap();
    let user = rds(&sandbox, "DescribeDBParameters", &[group, ("Source", "user")]).unwrap();
    assert_eq!(
        (element(&user, "ParameterName"), element(&user, "ParameterValue")),
        ("max_connections".to_owned(), "100".to_owned())
    );
    assert_eq!(element(&described(&sandbox).unwrap(), "ParameterApplyStatus"), "pending-reboot");
    assert_eq!(code(rds(&sandbox, "DeleteDBParameterGroup", &[group])), "InvalidDBParameterGroupState");
    rds(&sandbox, "RebootDBInstance", &[("DBInstanceIdentifier", "shop")]).unwrap();
    assert_eq!(status(&sandbox), "rebooting");
    pass(100).await;
    assert_eq!(element(&described(&sandbox).unwrap(), "ParameterApplyStatus"), "in-sync");
    let first = rds(&sandbox, "DescribeDBParameters", &[group, ("MaxRecords", "20")]).unwrap();
    assert!(!element(&first, "Marker").is_empty());
}

#[tokio::test(start_paused = true)]
async fn automated_snapshots_are_taken_daily_and_go_after_their_time() {
    let sandbox = calm();
    let place = place(&sandbox);
    create(&sandbox, &place.group, &[("BackupRetentionPeriod", "3")]).unwrap();
    pass(20 * 24 * 3600).await;
    let answer =
        rds(&sandbox, "DescribeDBSnapshots", &[("SnapshotType", "automated"), ("DBInstanceIdentifier", "shop")])
            .unwrap();
    let count = answer.matches("<DBSnapshot>").count();
    assert!((3..=4).contains(&count), "{count}");
}

#[tokio::test(start_paused = true)]
async fn a_creation_demands_every_permission_that_it_uses() {
    let sandbox = calm();
    let place = place(&sandbox);
    let allow = |actions: &[&str]| {
        let policy = serde_json::json!({"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]});
        sandbox.set_policy(Some(crate::Policy::parse(&policy).unwrap()));
    };
    allow(&["rds:CreateDBInstance"]);
    let tagged = [("Tags.Tag.1.Key", "a"), ("Tags.Tag.1.Value", "b")];
    let (refusal, message) = create(&sandbox, &place.group, &tagged).unwrap_err();
    assert_eq!(refusal, "AccessDenied");
    assert!(message.contains("rds:AddTagsToResource"));
    allow(&["rds:CreateDBInstance", "rds:AddTagsToResource"]);
    let (_, message) = create(&sandbox, &place.group, &tagged).unwrap_err();
    assert!(message.contains("iam:CreateServiceLinkedRole"), "{message}");
    allow(&["rds:CreateDBInstance", "rds:AddTagsToResource", "iam:CreateServiceLinkedRole"]);
    create(&sandbox, &place.group, &tagged).unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_life_of_an_instance_is_told_in_rdss_own_numbers() {
    let sandbox = calm();
    let place = place(&sandbox);
    listen(&sandbox, &serde_json::json!({"source": ["aws.rds"]}));
    create(&sandbox, &place.group, &[]).unwrap();
    pass(1200).await;
    let skip = [("DBInstanceIdentifier", "shop"), ("SkipFinalSnapshot", "true")];
    rds(&sandbox, "DeleteDBInstance", &skip).unwrap();
    pass(1200).await;
    let events = heard(&sandbox);
    let numbers = |kind: &str| -> Vec<String> {
        let of_kind = events.iter().filter(|event| event["detail-type"] == kind);
        of_kind.map(|event| event["detail"]["EventID"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let mut instance = numbers("RDS DB Instance Event");
    // Created and backed up at one moment: their events may come in any order.
    instance[..2].sort();
    assert_eq!(instance, ["RDS-EVENT-0001", "RDS-EVENT-0005", "RDS-EVENT-0002", "RDS-EVENT-0003"]);
    assert_eq!(numbers("RDS DB Snapshot Event"), ["RDS-EVENT-0090", "RDS-EVENT-0091"]);
    let created = events.iter().find(|event| event["detail"]["EventID"] == "RDS-EVENT-0005").unwrap();
    let arn = "arn:aws:rds:us-east-1:123456789012:db:shop";
    assert_eq!(created["resources"], serde_json::json!([arn]));
    assert_eq!(created["detail"]["SourceArn"], arn);
    assert_eq!(created["detail"]["SourceIdentifier"], "shop");
    assert_eq!(created["detail"]["EventCategories"], serde_json::json!(["creation"]));
}
