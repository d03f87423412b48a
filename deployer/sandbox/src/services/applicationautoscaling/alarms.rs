//! The alarms that target tracking makes for itself in CloudWatch, and takes away again.
//! <https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html>

use serde_json::{Value, json};

use crate::account::Ctx;
use crate::error::ApiError;
use crate::store::Resource;

/// Makes a policy's alarms; answers their names and ARNs as the policy shows them.
pub(super) fn make(ctx: &mut Ctx<'_>, resource: &str, policy: &Resource) -> Result<Value, ApiError> {
    let config = &policy.attrs["TargetTrackingScalingPolicyConfiguration"];
    let target = config["TargetValue"].as_f64().unwrap_or_default();
    let high = ("AlarmHigh", "GreaterThanThreshold", 3, target);
    let low = ("AlarmLow", "LessThanThreshold", 15, target * 0.9);
    let wanted = if config["DisableScaleIn"] == true { vec![high] } else { vec![high, low] };
    let mut made = Vec::new();
    for (sort, comparison, periods, threshold) in wanted {
        let name = format!("TargetTracking-{resource}-{sort}-{}", ctx.account.rng.uuid());
        let mut alarm = metric(resource, config);
        alarm["ComparisonOperator"] = comparison.into();
        alarm["EvaluationPeriods"] = periods.into();
        alarm["Threshold"] = threshold.into();
        alarm["Period"] = 60.into();
        alarm["AlarmActions"] = json!([policy.text("PolicyARN")]);
        let text = "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy";
        alarm["AlarmDescription"] = format!("{text} {}.", policy.text("PolicyARN")).into();
        crate::services::monitoring::alarm::made_by_aws(ctx, &name, alarm)?;
        made.push(json!({"AlarmName": name, "AlarmARN": ctx.arn("cloudwatch", format!("alarm:{name}"))}));
    }
    Ok(made.into())
}

/// The metric that a policy tracks.
fn metric(resource: &str, config: &Value) -> Value {
    let specification = &config["PredefinedMetricSpecification"];
    let service: Vec<&str> = resource.split('/').skip(1).collect();
    let of_service = || {
        let pairs = ["ClusterName", "ServiceName"].into_iter().zip(&service);
        pairs.map(|(name, value)| json!({"Name": name, "Value": value})).collect::<Value>()
    };
    let label = specification["ResourceLabel"].as_str().unwrap_or_default();
    let (balancer, group) = label.split_once("/targetgroup/").unwrap_or_default();
    let (namespace, name, statistic, dimensions) = match specification["PredefinedMetricType"].as_str() {
        Some("ALBRequestCountPerTarget") => {
            let dimensions = json!([
                {"Name": "LoadBalancer", "Value": balancer},
                {"Name": "TargetGroup", "Value": format!("targetgroup/{group}")},
            ]);
            ("AWS/ApplicationELB", "RequestCountPerTarget", "Sum", dimensions)
        }
        Some("ECSServiceAverageMemoryUtilization") => ("AWS/ECS", "MemoryUtilization", "Average", of_service()),
        _ => ("AWS/ECS", "CPUUtilization", "Average", of_service()),
    };
    json!({"Namespace": namespace, "MetricName": name, "Dimensions": dimensions, "Statistic": statistic})
}

/// Takes a policy's alarms away.
pub(super) fn remove(ctx: &mut Ctx<'_>, policy: &Resource) {
    for alarm in policy.items("Alarms") {
        let name = alarm["AlarmName"].as_str().unwrap_or_default();
        crate::services::monitoring::alarm::removed_by_aws(ctx, name);
    }
}
