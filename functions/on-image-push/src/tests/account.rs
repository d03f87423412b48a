//! An account with a cluster whose instances have room, made by plain requests: what the function does not call is none
//! of its clients.

use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use wharf_sandbox::Sandbox;

pub(super) const REGISTRY: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["ecs-tasks.amazonaws.com","ec2.amazonaws.com"]},"Action":"sts:AssumeRole"}]}"#;

async fn send(sandbox: &Sandbox, service: &str, headers: &[(&'static str, String)], body: String) -> String {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST").unwrap();
    request.set_uri(format!("https://{service}.us-east-1.amazonaws.com/")).unwrap();
    let credential = format!("Credential=AKID/20260105/us-east-1/{service}/aws4_request");
    request.headers_mut().insert("authorization", format!("AWS4-HMAC-SHA256 {credential}, Signature=0"));
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.clone());
    }
    let response = sandbox.http_client().call(request).await.unwrap();
    let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default()).into_owned();
    assert!(response.status().is_success(), "{service}: {body}");
    body
}

/// A call of a service that speaks JSON.
pub(super) async fn json_call(sandbox: &Sandbox, service: &str, operation: &str, input: Value) -> Value {
    let headers =
        [("x-amz-target", format!("Any.{operation}")), ("content-type", "application/x-amz-json-1.1".to_owned())];
    let answer = send(sandbox, service, &headers, input.to_string()).await;
    serde_json::from_str(&answer).unwrap_or_default()
}

/// A call of a service that speaks in forms; answers the XML.
pub(super) async fn form_call(sandbox: &Sandbox, service: &str, operation: &str, fields: &[(&str, &str)]) -> String {
    let quoted = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        text.bytes().map(one).collect::<String>()
    };
    let fields = fields.iter().map(|(name, value)| format!("&{}={}", quoted(name), quoted(value)));
    let body = format!("Action={operation}{}", fields.collect::<String>());
    send(sandbox, service, &[("content-type", "application/x-www-form-urlencoded".to_owned())], body).await
}

/// The text of the first element with this name.
fn element(xml: &str, name: &str) -> String {
    let inner = xml.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    inner.map(|(inner, _)| inner.to_owned()).unwrap_or_default()
}

/// The network of the cluster: what its services and instances are put into.
pub(super) struct Network {
    pub(super) subnets: [String; 2],
    pub(super) group: String,
}

/// A network in two zones.
async fn network(sandbox: &Sandbox) -> Network {
    let ec2 = async |operation, fields: &[(&str, &str)]| form_call(sandbox, "ec2", operation, fields).await;
    let vpc = element(&ec2("CreateVpc", &[("CidrBlock", "10.0.0.0/16")]).await, "vpcId");
    let gateway = element(&ec2("CreateInternetGateway", &[]).await, "internetGatewayId");
    ec2("AttachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", &vpc)]).await;
    let mut subnets = [String::new(), String::new()];
    for (subnet, (range, zone)) in
        subnets.iter_mut().zip([("10.0.1.0/24", "us-east-1a"), ("10.0.2.0/24", "us-east-1b")])
    {
        let fields = [("VpcId", vpc.as_str()), ("CidrBlock", range), ("AvailabilityZone", zone)];
        *subnet = element(&ec2("CreateSubnet", &fields).await, "subnetId");
    }
    let fields = [("VpcId", vpc.as_str()), ("GroupName", "tasks"), ("GroupDescription", "tasks")];
    let group = element(&ec2("CreateSecurityGroup", &fields).await, "groupId");
    Network { subnets, group }
}

/// Roles, repositories, logs, the stack's table and topic.
async fn surroundings(sandbox: &Sandbox) {
    let iam = async |operation, fields: &[(&str, &str)]| form_call(sandbox, "iam", operation, fields).await;
    iam("CreateRole", &[("RoleName", "shop"), ("AssumeRolePolicyDocument", TRUST)]).await;
    iam("CreateInstanceProfile", &[("InstanceProfileName", "shop")]).await;
    iam("AddRoleToInstanceProfile", &[("InstanceProfileName", "shop"), ("RoleName", "shop")]).await;
    for repository in ["shop/web", "shop/worker"] {
        json_call(sandbox, "ecr", "CreateRepository", json!({"repositoryName": repository})).await;
        json_call(sandbox, "logs", "CreateLogGroup", json!({"logGroupName": format!("/{repository}")})).await;
    }
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let table = json!({
        "TableName": "wharf-shop", "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")], "AttributeDefinitions": [text("pk"), text("sk")],
    });
    json_call(sandbox, "dynamodb", "CreateTable", table).await;
    form_call(sandbox, "sns", "CreateTopic", &[("Name", "shop-signals")]).await;
}

/// A cluster `shop` of instances with room for ten tasks.
async fn cluster(sandbox: &Sandbox, network: &Network) {
    json_call(sandbox, "ecs", "CreateCluster", json!({"clusterName": "shop"})).await;
    let parameter = "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id";
    let image = json_call(sandbox, "ssm", "GetParameter", json!({"Name": parameter})).await;
    // #!/bin/bash
    // echo ECS_CLUSTER=shop >> /etc/ecs/ecs.config
    let data = "IyEvYmluL2Jhc2gKZWNobyBFQ1NfQ0xVU1RFUj1zaG9wID4+IC9ldGMvZWNzL2Vjcy5jb25maWcK";
    let template = [
        ("LaunchTemplateName", "nodes"),
        ("LaunchTemplateData.ImageId", image["Parameter"]["Value"].as_str().unwrap()),
        ("LaunchTemplateData.InstanceType", "m7g.large"),
        ("LaunchTemplateData.SecurityGroupId.1", &network.group),
        ("LaunchTemplateData.IamInstanceProfile.Name", "shop"),
        ("LaunchTemplateData.UserData", data),
    ];
    let template = element(&form_call(sandbox, "ec2", "CreateLaunchTemplate", &template).await, "launchTemplateId");
    let group = [
        ("AutoScalingGroupName", "nodes"),
        ("MinSize", "0"),
        ("MaxSize", "5"),
        ("DesiredCapacity", "5"),
        ("VPCZoneIdentifier", &network.subnets.join(",")),
        ("NewInstancesProtectedFromScaleIn", "true"),
        ("LaunchTemplate.LaunchTemplateId", &template),
        ("LaunchTemplate.Version", "$Latest"),
    ];
    form_call(sandbox, "autoscaling", "CreateAutoScalingGroup", &group).await;
    let groups = form_call(sandbox, "autoscaling", "DescribeAutoScalingGroups", &[]).await;
    let provider = json!({
        "autoScalingGroupArn": element(&groups, "AutoScalingGroupARN"), "managedTerminationProtection": "DISABLED",
        "managedScaling": {"status": "DISABLED"},
    });
    let create = json!({"name": "nodes", "autoScalingGroupProvider": provider});
    json_call(sandbox, "ecs", "CreateCapacityProvider", create).await;
    let strategy = json!([{"capacityProvider": "nodes", "weight": 1}]);
    let attach =
        json!({"cluster": "shop", "capacityProviders": ["nodes"], "defaultCapacityProviderStrategy": strategy});
    json_call(sandbox, "ecs", "PutClusterCapacityProviders", attach).await;
    tokio::time::sleep(std::time::Duration::from_secs(400)).await;
}

/// All of it, without services.
pub(super) async fn ready(sandbox: &Sandbox) -> Network {
    let network = network(sandbox).await;
    surroundings(sandbox).await;
    cluster(sandbox, &network).await;
    network
}

/// A task definition as the deployer registers it.
pub(super) async fn define(sandbox: &Sandbox, service: &str, version: &str) -> String {
    let log = json!({"awslogs-group": format!("/shop/{service}"), "awslogs-region": "us-east-1", "awslogs-stream-prefix": service});
    let definition = json!({
        "family": format!("shop-{service}"), "networkMode": "awsvpc", "cpu": "256", "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/shop", "requiresCompatibilities": ["EC2"],
        "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        "tags": [{"key": "wharf:rollouts", "value": service}, {"key": "wharf:stack", "value": "shop"}],
        "containerDefinitions": [{
            "name": service, "image": format!("{REGISTRY}/shop/{service}{version}"), "essential": true,
            "environment": [{"name": "MODE", "value": "production"}],
            "portMappings": [{"containerPort": 8000}],
            "logConfiguration": {"logDriver": "awslogs", "options": log},
        }],
    });
    let made = json_call(sandbox, "ecs", "RegisterTaskDefinition", definition).await;
    made["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
}

/// A service of so many tasks.
pub(super) async fn serve(sandbox: &Sandbox, network: &Network, service: &str, revision: &str, count: u32) {
    let create = json!({
        "cluster": "shop", "serviceName": service, "taskDefinition": revision, "desiredCount": count,
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": network.subnets, "securityGroups": [network.group]}},
        "capacityProviderStrategy": [{"capacityProvider": "nodes", "weight": 1}],
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
    });
    json_call(sandbox, "ecs", "CreateService", create).await;
}
