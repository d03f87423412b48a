//! What must hold of EventBridge Scheduler, seen from outside.

use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, json as call, query, rest};
use crate::testing::calm;

const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/shop";

fn scheduler(sandbox: &Sandbox, method: &str, path: &str, input: Value) -> Result<Value, Refusal> {
    rest(sandbox, "scheduler", method, path, input)
}

fn schedule(role: &str) -> Value {
    let definition = "arn:aws:ecs:us-east-1:123456789012:task-definition/shop-report";
    json!({"GroupName": "wharf-shop", "ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": CLUSTER, "RoleArn": role, "EcsParameters": {"TaskDefinitionArn": definition}}})
}

fn role(sandbox: &Sandbox, name: &str, service: &str) -> String {
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]});
    let parameters = [("RoleName", name), ("AssumeRolePolicyDocument", &trust.to_string())];
    query(sandbox, "iam", "CreateRole", &parameters).unwrap();
    format!("arn:aws:iam::123456789012:role/{name}")
}

#[test]
fn a_schedule_needs_its_group_and_a_role_that_the_service_may_assume() {
    let sandbox = calm();
    let (right, wrong) = (role(&sandbox, "run", "scheduler.amazonaws.com"), role(&sandbox, "web", "ecs.amazonaws.com"));
    let create = |role: &str| scheduler(&sandbox, "POST", "/schedules/report", schedule(role));
    assert_eq!(code(create(&right)), "ResourceNotFoundException");
    scheduler(&sandbox, "POST", "/schedule-groups/wharf-shop", json!({"Tags": [{"Key": "k", "Value": "v"}]})).unwrap();
    let (code_of, message) = create(&wrong).unwrap_err();
    assert_eq!(code_of, "ValidationException");
    assert!(message.contains("to assume the role"), "{message}");
    create(&right).unwrap();
    assert_eq!(code(create(&right)), "ConflictException");
    let shown = scheduler(&sandbox, "GET", "/schedules/report?groupName=wharf-shop", Value::Null).unwrap();
    assert_eq!(shown["Target"]["RetryPolicy"]["MaximumRetryAttempts"], 185);
    assert_eq!((&shown["State"], &shown["ScheduleExpressionTimezone"]), (&json!("ENABLED"), &json!("UTC")));
}

#[tokio::test(start_paused = true)]
async fn a_group_takes_its_schedules_along() {
    let sandbox = calm();
    let role = role(&sandbox, "run", "scheduler.amazonaws.com");
    scheduler(&sandbox, "POST", "/schedule-groups/wharf-shop", json!({})).unwrap();
    scheduler(&sandbox, "POST", "/schedules/report", schedule(&role)).unwrap();
    scheduler(&sandbox, "DELETE", "/schedule-groups/wharf-shop", Value::Null).unwrap();
    let group = || scheduler(&sandbox, "GET", "/schedule-groups/wharf-shop", Value::Null);
    assert_eq!(group().unwrap()["State"], "DELETING");
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(code(group()), "ResourceNotFoundException");
    assert_eq!(scheduler(&sandbox, "GET", "/schedules", Value::Null).unwrap()["Schedules"], json!([]));
}

#[test]
fn tags_of_a_group_are_listed_written_and_taken_off() {
    let sandbox = calm();
    let tags = json!({"Tags": [{"Key": "k", "Value": "v"}]});
    scheduler(&sandbox, "POST", "/schedule-groups/wharf-shop", tags).unwrap();
    let path = "/tags/arn%3Aaws%3Ascheduler%3Aus-east-1%3A123456789012%3Aschedule-group%2Fwharf-shop";
    scheduler(&sandbox, "POST", path, json!({"Tags": [{"Key": "l", "Value": "w"}]})).unwrap();
    scheduler(&sandbox, "DELETE", &format!("{path}?TagKeys=k"), Value::Null).unwrap();
    let shown = scheduler(&sandbox, "GET", path, Value::Null).unwrap();
    assert_eq!(shown["Tags"], json!([{"Key": "l", "Value": "w"}]));
}

#[tokio::test(start_paused = true)]
async fn a_schedule_sends_to_a_queue_what_its_role_lets_it_send() {
    let sandbox = calm();
    let queue = call(&sandbox, "sqs", "CreateQueue", json!({"QueueName": "shop-wake"})).unwrap();
    let url = queue["QueueUrl"].clone();
    scheduler(&sandbox, "POST", "/schedule-groups/wharf-shop", json!({})).unwrap();
    let target = |role: &str, input: Value| {
        json!({"GroupName": "wharf-shop", "ScheduleExpression": "rate(5 minutes)",
            "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {
                "Arn": "arn:aws:sqs:us-east-1:123456789012:shop-wake", "RoleArn": role, "Input": input}})
    };
    let may = role(&sandbox, "may", "scheduler.amazonaws.com");
    let send = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:us-east-1:123456789012:shop-*"}]});
    let send = [("RoleName", "may"), ("PolicyName", "send"), ("PolicyDocument", &send.to_string())];
    query(&sandbox, "iam", "PutRolePolicy", &send).unwrap();
    let may_not = role(&sandbox, "may-not", "scheduler.amazonaws.com");
    scheduler(&sandbox, "POST", "/schedules/heard", target(&may, json!("wake up"))).unwrap();
    scheduler(&sandbox, "POST", "/schedules/unheard", target(&may_not, json!("psst"))).unwrap();
    tokio::time::advance(Duration::from_secs(301)).await;
    let receive = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
    let received = call(&sandbox, "sqs", "ReceiveMessage", receive).unwrap();
    let bodies: Vec<_> = received["Messages"].as_array().into_iter().flatten().map(|one| &one["Body"]).collect();
    assert_eq!(bodies, ["wake up"]);
}

const QUEUES: &str = "arn:aws:sqs:us-east-1:123456789012";

/// Lets a role send to queues of these names.
fn may_send(sandbox: &Sandbox, role: &str, queues: &[&str]) {
    let on: Vec<String> = queues.iter().map(|name| format!("{QUEUES}:{name}")).collect();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": on}]});
    let parameters = [("RoleName", role), ("PolicyName", "send"), ("PolicyDocument", &policy.to_string())];
    query(sandbox, "iam", "PutRolePolicy", &parameters).unwrap();
}

fn to_queue(sandbox: &Sandbox, name: &str, role: &str, more: Value) {
    let mut target = json!({"Arn": format!("{QUEUES}:jobs"), "RoleArn": role});
    target.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let input =
        json!({"ScheduleExpression": "rate(5 minutes)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target});
    scheduler(sandbox, "POST", &format!("/schedules/{name}"), input).unwrap();
}

fn messages(sandbox: &Sandbox, queue: &str) -> Vec<Value> {
    let url = format!("https://sqs.us-east-1.amazonaws.com/123456789012/{queue}");
    let input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]});
    let answer = call(sandbox, "sqs", "ReceiveMessage", input).unwrap();
    answer["Messages"].as_array().cloned().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_schedule_sends_its_input_to_a_queue_in_the_role_that_it_was_given() {
    let sandbox = calm();
    call(&sandbox, "sqs", "CreateQueue", json!({"QueueName": "jobs"})).unwrap();
    let role = role(&sandbox, "send", "scheduler.amazonaws.com");
    may_send(&sandbox, "send", &["jobs"]);
    let input = "{\"wharf-reconcile\": 1, \"at\": \"<aws.scheduler.scheduled-time>\"}";
    to_queue(&sandbox, "reconcile", &role, json!({"Input": input}));
    tokio::time::advance(Duration::from_secs(310)).await;
    let got = messages(&sandbox, "jobs");
    assert_eq!(got.len(), 1);
    assert_eq!(got[0]["Body"], "{\"wharf-reconcile\": 1, \"at\": \"2026-01-05T09:05:00Z\"}");
    scheduler(&sandbox, "DELETE", "/schedules/reconcile", Value::Null).unwrap();
    to_queue(&sandbox, "plain", &role, json!({}));
    tokio::time::advance(Duration::from_secs(301)).await;
    // The first message is in sight again by now.
    let bodies: Vec<Value> = messages(&sandbox, "jobs")
        .iter()
        .map(|one| serde_json::from_str(one["Body"].as_str().unwrap()).unwrap())
        .collect();
    let event = bodies.iter().find(|body| body["source"] == "aws.scheduler").unwrap();
    assert_eq!((&event["detail-type"], &event["detail"]), (&json!("Scheduled Event"), &json!("{}")));
}

#[tokio::test(start_paused = true)]
async fn what_the_role_may_not_send_is_a_dead_letter_or_lost_and_seen() {
    let sandbox = calm();
    for name in ["jobs", "dead"] {
        call(&sandbox, "sqs", "CreateQueue", json!({"QueueName": name})).unwrap();
    }
    let role = role(&sandbox, "send", "scheduler.amazonaws.com");
    let letters = json!({"Input": "{\"n\": 1}", "DeadLetterConfig": {"Arn": format!("{QUEUES}:dead")}});
    to_queue(&sandbox, "reconcile", &role, letters);
    tokio::time::advance(Duration::from_secs(310)).await;
    let lost = sandbox.undelivered();
    assert_eq!((lost.len(), lost[0].buried), (1, false), "not even its dead-letter queue may the role send to");
    assert!(lost[0].why.contains("not authorized to perform: sqs:SendMessage"), "{}", lost[0].why);
    may_send(&sandbox, "send", &["dead"]);
    tokio::time::advance(Duration::from_secs(300)).await;
    let letter = messages(&sandbox, "dead").pop().unwrap();
    assert_eq!(letter["Body"], "{\"n\": 1}");
    let said = |name: &str| letter["MessageAttributes"][name]["StringValue"].as_str().unwrap_or_default().to_owned();
    assert_eq!(said("SCHEDULE_ARN"), "arn:aws:scheduler:us-east-1:123456789012:schedule/default/reconcile");
    assert!(messages(&sandbox, "jobs").is_empty());
}

#[test]
fn a_schedule_invokes_what_is_simulated_and_nothing_else() {
    let sandbox = calm();
    let role = role(&sandbox, "send", "scheduler.amazonaws.com");
    let create = |arn: &str| {
        let target = json!({"Arn": arn, "RoleArn": role});
        let input =
            json!({"ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target});
        code(scheduler(&sandbox, "POST", "/schedules/one", input))
    };
    assert_eq!(create("arn:aws:scheduler:::aws-sdk:ec2:stopInstances"), "NotSimulated");
    assert_eq!(create("arn:aws:kinesis:us-east-1:123456789012:stream/s"), "NotSimulated");
    assert_eq!(create("nonsense"), "ValidationException");
    assert_eq!(create(CLUSTER), "ValidationException");
    assert!(create("arn:aws:lambda:us-east-1:123456789012:function:check").starts_with("not refused"));
}
