//! The dashboard: one look at what users feel, then at what it stands on.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html>

use serde_json::{Value as Json, json};

use super::Watched;
use crate::aws::autoscaling::group::AutoScalingGroup;
use crate::aws::cloudwatch::dashboard::Dashboard as Kind;
use crate::aws::elbv2::load_balancer::LoadBalancer;
use crate::aws::policy::Slots;
use crate::aws::rds::instance::Instance;
use crate::aws::sqs::queue::Queue;
use crate::aws::{Handle, Tags, Text};
use crate::platform::Site;
use crate::platform::services::Route;

/// A dashboard in the making.
pub(super) struct Dashboard {
    region: String,
    slots: Slots,
    balancer: Vec<Json>,
    services: Vec<Json>,
    rest: Vec<Json>,
}

/// A line of a widget: namespace, metric, dimensions and statistic.
struct Line<'a>(&'a str, &'a str, Vec<(&'a str, Text)>, &'a str);

impl Dashboard {
    pub(super) fn new(site: &Site) -> Self {
        Self {
            region: site.region.clone(),
            slots: Slots::default(),
            balancer: Vec::new(),
            services: Vec::new(),
            rest: Vec::new(),
        }
    }

    pub(super) fn balancer(&mut self, balancer: &Handle<LoadBalancer>) {
        let of = |metric, statistic| {
            Line("AWS/ApplicationELB", metric, vec![("LoadBalancer", balancer.full_name())], statistic)
        };
        let requests = self.widget("Requests", vec![of("RequestCount", "Sum")]);
        let latency = vec![of("TargetResponseTime", "p50"), of("TargetResponseTime", "p95")];
        let latency = self.widget("Latency in seconds", latency);
        let errors = vec![of("HTTPCode_ELB_5XX_Count", "Sum"), of("HTTPCode_Target_5XX_Count", "Sum")];
        let errors = self.widget("Errors", errors);
        self.balancer.extend([requests, latency, errors]);
    }

    pub(super) fn service(&mut self, stack: &str, name: &str) {
        let of = |metric| {
            let dimensions = vec![("ClusterName", stack.into()), ("ServiceName", name.into())];
            Line("AWS/ECS", metric, dimensions, "Average")
        };
        let used = self
            .widget(&format!("{name}: CPU and memory in percent"), vec![of("CPUUtilization"), of("MemoryUtilization")]);
        self.services.push(used);
    }

    pub(super) fn targets(&mut self, name: &str, balancer: &Handle<LoadBalancer>, route: &Route) {
        let counts = |metric: &'static str| {
            route.groups().map(move |group| {
                let dimensions = vec![("LoadBalancer", balancer.full_name()), ("TargetGroup", group.full_name())];
                Line("AWS/ApplicationELB", metric, dimensions, "Average")
            })
        };
        let lines = counts("HealthyHostCount").chain(counts("UnHealthyHostCount")).collect();
        let hosts = self.widget(&format!("{name}: healthy and unhealthy tasks"), lines);
        self.services.push(hosts);
    }

    pub(super) fn instances(&mut self, group: &Handle<AutoScalingGroup>) {
        let of = |metric| {
            let dimensions = vec![("AutoScalingGroupName", group.name().text())];
            Line("AWS/AutoScaling", metric, dimensions, "Average")
        };
        let lines = vec![of("GroupInServiceInstances"), of("GroupDesiredCapacity")];
        let instances = self.widget("Instances", lines);
        self.rest.push(instances);
    }

    pub(super) fn database(&mut self, instance: &Handle<Instance>) {
        let of = |metric, statistic| {
            Line("AWS/RDS", metric, vec![("DBInstanceIdentifier", instance.identifier().text())], statistic)
        };
        let all = [
            ("Database: CPU in percent", vec![of("CPUUtilization", "Average")]),
            ("Database: connections", vec![of("DatabaseConnections", "Maximum")]),
            ("Database: free storage in bytes", vec![of("FreeStorageSpace", "Minimum")]),
            ("Database: latency in seconds", vec![of("ReadLatency", "Average"), of("WriteLatency", "Average")]),
        ];
        for (title, lines) in all {
            let widget = self.widget(title, lines);
            self.rest.push(widget);
        }
    }

    pub(super) fn function(&mut self, name: &str, watched: &Watched<'_>) {
        let of = |metric, statistic| {
            Line("AWS/Lambda", metric, vec![("FunctionName", watched.function.name().text())], statistic)
        };
        let lines = vec![of("Invocations", "Sum"), of("Errors", "Sum"), of("Throttles", "Sum")];
        let function = self.widget(&format!("{name}: invocations, errors, throttles"), lines);
        self.rest.push(function);
        if let Some((queue, dead)) = watched.queues {
            let waiting = |queue: &Handle<Queue>| {
                let dimensions = vec![("QueueName", queue.name().text())];
                Line("AWS/SQS", "ApproximateNumberOfMessagesVisible", dimensions, "Maximum")
            };
            let lines = vec![waiting(queue), waiting(dead)];
            let queues = self.widget(&format!("{name}: waiting, and given up"), lines);
            self.rest.push(queues);
        }
    }

    fn widget(&mut self, title: &str, lines: Vec<Line<'_>>) -> Json {
        let slots = &mut self.slots;
        let mut line = |Line(namespace, metric, dimensions, statistic): Line<'_>| -> Json {
            let dimensions = dimensions.iter().flat_map(|(name, value)| [json!(name), slots.hold(value)]);
            let words = [json!(namespace), json!(metric)].into_iter().chain(dimensions.collect::<Vec<_>>());
            words.chain([json!({ "stat": statistic })]).collect()
        };
        let metrics: Vec<Json> = lines.into_iter().map(&mut line).collect();
        json!({ "type": "metric", "properties": {
            "title": title, "region": self.region, "view": "timeSeries", "period": 60, "metrics": metrics,
        } })
    }

    /// The widgets in rows of three, under the alarm that says whether users feel anything, if there is one.
    pub(super) fn finish(mut self, stack: &str, felt: Option<&Text>, tags: Tags) -> Kind {
        const WIDTH: usize = 8;
        const HEIGHT: usize = 6;
        let status = felt.map(|felt| {
            json!({ "type": "alarm", "x": 0, "y": 0, "width": 3 * WIDTH, "height": 2, "properties": {
            "title": format!("{stack}: what users feel"), "alarms": [self.slots.hold(felt)],
        } })
        });
        let below = self.balancer.into_iter().chain(self.services).chain(self.rest).enumerate();
        let placed = below.map(|(number, mut widget)| {
            widget["x"] = (number % 3 * WIDTH).into();
            widget["y"] = (2 + number / 3 * HEIGHT).into();
            widget["width"] = WIDTH.into();
            widget["height"] = HEIGHT.into();
            widget
        });
        let widgets: Vec<Json> = status.into_iter().chain(placed).collect();
        Kind { name: stack.to_owned(), body: self.slots.fill(&json!({ "widgets": widgets }).to_string()), tags }
    }
}
