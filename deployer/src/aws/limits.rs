//! Token buckets: AWS's published request rates, kept before AWS has to refuse.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// A bucket's size and its refill for each second.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: f64,
    per_second: f64,
}

/// The bucket that calls of an action draw from, and its rate. EC2 publishes its buckets
/// (<https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>), SSM some of them
/// (<https://docs.aws.amazon.com/general/latest/gr/ssm.html#limits_ssm>); others are what their quota pages say, or a
/// cautious value where they say nothing.
fn bucket(action: &'static str, reads: bool) -> (&'static str, Rate) {
    let (service, operation) = action.split_once(':').unwrap_or((action, ""));
    let (name, burst, per_second) = match (service, operation) {
        ("ec2", _) if reads => (service, 50.0, 10.0),
        ("ec2", _) => (service, 50.0, 5.0),
        ("rds", _) => (service, 300.0, 12.0),
        ("autoscaling", _) if reads => (service, 50.0, 10.0),
        ("autoscaling", _) => (service, 30.0, 5.0),
        ("iam", _) => (service, 40.0, 15.0),
        ("ssm", "GetParameter" | "GetParameters" | "GetParametersByPath") => (service, 40.0, 40.0),
        ("ssm", "PutParameter") => (action, 10.0, 3.0),
        ("ssm", _) => (action, 10.0, 5.0),
        // <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests>
        ("route53", _) => (service, 5.0, 5.0),
        ("elasticloadbalancing", _) if reads => (service, 40.0, 10.0),
        ("elasticloadbalancing", _) => (service, 20.0, 5.0),
        // <https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html#api-rate-limits>
        ("acm", "RequestCertificate" | "DeleteCertificate") => (action, 5.0, 5.0),
        ("acm", _) => (action, 8.0, 8.0),
        ("logs", _) => (service, 10.0, 10.0),
        // <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>
        ("ecs", "RegisterTaskDefinition" | "DeregisterTaskDefinition" | "DeleteTaskDefinitions") => (action, 20.0, 1.0),
        ("ecs", _) if operation.contains("CapacityProvider") && !reads => ("ecs capacity providers", 10.0, 1.0),
        ("ecs", _) if operation.contains("Cluster") && !reads => ("ecs clusters", 20.0, 1.0),
        ("ecs", _) if operation.contains("Service") && !reads => ("ecs services", 50.0, 5.0),
        ("ecs", _) => (service, 50.0, 20.0),
        ("servicediscovery", _) => (action, 20.0, 5.0),
        ("kms", _) => (service, 20.0, 10.0),
        // <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>
        ("cloudwatch", "PutMetricAlarm" | "PutCompositeAlarm" | "DeleteAlarms") => (action, 3.0, 3.0),
        ("cloudwatch", _) => (action, 9.0, 9.0),
        ("sns", "ListTagsForResource" | "TagResource" | "UntagResource") => ("sns tags", 10.0, 10.0),
        ("sns", _) => (service, 30.0, 30.0),
        ("dlm", _) => (service, 10.0, 5.0),
        // <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests>
        ("lambda", "GetFunction") => (action, 100.0, 100.0),
        ("lambda", _) => (service, 15.0, 15.0),
        // <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>
        ("events", _) if !reads => (service, 10.0, 5.0),
        ("tag", _) => (service, 15.0, 15.0),
        _ => (service, 40.0, 20.0),
    };
    (name, Rate { burst, per_second })
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// The buckets that were drawn from, those for reading apart from those for writing.
#[derive(Debug, Default)]
pub(super) struct Buckets(Mutex<BTreeMap<(&'static str, bool), Bucket>>);

impl Buckets {
    /// Waits until a call of `action` is within its rate.
    pub(super) async fn take(&self, action: &'static str, reads: bool) {
        if let Some(wait) = self.reserve(action, reads, Instant::now()) {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes a token, on credit when there is none: answers how long until that token exists.
    fn reserve(&self, action: &'static str, reads: bool, now: Instant) -> Option<Duration> {
        let (name, rate) = bucket(action, reads);
        // Route 53 has one rate for both.
        let reads = reads && name != "route53";
        let mut buckets = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let bucket = buckets.entry((name, reads)).or_insert(Bucket { tokens: rate.burst, at: now });
        let refill = now.saturating_duration_since(bucket.at).as_secs_f64() * rate.per_second;
        bucket.tokens = (bucket.tokens + refill).min(rate.burst) - 1.0;
        bucket.at = now;
        (bucket.tokens < 0.0).then(|| Duration::from_secs_f64(-bucket.tokens / rate.per_second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_what_follows_is_spread_at_the_rate() {
        let buckets = Buckets::default();
        let now = Instant::now();
        let waits: Vec<_> = (0..52).map(|_| buckets.reserve("ec2:CreateVpc", false, now)).collect();
        assert!(waits[..50].iter().all(Option::is_none));
        assert_eq!(waits[50], Some(Duration::from_millis(200)));
        assert_eq!(waits[51], Some(Duration::from_millis(400)));
    }
}
