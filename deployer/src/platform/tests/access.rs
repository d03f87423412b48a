//! Who may do what, and who reaches whom.

use serde_json::Value as Json;
use wharf_engine::{Resource, Stack, Value};

use super::{EDGE, at, get, of, of_kind, stack, users_config};

/// Actions for which AWS has nothing narrower than everything.
const ON_EVERYTHING: &[&str] = &[
    "application-autoscaling:DescribeScalableTargets",
    "dlm:GetLifecyclePolicies",
    "dlm:GetLifecyclePolicy",
    "ec2:DescribeSnapshotAttribute",
    "ec2:DescribeInstances",
    "ec2:DescribeSnapshots",
    "ec2:DescribeVolumes",
    "ecr:GetAuthorizationToken",
    "ecs:DescribeTaskDefinition",
    "ecs:DiscoverPollEndpoint",
    "ecs:ListTasks",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "iam:GetRole",
    "kms:DescribeKey",
    "logs:DescribeLogGroups",
    "rds:DescribeDBClusterSnapshotAttributes",
    "rds:DescribeDBClusterSnapshots",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "rds:DescribeDBSnapshotAttributes",
    "rds:DescribeDBSnapshots",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
];

/// A stack that has every kind of role.
fn everything() -> Stack {
    stack(&format!(
        "{EDGE}[database]\n[backups]\nvolumes = {{}}\n[alerts]\nemail = [\"ops@example.com\"]\n\
         slack = {{ secret = \"/shop/slack/webhook\" }}\n[reactions]\ntracing = true\n\
         [services.web]\nport = 8000\ndeploy = \"blue-green\"\nsecrets = {{ KEY = \"${{secret.key}}\" }}\n\
         env = {{ MODE = \"live\" }}\n\
         permissions = [{{ actions = [\"s3:GetObject\"], resources = [\"arn:aws:s3:::shop-uploads/*\"] }}]\n\
         [services.tidy]\nschedule = \"rate(1 hour)\"\nsecrets = {{ DB = \"${{database.password}}\" }}\n"
    ))
}

/// The statements of a document whose references stand as `${id.output}`.
fn statements(document: &Value) -> Vec<Json> {
    fn text(value: &Value) -> String {
        match value {
            Value::Ref(reference) => format!("${{{}.{}}}", reference.id, reference.output),
            Value::Join(parts) => parts.iter().map(text).collect(),
            Value::Text(text) | Value::Known(text) => text.clone(),
            other => panic!("{other:?} in a document"),
        }
    }
    let json: Json = serde_json::from_str(&text(document)).expect("a document is JSON");
    json["Statement"].as_array().expect("it has statements").clone()
}

pub(super) fn words(value: &Json) -> Vec<String> {
    match value {
        Json::String(word) => vec![word.clone()],
        Json::Array(words) => words.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn policies(role: &Resource) -> Vec<Json> {
    let Some(Value::Map(policies)) = role.inputs.get("policies") else { panic!("{} has no policies", role.id) };
    policies.values().flat_map(statements).collect()
}

#[test]
fn every_role_names_what_it_may_touch() {
    let stack = everything();
    for role in of_kind(&stack, "iam.role") {
        for statement in policies(role) {
            if words(&statement["Resource"]).contains(&"*".to_owned()) {
                let actions = words(&statement["Action"]);
                let wide: Vec<_> = actions.iter().filter(|action| !ON_EVERYTHING.contains(&action.as_str())).collect();
                assert!(wide.is_empty(), "{}: {wide:?} on everything", role.id);
            }
            assert!(words(&statement["Action"]).iter().all(|action| !action.ends_with(":*")), "{}", role.id);
        }
    }
}

#[test]
fn the_roles_of_a_service_name_what_is_its_own_and_nothing_of_another() {
    let stack = everything();
    let shared = ["encryption.key", "cluster.", "registry.web", "edge.https"];
    for (service, secret) in [("web", "secrets.key"), ("tidy", "database.password")] {
        let own = format!("services.{service}.");
        for noun in ["execution-role", "task-role"] {
            let role = get(&stack, &format!("{own}{noun}"));
            for reference in role.inputs.values().flat_map(Value::references) {
                let id = reference.id.as_str();
                let registry = format!("registry.{service}");
                let allowed = id.starts_with(&own)
                    || id == secret
                    || id == registry
                    || shared.iter().any(|shared| id.starts_with(shared));
                assert!(allowed, "{} names {id}", role.id);
            }
        }
    }
}

#[test]
fn a_service_assumes_a_role_for_this_account_alone() {
    let stack = everything();
    for role in of_kind(&stack, "iam.role") {
        let trust = statements(&role.inputs["trust"]);
        let who = words(&trust[0]["Principal"]["Service"]);
        // These act for no resource of the account that could be named.
        let plain = [
            "ec2.amazonaws.com",
            "lambda.amazonaws.com",
            "monitoring.rds.amazonaws.com",
            "vpc-flow-logs.amazonaws.com",
        ];
        let bound = trust[0]["Condition"]["StringEquals"]["aws:SourceAccount"] == Json::from(vec!["123456789012"])
            || trust[0]["Condition"]["StringEquals"]["aws:SourceAccount"] == "123456789012";
        assert!(bound || who.iter().all(|who| plain.contains(&who.as_str())), "{}: {trust:?}", role.id);
    }
}

#[test]
fn the_stack_files_permissions_are_the_tasks_own() {
    let stack = everything();
    let task = policies(get(&stack, "services.web.task-role"));
    assert!(task.iter().any(|statement| statement["Resource"] == "arn:aws:s3:::shop-uploads/*"), "{task:?}");
    let other = policies(get(&stack, "services.tidy.task-role"));
    assert!(other.iter().all(|statement| statement["Resource"] != "arn:aws:s3:::shop-uploads/*"), "{other:?}");
}

/// From where a security group lets somebody in, and to which ports.
fn from_the_world(stack: &Stack) -> Vec<String> {
    let mut open = Vec::new();
    for group in of_kind(stack, "ec2.security-group") {
        let ingress = at(stack, group.id.as_str(), "/ingress");
        for rule in ingress.as_array().into_iter().flatten() {
            if rule.to_string().contains("0.0.0.0/0") {
                open.push(format!("{} {} {}", group.id, rule["from"], rule["to"]));
            }
        }
    }
    open
}

#[test]
fn the_world_reaches_the_load_balancer_at_443_and_nothing_else() {
    assert_eq!(from_the_world(&of(&users_config())), ["network.balancer-security-group 443 443"]);
}

#[test]
fn port_80_is_open_only_to_send_browsers_to_https() {
    let file = format!("{EDGE}redirect_http = true\n[services.web]\nport = 8000\n");
    let stack = stack(&file);
    let both = ["network.balancer-security-group 443 443", "network.balancer-security-group 80 80"];
    assert_eq!(from_the_world(&stack), both);
    assert_eq!(at(&stack, "edge.http", "/default"), "to_https");
}

#[test]
fn the_key_serves_what_the_stack_has_and_nothing_more() {
    let allowed = |stack: &Stack| -> Vec<String> {
        let policy = statements(&get(stack, "encryption.key").inputs["policy"]);
        let services = policy.iter().flat_map(|statement| words(&statement["Principal"]["Service"]));
        services.collect()
    };
    assert_eq!(allowed(&of(&users_config())), ["logs.us-east-1.amazonaws.com", "cloudwatch.amazonaws.com"]);
    assert_eq!(allowed(&stack("[network]\nzones = 2\n")), ["logs.us-east-1.amazonaws.com"]);
}

#[test]
fn what_is_written_to_disk_is_encrypted_with_the_stacks_key() {
    let stack = everything();
    for group in of_kind(&stack, "logs.log-group") {
        assert_eq!(at(&stack, group.id.as_str(), "/key/$ref"), "encryption.key", "{}", group.id);
    }
    assert_eq!(at(&stack, "cluster.launch-template", "/root/kms_key/$ref"), "encryption.key");
    assert_eq!(at(&stack, "observability.topic", "/key/$ref"), "encryption.key");
    assert_eq!(at(&stack, "cluster.cluster", "/exec_key/$ref"), "encryption.key");
}
