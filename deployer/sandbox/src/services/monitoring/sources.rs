//! What AWS's own services publish, as far as it shows in the account itself. There is no traffic here, so metrics of
//! requests have no data, as at AWS when nobody comes; a test publishes what it wants to see.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/aws-services-cloudwatch-metrics.html>

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::series::Name;
use crate::account::Ctx;
use crate::clock::later;
use crate::services::sqs;
use crate::store::Resource;

/// What a service shows now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    /// None where it publishes nothing.
    pub(super) value: Option<f64>,
    /// When it changes without anything happening in the account.
    pub(super) until: Option<Timestamp>,
}

const GIB: f64 = 1_073_741_824.0;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads a metric off the account; none for those that nobody publishes by themselves.
pub(super) fn read(ctx: &Ctx<'_>, metric: &Name) -> Option<Reading> {
    let value = match metric.namespace.as_str() {
        "AWS/ApplicationELB" => targets(ctx, metric)?,
        "AWS/ECS" => ecs_use(ctx, metric)?,
        "ECS/ContainerInsights" => ecs_counts(ctx, metric)?,
        "AWS/AutoScaling" => group(ctx, metric)?,
        "AWS/RDS" => database(ctx, metric)?,
        "AWS/EC2" => instance(ctx, metric)?,
        "AWS/SQS" => return queue(ctx, metric),
        "AWS/CertificateManager" => return certificate(ctx, metric),
        _ => return None,
    };
    Some(Reading { value, until: None })
}

#[expect(clippy::cast_precision_loss, reason = "counts of a small account")]
fn count<T>(all: &[T]) -> f64 {
    all.len() as f64
}

#[expect(clippy::cast_precision_loss, reason = "numbers of a small account")]
fn float(number: i64) -> f64 {
    number as f64
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>
fn targets(ctx: &Ctx<'_>, metric: &Name) -> Option<Option<f64>> {
    let healthy = match metric.name.as_str() {
        "HealthyHostCount" => true,
        "UnHealthyHostCount" => false,
        _ => return None,
    };
    let group = metric.dimension("TargetGroup")?;
    let arn = ctx.arn("elasticloadbalancing", group);
    // Nothing is published for a group that no load balancer sends to.
    if ctx.get("elasticloadbalancing.target-group", &arn).is_none() {
        return Some(None);
    }
    let all = ctx.those("elasticloadbalancing.target", |target| target.id.starts_with(&format!("{arn}|")));
    let wanted = all.iter().filter(|target| match target.text("_state") {
        "healthy" => healthy,
        "unhealthy" => !healthy,
        _ => false,
    });
    // Of a group without targets nothing is published either.
    Some((!all.is_empty()).then(|| count(&wanted.collect::<Vec<_>>())))
}

/// The service that a metric is about.
fn service(ctx: &Ctx<'_>, metric: &Name) -> Option<std::sync::Arc<Resource>> {
    let (cluster, service) = (metric.dimension("ClusterName")?, metric.dimension("ServiceName")?);
    let found = ctx.those("ecs.service", |one| {
        let named = |name: &str| one.text("serviceName") == service && name.rsplit('/').next() == Some(cluster);
        named(one.text("clusterArn"))
    });
    found.into_iter().find(|one| one.text("status") != "INACTIVE")
}

/// A service's tasks idle along: what they use depends on nothing but their number.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html>
fn ecs_use(ctx: &Ctx<'_>, metric: &Name) -> Option<Option<f64>> {
    let share = match metric.name.as_str() {
        "CPUUtilization" => 8.0,
        "MemoryUtilization" => 35.0,
        _ => return None,
    };
    metric.dimension("ServiceName")?;
    Some(service(ctx, metric).filter(|one| one.number("runningCount") > 0).map(|_| share))
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-ECS.html>
fn ecs_counts(ctx: &Ctx<'_>, metric: &Name) -> Option<Option<f64>> {
    let attribute = match metric.name.as_str() {
        "RunningTaskCount" => "runningCount",
        "PendingTaskCount" => "pendingCount",
        "DesiredTaskCount" => "desiredCount",
        _ => return None,
    };
    Some(service(ctx, metric).map(|one| float(one.number(attribute))))
}

/// Only what a group is told to publish is published.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-metrics.html>
fn group(ctx: &Ctx<'_>, metric: &Name) -> Option<Option<f64>> {
    let name = metric.dimension("AutoScalingGroupName")?;
    let enabled =
        |group: &Resource| group.items("EnabledMetrics").iter().any(|one| one["Metric"] == metric.name.as_str());
    let in_state = |state: &str| {
        let members = ctx.those("autoscaling.instance", |one| one.text("AutoScalingGroupName") == name);
        count(&members.iter().filter(|one| one.text("LifecycleState").starts_with(state)).collect::<Vec<_>>())
    };
    let read: &dyn Fn(&Resource) -> f64 = match metric.name.as_str() {
        "GroupDesiredCapacity" => &|group| float(group.number("DesiredCapacity")),
        "GroupMinSize" => &|group| float(group.number("MinSize")),
        "GroupMaxSize" => &|group| float(group.number("MaxSize")),
        "GroupTotalInstances" => &|_| in_state(""),
        "GroupInServiceInstances" => &|_| in_state("InService"),
        "GroupPendingInstances" => &|_| in_state("Pending"),
        _ => return None,
    };
    Some(ctx.get("autoscaling.group", name).filter(|group| enabled(group)).map(|group| read(&group)))
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html>
fn database(ctx: &Ctx<'_>, metric: &Name) -> Option<Option<f64>> {
    let id = metric.dimension("DBInstanceIdentifier")?;
    let read: fn(&Resource) -> f64 = match metric.name.as_str() {
        "CPUUtilization" => |_| 6.0,
        "DatabaseConnections" => |_| 4.0,
        "FreeableMemory" => |_| 2.0 * GIB,
        "FreeStorageSpace" => |instance| 0.8 * GIB * float(instance.number("AllocatedStorage")),
        "ReadLatency" | "WriteLatency" => |_| 0.002,
        "DiskQueueDepth" => |_| 0.1,
        "MaximumUsedTransactionIDs" => |_| 1_000_000.0,
        "BurstBalance" | "CPUCreditBalance" => |_| 100.0,
        "ReadIOPS" | "WriteIOPS" => |_| 5.0,
        "SwapUsage" => |_| 0.0,
        _ => return None,
    };
    let running = |instance: &Resource| {
        !matches!(instance.text("DBInstanceStatus"), "" | "creating" | "deleting" | "stopped" | "failed")
    };
    Some(ctx.get("rds.instance", id).filter(|instance| running(instance)).map(|instance| read(&instance)))
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html>
fn instance(ctx: &Ctx<'_>, metric: &Name) -> Option<Option<f64>> {
    let value = match metric.name.as_str() {
        "StatusCheckFailed" | "StatusCheckFailed_Instance" | "StatusCheckFailed_System" => 0.0,
        "CPUUtilization" => 5.0,
        _ => return None,
    };
    let runs = |id: &str| {
        ctx.get("ec2.instance", id)
            .is_some_and(|one| one.attrs.get("instanceState").is_some_and(|state| state["name"] == "running"))
    };
    let any = match (metric.dimension("InstanceId"), metric.dimension("AutoScalingGroupName")) {
        (Some(id), _) => runs(id),
        (None, Some(group)) => {
            let members = ctx.those("autoscaling.instance", |one| one.text("AutoScalingGroupName") == group);
            members.iter().any(|one| runs(&one.id))
        }
        (None, None) => return None,
    };
    Some(any.then_some(value))
}

/// What lies in a queue, by the minute. The age of what has lain there for hours is told by the hour.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>
fn queue(ctx: &Ctx<'_>, metric: &Name) -> Option<Reading> {
    let depth = sqs::depth(ctx, metric.dimension("QueueName")?);
    let count = |count: usize| u32::try_from(count).map_or(f64::MAX, f64::from);
    let (value, until) = match (metric.name.as_str(), depth) {
        (
            "ApproximateNumberOfMessagesVisible"
            | "ApproximateNumberOfMessagesNotVisible"
            | "ApproximateNumberOfMessagesDelayed"
            | "ApproximateAgeOfOldestMessage",
            None,
        ) => (None, None),
        ("ApproximateNumberOfMessagesVisible", Some(depth)) => (Some(count(depth.visible)), depth.moves),
        ("ApproximateNumberOfMessagesNotVisible", Some(depth)) => (Some(count(depth.in_flight)), depth.moves),
        ("ApproximateNumberOfMessagesDelayed", Some(depth)) => (Some(count(depth.delayed)), depth.moves),
        ("ApproximateAgeOfOldestMessage", Some(depth)) => match depth.oldest {
            None => (Some(0.0), None),
            Some(sent) => {
                let age = ctx.now.duration_since(sent).as_secs().max(0);
                let step = if age < 7200 { 60 } else { 3600 };
                let shown = age.div_euclid(step) * step;
                let next = u64::try_from(shown + step).unwrap_or_default();
                (Some(float(shown)), Some(later(sent, Duration::from_secs(next))))
            }
        },
        _ => return None,
    };
    Some(Reading { value, until })
}

/// Whole days until a certificate ends: one less every day.
/// <https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html>
fn certificate(ctx: &Ctx<'_>, metric: &Name) -> Option<Reading> {
    let arn = metric.dimension("CertificateArn").filter(|_| metric.name == "DaysToExpiry")?;
    let end = ctx.get("acm.certificate", arn).and_then(|one| moment_of(one.attrs.get("NotAfter")?));
    let Some(end) = end else { return Some(Reading { value: None, until: None }) };
    let left = end.duration_since(ctx.now).as_secs_f64() / DAY.as_secs_f64();
    let days = left.floor().max(0.0);
    let next = later(ctx.now, DAY.mul_f64((left - days).max(0.0)) + Duration::from_secs(1));
    Some(Reading { value: Some(days), until: (days > 0.0).then_some(next) })
}

/// A moment as JSON services keep it.
#[expect(clippy::cast_possible_truncation, reason = "seconds of any date fit 64 bits")]
fn moment_of(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => Timestamp::from_second(other.as_f64().or_else(|| other["$epoch"].as_f64())? as i64).ok(),
    }
}
