//! What the tests of ECS share: a network, a cluster whose instances have joined, a balancer, images.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, element, json as call, query};
use crate::testing::calm;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["ecs-tasks.amazonaws.com","ec2.amazonaws.com","ecs.amazonaws.com"]},"Action":"sts:AssumeRole"}]}"#;
pub(super) const REGISTRY: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

pub(super) struct Stage {
    pub(super) sandbox: Sandbox,
    vpc: String,
    pub(super) subnets: [String; 2],
    pub(super) group: String,
}

/// Two target groups behind one rule: the first has all traffic.
pub(super) struct Edge {
    pub(super) live: String,
    pub(super) other: String,
    pub(super) rule: String,
}

impl Stage {
    /// A network in two zones, the roles of tasks, and the images `v1` and `v2` in a repository.
    pub(super) fn bare() -> Self {
        let sandbox = calm();
        let ec2 = |operation: &str, parameters: &[(&str, &str)]| query(&sandbox, "ec2", operation, parameters).unwrap();
        let vpc = element(&ec2("CreateVpc", &[("CidrBlock", "10.0.0.0/16")]), "vpcId");
        let gateway = element(&ec2("CreateInternetGateway", &[]), "internetGatewayId");
        ec2("AttachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", &vpc)]);
        let subnets = [("10.0.1.0/24", "us-east-1a"), ("10.0.2.0/24", "us-east-1b")].map(|(cidr, zone)| {
            let parameters = [("VpcId", vpc.as_str()), ("CidrBlock", cidr), ("AvailabilityZone", zone)];
            element(&ec2("CreateSubnet", &parameters), "subnetId")
        });
        let parameters = [("VpcId", vpc.as_str()), ("GroupName", "web"), ("GroupDescription", "web")];
        let group = element(&ec2("CreateSecurityGroup", &parameters), "groupId");
        let inside = [
            ("GroupId", group.as_str()),
            ("IpPermissions.1.IpProtocol", "-1"),
            ("IpPermissions.1.Groups.1.GroupId", group.as_str()),
        ];
        ec2("AuthorizeSecurityGroupIngress", &inside);
        let iam = |operation: &str, parameters: &[(&str, &str)]| query(&sandbox, "iam", operation, parameters).unwrap();
        iam("CreateRole", &[("RoleName", "shop"), ("AssumeRolePolicyDocument", TRUST)]);
        iam("CreateInstanceProfile", &[("InstanceProfileName", "shop")]);
        iam("AddRoleToInstanceProfile", &[("InstanceProfileName", "shop"), ("RoleName", "shop")]);
        call(&sandbox, "ecr", "CreateRepository", json!({"repositoryName": "shop"})).unwrap();
        for (size, tag) in [(1, "v1"), (2, "v2")] {
            let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": size}, "layers": [{"size": 10}]});
            let put = json!({"repositoryName": "shop", "imageManifest": manifest.to_string(), "imageTag": tag});
            call(&sandbox, "ecr", "PutImage", put).unwrap();
        }
        call(&sandbox, "logs", "CreateLogGroup", json!({"logGroupName": "/shop/web"})).unwrap();
        Self { sandbox, vpc, subnets, group }
    }

    /// The same with a cluster `shop` and so many instances that have joined it through the capacity provider
    /// `nodes`; the group can grow to one more.
    pub(super) async fn with_instances(count: u32) -> Self {
        let stage = Self::bare();
        stage.done("CreateCluster", json!({"clusterName": "shop"}));
        let group = stage.scaled(count, count + 1);
        let scaling = json!({"status": "ENABLED", "targetCapacity": 100});
        let provider =
            json!({"autoScalingGroupArn": group, "managedScaling": scaling, "managedTerminationProtection": "ENABLED"});
        stage.done("CreateCapacityProvider", json!({"name": "nodes", "autoScalingGroupProvider": provider}));
        stage.attach(&["nodes"]).unwrap();
        stage.pass(300).await;
        stage
    }

    /// An Auto Scaling group of machines that are told the cluster's name; answers its ARN.
    pub(super) fn scaled(&self, desired: u32, most: u32) -> String {
        let parameter = "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id";
        let image = call(&self.sandbox, "ssm", "GetParameter", json!({"Name": parameter})).unwrap();
        let data = STANDARD.encode("#!/bin/bash\necho ECS_CLUSTER=shop >> /etc/ecs/ecs.config\n");
        let template = [
            ("LaunchTemplateName", "nodes"),
            ("LaunchTemplateData.ImageId", image["Parameter"]["Value"].as_str().unwrap()),
            ("LaunchTemplateData.InstanceType", "m7g.large"),
            ("LaunchTemplateData.SecurityGroupId.1", &self.group),
            ("LaunchTemplateData.IamInstanceProfile.Name", "shop"),
            ("LaunchTemplateData.UserData", &data),
        ];
        let template =
            element(&query(&self.sandbox, "ec2", "CreateLaunchTemplate", &template).unwrap(), "launchTemplateId");
        let (desired, most, subnets) = (desired.to_string(), most.to_string(), self.subnets.join(","));
        let group = [
            ("AutoScalingGroupName", "nodes"),
            ("MinSize", "0"),
            ("MaxSize", &most),
            ("DesiredCapacity", &desired),
            ("VPCZoneIdentifier", &subnets),
            ("NewInstancesProtectedFromScaleIn", "true"),
            ("LaunchTemplate.LaunchTemplateId", &template),
            ("LaunchTemplate.Version", "$Latest"),
        ];
        query(&self.sandbox, "autoscaling", "CreateAutoScalingGroup", &group).unwrap();
        element(&self.groups(), "AutoScalingGroupARN")
    }

    /// `DescribeAutoScalingGroups`.
    pub(super) fn groups(&self) -> String {
        query(&self.sandbox, "autoscaling", "DescribeAutoScalingGroups", &[]).unwrap()
    }

    pub(super) fn attach(&self, providers: &[&str]) -> Result<Value, Refusal> {
        let strategy: Vec<Value> = providers.iter().map(|p| json!({"capacityProvider": p, "weight": 1})).collect();
        let put =
            json!({"cluster": "shop", "capacityProviders": providers, "defaultCapacityProviderStrategy": strategy});
        self.ecs("PutClusterCapacityProviders", put)
    }

    pub(super) fn ecs(&self, operation: &str, input: Value) -> Result<Value, Refusal> {
        call(&self.sandbox, "ecs", operation, input)
    }

    /// A call that succeeds.
    #[track_caller]
    pub(super) fn done(&self, operation: &str, input: Value) -> Value {
        self.ecs(operation, input).unwrap_or_else(|refusal| panic!("{operation}: {refusal:?}"))
    }

    /// A call that is refused; answers code and message.
    #[track_caller]
    pub(super) fn refused(&self, operation: &str, input: Value) -> Refusal {
        self.ecs(operation, input).expect_err(operation)
    }

    pub(super) async fn pass(&self, seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        self.sandbox.resources();
    }

    /// What [`Stage::define`] registers: one container that serves on 8000.
    pub(super) fn definition(tag: &str) -> Value {
        let log = json!({"awslogs-group": "/shop/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"});
        json!({
            "family": "web", "networkMode": "awsvpc", "cpu": "256", "memory": "512",
            "executionRoleArn": "arn:aws:iam::123456789012:role/shop",
            "containerDefinitions": [{
                "name": "web", "image": format!("{REGISTRY}/shop:{tag}"), "portMappings": [{"containerPort": 8000}],
                "logConfiguration": {"logDriver": "awslogs", "options": log},
            }],
        })
    }

    /// A revision that runs an image of the repository; answers its ARN.
    pub(super) fn define(&self, tag: &str) -> String {
        let answer = self.done("RegisterTaskDefinition", Self::definition(tag));
        answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
    }

    pub(super) fn network(&self) -> Value {
        json!({"awsvpcConfiguration": {"subnets": self.subnets, "securityGroups": [self.group]}})
    }

    /// The input of a service `web` of two tasks with a circuit breaker, and what is given beside it.
    pub(super) fn service(&self, revision: &str, more: Value) -> Value {
        let mut input = json!({
            "cluster": "shop", "serviceName": "web", "taskDefinition": revision, "desiredCount": 2,
            "networkConfiguration": self.network(),
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        input
    }

    /// The service `web` as it is shown.
    #[track_caller]
    pub(super) fn web(&self) -> Value {
        self.done("DescribeServices", json!({"cluster": "shop", "services": ["web"]}))["services"][0].clone()
    }

    pub(super) fn update(&self, revision: &str) -> Value {
        self.done("UpdateService", json!({"cluster": "shop", "service": "web", "taskDefinition": revision}))
    }

    /// What the service says has happened, the newest first.
    pub(super) fn events(&self) -> Vec<String> {
        let web = self.web();
        let events = web["events"].as_array().cloned().unwrap_or_default();
        events.iter().filter_map(|event| event["message"].as_str().map(str::to_owned)).collect()
    }

    /// Lets time go on, a second at a time, until the service is as wanted.
    #[track_caller]
    pub(super) fn until(&self, what: &'static str, test: impl Fn(&Value) -> bool) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            for _ in 0..1800 {
                let web = self.web();
                if test(&web) {
                    return web;
                }
                self.pass(1).await;
            }
            panic!("{place}: never {what}: {:#}", self.web());
        }
    }

    pub(super) async fn steady(&self) -> Value {
        let steady = |web: &Value| {
            let only = web["deployments"].as_array().map_or(0, Vec::len) == 1;
            only && web["deployments"][0]["rolloutState"] == "COMPLETED" && web["runningCount"] == web["desiredCount"]
        };
        self.until("steady", steady).await
    }

    /// All tasks with this desired status.
    pub(super) fn tasks(&self, status: &str) -> Vec<Value> {
        let arns = self.done("ListTasks", json!({"cluster": "shop", "desiredStatus": status}))["taskArns"].clone();
        if arns.as_array().is_none_or(Vec::is_empty) {
            return Vec::new();
        }
        let described = self.done("DescribeTasks", json!({"cluster": "shop", "tasks": arns}));
        described["tasks"].as_array().cloned().unwrap_or_default()
    }

    /// A task that never ran.
    pub(super) fn failed_to_start(&self) -> Value {
        let mut ended = self.tasks("STOPPED").into_iter();
        ended.find(|task| task["stopCode"] == "TaskFailedToStart").unwrap()
    }

    fn elb(&self, operation: &str, parameters: &[(&str, &str)]) -> String {
        query(&self.sandbox, "elasticloadbalancing", operation, parameters).unwrap()
    }

    /// A target group that looks every five seconds and drains for five.
    pub(super) fn target_group(&self, name: &str) -> String {
        let parameters = [
            ("Name", name),
            ("Protocol", "HTTP"),
            ("Port", "8000"),
            ("VpcId", self.vpc.as_str()),
            ("TargetType", "ip"),
            ("HealthCheckPath", "/healthz"),
            ("HealthCheckIntervalSeconds", "5"),
            ("HealthCheckTimeoutSeconds", "2"),
            ("HealthyThresholdCount", "2"),
            ("UnhealthyThresholdCount", "2"),
        ];
        let arn = element(&self.elb("CreateTargetGroup", &parameters), "TargetGroupArn");
        let attribute = [
            ("TargetGroupArn", arn.as_str()),
            ("Attributes.member.1.Key", "deregistration_delay.timeout_seconds"),
            ("Attributes.member.1.Value", "5"),
        ];
        self.elb("ModifyTargetGroupAttributes", &attribute);
        arn
    }

    /// A balancer with a rule over two target groups.
    pub(super) async fn edge(&self) -> Edge {
        let parameters = [
            ("Name", "shop"),
            ("Subnets.member.1", self.subnets[0].as_str()),
            ("Subnets.member.2", &self.subnets[1]),
            ("SecurityGroups.member.1", &self.group),
        ];
        let balancer = element(&self.elb("CreateLoadBalancer", &parameters), "LoadBalancerArn");
        self.pass(300).await;
        let (live, other) = (self.target_group("live"), self.target_group("other"));
        let listener = [
            ("LoadBalancerArn", balancer.as_str()),
            ("Protocol", "HTTP"),
            ("Port", "80"),
            ("DefaultActions.member.1.Type", "fixed-response"),
            ("DefaultActions.member.1.FixedResponseConfig.StatusCode", "404"),
        ];
        let listener = element(&self.elb("CreateListener", &listener), "ListenerArn");
        let groups = "Actions.member.1.ForwardConfig.TargetGroups.member";
        let rule = [
            ("ListenerArn", listener.as_str()),
            ("Priority", "10"),
            ("Conditions.member.1.Field", "path-pattern"),
            ("Conditions.member.1.PathPatternConfig.Values.member.1", "/*"),
            ("Actions.member.1.Type", "forward"),
            (&format!("{groups}.1.TargetGroupArn"), &live),
            (&format!("{groups}.1.Weight"), "100"),
            (&format!("{groups}.2.TargetGroupArn"), &other),
            (&format!("{groups}.2.Weight"), "0"),
        ];
        let rule = element(&self.elb("CreateRule", &rule), "RuleArn");
        Edge { live, other, rule }
    }

    /// How many targets of a group are healthy.
    pub(super) fn healthy(&self, group: &str) -> usize {
        let answer = self.elb("DescribeTargetHealth", &[("TargetGroupArn", group)]);
        answer.matches("<State>healthy</State>").count()
    }

    /// The share of the rule's traffic that a group gets, in percent.
    pub(super) fn weight(&self, edge: &Edge, group: &str) -> i64 {
        let rule = self.sandbox.resource("elasticloadbalancing.rule", &edge.rule).unwrap();
        let groups = rule.items("Actions")[0]["ForwardConfig"]["TargetGroups"].as_array().cloned().unwrap();
        groups.iter().find(|g| g["TargetGroupArn"] == group).and_then(|g| g["Weight"].as_i64()).unwrap_or(0)
    }
}

impl Edge {
    /// A service's load balancer for a rolling update.
    pub(super) fn rolling(&self) -> Value {
        json!([{"targetGroupArn": self.live, "containerName": "web", "containerPort": 8000}])
    }

    /// The same for a deployment that shifts traffic.
    pub(super) fn shifting(&self) -> Value {
        let advanced = json!({
            "alternateTargetGroupArn": self.other, "productionListenerRule": self.rule,
            "roleArn": "arn:aws:iam::123456789012:role/shop",
        });
        json!([{"targetGroupArn": self.live, "containerName": "web", "containerPort": 8000, "advancedConfiguration": advanced}])
    }
}
