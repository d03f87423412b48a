//! The alarms: what is measured, from where on it is wrong, and what to do then.

use std::collections::BTreeMap;

use super::Observability;
use crate::aws::autoscaling::group::AutoScalingGroup;
use crate::aws::cloudwatch::alarm::{Alarm, Comparison, Decimal, Math, Metric, Missing};
use crate::aws::rds::instance::Instance;
use crate::aws::units::Seconds;
use crate::aws::{Handle, Tags, Text};
use crate::config::{Cluster, Config, ContainerInsights, Database, Service};
use crate::platform::edge::Edge;
use crate::platform::services::Route;

const MINUTE: Seconds = Seconds(60);
pub(super) const FIVE_MINUTES: Seconds = Seconds(300);
const DAY: Seconds = Seconds(24 * 60 * 60);

const BALANCER: &str = "AWS/ApplicationELB";
const TASKS: &str = "AWS/ECS";
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-enhanced-observability-metrics-ECS.html>
const INSIGHTS: &str = "ECS/ContainerInsights";

pub(super) type Named = (&'static str, Alarm);

pub(super) fn metric(
    namespace: &str,
    name: &str,
    dimensions: &[(&str, Text)],
    statistic: &str,
    period: Seconds,
) -> Metric {
    Metric {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        dimensions: dimensions.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        statistic: statistic.to_owned(),
        period,
    }
}

/// An alarm of one metric in so many periods in a row; what is not measured is no fault.
pub(super) fn alarm(
    metric: Metric,
    comparison: Comparison,
    threshold: impl Into<Decimal>,
    periods: i32,
    runbook: String,
) -> Alarm {
    Alarm {
        name: String::new(),
        description: runbook,
        metric: Some(metric),
        math: None,
        comparison,
        threshold: threshold.into(),
        periods,
        breaches: periods,
        missing: Missing::NotBreaching,
        actions_enabled: true,
        on_alarm: Vec::new(),
        on_ok: Vec::new(),
        on_no_data: Vec::new(),
        tags: Tags::new(),
    }
}

/// The same of an expression over several metrics.
fn of_math(expression: String, label: &str, metrics: BTreeMap<String, Metric>, alarm: Alarm) -> Alarm {
    Alarm { metric: None, math: Some(Math { expression, label: label.to_owned(), metrics }), ..alarm }
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>
pub(super) fn balancer(of: &Observability, edge: &Edge) -> Vec<Named> {
    let limits = &of.alerts.thresholds;
    let dimensions = [("LoadBalancer", edge.balancer.full_name())];
    let errors = metric(BALANCER, "HTTPCode_ELB_5XX_Count", &dimensions, "Sum", FIVE_MINUTES);
    let errors_runbook = "The load balancer itself answers with errors: mostly no healthy task, or tasks that hang up. \
                          See which service has unhealthy targets, then `wharf logs` of it.";
    let latency = metric(BALANCER, "TargetResponseTime", &dimensions, "p95", MINUTE);
    let latency_runbook = "Requests take long. Look for a service at its CPU limit, then at the database's slow \
                           statements in its log and in Database Insights.";
    let seconds = f64::from(limits.latency_ms) / 1000.0;
    let errors = alarm(errors, Comparison::AtLeast, f64::from(limits.errors), 1, errors_runbook.to_owned());
    let latency = Alarm { breaches: 4, ..alarm(latency, Comparison::Above, seconds, 5, latency_runbook.to_owned()) };
    vec![("balancer-errors", errors), ("latency", latency)]
}

/// <https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html>
pub(super) fn certificate(of: &Observability, edge: &Edge) -> Alarm {
    let days = f64::from(of.alerts.thresholds.certificate_days);
    let dimensions = [("CertificateArn", edge.certificate.text())];
    let left = metric("AWS/CertificateManager", "DaysToExpiry", &dimensions, "Minimum", DAY);
    let runbook = "The certificate ends soon and has not been renewed: ACM renews sixty days before if the proving \
                   records stand in DNS. Run `wharf drift`; import a new one if it is not ACM's own.";
    alarm(left, Comparison::Below, days, 1, runbook.to_owned())
}

/// Errors that the service's own tasks answer. It stops a rollout, so it looks at each minute.
pub(super) fn errors(of: &Observability, edge: &Edge, name: &str, route: &Route) -> Alarm {
    let runbook = format!(
        "{name} answers with errors (5xx). Read `wharf logs {name}`; if it began with a deployment, `wharf rollback {name}`."
    );
    let limit = f64::from(of.alerts.thresholds.errors.div_ceil(5));
    let shape = |metric| alarm(metric, Comparison::AtLeast, limit, 5, runbook.clone());
    let shape = |metric| Alarm { breaches: 2, ..shape(metric) };
    targets(edge, route, "HTTPCode_Target_5XX_Count", "Sum", "errors", shape)
}

/// Tasks that the load balancer has put out.
pub(super) fn unhealthy(_: &Observability, edge: &Edge, name: &str, route: &Route) -> Alarm {
    let runbook = format!(
        "Tasks of {name} fail the load balancer's health check for minutes. `wharf status` says why tasks stopped, \
         `wharf logs {name}` what they said."
    );
    let shape = |metric| alarm(metric, Comparison::AtLeast, 1, 5, runbook.clone());
    targets(edge, route, "UnHealthyHostCount", "Maximum", "unhealthy", shape)
}

/// Of a service's target group, or of both that take turns.
fn targets(
    edge: &Edge,
    route: &Route,
    name: &str,
    statistic: &str,
    label: &str,
    shape: impl Fn(Metric) -> Alarm,
) -> Alarm {
    let of = |group: Text| {
        let dimensions = [("LoadBalancer", edge.balancer.full_name()), ("TargetGroup", group)];
        metric(BALANCER, name, &dimensions, statistic, MINUTE)
    };
    let alarm = shape(of(route.group.full_name()));
    match &route.other {
        None => alarm,
        Some(other) => {
            let metrics =
                [("a".to_owned(), of(route.group.full_name())), ("b".to_owned(), of(other.group.full_name()))];
            of_math("FILL(a, 0) + FILL(b, 0)".to_owned(), label, metrics.into(), alarm)
        }
    }
}

/// Of a service's tasks. <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html>
pub(super) fn tasks(of: &Observability, config: &Config, name: &str, _: &Service) -> Vec<Named> {
    let limits = &of.alerts.thresholds;
    let dimensions = [("ClusterName", of.stack.as_str().into()), ("ServiceName", name.into())];
    let more = format!("raise `tasks.max` or `cpu` and `memory` of `services.{name}`");
    let use_of = |metric_name: &str, limit: f64, what: &str| {
        let runbook = format!("{name} is short of {what}: {more}, or find what takes it in `wharf logs {name}`.");
        let used = metric(TASKS, metric_name, &dimensions, "Average", FIVE_MINUTES);
        alarm(used, Comparison::Above, limit, 3, runbook)
    };
    let mut alarms = vec![
        ("cpu", use_of("CPUUtilization", f64::from(limits.cpu_percent), "CPU")),
        ("memory", use_of("MemoryUtilization", f64::from(limits.memory_percent), "memory")),
    ];
    let insights = config.cluster.as_ref().map(|cluster| cluster.insights);
    if insights.is_some_and(|insights| insights != ContainerInsights::Disabled) {
        let count = |name: &str| metric(INSIGHTS, name, &dimensions, "Average", MINUTE);
        let metrics = [("desired", count("DesiredTaskCount")), ("running", count("RunningTaskCount"))];
        let metrics = metrics.map(|(id, metric)| (id.to_owned(), metric)).into();
        let runbook = format!(
            "Fewer tasks of {name} run than are wanted, for ten minutes. `wharf status` names the cause: image, secret, \
             crash, health or no room on the instances."
        );
        let shape = alarm(count("RunningTaskCount"), Comparison::Above, 0, 10, runbook);
        alarms.push(("missing", of_math("desired - running".to_owned(), "missing", metrics, shape)));
    }
    alarms
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-metrics.html>
pub(super) fn instances(_: &Observability, wanted: &Cluster, group: &Handle<AutoScalingGroup>) -> Alarm {
    let dimensions = [("AutoScalingGroupName", group.name().text())];
    let in_service = metric("AWS/AutoScaling", "GroupInServiceInstances", &dimensions, "Minimum", MINUTE);
    let runbook = "Fewer instances are in service than the least that there should be. The group's activity history says \
                   why none comes: capacity of the zone, quota, or the launch template.";
    let alarm = alarm(in_service, Comparison::Below, f64::from(wanted.min), 10, runbook.to_owned());
    Alarm { missing: Missing::Ignore, ..alarm }
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html>
pub(super) fn database(of: &Observability, wanted: &Database, instance: &Handle<Instance>) -> Vec<Named> {
    const MIB: f64 = 1024.0 * 1024.0;
    const GIB: f64 = 1024.0 * MIB;
    let limits = &of.alerts.thresholds;
    let dimensions = [("DBInstanceIdentifier", instance.identifier().text())];
    let of = |name: &str, statistic: &str, comparison, limit: f64, periods, runbook: &str| {
        let metric = metric("AWS/RDS", name, &dimensions, statistic, FIVE_MINUTES);
        alarm(metric, comparison, limit, periods, runbook.to_owned())
    };
    let storage = (f64::from(wanted.storage_gib) * GIB / 100.0 * f64::from(limits.database_storage_percent)).floor();
    let mut alarms = vec![
        (
            "cpu",
            of(
                "CPUUtilization",
                "Average",
                Comparison::Above,
                f64::from(limits.database_cpu_percent),
                3,
                "The database is short of CPU. Database Insights shows the statements that take it; a larger \
                 `database.class` takes effect with a failover of about a minute.",
            ),
        ),
        (
            "storage",
            of(
                "FreeStorageSpace",
                "Minimum",
                Comparison::Below,
                storage,
                1,
                "The database's storage is nearly full, and a full one stops. Raise `database.storage_gib` or \
                 `database.max_storage_gib`; storage grows without a pause.",
            ),
        ),
        (
            "memory",
            of(
                "FreeableMemory",
                "Minimum",
                Comparison::Below,
                f64::from(limits.database_memory_mib) * MIB,
                3,
                "The database has little memory left: look for many connections or large sorts, or take a larger \
                 `database.class`.",
            ),
        ),
        (
            "connections",
            of(
                "DatabaseConnections",
                "Maximum",
                Comparison::Above,
                f64::from(limits.database_connections),
                3,
                "The database has more connections than expected: something leaks them, or each task's pool is too \
                 large for the number of tasks.",
            ),
        ),
    ];
    if wanted.class.starts_with("db.t") {
        let runbook = "The database has used up the CPU that its class saves up, and is slowed down or paid for by the \
                       hour. Take a class that does not burst, such as `db.m7g.large`.";
        alarms.push(("credits", of("CPUCreditBalance", "Minimum", Comparison::Below, 20.0, 3, runbook)));
    }
    alarms
}
