//! What must hold of clusters, capacity providers, task definitions, services and tasks, seen from outside.

use serde_json::{Value, json};

use super::stage::Stage;
use crate::weather::Weather;

#[tokio::test(start_paused = true)]
async fn a_cluster_shows_the_parts_that_are_asked_for() {
    let stage = Stage::bare();
    let settings = json!([{"name": "containerInsights", "value": "enhanced"}]);
    stage.done(
        "CreateCluster",
        json!({"clusterName": "shop", "settings": settings, "tags": [{"key": "team", "value": "shop"}]}),
    );
    let plain = stage.done("DescribeClusters", json!({"clusters": ["shop"]}));
    assert_eq!(plain["clusters"][0]["status"], "ACTIVE");
    assert_eq!((&plain["clusters"][0]["settings"], &plain["clusters"][0]["tags"]), (&json!([]), &json!([])));
    let whole =
        stage.done("DescribeClusters", json!({"clusters": ["shop", "absent"], "include": ["SETTINGS", "TAGS"]}));
    assert_eq!(whole["clusters"][0]["settings"], settings);
    assert_eq!(whole["clusters"][0]["tags"], json!([{"key": "team", "value": "shop"}]));
    assert_eq!(whole["failures"][0]["reason"], "MISSING");
}

#[tokio::test(start_paused = true)]
async fn insights_leave_a_log_group_behind_the_cluster() {
    let stage = Stage::bare();
    let settings = json!([{"name": "containerInsights", "value": "enabled"}]);
    stage.done("CreateCluster", json!({"clusterName": "shop", "settings": settings}));
    stage.pass(120).await;
    stage.done("DeleteCluster", json!({"cluster": "shop"}));
    assert!(stage.sandbox.resource("logs.group", "/aws/ecs/containerinsights/shop/performance").is_some());
    let gone = stage.done("DescribeClusters", json!({"clusters": ["shop"]}));
    assert_eq!(gone["clusters"][0]["status"], "INACTIVE");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_goes_after_its_services_its_tasks_and_its_instances() {
    let stage = Stage::with_instances(2).await;
    let revision = stage.define("v1");
    stage.done("CreateService", stage.service(&revision, json!({})));
    stage.steady().await;
    let delete = json!({"cluster": "shop"});
    assert_eq!(stage.refused("DeleteCluster", delete.clone()).0, "ClusterContainsServicesException");
    stage.done("DeleteService", json!({"cluster": "shop", "service": "web", "force": true}));
    stage.until("gone", |web| web["status"] == "INACTIVE").await;
    assert_eq!(stage.refused("DeleteCluster", delete.clone()).0, "ClusterContainsContainerInstancesException");
    let run = json!({"cluster": "shop", "taskDefinition": revision, "networkConfiguration": stage.network()});
    stage.done("RunTask", run);
    assert_eq!(stage.refused("DeleteCluster", delete).0, "ClusterContainsTasksException");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_busy_while_it_takes_a_capacity_provider() {
    let stage = Stage::bare();
    stage.done("CreateCluster", json!({"clusterName": "shop"}));
    let provider = json!({"autoScalingGroupArn": stage.scaled(0, 1)});
    stage.done("CreateCapacityProvider", json!({"name": "nodes", "autoScalingGroupProvider": provider}));
    stage.attach(&["nodes"]).unwrap();
    assert_eq!(stage.attach(&[]).unwrap_err().0, "UpdateInProgressException");
    let delete = json!({"capacityProvider": "nodes"});
    assert_eq!(stage.refused("DeleteCapacityProvider", delete.clone()).0, "ResourceInUseException");
    stage.pass(60).await;
    stage.attach(&[]).unwrap();
    stage.pass(60).await;
    assert_eq!(stage.done("DeleteCapacityProvider", delete)["capacityProvider"]["updateStatus"], "DELETE_IN_PROGRESS");
    stage.pass(60).await;
    let after = stage.done("DescribeCapacityProviders", json!({"capacityProviders": ["nodes"]}));
    assert_ne!(after["capacityProviders"][0]["status"], "ACTIVE", "{after}");
}

#[tokio::test(start_paused = true)]
async fn termination_protection_needs_a_group_that_protects_its_instances_and_marks_it() {
    let stage = Stage::bare();
    let group = stage.scaled(0, 1);
    let parameters = [("AutoScalingGroupName", "nodes"), ("NewInstancesProtectedFromScaleIn", "false")];
    let asg = |operation: &str, parameters: &[(&str, &str)]| {
        crate::services::testing::query(&stage.sandbox, "autoscaling", operation, parameters).unwrap()
    };
    asg("UpdateAutoScalingGroup", &parameters);
    let provider = json!({"autoScalingGroupArn": group, "managedScaling": {"status": "ENABLED"}, "managedTerminationProtection": "ENABLED"});
    let create = json!({"name": "nodes", "autoScalingGroupProvider": provider});
    assert_eq!(stage.refused("CreateCapacityProvider", create.clone()).0, "InvalidParameterException");
    asg("UpdateAutoScalingGroup", &[parameters[0], ("NewInstancesProtectedFromScaleIn", "true")]);
    stage.done("CreateCapacityProvider", create);
    assert!(stage.groups().contains("AmazonECSManaged"));
}

#[tokio::test(start_paused = true)]
async fn a_revision_comes_back_with_what_aws_adds() {
    let stage = Stage::bare();
    stage.define("v1");
    let second = stage.define("v2");
    assert!(second.ends_with(":task-definition/web:2"), "{second}");
    let shown = stage.done("DescribeTaskDefinition", json!({"taskDefinition": "web"}))["taskDefinition"].clone();
    assert_eq!((&shown["revision"], &shown["status"]), (&json!(2), &json!("ACTIVE")));
    let container = &shown["containerDefinitions"][0];
    assert_eq!((&container["essential"], &container["cpu"]), (&json!(true), &json!(0)));
    assert_eq!(container["portMappings"], json!([{"containerPort": 8000, "hostPort": 8000, "protocol": "tcp"}]));
    for list in ["environment", "mountPoints", "volumesFrom", "systemControls"] {
        assert_eq!(container[list], json!([]), "{list}");
    }
    assert_eq!((&shown["volumes"], &shown["placementConstraints"]), (&json!([]), &json!([])));
}

#[tokio::test(start_paused = true)]
async fn definitions_that_aws_would_refuse_are_refused() {
    let stage = Stage::bare();
    let with = |pointer: &str, value: Value| {
        let mut input = Stage::definition("v1");
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        input.pointer_mut(parent).unwrap()[name] = value;
        stage.refused("RegisterTaskDefinition", input).0
    };
    let container = "/containerDefinitions/0";
    assert_eq!(with("/containerDefinitions", json!([])), "ClientException");
    assert_eq!(with("/executionRoleArn", json!("shop")), "ClientException");
    assert_eq!(with(&format!("{container}/essential"), json!(false)), "ClientException");
    assert_eq!(
        with(&format!("{container}/portMappings"), json!([{"containerPort": 80, "hostPort": 81}])),
        "ClientException"
    );
    let check = json!({"command": ["CMD-SHELL", "true"], "interval": 1});
    assert_eq!(with(&format!("{container}/healthCheck"), check), "ClientException");
    let mut input = Stage::definition("v1");
    input["executionRoleArn"] = Value::Null;
    input["containerDefinitions"][0]["secrets"] = json!([{"name": "TOKEN", "valueFrom": "/shop/token"}]);
    assert_eq!(stage.refused("RegisterTaskDefinition", input).0, "ClientException");
}

#[tokio::test(start_paused = true)]
async fn a_revision_is_deregistered_before_it_is_deleted_and_its_number_never_returns() {
    let stage = Stage::bare();
    stage.define("v1");
    let early = stage.done("DeleteTaskDefinitions", json!({"taskDefinitions": ["web:1"]}));
    assert_eq!(early["failures"].as_array().map(Vec::len), Some(1), "{early}");
    stage.done("DeregisterTaskDefinition", json!({"taskDefinition": "web:1"}));
    let inactive = stage.done("ListTaskDefinitions", json!({"status": "INACTIVE"}));
    assert_eq!(inactive["taskDefinitionArns"].as_array().map(Vec::len), Some(1));
    stage.done("DeleteTaskDefinitions", json!({"taskDefinitions": ["web:1"]}));
    stage.pass(120).await;
    assert!(stage.define("v1").ends_with("web:2"));
}

#[tokio::test(start_paused = true)]
async fn registering_has_a_bucket_of_twenty() {
    let stage = Stage::bare();
    stage.sandbox.set_weather(Weather { buckets: true, ..Weather::calm() });
    for _ in 0..20 {
        stage.define("v1");
    }
    assert_eq!(stage.refused("RegisterTaskDefinition", Stage::definition("v1")).0, "ThrottlingException");
    stage.pass(1).await;
    stage.define("v1");
}

#[tokio::test(start_paused = true)]
async fn a_service_comes_back_with_the_defaults_of_aws_and_twice_only_as_the_same() {
    let stage = Stage::with_instances(2).await;
    let input = stage.service(&stage.define("v1"), json!({}));
    let made = stage.done("CreateService", input.clone())["service"].clone();
    assert_eq!(made["deploymentConfiguration"]["maximumPercent"], 200);
    assert_eq!(made["deploymentConfiguration"]["minimumHealthyPercent"], 100);
    assert_eq!(made["deploymentConfiguration"]["strategy"], "ROLLING");
    assert_eq!((&made["schedulingStrategy"], &made["propagateTags"]), (&json!("REPLICA"), &json!("NONE")));
    for list in ["loadBalancers", "serviceRegistries", "placementStrategy", "placementConstraints"] {
        assert_eq!(made[list], json!([]), "{list}");
    }
    assert_eq!(stage.done("CreateService", input.clone())["service"]["serviceArn"], made["serviceArn"]);
    let mut other = input.clone();
    other["desiredCount"] = 3.into();
    let (code, message) = stage.refused("CreateService", other);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("InvalidParameterException", "Creation of service was not idempotent.")
    );
    stage.steady().await;
    let delete = json!({"cluster": "shop", "service": "web"});
    assert_eq!(stage.refused("DeleteService", delete.clone()).0, "InvalidParameterException");
    stage.done("UpdateService", json!({"cluster": "shop", "service": "web", "desiredCount": 0}));
    stage.until("scaled down", |web| web["runningCount"] == 0).await;
    assert_eq!(stage.done("DeleteService", delete)["service"]["status"], "DRAINING");
    assert!(stage.refused("CreateService", input.clone()).1.contains("still Draining"));
    stage.until("gone", |web| web["status"] == "INACTIVE").await;
    stage.done("CreateService", input);
}

#[tokio::test(start_paused = true)]
async fn a_target_group_must_hang_on_a_listener_first() {
    let stage = Stage::with_instances(2).await;
    let group = stage.target_group("lonely");
    let balancers = json!([{"targetGroupArn": group, "containerName": "web", "containerPort": 8000}]);
    let (code, message) =
        stage.refused("CreateService", stage.service(&stage.define("v1"), json!({"loadBalancers": balancers})));
    assert_eq!(code, "InvalidParameterException");
    assert!(message.contains("does not have an associated load balancer"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn tasks_spread_over_zones_with_an_interface_each_and_end_when_stopped() {
    let stage = Stage::with_instances(2).await;
    let run = json!({"cluster": "shop", "taskDefinition": stage.define("v1"), "networkConfiguration": stage.network(), "count": 2});
    let started = stage.done("RunTask", run);
    assert_eq!(started["tasks"][0]["lastStatus"], "PROVISIONING");
    stage.pass(60).await;
    let running = stage.tasks("RUNNING");
    let zones: std::collections::BTreeSet<&str> =
        running.iter().filter_map(|t| t["availabilityZone"].as_str()).collect();
    assert_eq!((running.len(), zones.len()), (2, 2));
    assert_eq!(
        (&running[0]["lastStatus"], &running[0]["attachments"][0]["status"]),
        (&json!("RUNNING"), &json!("ATTACHED"))
    );
    let interfaces = || {
        stage
            .sandbox
            .resources()
            .iter()
            .filter(|r| r.kind == "ec2.network-interface" && r.text("requesterId") == "amazon-ecs")
            .count()
    };
    assert_eq!(interfaces(), 2);
    stage.done("StopTask", json!({"cluster": "shop", "task": running[0]["taskArn"], "reason": "enough"}));
    stage.pass(60).await;
    let stopped = stage.tasks("STOPPED");
    assert_eq!((&stopped[0]["stopCode"], &stopped[0]["stoppedReason"]), (&json!("UserInitiated"), &json!("enough")));
    assert_eq!(interfaces(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_instance_has_so_many_interfaces_unless_they_are_trunked() {
    let stage = Stage::with_instances(1).await;
    let run = json!({"cluster": "shop", "taskDefinition": stage.define("v1"), "networkConfiguration": stage.network(), "count": 3});
    let few = stage.done("RunTask", run.clone());
    assert_eq!(few["tasks"].as_array().map(Vec::len), Some(2));
    assert_eq!(few["failures"][0]["reason"], "RESOURCE:ENI");
    stage.done("PutAccountSettingDefault", json!({"name": "awsvpcTrunking", "value": "enabled"}));
    let shown = stage.done("ListAccountSettings", json!({"name": "awsvpcTrunking", "effectiveSettings": true}));
    assert_eq!(shown["settings"][0]["value"], "enabled");
}

#[tokio::test(start_paused = true)]
async fn tags_are_put_listed_and_taken_away_by_arn() {
    let stage = Stage::bare();
    let arn = stage.done("CreateCluster", json!({"clusterName": "shop"}))["cluster"]["clusterArn"].clone();
    stage.done(
        "TagResource",
        json!({"resourceArn": arn, "tags": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]}),
    );
    stage.done("UntagResource", json!({"resourceArn": arn, "tagKeys": ["a"]}));
    let tags = stage.done("ListTagsForResource", json!({"resourceArn": arn}))["tags"].clone();
    assert_eq!(tags, json!([{"key": "b", "value": "2"}]));
}

#[tokio::test(start_paused = true)]
async fn an_instance_takes_ten_attributes_of_ones_own_and_none_of_the_agents() {
    let stage = Stage::with_instances(1).await;
    let machine = stage.done("ListContainerInstances", json!({"cluster": "shop"}))["containerInstanceArns"][0].clone();
    let named =
        |name: &str| json!({"cluster": "shop", "attributes": [{"name": name, "value": "a", "targetId": machine}]});
    for n in 0..10 {
        stage.done("PutAttributes", named(&format!("stack{n}")));
    }
    assert_eq!(stage.refused("PutAttributes", named("stack10")).0, "AttributeLimitExceededException");
    assert_eq!(stage.refused("PutAttributes", named("ecs.os-type")).0, "InvalidParameterException");
    let list = |name: &str| {
        let asked = json!({"cluster": "shop", "targetType": "container-instance", "attributeName": name});
        stage.done("ListAttributes", asked)["attributes"].clone()
    };
    assert_eq!(list("stack3"), json!([{"name": "stack3", "value": "a", "targetId": machine}]));
    assert_eq!(list("ecs.availability-zone").as_array().map(Vec::len), Some(1));
    stage.done("DeleteAttributes", json!({"cluster": "shop", "attributes": [{"name": "stack3", "targetId": machine}]}));
    assert_eq!(list("stack3"), json!([]));
    let absent = json!({"cluster": "shop", "attributes": [{"name": "stack", "targetId": "absent"}]});
    assert_eq!(stage.refused("PutAttributes", absent).0, "TargetNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn statistics_and_managed_tags_are_there_when_they_are_asked_for() {
    let stage = Stage::with_instances(2).await;
    stage.done("CreateService", stage.service(&stage.define("v1"), json!({"enableECSManagedTags": true})));
    stage.steady().await;
    let shown = stage.done("DescribeClusters", json!({"clusters": ["shop"], "include": ["STATISTICS"]}));
    let statistics = shown["clusters"][0]["statistics"].as_array().cloned().unwrap_or_default();
    assert!(statistics.contains(&json!({"name": "runningEC2TasksCount", "value": "2"})), "{statistics:?}");
    let arns = stage.done("ListTasks", json!({"cluster": "shop"}))["taskArns"].clone();
    let tasks = stage.done("DescribeTasks", json!({"cluster": "shop", "tasks": arns, "include": ["TAGS"]}));
    let tags = json!([{"key": "aws:ecs:clusterName", "value": "shop"}, {"key": "aws:ecs:serviceName", "value": "web"}]);
    assert_eq!(tasks["tasks"][0]["tags"], tags);
}

#[tokio::test(start_paused = true)]
async fn tasks_are_listed_by_each_filter_and_by_who_started_them_alone() {
    let stage = Stage::with_instances(2).await;
    stage.done("CreateService", stage.service(&stage.define("v1"), json!({})));
    stage.steady().await;
    let listed = |more: Value| {
        let mut asked = more;
        asked["cluster"] = "shop".into();
        stage.done("ListTasks", asked)["taskArns"].as_array().map(Vec::len)
    };
    assert_eq!((listed(json!({"launchType": "EC2"})), listed(json!({"launchType": "FARGATE"}))), (Some(2), Some(0)));
    assert_eq!((listed(json!({"family": "web"})), listed(json!({"family": "worker"}))), (Some(2), Some(0)));
    assert_eq!(listed(json!({"desiredStatus": "STOPPED"})), Some(0));
    assert_eq!(listed(json!({"startedBy": "nobody"})), Some(0));
    for other in ["family", "serviceName", "desiredStatus", "launchType"] {
        let value = if other == "desiredStatus" { "RUNNING" } else { "web" };
        let both = json!({"cluster": "shop", "startedBy": "nobody", other: value});
        assert_eq!(stage.refused("ListTasks", both).0, "InvalidParameterException", "{other}");
    }
}
