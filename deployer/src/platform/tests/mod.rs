//! What a stack file becomes: the list of the example's resources, and the rules that hold in every stack.

mod access;
mod reactions;
mod services;

use wharf_engine::{Resource, Stack, Value};

use super::{HostedZone, Site};
use crate::config::{self, Config};

const HEAD: &str = "[stack]\nname = \"shop\"\nregion = \"us-east-1\"\n";
const EDGE: &str = "[cluster]\nmax = 8\n[edge]\ndomain = \"shop.example.com\"\nzone = \"example.com\"\n";

fn site() -> Site {
    Site {
        partition: "aws".to_owned(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        zones: ["us-east-1a", "us-east-1b", "us-east-1c"].map(str::to_owned).into(),
        zone: Some(HostedZone { id: "Z0123456789ABCDEFGHIJ".to_owned(), name: "example.com".to_owned() }),
        trunking: true,
        packages: Default::default(),
    }
}

fn users_config() -> Config {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/wharf.toml");
    config::load(std::path::Path::new(path)).expect("infra/wharf.toml is good").config
}

fn of(config: &Config) -> Stack {
    super::stack(config, &site()).expect("it can be described")
}

/// The stack of a file that begins as all do.
fn stack(rest: &str) -> Stack {
    let nothing = |_: &str| Err(std::io::Error::other("no such file"));
    match config::parse("wharf.toml", &format!("{HEAD}{rest}"), &nothing) {
        Ok(loaded) => of(&loaded.config),
        Err(problems) => panic!("{problems}"),
    }
}

fn ids(stack: &Stack) -> Vec<&str> {
    stack.resources.keys().map(|id| id.as_str()).collect()
}

fn get<'a>(stack: &'a Stack, id: &str) -> &'a Resource {
    stack.resources.values().find(|resource| resource.id.as_str() == id).unwrap_or_else(|| panic!("there is no {id}"))
}

/// The value at a path in a resource's inputs, as JSON.
fn at(stack: &Stack, id: &str, path: &str) -> serde_json::Value {
    let inputs = Value::Map(get(stack, id).inputs.clone()).to_json();
    inputs.pointer(path).unwrap_or_else(|| panic!("{id} has no {path}: {inputs}")).clone()
}

/// Every resource of a kind.
fn of_kind<'a>(stack: &'a Stack, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
    stack.resources.values().filter(move |resource| resource.rules.kind == kind)
}

#[test]
fn the_example_is_these_resources_and_no_others() {
    let stack = of(&users_config());
    let list: Vec<String> =
        stack.resources.values().map(|resource| format!("{} {}", resource.id, resource.rules.kind)).collect();
    insta::assert_snapshot!(format!("{} resources\n{}", list.len(), list.join("\n")), @r#"
    143 resources
    cluster.capacity-provider ecs.capacity-provider
    cluster.cluster ecs.cluster
    cluster.exec-log logs.log-group
    cluster.group autoscaling.group
    cluster.insights-log logs.log-group
    cluster.instance-profile iam.instance-profile
    cluster.instance-role iam.role
    cluster.launch-template ec2.launch-template
    cluster.namespace servicediscovery.namespace
    cluster.providers ecs.cluster-capacity-providers
    cluster.schedules scheduler.group
    cluster.size autoscaling.size
    database.host ssm.parameter
    database.instance rds.instance
    database.log-postgresql logs.log-group
    database.log-upgrade logs.log-group
    database.monitoring-role iam.role
    database.name ssm.parameter
    database.parameter-group rds.parameter-group
    database.password ssm.secret
    database.port ssm.parameter
    database.subnet-group rds.subnet-group
    database.username ssm.parameter
    edge.a-mailhog-shop-example-com route53.record
    edge.a-shop-example-com route53.record
    edge.aaaa-mailhog-shop-example-com route53.record
    edge.aaaa-shop-example-com route53.record
    edge.certificate acm.certificate
    edge.https elbv2.listener
    edge.issued-certificate acm.issued-certificate
    edge.load-balancer elbv2.load-balancer
    edge.proof-mailhog-shop-example-com route53.record
    edge.proof-shop-example-com route53.record
    encryption.alias kms.alias
    encryption.key kms.key
    network.balancer-security-group ec2.security-group
    network.database-security-group ec2.security-group
    network.default-security-group ec2.default-security-group
    network.endpoint-s3 ec2.vpc-endpoint
    network.flow-logs ec2.flow-log
    network.flow-logs-group logs.log-group
    network.flow-logs-role iam.role
    network.internet-gateway ec2.internet-gateway
    network.nat ec2.nat-gateway
    network.private-a ec2.subnet
    network.private-b ec2.subnet
    network.private-routes ec2.route-table
    network.public-a ec2.subnet
    network.public-b ec2.subnet
    network.public-routes ec2.route-table
    network.tasks-security-group ec2.security-group
    network.vpc ec2.vpc
    observability.balancer-errors cloudwatch.alarm
    observability.certificate cloudwatch.alarm
    observability.check-snapshots-dropped cloudwatch.alarm
    observability.check-snapshots-failing cloudwatch.alarm
    observability.check-snapshots-silent cloudwatch.alarm
    observability.check-snapshots-throttled cloudwatch.alarm
    observability.dashboard cloudwatch.dashboard
    observability.database-connections cloudwatch.alarm
    observability.database-cpu cloudwatch.alarm
    observability.database-credits cloudwatch.alarm
    observability.database-memory cloudwatch.alarm
    observability.database-storage cloudwatch.alarm
    observability.email-ops-example-com sns.subscription
    observability.instances cloudwatch.alarm
    observability.latency cloudwatch.alarm
    observability.mailhog-cpu cloudwatch.alarm
    observability.mailhog-errors cloudwatch.alarm
    observability.mailhog-memory cloudwatch.alarm
    observability.mailhog-missing cloudwatch.alarm
    observability.mailhog-unhealthy cloudwatch.alarm
    observability.on-alarm-behind cloudwatch.alarm
    observability.on-alarm-dead cloudwatch.alarm
    observability.on-alarm-failing cloudwatch.alarm
    observability.on-alarm-throttled cloudwatch.alarm
    observability.on-image-push-behind cloudwatch.alarm
    observability.on-image-push-dead cloudwatch.alarm
    observability.on-image-push-failing cloudwatch.alarm
    observability.on-image-push-throttled cloudwatch.alarm
    observability.topic sns.topic
    observability.unwell cloudwatch.composite-alarm
    observability.web-cpu cloudwatch.alarm
    observability.web-errors cloudwatch.alarm
    observability.web-memory cloudwatch.alarm
    observability.web-missing cloudwatch.alarm
    observability.web-unhealthy cloudwatch.alarm
    protection.role iam.role
    protection.volumes dlm.policy
    reactions.check scheduler.schedule
    reactions.check-snapshots.function lambda.function
    reactions.check-snapshots.log-group logs.log-group
    reactions.check-snapshots.role iam.role
    reactions.on-alarm.dead-letters sqs.queue
    reactions.on-alarm.function lambda.function
    reactions.on-alarm.log-group logs.log-group
    reactions.on-alarm.mapping lambda.event-source-mapping
    reactions.on-alarm.queue sqs.queue
    reactions.on-alarm.role iam.role
    reactions.on-alarm.rule events.rule
    reactions.on-alarm.subscription sns.subscription
    reactions.on-image-push.dead-letters sqs.queue
    reactions.on-image-push.function lambda.function
    reactions.on-image-push.log-group logs.log-group
    reactions.on-image-push.mapping lambda.event-source-mapping
    reactions.on-image-push.queue sqs.queue
    reactions.on-image-push.role iam.role
    reactions.on-image-push.rule events.rule
    reactions.reconcile scheduler.schedule
    reactions.schedule-role iam.role
    reactions.signals sns.topic
    registry.mailhog ecr.repository
    registry.web ecr.repository
    secrets.django-key ssm.secret
    services.mailhog.discovery servicediscovery.service
    services.mailhog.execution-role iam.role
    services.mailhog.log-group logs.log-group
    services.mailhog.rule elbv2.listener-rule
    services.mailhog.service ecs.service
    services.mailhog.target-group elbv2.target-group
    services.mailhog.task-definition ecs.task-definition
    services.mailhog.task-role iam.role
    services.web.env.allowed-hosts ssm.parameter
    services.web.env.db-host ssm.parameter
    services.web.env.db-name ssm.parameter
    services.web.env.db-port ssm.parameter
    services.web.env.db-sslmode ssm.parameter
    services.web.env.db-user ssm.parameter
    services.web.env.debug ssm.parameter
    services.web.env.email-host ssm.parameter
    services.web.env.email-port ssm.parameter
    services.web.env.email-use-tls ssm.parameter
    services.web.execution-role iam.role
    services.web.log-group logs.log-group
    services.web.rule elbv2.listener-rule
    services.web.scaling application-autoscaling.target
    services.web.scaling-cpu application-autoscaling.policy
    services.web.scaling-requests application-autoscaling.policy
    services.web.service ecs.service
    services.web.target-group elbv2.target-group
    services.web.task-definition ecs.task-definition
    services.web.task-role iam.role
    stack.table dynamodb.table
    "#);
}

#[test]
fn every_reference_is_to_a_resource_of_the_stack() {
    for config in [users_config()] {
        let stack = of(&config);
        for resource in stack.resources.values() {
            for reference in resource.inputs.values().flat_map(Value::references) {
                assert!(stack.resources.contains_key(&reference.id), "{} refers to {}", resource.id, reference.id);
            }
            for after in &resource.after {
                assert!(stack.resources.contains_key(after), "{} comes after {after}", resource.id);
            }
        }
    }
}

#[test]
fn without_a_cluster_nothing_runs_and_without_alerts_nothing_is_watched() {
    let stack = stack("[services.web]\nport = 8000\n");
    let outside: Vec<&str> = ids(&stack)
        .into_iter()
        .filter(|id| !["network.", "registry.", "encryption.", "stack."].iter().any(|module| id.starts_with(module)))
        .collect();
    assert_eq!(outside, [""; 0]);
}

#[test]
fn a_zone_that_is_not_there_is_told_before_any_call_that_writes() {
    let missing = Site { zone: None, ..site() };
    let error = super::stack(&users_config(), &missing).expect_err("there is no zone");
    assert_eq!(
        error.to_string(),
        "there is no public Route 53 zone `example.com` in this account: make it, or write `edge.create_zone = true`"
    );
}

#[test]
fn every_alarm_says_what_to_do_and_tells_somebody() {
    let stack = of(&users_config());
    let mut seen = 0;
    for alarm in of_kind(&stack, "cloudwatch.alarm").chain(of_kind(&stack, "cloudwatch.composite-alarm")) {
        let id = alarm.id.as_str();
        let runbook = at(&stack, id, "/description");
        assert!(runbook.as_str().is_some_and(|text| text.len() > 60 && text.ends_with('.')), "{id}: {runbook}");
        // Of the failures of what tells people, people are told without it.
        let whom = if id.contains("on-alarm") { "observability.topic" } else { "reactions.signals" };
        assert_eq!(at(&stack, id, "/on_alarm/0/$ref"), whom, "{id}");
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}
