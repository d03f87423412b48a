//! What must hold of Application Auto Scaling, seen from outside.

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, json as call};
use crate::testing::calm;

fn scaling(sandbox: &Sandbox, operation: &str, more: Value) -> Result<Value, Refusal> {
    let mut input = json!({"ServiceNamespace": "ecs", "ResourceId": "service/shop/web", "ScalableDimension": "ecs:service:DesiredCount"});
    for (name, value) in more.as_object().unwrap() {
        input[name] = value.clone();
    }
    call(sandbox, "application-autoscaling", operation, input)
}

fn describe(sandbox: &Sandbox, operation: &str, list: &str) -> Value {
    call(sandbox, "application-autoscaling", operation, json!({"ServiceNamespace": "ecs"})).unwrap()[list].clone()
}

/// A service that is as much as Application Auto Scaling looks at.
fn with_service() -> Sandbox {
    let sandbox = calm();
    sandbox.put(
        "ecs.service",
        "web",
        json!({"serviceArn": "arn:aws:ecs:us-east-1:123456789012:service/shop/web", "status": "ACTIVE"}),
    );
    sandbox
}

fn policy(metric: &str, value: f64) -> Value {
    json!({"PolicyName": metric, "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": {
        "TargetValue": value, "PredefinedMetricSpecification": {"PredefinedMetricType": metric}}})
}

#[test]
fn a_service_that_does_not_exist_cannot_be_scaled() {
    let sandbox = calm();
    let (code, message) =
        scaling(&sandbox, "RegisterScalableTarget", json!({"MinCapacity": 1, "MaxCapacity": 2})).unwrap_err();
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("ValidationException", "ECS service doesn't exist: service/shop/web")
    );
}

#[test]
fn registering_again_changes_only_what_is_said() {
    let sandbox = with_service();
    assert_eq!(code(scaling(&sandbox, "RegisterScalableTarget", json!({"MinCapacity": 2}))), "ValidationException");
    let first = json!({"MinCapacity": 2, "MaxCapacity": 6, "Tags": {"k": "v"}});
    let arn = scaling(&sandbox, "RegisterScalableTarget", first).unwrap();
    assert_eq!(scaling(&sandbox, "RegisterScalableTarget", json!({"MaxCapacity": 8})).unwrap(), arn);
    let target = describe(&sandbox, "DescribeScalableTargets", "ScalableTargets")[0].clone();
    assert_eq!((&target["MinCapacity"], &target["MaxCapacity"]), (&json!(2), &json!(8)));
    assert!(sandbox.resource("iam.role", "AWSServiceRoleForApplicationAutoScaling_ECSService").is_some());
}

#[test]
fn a_policy_makes_its_own_alarms_and_takes_them_along() {
    let sandbox = with_service();
    let cpu = || policy("ECSServiceAverageCPUUtilization", 60.0);
    assert_eq!(code(scaling(&sandbox, "PutScalingPolicy", cpu())), "ObjectNotFoundException");
    scaling(&sandbox, "RegisterScalableTarget", json!({"MinCapacity": 2, "MaxCapacity": 6})).unwrap();
    let made = scaling(&sandbox, "PutScalingPolicy", cpu()).unwrap();
    assert!(made["Alarms"][0]["AlarmName"].as_str().unwrap().starts_with("TargetTracking-service/shop/web-AlarmHigh-"));
    let alarms = || sandbox.inventory().iter().filter(|one| one.id.starts_with("TargetTracking-")).count();
    assert_eq!(alarms(), 2);
    let mut twin = cpu();
    twin["PolicyName"] = "other".into();
    assert_eq!(code(scaling(&sandbox, "PutScalingPolicy", twin)), "ValidationException");
    scaling(&sandbox, "PutScalingPolicy", policy("ECSServiceAverageMemoryUtilization", 70.0)).unwrap();
    scaling(&sandbox, "DeleteScalingPolicy", json!({"PolicyName": "ECSServiceAverageCPUUtilization"})).unwrap();
    assert_eq!(alarms(), 2);
    scaling(&sandbox, "DeregisterScalableTarget", json!({})).unwrap();
    assert_eq!((alarms(), describe(&sandbox, "DescribeScalingPolicies", "ScalingPolicies")), (0, json!([])));
}

#[test]
fn requests_per_target_need_the_name_of_balancer_and_group() {
    let sandbox = with_service();
    scaling(&sandbox, "RegisterScalableTarget", json!({"MinCapacity": 2, "MaxCapacity": 6})).unwrap();
    let mut requests = policy("ALBRequestCountPerTarget", 1000.0);
    assert_eq!(code(scaling(&sandbox, "PutScalingPolicy", requests.clone())), "ValidationException");
    requests["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]["ResourceLabel"] =
        "app/shop/0123456789abcdef/targetgroup/web/fedcba9876543210".into();
    scaling(&sandbox, "PutScalingPolicy", requests).unwrap();
}
