//! What must hold of EventBridge, seen from outside.

use std::time::Duration;

use serde_json::{Value, json};

use crate::authorise::Policy;
use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, json as call};
use crate::testing::calm;
use crate::weather::Weather;

const QUEUES: &str = "arn:aws:sqs:us-east-1:123456789012";
const RULES: &str = "arn:aws:events:us-east-1:123456789012:rule";

fn events(sandbox: &Sandbox, operation: &str, input: Value) -> Result<Value, Refusal> {
    call(sandbox, "events", operation, input)
}

/// A queue into which the bus may put events.
fn queue(sandbox: &Sandbox, name: &str, open: bool) {
    let mut input = json!({"QueueName": name});
    if open {
        let statement = json!({"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": format!("{QUEUES}:{name}"),
            "Condition": {"ArnLike": {"aws:SourceArn": format!("{RULES}/*")}}});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        input["Attributes"] = json!({"Policy": policy});
    }
    call(sandbox, "sqs", "CreateQueue", input).unwrap();
}

fn messages(sandbox: &Sandbox, queue: &str) -> Vec<Value> {
    let url = format!("https://sqs.us-east-1.amazonaws.com/123456789012/{queue}");
    let input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]});
    let answer = call(sandbox, "sqs", "ReceiveMessage", input).unwrap();
    answer["Messages"].as_array().cloned().unwrap_or_default()
}

/// The bodies that lie in a queue, read as JSON.
fn bodies(sandbox: &Sandbox, queue: &str) -> Vec<Value> {
    let body = |one: &Value| serde_json::from_str(one["Body"].as_str().unwrap()).unwrap();
    messages(sandbox, queue).iter().map(body).collect()
}

fn rule(sandbox: &Sandbox, name: &str, pattern: &Value) {
    let answer = events(sandbox, "PutRule", json!({"Name": name, "EventPattern": pattern.to_string()})).unwrap();
    assert_eq!(answer["RuleArn"], format!("{RULES}/{name}"));
}

fn target(sandbox: &Sandbox, rule: &str, target: Value) {
    let answer = events(sandbox, "PutTargets", json!({"Rule": rule, "Targets": [target]})).unwrap();
    assert_eq!(answer, json!({"FailedEntryCount": 0, "FailedEntries": []}));
}

fn put(sandbox: &Sandbox, source: &str, detail: &Value) -> Value {
    let entry = json!({"Source": source, "DetailType": "order", "Detail": detail.to_string(), "Resources": ["arn:x"]});
    events(sandbox, "PutEvents", json!({"Entries": [entry]})).unwrap()
}

async fn a_while() {
    tokio::time::advance(Duration::from_secs(10)).await;
}

#[tokio::test(start_paused = true)]
async fn an_event_goes_to_the_targets_of_the_rules_that_it_fits() {
    let sandbox = calm();
    for name in ["a", "b"] {
        queue(&sandbox, name, true);
        rule(&sandbox, name, &json!({"source": ["shop"], "detail": {"kind": [name]}}));
        target(&sandbox, name, json!({"Id": "1", "Arn": format!("{QUEUES}:{name}")}));
    }
    let answer = put(&sandbox, "shop", &json!({"kind": "a", "n": 1.50}));
    a_while().await;
    assert!(bodies(&sandbox, "b").is_empty());
    let event = bodies(&sandbox, "a").pop().unwrap();
    let expected = json!({"version": "0", "id": answer["Entries"][0]["EventId"], "detail-type": "order",
        "source": "shop", "account": "123456789012", "time": "2026-01-05T09:00:00Z", "region": "us-east-1",
        "resources": ["arn:x"], "detail": {"kind": "a", "n": 1.5}});
    assert_eq!(event, expected);
    events(&sandbox, "DisableRule", json!({"Name": "a"})).unwrap();
    put(&sandbox, "shop", &json!({"kind": "a"}));
    a_while().await;
    assert!(bodies(&sandbox, "a").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_target_gets_what_its_input_says() {
    let sandbox = calm();
    queue(&sandbox, "q", true);
    rule(&sandbox, "r", &json!({"source": ["shop"]}));
    let transformer = json!({"InputPathsMap": {"id": "$.detail.id"}, "InputTemplate": "{\"order\": <id>}"});
    for (id, more) in [
        ("1", json!({"Input": "{\"wharf-reconcile\": 1}"})),
        ("2", json!({"InputPath": "$.detail"})),
        ("3", json!({"InputTransformer": transformer})),
    ] {
        let mut wanted = json!({"Id": id, "Arn": format!("{QUEUES}:q")});
        wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        target(&sandbox, "r", wanted);
    }
    put(&sandbox, "shop", &json!({"id": 7}));
    a_while().await;
    let mut got: Vec<String> = bodies(&sandbox, "q").iter().map(Value::to_string).collect();
    got.sort();
    assert_eq!(got, ["{\"id\":7}", "{\"order\":7}", "{\"wharf-reconcile\":1}"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_target_does_not_take_is_a_dead_letter_or_lost_and_seen() {
    let sandbox = calm();
    queue(&sandbox, "closed", false);
    queue(&sandbox, "dead", true);
    rule(&sandbox, "r", &json!({"source": ["shop"]}));
    let letters = json!({"Arn": format!("{QUEUES}:dead")});
    target(&sandbox, "r", json!({"Id": "kept", "Arn": format!("{QUEUES}:closed"), "DeadLetterConfig": letters}));
    target(&sandbox, "r", json!({"Id": "lost", "Arn": format!("{QUEUES}:nowhere")}));
    put(&sandbox, "shop", &json!({"id": 7}));
    a_while().await;
    let letter = messages(&sandbox, "dead").pop().unwrap();
    let said = |name: &str| letter["MessageAttributes"][name]["StringValue"].as_str().unwrap_or_default().to_owned();
    assert_eq!(said("ERROR_CODE"), "NO_PERMISSIONS");
    assert_eq!((said("RULE_ARN"), said("TARGET_ARN")), (format!("{RULES}/r"), format!("{QUEUES}:closed")));
    assert_eq!(serde_json::from_str::<Value>(letter["Body"].as_str().unwrap()).unwrap()["detail"], json!({"id": 7}));
    let undelivered = sandbox.undelivered();
    let ends: Vec<(&str, bool)> = undelivered.iter().map(|one| (one.to.as_str(), one.buried)).collect();
    assert_eq!(ends.len(), 2);
    assert!(
        ends.contains(&(&format!("{QUEUES}:closed"), true)) && ends.contains(&(&format!("{QUEUES}:nowhere"), false))
    );
}

#[test]
fn a_rule_with_targets_stays_and_one_that_is_not_there_is_no_error() {
    let sandbox = calm();
    rule(&sandbox, "r", &json!({"source": ["shop"]}));
    target(&sandbox, "r", json!({"Id": "1", "Arn": format!("{QUEUES}:q")}));
    let (kind, message) = events(&sandbox, "DeleteRule", json!({"Name": "r"})).unwrap_err();
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("ValidationException", "Rule can't be deleted since it has targets.")
    );
    events(&sandbox, "RemoveTargets", json!({"Rule": "r", "Ids": ["1"]})).unwrap();
    events(&sandbox, "DeleteRule", json!({"Name": "r"})).unwrap();
    events(&sandbox, "DeleteRule", json!({"Name": "r"})).unwrap();
    assert_eq!(code(events(&sandbox, "DescribeRule", json!({"Name": "r"}))), "ResourceNotFoundException");
    assert!(sandbox.inventory().is_empty());
}

#[test]
fn putting_a_rule_again_keeps_its_targets_and_tags_and_nothing_else() {
    let sandbox = calm();
    let put = |more: Value| {
        let mut input = json!({"Name": "r", "EventPattern": "{\"source\": [\"shop\"]}"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        events(&sandbox, "PutRule", input).unwrap();
    };
    put(json!({"Description": "d", "State": "DISABLED", "Tags": [{"Key": "a", "Value": "1"}]}));
    target(&sandbox, "r", json!({"Id": "1", "Arn": format!("{QUEUES}:q")}));
    put(json!({"Tags": [{"Key": "b", "Value": "2"}]}));
    let described = events(&sandbox, "DescribeRule", json!({"Name": "r"})).unwrap();
    assert_eq!((&described["State"], described.get("Description")), (&json!("ENABLED"), None));
    let tags = || events(&sandbox, "ListTagsForResource", json!({"ResourceARN": format!("{RULES}/r")})).unwrap();
    assert_eq!(tags()["Tags"], json!([{"Key": "a", "Value": "1"}]));
    let tag = json!({"ResourceARN": format!("{RULES}/r"), "Tags": [{"Key": "b", "Value": "2"}]});
    events(&sandbox, "TagResource", tag).unwrap();
    assert_eq!(tags()["Tags"].as_array().unwrap().len(), 2);
    let targets = events(&sandbox, "ListTargetsByRule", json!({"Rule": "r"})).unwrap();
    assert_eq!(targets["Targets"], json!([{"Id": "1", "Arn": format!("{QUEUES}:q")}]));
    let names = events(&sandbox, "ListRuleNamesByTarget", json!({"TargetArn": format!("{QUEUES}:q")})).unwrap();
    assert_eq!(names["RuleNames"], json!(["r"]));
}

#[test]
fn what_is_wrong_with_a_rule_or_a_target_is_said_before_anything_is_kept() {
    let sandbox = calm();
    let put = |input: Value| code(events(&sandbox, "PutRule", input));
    assert_eq!(put(json!({"Name": "r", "EventPattern": "{\"a\": 1}"})), "InvalidEventPatternException");
    assert_eq!(put(json!({"Name": "r"})), "ValidationException");
    assert_eq!(put(json!({"Name": "r", "ScheduleExpression": "rate(1 hour)"})), "NotSimulated");
    assert_eq!(
        put(json!({"Name": "r", "EventBusName": "own", "EventPattern": "{\"source\": [\"a\"]}"})),
        "NotSimulated"
    );
    assert!(sandbox.inventory().is_empty());
    rule(&sandbox, "r", &json!({"source": ["shop"]}));
    let put = |targets: Value| events(&sandbox, "PutTargets", json!({"Rule": "r", "Targets": targets}));
    let queue = format!("{QUEUES}:q");
    assert_eq!(code(put(json!([{"Id": "1", "Arn": "queue"}]))), "ValidationException");
    assert_eq!(code(put(json!([{"Id": "!", "Arn": queue}]))), "ValidationException");
    let both = json!([{"Id": "1", "Arn": queue, "Input": "{}", "InputPath": "$.a"}]);
    assert!(put(both).unwrap_err().1.starts_with("Only one of Input, InputPath, or InputTransformer"));
    let many: Vec<Value> = (0..6).map(|n| json!({"Id": n.to_string(), "Arn": queue})).collect();
    assert_eq!(code(put(many.into())), "LimitExceededException");
    let listed = events(&sandbox, "ListTargetsByRule", json!({"Rule": "r"})).unwrap();
    assert_eq!(listed["Targets"], json!([]));
}

#[test]
fn entries_of_a_call_fail_by_themselves() {
    let sandbox = calm();
    let entries = json!([
        {"Source": "shop", "DetailType": "t", "Detail": "{}"},
        {"Source": "aws.ecr", "DetailType": "t", "Detail": "{}"},
        {"Source": "shop", "DetailType": "t", "Detail": "[]"},
        {"Source": "shop", "Detail": "{}"},
    ]);
    let answer = events(&sandbox, "PutEvents", json!({"Entries": entries})).unwrap();
    assert_eq!(answer["FailedEntryCount"], 3);
    let codes: Vec<&str> = (0..4).map(|n| answer["Entries"][n]["ErrorCode"].as_str().unwrap_or("none")).collect();
    assert_eq!(codes, ["none", "NotAuthorizedForSourceException", "MalformedDetail", "InvalidArgument"]);
}

#[test]
fn in_bad_weather_some_targets_fail_in_an_answer_that_says_success() {
    let sandbox = calm();
    rule(&sandbox, "r", &json!({"source": ["shop"]}));
    sandbox.set_weather(Weather { throttles: 0.5, ..Weather::calm() });
    let answer = (0..40).find_map(|_| {
        let target = json!({"Id": "1", "Arn": format!("{QUEUES}:q")});
        let answer = events(&sandbox, "PutTargets", json!({"Rule": "r", "Targets": [target]})).ok()?;
        (answer["FailedEntryCount"] == 1).then_some(answer)
    });
    assert_eq!(answer.unwrap()["FailedEntries"][0]["ErrorCode"], "ConcurrentModificationException");
}

#[test]
fn a_caller_needs_the_rule_the_tags_and_the_role() {
    let sandbox = calm();
    let put = || {
        let input = json!({"Name": "r", "EventPattern": "{\"source\": [\"shop\"]}", "Tags": [{"Key": "k", "Value": "v"}],
            "RoleArn": "arn:aws:iam::123456789012:role/r"});
        code(events(&sandbox, "PutRule", input))
    };
    let mut actions = vec!["events:PutRule", "events:TagResource", "iam:PassRole"];
    let all = actions.clone();
    for taken in all {
        actions.retain(|action| *action != taken);
        let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
        sandbox.set_policy(Some(Policy::parse(&json!({"Statement": [statement]})).unwrap()));
        assert_eq!(put(), "AccessDeniedException", "without {taken}");
        actions.push(taken);
    }
    assert!(sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn in_bad_weather_events_come_twice_late_or_when_sent_as_best_as_can_be_never() {
    let weather = Weather { duplicates: 0.3, disorder: Duration::from_secs(5), lost_events: 1.0, ..Weather::calm() };
    let sandbox = Sandbox::builder().seed(2).weather(weather).build();
    queue(&sandbox, "q", true);
    rule(&sandbox, "r", &json!({"source": ["aws.health"]}));
    target(&sandbox, "r", json!({"Id": "1", "Arn": format!("{QUEUES}:q"), "InputPath": "$.detail.n"}));
    for n in 0..20 {
        sandbox.put_event("aws.health", "AWS Health Event", json!({"n": n}), &[]);
    }
    a_while().await;
    sandbox.set_weather(Weather::calm());
    let mut got = Vec::new();
    loop {
        let some = bodies(&sandbox, "q");
        if some.is_empty() {
            break;
        }
        got.extend(some.iter().map(|n| n.as_u64().unwrap()));
    }
    assert!(got.len() > 20 && !got.is_sorted(), "{got:?}");
    got.sort_unstable();
    got.dedup();
    assert_eq!(got, (0..20).collect::<Vec<u64>>());
}

#[tokio::test(start_paused = true)]
async fn a_target_that_cannot_be_reached_is_tried_again_as_often_as_its_policy_says() {
    let sandbox = Sandbox::builder().seed(1).weather(Weather::calm()).build();
    queue(&sandbox, "q", true);
    queue(&sandbox, "dead", true);
    rule(&sandbox, "r", &json!({"source": ["shop"]}));
    let letters = json!({"Arn": format!("{QUEUES}:dead")});
    let retry = json!({"MaximumRetryAttempts": 2});
    let wanted = json!({"Id": "1", "Arn": format!("{QUEUES}:q"), "RetryPolicy": retry, "DeadLetterConfig": letters});
    target(&sandbox, "r", wanted);
    put(&sandbox, "shop", &json!({}));
    sandbox.set_weather(Weather { server_errors: 1.0, ..Weather::calm() });
    tokio::time::advance(Duration::from_secs(60)).await;
    let _ = sandbox.undelivered();
    sandbox.set_weather(Weather::calm());
    let letter = messages(&sandbox, "dead").pop().unwrap();
    let said = |name: &str| letter["MessageAttributes"][name]["StringValue"].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (said("RETRY_ATTEMPTS"), said("EXHAUSTED_RETRY_CONDITION")),
        ("2".into(), "MaximumRetryAttempts".into())
    );
    assert!(messages(&sandbox, "q").is_empty());
}
