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
    assert_eq!(code(scheduler(&sandbox, "POST", "/schedules/mute", target(&may, Value::Null))), "NotSimulated");
    tokio::time::advance(Duration::from_secs(301)).await;
    let receive = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
    let received = call(&sandbox, "sqs", "ReceiveMessage", receive).unwrap();
    let bodies: Vec<_> = received["Messages"].as_array().into_iter().flatten().map(|one| &one["Body"]).collect();
    assert_eq!(bodies, ["wake up"]);
}
