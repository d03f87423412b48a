//! What the design has and this version does not build yet: refused with that explanation, never taken and ignored.

/// Sections and keys of the design by path (`*` is any one name), and what they will do.
const LATER: [(&str, &str); 17] = [
    ("cluster", "the ECS cluster and its instances"),
    ("edge", "the load balancer, certificate and DNS"),
    ("backups", "snapshots by Data Lifecycle Manager"),
    ("alerts", "alarms and notifications"),
    ("jenkins", "the Jenkins machine"),
    ("reactions", "the functions"),
    ("services.*.health", "health checks"),
    ("services.*.cpu", "tasks"),
    ("services.*.memory", "tasks"),
    ("services.*.tasks", "tasks"),
    ("services.*.deploy", "deployments"),
    ("services.*.before_deploy", "deployments"),
    ("services.*.permissions", "task roles"),
    ("services.*.schedule", "periodic tasks"),
    ("services.*.host", "the load balancer's routing by host name"),
    ("services.*.command", "tasks"),
    ("services.*.volumes", "volumes"),
];

/// What the key at `path` will do one day.
pub(super) fn purpose(path: &str) -> Option<&'static str> {
    let matches = |pattern: &str| {
        let (pattern, path) = (pattern.split('.'), path.split('.'));
        pattern.clone().count() == path.clone().count() && pattern.zip(path).all(|(p, name)| p == "*" || p == name)
    };
    LATER.iter().find(|(pattern, _)| matches(pattern)).map(|(_, purpose)| *purpose)
}
