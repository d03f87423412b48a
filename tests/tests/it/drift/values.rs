//! Another value for each that an account holds, which is still well-formed.

use std::collections::BTreeMap;

use serde_json::Value;
use wharf_sandbox::Resource;

/// Texts of the account: another resource's id is a well-formed value where one stands.
pub(super) struct Texts(BTreeMap<String, Vec<String>>);

impl Texts {
    pub(super) fn of(resources: &[Resource]) -> Self {
        let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for resource in resources {
            let arns = resource.attrs.values().filter_map(Value::as_str).filter(|text| text.starts_with("arn:"));
            for text in std::iter::once(resource.id.as_str()).chain(arns) {
                texts.entry(stem(text)).or_default().push(text.to_owned());
            }
        }
        Self(texts)
    }

    fn other(&self, text: &str) -> Option<String> {
        self.0.get(&stem(text))?.iter().find(|other| *other != text).cloned()
    }
}

/// What ids of one sort have in common.
pub(super) fn stem(text: &str) -> String {
    match text.strip_prefix("arn:") {
        Some(arn) => format!("arn:{}", arn.split(['/']).next().unwrap_or_default()),
        None => text.split('-').next().unwrap_or_default().to_owned(),
    }
}

/// Other whole numbers.
pub(super) fn numbers(name: &str, number: i64) -> Vec<i64> {
    match (name, number) {
        // Numbers of which AWS takes only some.
        ("retentionInDays", _) => vec![7],
        ("MonitoringInterval", _) => vec![30],
        ("PerformanceInsightsRetentionPeriod", _) => vec![31],
        ("maxAggregationInterval", _) => vec![60],
        // Storage grows by a tenth at least.
        ("AllocatedStorage", _) => vec![number + 10, number - 10],
        // A group has its least number of instances already.
        ("DesiredCapacity", _) => vec![number + 1],
        // A range of ports stays one.
        ("fromPort", _) => vec![number - 1],
        ("toPort", _) => vec![number + 1],
        // The hours between two snapshots.
        ("Interval", 24) => vec![12],
        ("Interval", 0) => Vec::new(),
        // Nothing is fewer than none.
        (_, 0) => vec![1],
        _ => vec![number + 1, number - 1],
    }
}

/// Texts of which AWS takes only some, and what somebody may have chosen instead.
const CHOICES: &[(&str, &str)] = &[
    ("ALL", "REJECT"),
    ("Gateway", "Interface"),
    ("IMMUTABLE", "MUTABLE"),
    ("STANDARD", "INFREQUENT_ACCESS"),
    ("Standard", "Advanced"),
    ("standard", "advanced"),
    ("KMS", "AES256"),
    ("gp3", "gp2"),
    ("db.t4g.medium", "db.m7g.large"),
    ("rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1"),
    ("open-source-rds-extended-support-disabled", "open-source-rds-extended-support"),
    ("postgres17", "postgres16"),
    ("us-east-1a", "us-east-1b"),
    ("us-east-1b", "us-east-1a"),
    ("03:00-04:00", "05:00-06:00"),
    ("sun:04:30-sun:05:30", "mon:07:00-mon:08:00"),
    ("postgresql", "iam-db-auth-error"),
    ("upgrade", "iam-db-auth-error"),
    ("tcp", "udp"),
    ("0.0.0.0/0", "198.51.100.0/24"),
    ("true", "false"),
    ("false", "true"),
    ("on", "off"),
    ("off", "on"),
    ("ENABLED", "DISABLED"),
    ("DISABLED", "ENABLED"),
    ("enabled", "disabled"),
    ("arm64", "x86_64"),
    ("ARM64", "X86_64"),
    ("m7g.large", "m7g.xlarge"),
    ("HTTP", "HTTPS"),
    ("HTTPS", "HTTP"),
    ("ipv4", "dualstack"),
    ("internet-facing", "internal"),
    ("required", "optional"),
    ("enhanced", "enabled"),
    ("spread", "binpack"),
    ("Average", "Maximum"),
    ("Sum", "Maximum"),
    ("p95", "p99"),
    ("notBreaching", "breaching"),
    ("GreaterThanThreshold", "LessThanThreshold"),
    ("GreaterThanOrEqualToThreshold", "LessThanThreshold"),
    ("cron(0 6 * * ? *)", "cron(0 7 * * ? *)"),
    ("UTC", "Europe/Berlin"),
    ("OFF", "FLEXIBLE"),
    ("MULTIVALUE", "WEIGHTED"),
    ("03:00", "04:00"),
    ("HOURS", "WEEKS"),
    ("awsvpc", "bridge"),
    ("REPLICA", "DAEMON"),
    ("SERVICE", "TASK_DEFINITION"),
    ("LINUX", "WINDOWS_SERVER_2022_CORE"),
    ("awslogs", "json-file"),
    ("non-blocking", "blocking"),
    ("25m", "10m"),
    ("OldestLaunchTemplate", "OldestInstance"),
    ("IgnoreUnhealthy", "ReplaceUnhealthy"),
    ("balanced-best-effort", "balanced-only"),
    ("round_robin", "least_outstanding_requests"),
    ("HTTP1", "HTTP2"),
    ("ip", "instance"),
    ("defensive", "strictest"),
    ("append", "preserve"),
    ("OVERRIDE", "NONE"),
    ("traffic-port", "9000"),
    ("200-399", "200"),
    ("text/plain", "text/html"),
    ("host-header", "path-pattern"),
    ("ELBSecurityPolicy-TLS13-1-2-2021-06", "ELBSecurityPolicy-2016-08"),
    ("ECSServiceAverageCPUUtilization", "ECSServiceAverageMemoryUtilization"),
];

/// The same, of texts that mean something else elsewhere.
const CHOICES_OF: &[(&str, &str, &str)] = &[
    ("ActionAfterCompletion", "NONE", "DELETE"),
    ("ApplyOn", "None", "PublishedVersions"),
    ("Location", "CLOUD", "LOCAL_ZONE"),
    ("LogFormat", "JSON", "Text"),
    ("Mode", "PassThrough", "Active"),
    ("ResourceLocations", "CLOUD", "LOCAL_ZONE"),
    ("State", "Enabled", "Disabled"),
    ("HealthCheckType", "EC2", "EC2,ELB"),
    ("Mode", "off", "passthrough"),
    ("requiresCompatibilities", "EC2", "FARGATE"),
];

/// Other texts that are as well-formed.
pub(super) fn others(name: &str, text: &str, texts: &Texts) -> Vec<String> {
    if name == "wharf:password" {
        return vec![text.replace("/database/", "/old/"), text.replace(":1", ":0")];
    }
    if let Some((.., other)) = CHOICES_OF.iter().find(|(of, one, _)| (*of, *one) == (name, text)) {
        return vec![(*other).to_owned()];
    }
    // AWS has providers of its own.
    if name == "capacityProviders" {
        return vec!["FARGATE".to_owned()];
    }
    if let Some((_, other)) = CHOICES.iter().find(|(one, _)| *one == text) {
        return vec![(*other).to_owned()];
    }
    if matches!((name, text), ("ipProtocol", "-1") | ("vpcEndpointType", _)) && text != "Gateway" {
        return Vec::new();
    }
    // A task of a schedule has its definition's tags, or none.
    if (name, text) == ("PropagateTags", "TASK_DEFINITION") {
        return Vec::new();
    }
    if name == "AlarmRule" {
        let fewer = text.rsplit_once(" OR ").map(|(rest, _)| format!("{rest})"));
        let named = text.split('"').nth(1);
        let unless = named.filter(|_| text.ends_with("))")).map(|name| format!("{text} AND NOT ALARM(\"{name}\")"));
        return fewer.into_iter().chain(unless).collect();
    }
    if text.len() >= 19 && (text.ends_with('Z') || text.ends_with("+0000")) && text.contains('T') {
        return vec![text.replacen("20", "19", 1)];
    }
    if name == "EngineVersion" {
        return vec!["17.99".to_owned(), "16.9".to_owned()];
    }
    if let Ok(number) = text.parse::<i64>() {
        return vec![(number + 1).to_string(), (number - 1).to_string()];
    }
    if let Ok(document @ Value::Object(_)) = serde_json::from_str(text) {
        return vec![changed_inside(&document).to_string()];
    }
    if let Some((range, length)) =
        text.rsplit_once('/').filter(|(range, _)| range.parse::<std::net::Ipv4Addr>().is_ok())
    {
        let rest = range.splitn(3, '.').nth(2).unwrap_or_default();
        return vec![format!("10.77.{rest}/{length}")];
    }
    // Each subnet is in one table and has one list of rules: it is somebody else's that is there now.
    let anothers = name != "subnetId" && (text.starts_with("arn:") || is_id(text));
    let another = texts.other(text).filter(|_| anothers);
    let last = |text: &str| {
        let (rest, end) = text.split_at(text.len() - 1);
        format!("{rest}{}", if end == "0" { "1" } else { "0" })
    };
    match another {
        Some(other) => vec![other],
        None if is_id(text) => vec![last(text)],
        None if text.is_empty() => vec!["changed".to_owned()],
        None => vec![format!("{text}-changed")],
    }
}

/// True for what AWS gives out as an id.
pub(super) fn is_id(text: &str) -> bool {
    let end = text.rsplit('-').next().unwrap_or_default();
    end.len() >= 12 && end.chars().all(|c| c.is_ascii_hexdigit())
}

/// A document that says something else: its last text is another one.
fn changed_inside(document: &Value) -> Value {
    let mut changed = document.clone();
    fn last(value: &mut Value) -> Option<&mut String> {
        match value {
            Value::String(text) => Some(text),
            Value::Array(items) => items.iter_mut().rev().find_map(last),
            Value::Object(entries) => entries
                .iter_mut()
                .filter(|(key, _)| !matches!(key.as_str(), "Version" | "type" | "tagStatus" | "tagPatternList"))
                .map(|(_, entry)| entry)
                .filter_map(last)
                .last(),
            _ => None,
        }
    }
    if let Some(text) = last(&mut changed) {
        text.push_str("-changed");
    }
    changed
}
