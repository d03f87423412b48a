//! What must hold of groups, seen from outside.

use std::time::Duration;

use serde_json::json;

use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, element, json as json_call, query};
use crate::testing::{calm, kinds};
use crate::weather::Weather;

pub(crate) struct Place {
    pub(crate) vpc: String,
    pub(crate) subnets: [String; 2],
    pub(crate) group: String,
    pub(crate) template: String,
}

fn asg(sandbox: &Sandbox, operation: &str, parameters: &[(&str, &str)]) -> Result<String, Refusal> {
    query(sandbox, "autoscaling", operation, parameters)
}

fn ec2(sandbox: &Sandbox, operation: &str, parameters: &[(&str, &str)]) -> String {
    query(sandbox, "ec2", operation, parameters).unwrap()
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn image(sandbox: &Sandbox) -> String {
    let name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id";
    let answer = json_call(sandbox, "ssm", "GetParameter", json!({"Name": name})).unwrap();
    answer["Parameter"]["Value"].as_str().unwrap().to_owned()
}

/// A VPC with two subnets in two zones, a security group, and a template that launches into them.
fn place(sandbox: &Sandbox, more: &[(&str, &str)]) -> Place {
    let vpc = element(&ec2(sandbox, "CreateVpc", &[("CidrBlock", "10.0.0.0/16")]), "vpcId");
    let subnets = [("10.0.1.0/24", "us-east-1a"), ("10.0.2.0/24", "us-east-1b")].map(|(cidr, zone)| {
        let parameters = [("VpcId", vpc.as_str()), ("CidrBlock", cidr), ("AvailabilityZone", zone)];
        element(&ec2(sandbox, "CreateSubnet", &parameters), "subnetId")
    });
    let parameters = [("VpcId", vpc.as_str()), ("GroupName", "nodes"), ("GroupDescription", "nodes")];
    let group = element(&ec2(sandbox, "CreateSecurityGroup", &parameters), "groupId");
    let image = image(sandbox);
    let mut parameters = vec![
        ("LaunchTemplateName", "shop"),
        ("LaunchTemplateData.ImageId", image.as_str()),
        ("LaunchTemplateData.InstanceType", "m7g.large"),
        ("LaunchTemplateData.SecurityGroupId.1", &group),
        ("LaunchTemplateData.BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
        ("LaunchTemplateData.BlockDeviceMapping.1.Ebs.Encrypted", "true"),
        ("LaunchTemplateData.TagSpecification.1.ResourceType", "volume"),
        ("LaunchTemplateData.TagSpecification.1.Tag.1.Key", "backup"),
        ("LaunchTemplateData.TagSpecification.1.Tag.1.Value", "daily"),
    ];
    parameters.extend(more);
    let template = element(&ec2(sandbox, "CreateLaunchTemplate", &parameters), "launchTemplateId");
    Place { vpc, subnets, group, template }
}

fn create(sandbox: &Sandbox, place: &Place, more: &[(&str, &str)]) -> Result<String, Refusal> {
    let subnets = place.subnets.join(",");
    let mut parameters = vec![
        ("AutoScalingGroupName", "nodes"),
        ("MinSize", "2"),
        ("MaxSize", "4"),
        ("VPCZoneIdentifier", subnets.as_str()),
        ("LaunchTemplate.LaunchTemplateId", &place.template),
        ("LaunchTemplate.Version", "$Latest"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "shop"),
        ("Tags.member.1.PropagateAtLaunch", "true"),
    ];
    parameters.extend(more);
    asg(sandbox, "CreateAutoScalingGroup", &parameters)
}

fn described(sandbox: &Sandbox) -> String {
    asg(sandbox, "DescribeAutoScalingGroups", &[("AutoScalingGroupNames.member.1", "nodes")]).unwrap()
}

fn in_service(sandbox: &Sandbox) -> usize {
    described(sandbox).matches("<LifecycleState>InService</LifecycleState>").count()
}

/// The ids of the members that are not leaving.
fn members(sandbox: &Sandbox) -> Vec<String> {
    let all = sandbox.resources();
    let active = all.iter().filter(|r| r.kind == "autoscaling.instance" && !r.text("LifecycleState").starts_with('T'));
    active.map(|r| r.id.clone()).collect()
}

fn protect(sandbox: &Sandbox, ids: &[String], protected: &str) {
    let names: Vec<String> = (1..=ids.len()).map(|n| format!("InstanceIds.member.{n}")).collect();
    let mut parameters = vec![("AutoScalingGroupName", "nodes"), ("ProtectedFromScaleIn", protected)];
    parameters.extend(names.iter().map(String::as_str).zip(ids.iter().map(String::as_str)));
    asg(sandbox, "SetInstanceProtection", &parameters).unwrap();
}

const NODES: (&str, &str) = ("AutoScalingGroupName", "nodes");

#[tokio::test(start_paused = true)]
async fn a_group_has_its_instances_in_service_within_a_minute_in_both_zones() {
    let sandbox = calm();
    let place = place(&sandbox, &[]);
    create(&sandbox, &place, &[]).unwrap();
    assert_eq!(in_service(&sandbox), 0);
    pass(60).await;
    assert_eq!(in_service(&sandbox), 2);
    let shown = described(&sandbox);
    assert!(shown.contains("<AvailabilityZone>us-east-1a<") && shown.contains("<AvailabilityZone>us-east-1b<"));
    let instances = ec2(&sandbox, "DescribeInstances", &[("Filter.1.Name", "tag:team"), ("Filter.1.Value.1", "shop")]);
    assert_eq!(instances.matches("<reservationId>").count(), 2);
    assert!(instances.contains("<key>aws:autoscaling:groupName</key><value>nodes</value>"));
    let volumes = ec2(&sandbox, "DescribeVolumes", &[("Filter.1.Name", "tag:backup"), ("Filter.1.Value.1", "daily")]);
    assert_eq!(volumes.matches("<encrypted>true</encrypted>").count(), 2, "{volumes}");
    let activities = asg(&sandbox, "DescribeScalingActivities", &[NODES]).unwrap();
    assert_eq!(activities.matches("<StatusCode>Successful<").count(), 2);
    assert!(sandbox.resource("iam.role", "AWSServiceRoleForAutoScaling").is_some());
}

#[tokio::test(start_paused = true)]
async fn what_an_instance_stands_in_cannot_be_deleted_before_it_is_gone() {
    let sandbox = calm();
    let place = place(&sandbox, &[]);
    create(&sandbox, &place, &[]).unwrap();
    pass(60).await;
    let refused = |operation: &str, name: &str, id: &str| code(query(&sandbox, "ec2", operation, &[(name, id)]));
    assert_eq!(refused("DeleteSubnet", "SubnetId", &place.subnets[0]), "DependencyViolation");
    assert_eq!(refused("DeleteSecurityGroup", "GroupId", &place.group), "DependencyViolation");
    assert_eq!(code(asg(&sandbox, "DeleteAutoScalingGroup", &[NODES])), "ResourceInUse");
    asg(&sandbox, "DeleteAutoScalingGroup", &[NODES, ("ForceDelete", "true")]).unwrap();
    assert_eq!(code(asg(&sandbox, "DeleteAutoScalingGroup", &[NODES])), "ScalingActivityInProgress");
    assert!(described(&sandbox).contains("<Status>Delete in progress</Status>"));
    assert_eq!(refused("DeleteSubnet", "SubnetId", &place.subnets[0]), "DependencyViolation");
    pass(120).await;
    assert!(!described(&sandbox).contains("<AutoScalingGroupName>"));
    ec2(&sandbox, "DeleteLaunchTemplate", &[("LaunchTemplateId", &place.template)]);
    for subnet in &place.subnets {
        ec2(&sandbox, "DeleteSubnet", &[("SubnetId", subnet)]);
    }
    ec2(&sandbox, "DeleteSecurityGroup", &[("GroupId", &place.group)]);
    ec2(&sandbox, "DeleteVpc", &[("VpcId", &place.vpc)]);
    let left: Vec<_> =
        kinds(&sandbox).into_keys().filter(|kind| !kind.starts_with("iam.") && !kind.starts_with("kms.")).collect();
    assert_eq!(left, Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_somebody_ends_is_replaced() {
    let sandbox = calm();
    let place = place(&sandbox, &[]);
    create(&sandbox, &place, &[("NewInstancesProtectedFromScaleIn", "true")]).unwrap();
    pass(60).await;
    let before = members(&sandbox);
    ec2(&sandbox, "TerminateInstances", &[("InstanceId.1", &before[0])]);
    pass(150).await;
    let after = members(&sandbox);
    assert_eq!((after.len(), in_service(&sandbox)), (2, 2));
    assert!(!after.contains(&before[0]) && after.contains(&before[1]));
}

#[tokio::test(start_paused = true)]
async fn protected_instances_stay_until_protection_is_lifted() {
    let sandbox = calm();
    let place = place(&sandbox, &[]);
    create(&sandbox, &place, &[("NewInstancesProtectedFromScaleIn", "true"), ("DesiredCapacity", "3")]).unwrap();
    pass(60).await;
    asg(&sandbox, "SetDesiredCapacity", &[NODES, ("DesiredCapacity", "2")]).unwrap();
    pass(600).await;
    assert_eq!(in_service(&sandbox), 3);
    let activities = asg(&sandbox, "DescribeScalingActivities", &[NODES]).unwrap();
    assert!(activities.contains("all remaining instances are protected from scale-in"), "{activities}");
    let ids = members(&sandbox);
    protect(&sandbox, &ids[..1], "false");
    pass(120).await;
    let left = members(&sandbox);
    assert_eq!((left.len(), left.contains(&ids[0])), (2, false));
    let above = [NODES, ("DesiredCapacity", "9")];
    assert_eq!(code(asg(&sandbox, "SetDesiredCapacity", &above)), "ValidationError");
}

fn refresh(sandbox: &Sandbox, more: &[(&str, &str)]) -> Result<String, Refusal> {
    let mut parameters = vec![
        NODES,
        ("Preferences.MinHealthyPercentage", "100"),
        ("Preferences.MaxHealthyPercentage", "200"),
        ("Preferences.InstanceWarmup", "60"),
        ("Preferences.SkipMatching", "true"),
    ];
    parameters.extend(more);
    asg(sandbox, "StartInstanceRefresh", &parameters)
}

fn refresh_status(sandbox: &Sandbox) -> String {
    element(&asg(sandbox, "DescribeInstanceRefreshes", &[NODES]).unwrap(), "Status")
}

fn new_version(sandbox: &Sandbox, place: &Place) {
    let parameters = [
        ("LaunchTemplateId", place.template.as_str()),
        ("SourceVersion", "1"),
        ("LaunchTemplateData.InstanceType", "m7g.xlarge"),
    ];
    ec2(sandbox, "CreateLaunchTemplateVersion", &parameters);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_replaces_every_instance_and_is_never_below_what_is_desired() {
    let sandbox = calm();
    let place = place(&sandbox, &[]);
    create(&sandbox, &place, &[("NewInstancesProtectedFromScaleIn", "true")]).unwrap();
    pass(60).await;
    let before = members(&sandbox);
    new_version(&sandbox, &place);
    refresh(&sandbox, &[("Preferences.ScaleInProtectedInstances", "Refresh")]).unwrap();
    assert_eq!(code(refresh(&sandbox, &[])), "InstanceRefreshInProgress");
    for _ in 0..60 {
        pass(10).await;
        assert!(in_service(&sandbox) >= 2);
    }
    assert_eq!(refresh_status(&sandbox), "Successful");
    let after = members(&sandbox);
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|id| !before.contains(id)));
    assert_eq!(described(&sandbox).matches("<InstanceType>m7g.xlarge</InstanceType>").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_waits_for_protection_and_can_be_cancelled() {
    let sandbox = calm();
    let place = place(&sandbox, &[]);
    create(&sandbox, &place, &[("NewInstancesProtectedFromScaleIn", "true")]).unwrap();
    pass(60).await;
    let before = members(&sandbox);
    new_version(&sandbox, &place);
    refresh(&sandbox, &[]).unwrap();
    pass(600).await;
    assert_eq!(refresh_status(&sandbox), "InProgress");
    assert!(before.iter().all(|id| members(&sandbox).contains(id)));
    asg(&sandbox, "CancelInstanceRefresh", &[NODES]).unwrap();
    pass(60).await;
    assert_eq!(refresh_status(&sandbox), "Cancelled");
    assert_eq!(code(asg(&sandbox, "CancelInstanceRefresh", &[NODES])), "ActiveInstanceRefreshNotFound");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_skips_what_matches_is_done_at_once_when_all_does() {
    let sandbox = calm();
    let place = place(&sandbox, &[]);
    create(&sandbox, &place, &[]).unwrap();
    pass(120).await;
    let before = members(&sandbox);
    refresh(&sandbox, &[]).unwrap();
    pass(60).await;
    assert_eq!((refresh_status(&sandbox).as_str(), members(&sandbox)), ("Successful", before));
}

#[tokio::test(start_paused = true)]
async fn a_profile_just_made_is_not_known_for_some_seconds() {
    let sandbox =
        Sandbox::builder().seed(1).weather(Weather { stale_reads: Duration::from_secs(1), ..Weather::calm() }).build();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    query(&sandbox, "iam", "CreateRole", &[("RoleName", "node"), ("AssumeRolePolicyDocument", trust)]).unwrap();
    pass(30).await;
    let place = place(&sandbox, &[("LaunchTemplateData.IamInstanceProfile.Name", "node")]);
    pass(5).await;
    query(&sandbox, "iam", "CreateInstanceProfile", &[("InstanceProfileName", "node")]).unwrap();
    pass(2).await;
    let both = [("InstanceProfileName", "node"), ("RoleName", "node")];
    query(&sandbox, "iam", "AddRoleToInstanceProfile", &both).unwrap();
    let (refused, message) = create(&sandbox, &place, &[]).unwrap_err();
    assert_eq!(refused, "ValidationError");
    assert!(message.contains("Invalid IAM Instance Profile name"), "{message}");
    pass(12).await;
    create(&sandbox, &place, &[]).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_that_does_not_let_auto_scaling_use_it_lets_no_instance_start() {
    let sandbox = calm();
    let made = json_call(&sandbox, "kms", "CreateKey", json!({})).unwrap();
    let key = made["KeyMetadata"]["Arn"].as_str().unwrap();
    let place = place(&sandbox, &[("LaunchTemplateData.BlockDeviceMapping.1.Ebs.KmsKeyId", key)]);
    create(&sandbox, &place, &[]).unwrap();
    pass(300).await;
    assert_eq!(in_service(&sandbox), 0);
    let activities = asg(&sandbox, "DescribeScalingActivities", &[NODES]).unwrap();
    assert!(activities.contains("Client.InternalError: Client error on launch"), "{activities}");
    let through_ec2 =
        json!({"StringEquals": {"kms:CallerAccount": "123456789012", "kms:ViaService": "ec2.us-east-1.amazonaws.com"}});
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Resource": "*", "Condition": through_ec2,
         "Action": ["kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey*"]},
    ]});
    json_call(&sandbox, "kms", "PutKeyPolicy", json!({"KeyId": key, "Policy": policy.to_string()})).unwrap();
    pass(180).await;
    assert_eq!(in_service(&sandbox), 2);
}

#[tokio::test(start_paused = true)]
async fn tags_say_whether_new_instances_get_them() {
    let sandbox = calm();
    let place = place(&sandbox, &[]);
    create(&sandbox, &place, &[]).unwrap();
    let tag = [
        ("Tags.member.1.ResourceId", "nodes"),
        ("Tags.member.1.ResourceType", "auto-scaling-group"),
        ("Tags.member.1.Key", "own"),
        ("Tags.member.1.Value", "1"),
        ("Tags.member.1.PropagateAtLaunch", "false"),
    ];
    asg(&sandbox, "CreateOrUpdateTags", &tag).unwrap();
    pass(60).await;
    let instances = ec2(&sandbox, "DescribeInstances", &[]);
    assert!(instances.contains("<key>team</key>") && !instances.contains("<key>own</key>"));
    asg(&sandbox, "DeleteTags", &tag[..4]).unwrap();
    assert!(!described(&sandbox).contains("<Key>own</Key>"));
}

#[tokio::test(start_paused = true)]
async fn with_a_hook_an_instance_that_leaves_waits_to_be_drained() {
    let sandbox = calm();
    let place = place(&sandbox, &[]);
    create(&sandbox, &place, &[("DesiredCapacity", "3")]).unwrap();
    pass(60).await;
    let hook = [
        NODES,
        ("LifecycleHookName", "ecs-managed-draining-termination-hook"),
        ("LifecycleTransition", "autoscaling:EC2_INSTANCE_TERMINATING"),
    ];
    asg(&sandbox, "PutLifecycleHook", &hook).unwrap();
    asg(&sandbox, "SetDesiredCapacity", &[NODES, ("DesiredCapacity", "2")]).unwrap();
    pass(10).await;
    assert!(described(&sandbox).contains("<LifecycleState>Terminating:Wait</LifecycleState>"));
    pass(120).await;
    assert_eq!(described(&sandbox).matches("<LifecycleState>").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_group_cannot_be_made_of_what_does_not_fit() {
    let sandbox = calm();
    let place = place(&sandbox, &[("LaunchTemplateData.InstanceType", "m7i.large")]);
    let (_, message) = create(&sandbox, &place, &[]).unwrap_err();
    assert!(message.contains("does not match the architecture"), "{message}");
    let (_, message) = create(&sandbox, &place, &[("MaxSize", "1")]).unwrap_err();
    assert!(message.contains("Max bound, 1"), "{message}");
    let missing = [NODES, ("MinSize", "0"), ("MaxSize", "1")];
    assert_eq!(code(asg(&sandbox, "CreateAutoScalingGroup", &missing)), "ValidationError");
    assert_eq!(code(asg(&sandbox, "UpdateAutoScalingGroup", &[NODES])), "ValidationError");
}
