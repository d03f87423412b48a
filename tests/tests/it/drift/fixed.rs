//! What nobody changes: how AWS gets on, what the sandbox keeps for itself, and what makes a resource the one it is.

use serde_json::Value;
use wharf_sandbox::Resource;

use super::leaves::{Step, shown};

/// What comes and goes while the platform runs: it follows from settings that are walked, and no stack names it. The
/// stack's own records are no resources either.
const OF_THE_DAY: &[&str] = &[
    "autoscaling.instance",
    "autoscaling.refresh",
    "dynamodb.item",
    "ec2.instance",
    "ec2.network-interface",
    "ec2.volume",
    "ecs.container-instance",
    "ecs.deployment",
    "ecs.task",
    "rds.automated-backup",
    "rds.snapshot",
];

/// True for what comes and goes. Alarms of target tracking are made anew with their policy.
pub(super) fn comes_and_goes(resource: &Resource) -> bool {
    OF_THE_DAY.contains(&resource.kind) || (resource.kind == "monitoring.alarm" && resource.aws_made)
}

/// How AWS gets on, and what the sandbox keeps for itself: nothing that anybody sets.
pub(super) fn is_bookkeeping(name: &str) -> bool {
    let low = name.to_ascii_lowercase();
    [
        "state",
        "statevalue",
        "statereason",
        "statereasondata",
        "status",
        "statuses",
        "events",
        "deployments",
        "_pending",
        "modifiedvalues",
        "_history",
        "_passwords",
        "_cipher",
        "_for",
        "_gone",
        "_windowed",
        "lastmodified",
        "lastmodifieddate",
        "lastmodifieduser",
        "lastmodificationdate",
        "datemodified",
        "statusmessage",
        "statetransitionreason",
        "timestamp",
        "$epoch",
        "_changedat",
        // What AWS gives each state of a function, and the version of the runtime that it chose.
        "revisionid",
        "runtimeversionarn",
        "_key",
        // What a function, a listener and a cluster were asked for, and what they are doing about it.
        "_request",
        "_running",
        "_attachments",
        // What follows from other attributes.
        "_cluster",
        "_defaultrule",
        "_delegated",
        "_initial",
        "_enabled",
        "_bootstrap",
        "_servers",
        "_generation",
        "_listener",
        "_target",
        "_vpc",
        "_zone",
        // What is to come, and what was.
        "_deleted",
        "_due",
        "_next",
        "_tick",
    ]
    .iter()
    .any(|end| low.ends_with(end))
}

/// Settings that are called like a state.
const SETTINGS: &[(&str, &str)] = &[
    ("application-autoscaling.target", "SuspendedState"),
    ("dlm.policy", "State"),
    ("ecs.capacity-provider", "autoScalingGroupProvider.managedScaling.status"),
    ("events.rule", "State"),
    ("lambda.event-source-mapping", "State"),
    ("scheduler.schedule", "State"),
];

/// True for a setting that is called like a state.
pub(super) fn is_setting(resource: &Resource, path: &[Step]) -> bool {
    SETTINGS.contains(&(resource.kind, shown(path).as_str()))
}

/// What AWS says in an older form too, beside the one that is walked.
const SAID_TWICE: &[(&str, &str)] = &[
    ("elasticloadbalancing.rule", "Actions[].TargetGroupArn"),
    ("elasticloadbalancing.rule", "Conditions[].Values"),
    ("servicediscovery.service", "DnsConfig.NamespaceId"),
];

/// True for the older form of what is walked.
pub(super) fn is_said_twice(resource: &Resource, path: &[Step]) -> bool {
    SAID_TWICE.contains(&(resource.kind, shown(path).as_str()))
}

/// Lists in which AWS has one entry at most.
const AT_MOST_ONE: &[(&str, &str)] = &[
    // A cluster's tasks, and a service's, are placed by what the cluster has; here that is one provider.
    ("ecs.cluster", "defaultCapacityProviderStrategy"),
    ("ecs.service", "capacityProviderStrategy"),
    ("iam.instance-profile", "_roles"),
];

/// Lists in which AWS has one entry, whatever it says.
const JUST_ONE: &[(&str, &str)] = &[
    // A template has a version at least, and one that is in force.
    ("ec2.launch-template", "_versions"),
    ("dlm.policy", "ResourceLocations"),
    ("dlm.policy", "Times"),
    // What is shown for further names stands elsewhere.
    ("elasticloadbalancing.listener", "Certificates"),
    ("elasticloadbalancing.listener", "DefaultActions"),
    ("elasticloadbalancing.rule", "Actions"),
];

/// True for a list that can have one entry less.
pub(super) fn can_lose(resource: &Resource, name: &str) -> bool {
    !JUST_ONE.contains(&(resource.kind, name))
}

/// True for a list that can have one entry more.
pub(super) fn can_gain(resource: &Resource, name: &str) -> bool {
    can_lose(resource, name) && !AT_MOST_ONE.contains(&(resource.kind, name))
}

/// A name or an id is what a resource is found by, and some things AWS never changes: with another value it is
/// another resource, or none that there could be.
pub(super) fn says_what_it_is(resource: &Resource, name: &str, value: &Value) -> bool {
    const NEVER_CHANGES: &[(&str, &str)] = &[
        ("acm.certificate", "DomainName"),
        ("acm.certificate", "DomainValidationOptions"),
        ("application-autoscaling.policy", "PolicyName"),
        // They are AWS's, and come with the policy.
        ("application-autoscaling.policy", "Alarms"),
        // The service whose tasks are counted.
        ("application-autoscaling.policy", "ResourceId"),
        ("application-autoscaling.policy", "ScalableDimension"),
        ("application-autoscaling.policy", "ServiceNamespace"),
        ("application-autoscaling.target", "ResourceId"),
        ("application-autoscaling.target", "ScalableDimension"),
        ("application-autoscaling.target", "ServiceNamespace"),
        // The zones of its subnets, and the name of its template.
        ("autoscaling.group", "AvailabilityZones"),
        ("autoscaling.group", "LaunchTemplateName"),
        ("dlm.policy", "DefaultPolicy"),
        ("dlm.policy", "PolicyLanguage"),
        ("dlm.policy", "PolicyType"),
        ("dlm.policy", "ResourceTypes"),
        // AWS knows hours alone between snapshots.
        ("dlm.policy", "IntervalUnit"),
        ("dynamodb.table", "AttributeDefinitions"),
        ("dynamodb.table", "KeySchema"),
        ("ecs.capacity-provider", "_attached"),
        // One that the cluster has: here it has one.
        ("ecs.cluster", "capacityProvider"),
        ("ecs.service", "capacityProvider"),
        ("ecs.service", "serviceName"),
        // They follow from what else the definition says.
        ("ecs.task-definition", "compatibilities"),
        ("ecs.task-definition", "hostPort"),
        ("ecs.task-definition", "requiresAttributes"),
        ("ecs.task-definition", "revision"),
        // Versions are made, not changed; the data of one is walked.
        ("ec2.launch-template", "createdBy"),
        ("ec2.launch-template", "defaultVersionNumber"),
        ("ec2.launch-template", "latestVersionNumber"),
        ("ec2.launch-template", "launchTemplateName"),
        ("ec2.launch-template", "versionNumber"),
        ("ec2.security-group", "groupName"),
        ("ec2.security-group-rule", "isEgress"),
        ("elasticloadbalancing.listener", "LoadBalancerArn"),
        // Another type of action is another action.
        ("elasticloadbalancing.listener", "Type"),
        ("elasticloadbalancing.load-balancer", "CanonicalHostedZoneId"),
        ("elasticloadbalancing.load-balancer", "DNSName"),
        ("elasticloadbalancing.load-balancer", "LoadBalancerName"),
        ("elasticloadbalancing.load-balancer", "Type"),
        ("elasticloadbalancing.load-balancer", "ZoneName"),
        ("elasticloadbalancing.rule", "IsDefault"),
        ("elasticloadbalancing.rule", "Type"),
        ("elasticloadbalancing.target-group", "Protocol"),
        ("elasticloadbalancing.target-group", "TargetGroupName"),
        ("events.rule", "EventBusName"),
        ("iam.role", "Path"),
        ("kms.alias", "AliasArn"),
        ("kms.key", "KeySpec"),
        ("kms.key", "EncryptionAlgorithms"),
        ("lambda.function", "CodeSize"),
        ("lambda.function", "FunctionArn"),
        ("lambda.function", "PackageType"),
        ("lambda.function", "Version"),
        // Where a database listens follows from its name and its port.
        ("rds.instance", "Address"),
        ("rds.instance", "Engine"),
        // A subnet's zone.
        ("rds.subnet-group", "Name"),
        ("route53.hosted-zone", "CallerReference"),
        ("route53.hosted-zone", "Name"),
        ("route53.hosted-zone", "PrivateZone"),
        ("route53.record-set", "Name"),
        ("route53.record-set", "Type"),
        ("scheduler.schedule", "GroupName"),
        // It changes with the length of the window.
        ("scheduler.schedule", "Mode"),
        ("scheduler.schedule", "Name"),
        ("sns.subscription", "Endpoint"),
        ("sns.subscription", "Protocol"),
        ("sns.subscription", "TopicArn"),
        ("ssm.parameter", "ARN"),
        ("ssm.parameter", "Type"),
        ("ssm.parameter", "Version"),
    ];
    // A gateway is attached to this VPC or to none: there is no other.
    // The group that a rule is in; the one that it refers to stands deeper, and is a setting.
    if resource.kind == "ec2.security-group-rule" && name == "groupId" && value == resource.text("groupId") {
        return true;
    }
    let attached = (resource.kind, name) == ("ec2.internet-gateway", "vpcId");
    if attached || NEVER_CHANGES.contains(&(resource.kind, name)) {
        return true;
    }
    // They are called after the function, and are others.
    let called_alike = resource.kind == "lambda.function" && matches!(name, "LogGroup" | "Role");
    let Value::String(text) = value else { return false };
    let (id, arn) = (&resource.id, text.split_once(":*").map_or(text.as_str(), |(arn, _)| arn));
    // The route inside a VPC is AWS's.
    !called_alike
        && (text == "local" || text == id || arn.ends_with(&format!("/{id}")) || arn.ends_with(&format!(":{id}")))
}
