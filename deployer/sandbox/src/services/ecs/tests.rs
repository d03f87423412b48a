//! What must hold of clusters, services and rollouts, seen from outside.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Behaviour;
use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, element, json as call, query};
use crate::testing::calm;

const NODES: &str = "nodes";

struct Shop {
    sandbox: Sandbox,
    subnets: Vec<String>,
    group: String,
    vpc: String,
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

fn q(sandbox: &Sandbox, service: &str, operation: &str, parameters: &[(&str, &str)]) -> String {
    query(sandbox, service, operation, parameters).unwrap()
}

impl Shop {
    /// A cluster with two instances over two zones, and an image to run.
    async fn open() -> Self {
        let sandbox = calm();
        let ec2 = |operation: &str, parameters: &[(&str, &str)]| q(&sandbox, "ec2", operation, parameters);
        let vpc = element(&ec2("CreateVpc", &[("CidrBlock", "10.0.0.0/16")]), "vpcId");
        let gateway = element(&ec2("CreateInternetGateway", &[]), "internetGatewayId");
        ec2("AttachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", &vpc)]);
        let subnets: Vec<String> = [("10.0.1.0/24", "us-east-1a"), ("10.0.2.0/24", "us-east-1b")]
            .map(|(cidr, zone)| {
                element(
                    &ec2("CreateSubnet", &[("VpcId", &vpc), ("CidrBlock", cidr), ("AvailabilityZone", zone)]),
                    "subnetId",
                )
            })
            .to_vec();
        let group = [("VpcId", vpc.as_str()), ("GroupName", "nodes"), ("GroupDescription", "nodes")];
        let group = element(&ec2("CreateSecurityGroup", &group), "groupId");
        let inside = [
            ("GroupId", group.as_str()),
            ("IpPermissions.1.IpProtocol", "-1"),
            ("IpPermissions.1.Groups.1.GroupId", group.as_str()),
        ];
        ec2("AuthorizeSecurityGroupIngress", &inside);
        let shop = Self { sandbox, subnets, group, vpc };
        shop.ecs("CreateCluster", json!({"clusterName": "shop"})).unwrap();
        shop.machines();
        pass(200).await;
        shop.push("web", "v1");
        shop
    }

    fn machines(&self) {
        let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}]}).to_string();
        q(&self.sandbox, "iam", "CreateRole", &[("RoleName", "nodes"), ("AssumeRolePolicyDocument", &trust)]);
        q(&self.sandbox, "iam", "CreateInstanceProfile", &[("InstanceProfileName", "nodes")]);
        q(&self.sandbox, "iam", "AddRoleToInstanceProfile", &[("InstanceProfileName", "nodes"), ("RoleName", "nodes")]);
        let name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id";
        let image = call(&self.sandbox, "ssm", "GetParameter", json!({"Name": name})).unwrap();
        let image = image["Parameter"]["Value"].as_str().unwrap().to_owned();
        let user_data = STANDARD.encode("#!/bin/bash\necho ECS_CLUSTER=shop >> /etc/ecs/ecs.config\n");
        let template = [
            ("LaunchTemplateName", NODES),
            ("LaunchTemplateData.ImageId", image.as_str()),
            ("LaunchTemplateData.InstanceType", "m7g.large"),
            ("LaunchTemplateData.SecurityGroupId.1", &self.group),
            ("LaunchTemplateData.IamInstanceProfile.Name", "nodes"),
            ("LaunchTemplateData.UserData", &user_data),
        ];
        q(&self.sandbox, "ec2", "CreateLaunchTemplate", &template);
        let subnets = self.subnets.join(",");
        let group = [
            ("AutoScalingGroupName", NODES),
            ("MinSize", "2"),
            ("MaxSize", "4"),
            ("VPCZoneIdentifier", subnets.as_str()),
            ("LaunchTemplate.LaunchTemplateName", NODES),
            ("LaunchTemplate.Version", "$Latest"),
        ];
        q(&self.sandbox, "autoscaling", "CreateAutoScalingGroup", &group);
    }

    fn push(&self, repository: &str, tag: &str) {
        // The second push finds the repository there.
        let _ = call(&self.sandbox, "ecr", "CreateRepository", json!({"repositoryName": repository}));
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 1, "digest": format!("sha256:{:064}", tag.len())},
            "layers": [], "annotations": {"tag": tag},
        });
        let put = json!({"repositoryName": repository, "imageTag": tag, "imageManifest": manifest.to_string()});
        call(&self.sandbox, "ecr", "PutImage", put).unwrap();
    }

    fn ecs(&self, operation: &str, input: Value) -> Result<Value, Refusal> {
        call(&self.sandbox, "ecs", operation, input)
    }

    fn register(&self, tag: &str, more: &Value) -> String {
        let mut container = json!({
            "name": "web", "image": format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/web:{tag}"), "memory": 512, "cpu": 256,
            "portMappings": [{"containerPort": 8000}],
        });
        for (name, value) in more.as_object().unwrap() {
            container[name] = value.clone();
        }
        let definition = json!({
            "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["EC2"], "containerDefinitions": [container],
            "executionRoleArn": "arn:aws:iam::123456789012:role/none",
        });
        let registered = self.ecs("RegisterTaskDefinition", definition).unwrap();
        registered["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
    }

    fn service(&self, definition: &str, more: &Value) -> Result<Value, Refusal> {
        let mut service = json!({
            "cluster": "shop", "serviceName": "web", "taskDefinition": definition, "desiredCount": 2, "launchType": "EC2",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": self.subnets, "securityGroups": [self.group]}},
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}, "minimumHealthyPercent": 100, "maximumPercent": 200},
        });
        for (name, value) in more.as_object().unwrap() {
            service[name] = value.clone();
        }
        self.ecs("CreateService", service)
    }

    fn seen(&self) -> Value {
        let answer = self.ecs("DescribeServices", json!({"cluster": "shop", "services": ["web"]})).unwrap();
        answer["services"][0].clone()
    }

    /// A target group behind a listener, the way to it, and a second group beside it.
    fn balanced(&self) -> (String, String, String) {
        let elb = |operation: &str, parameters: &[(&str, &str)]| {
            q(&self.sandbox, "elasticloadbalancing", operation, parameters)
        };
        let balancer = [
            ("Name", "shop"),
            ("Subnets.member.1", self.subnets[0].as_str()),
            ("Subnets.member.2", &self.subnets[1]),
            ("SecurityGroups.member.1", &self.group),
        ];
        let balancer = element(&elb("CreateLoadBalancer", &balancer), "LoadBalancerArn");
        let [one, two] = ["blue", "green"].map(|name| {
            let group = [
                ("Name", name),
                ("Protocol", "HTTP"),
                ("Port", "8000"),
                ("VpcId", self.vpc.as_str()),
                ("TargetType", "ip"),
                ("HealthCheckPath", "/healthz"),
                ("HealthCheckIntervalSeconds", "5"),
                ("HealthCheckTimeoutSeconds", "2"),
                ("HealthyThresholdCount", "2"),
            ];
            let group = element(&elb("CreateTargetGroup", &group), "TargetGroupArn");
            let delay = [
                ("TargetGroupArn", group.as_str()),
                ("Attributes.member.1.Key", "deregistration_delay.timeout_seconds"),
                ("Attributes.member.1.Value", "10"),
            ];
            elb("ModifyTargetGroupAttributes", &delay);
            group
        });
        let listener = [
            ("LoadBalancerArn", balancer.as_str()),
            ("Protocol", "HTTP"),
            ("Port", "80"),
            ("DefaultActions.member.1.Type", "fixed-response"),
            ("DefaultActions.member.1.FixedResponseConfig.StatusCode", "404"),
        ];
        let listener = element(&elb("CreateListener", &listener), "ListenerArn");
        let rule = [
            ("ListenerArn", listener.as_str()),
            ("Priority", "1"),
            ("Conditions.member.1.Field", "path-pattern"),
            ("Conditions.member.1.PathPatternConfig.Values.member.1", "/*"),
            ("Actions.member.1.Type", "forward"),
            ("Actions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn", &one),
            ("Actions.member.1.ForwardConfig.TargetGroups.member.1.Weight", "100"),
            ("Actions.member.1.ForwardConfig.TargetGroups.member.2.TargetGroupArn", &two),
            ("Actions.member.1.ForwardConfig.TargetGroups.member.2.Weight", "0"),
        ];
        let rule = element(&elb("CreateRule", &rule), "RuleArn");
        (one, two, rule)
    }

    fn healthy(&self, group: &str) -> usize {
        let health = q(&self.sandbox, "elasticloadbalancing", "DescribeTargetHealth", &[("TargetGroupArn", group)]);
        health.matches("<State>healthy</State>").count()
    }
}

fn behind(group: &str) -> Value {
    json!({"loadBalancers": [{"targetGroupArn": group, "containerName": "web", "containerPort": 8000}]})
}

#[tokio::test(start_paused = true)]
async fn instances_join_the_cluster_that_their_user_data_names() {
    let shop = Shop::open().await;
    let listed = shop.ecs("ListContainerInstances", json!({"cluster": "shop"})).unwrap();
    assert_eq!(listed["containerInstanceArns"].as_array().unwrap().len(), 2);
    let wanted = json!({"cluster": "shop", "containerInstances": listed["containerInstanceArns"]});
    let shown = shop.ecs("DescribeContainerInstances", wanted).unwrap();
    assert_eq!(shown["containerInstances"][0]["remainingResources"][0]["integerValue"], 2048);
}

#[tokio::test(start_paused = true)]
async fn a_service_gets_its_tasks_spread_over_the_zones() {
    let shop = Shop::open().await;
    shop.service(&shop.register("v1", &json!({})), &json!({})).unwrap();
    pass(60).await;
    let seen = shop.seen();
    assert_eq!(
        (&seen["runningCount"], &seen["deployments"][0]["rolloutState"]),
        (&json!(2), &json!("COMPLETED")),
        "{seen:#}"
    );
    let tasks = shop.ecs("ListTasks", json!({"cluster": "shop", "serviceName": "web"})).unwrap();
    let tasks = shop.ecs("DescribeTasks", json!({"cluster": "shop", "tasks": tasks["taskArns"]})).unwrap();
    assert_ne!(tasks["tasks"][0]["availabilityZone"], tasks["tasks"][1]["availabilityZone"]);
}

#[tokio::test(start_paused = true)]
async fn a_rolling_update_keeps_the_minimum_healthy_and_ends_with_the_new_image() {
    let shop = Shop::open().await;
    let (group, ..) = shop.balanced();
    shop.service(&shop.register("v1", &json!({})), &behind(&group)).unwrap();
    pass(120).await;
    assert_eq!(shop.healthy(&group), 2);
    shop.push("web", "v2");
    let next = shop.register("v2", &json!({}));
    shop.ecs("UpdateService", json!({"cluster": "shop", "service": "web", "taskDefinition": next})).unwrap();
    for second in 0..180 {
        pass(1).await;
        assert!(shop.healthy(&group) >= 2, "second {second}: {:#}", shop.seen());
    }
    let seen = shop.seen();
    assert_eq!((&seen["taskDefinition"], seen["deployments"].as_array().unwrap().len()), (&json!(next), 1), "{seen:#}");
    assert_eq!(seen["deployments"][0]["rolloutState"], "COMPLETED");
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_trips_the_breaker_and_the_old_version_still_serves() {
    let shop = Shop::open().await;
    let (group, ..) = shop.balanced();
    let good = shop.register("v1", &json!({}));
    shop.service(&good, &behind(&group)).unwrap();
    pass(120).await;
    shop.push("web", "v2");
    shop.sandbox.image_behaviour("v2", &Behaviour { exits: Some((1, 2)), ..Behaviour::default() });
    let bad = shop.register("v2", &json!({}));
    let updated =
        shop.ecs("UpdateService", json!({"cluster": "shop", "service": "web", "taskDefinition": bad})).unwrap();
    let deployment = updated["service"]["currentServiceDeployment"].as_str().unwrap().to_owned();
    for _ in 0..300 {
        pass(1).await;
        assert!(shop.healthy(&group) >= 2, "{:#}", shop.seen());
    }
    let seen = shop.seen();
    assert_eq!((&seen["taskDefinition"], &seen["runningCount"]), (&json!(good), &json!(2)), "{seen:#}");
    let record = shop.ecs("DescribeServiceDeployments", json!({"serviceDeploymentArns": [deployment]})).unwrap();
    assert_eq!(record["serviceDeployments"][0]["status"], "ROLLBACK_SUCCESSFUL", "{record:#}");
}

#[tokio::test(start_paused = true)]
async fn blue_green_brings_up_all_before_it_turns_the_traffic_and_leaves_the_weights_turned() {
    let shop = Shop::open().await;
    let (blue, green, rule) = shop.balanced();
    let advanced = json!({
        "loadBalancers": [{"targetGroupArn": blue, "containerName": "web", "containerPort": 8000, "advancedConfiguration": {
            "alternateTargetGroupArn": green, "productionListenerRule": rule, "roleArn": "arn:aws:iam::123456789012:role/ecs"}}],
        "deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 2, "deploymentCircuitBreaker": {"enable": true, "rollback": true}},
    });
    shop.service(&shop.register("v1", &json!({})), &advanced).unwrap();
    pass(120).await;
    assert_eq!((shop.healthy(&blue), shop.healthy(&green)), (2, 0), "{:#}", shop.seen());
    shop.push("web", "v2");
    let next = shop.register("v2", &json!({}));
    shop.ecs("UpdateService", json!({"cluster": "shop", "service": "web", "taskDefinition": next})).unwrap();
    let mut both = false;
    for _ in 0..600 {
        pass(1).await;
        let (old, new) = (shop.healthy(&blue), shop.healthy(&green));
        both |= (old, new) == (2, 2);
        assert!(old >= 2 || new >= 2, "{:#}", shop.seen());
    }
    assert!(both, "the old tasks should stay for the bake time");
    assert_eq!((shop.healthy(&blue), shop.healthy(&green)), (0, 2), "{:#}", shop.seen());
    let rules = q(&shop.sandbox, "elasticloadbalancing", "DescribeRules", &[("RuleArns.member.1", &rule)]);
    let after_green = rules.split(&green).nth(1).unwrap();
    assert!(after_green.contains("<Weight>100</Weight>"), "{rules}");
    assert_eq!(shop.seen()["deployments"][0]["rolloutState"], "COMPLETED");
}

#[tokio::test(start_paused = true)]
async fn what_keeps_tasks_from_starting_is_said_in_the_tasks_and_the_events() {
    let shop = Shop::open().await;
    let missing_image = shop.register("nowhere", &json!({}));
    shop.service(&missing_image, &json!({})).unwrap();
    pass(120).await;
    let seen = shop.seen();
    assert_eq!(
        (&seen["deployments"][0]["rolloutState"], &seen["runningCount"]),
        (&json!("FAILED"), &json!(0)),
        "{seen:#}"
    );
    let said = seen["events"].to_string();
    assert!(said.contains("CannotPullContainerError"), "{said}");
    let secret =
        json!({"secrets": [{"name": "KEY", "valueFrom": "arn:aws:ssm:us-east-1:123456789012:parameter/shop/none"}]});
    shop.ecs(
        "UpdateService",
        json!({"cluster": "shop", "service": "web", "taskDefinition": shop.register("v1", &secret)}),
    )
    .unwrap();
    pass(120).await;
    let said = shop.seen()["events"].to_string();
    assert!(said.contains("ResourceInitializationError") && said.contains("/shop/none"), "{said}");
    let big = shop.register("v1", &json!({"memory": 6000}));
    shop.ecs("UpdateService", json!({"cluster": "shop", "service": "web", "taskDefinition": big, "desiredCount": 5}))
        .unwrap();
    pass(300).await;
    let said = shop.seen()["events"].to_string();
    assert!(said.contains("insufficient memory"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_goes_only_after_its_services_tasks_and_instances() {
    let shop = Shop::open().await;
    shop.service(&shop.register("v1", &json!({})), &json!({})).unwrap();
    pass(60).await;
    let delete = || code(shop.ecs("DeleteCluster", json!({"cluster": "shop"})));
    assert_eq!(delete(), "ClusterContainsServicesException");
    assert_eq!(
        code(shop.ecs("DeleteService", json!({"cluster": "shop", "service": "web"}))),
        "InvalidParameterException"
    );
    shop.ecs("DeleteService", json!({"cluster": "shop", "service": "web", "force": true})).unwrap();
    let again = shop.service("web", &json!({}));
    assert!(again.unwrap_err().1.contains("still Draining"));
    pass(60).await;
    assert_eq!(shop.seen()["status"], "INACTIVE");
    assert_eq!(delete(), "ClusterContainsContainerInstancesException");
    let group = [("AutoScalingGroupName", NODES), ("ForceDelete", "true")];
    q(&shop.sandbox, "autoscaling", "DeleteAutoScalingGroup", &group);
    pass(400).await;
    shop.ecs("DeleteCluster", json!({"cluster": "shop"})).unwrap();
    assert!(
        !shop.sandbox.inventory().iter().any(|r| r.kind.starts_with("ecs.") && r.kind != "ecs.task-definition"),
        "{:#?}",
        shop.sandbox.inventory().iter().filter(|r| r.kind.starts_with("ecs.")).collect::<Vec<_>>()
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_instance_goes_is_started_elsewhere() {
    let shop = Shop::open().await;
    shop.service(&shop.register("v1", &json!({})), &json!({})).unwrap();
    pass(60).await;
    let instance = shop.sandbox.resources().into_iter().find(|r| r.kind == "ec2.instance").unwrap();
    q(&shop.sandbox, "ec2", "TerminateInstances", &[("InstanceId.1", &instance.id)]);
    pass(90).await;
    assert_eq!(shop.seen()["runningCount"], 2, "{:#}", shop.seen());
}

#[tokio::test(start_paused = true)]
async fn a_one_off_task_ends_with_its_exit_code() {
    let shop = Shop::open().await;
    let definition = shop.register("v1", &json!({}));
    let run = json!({
        "cluster": "shop", "taskDefinition": definition, "launchType": "EC2",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": shop.subnets, "securityGroups": [shop.group]}},
        "overrides": {"containerOverrides": [{"name": "web", "command": ["migrate"]}]},
    });
    let started = shop.ecs("RunTask", run).unwrap();
    let task = started["tasks"][0]["taskArn"].clone();
    pass(60).await;
    let seen = shop.ecs("DescribeTasks", json!({"cluster": "shop", "tasks": [task]})).unwrap();
    assert_eq!(
        (&seen["tasks"][0]["lastStatus"], &seen["tasks"][0]["containers"][0]["exitCode"]),
        (&json!("STOPPED"), &json!(0)),
        "{seen:#}"
    );
}
