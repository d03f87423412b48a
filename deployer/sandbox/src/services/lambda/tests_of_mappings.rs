//! What must hold between a queue and a function, with the function played by the test.

use std::time::Duration;

use serde_json::{Value, json};

use super::testing::{QUEUE, fail, hosted, lambda, may, messages, queue, sum, taken};
use crate::lambda::{Answer, Environment, Invocation};
use crate::sandbox::Sandbox;
use crate::services::testing::json as call;

const READS: &[&str] = &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
const URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/shop-push";

/// A queue that hides for a minute what was received and gives up after two receipts, mapped to the function.
async fn mapped(more: Value) -> (Sandbox, Environment) {
    let (sandbox, environment) = hosted(READS, json!({"Timeout": 10})).await;
    queue(&sandbox, "shop-push-dead", json!({}));
    let redrive = json!({"deadLetterTargetArn": super::testing::LETTERS, "maxReceiveCount": "2"}).to_string();
    queue(&sandbox, "shop-push", json!({"VisibilityTimeout": "60", "RedrivePolicy": redrive}));
    let mut input = json!({"EventSourceArn": QUEUE, "FunctionName": "shop-push", "FunctionResponseTypes": ["ReportBatchItemFailures"]});
    for (name, value) in more.as_object().cloned().unwrap_or_default() {
        input[name] = value;
    }
    lambda(&sandbox, "POST", "/2015-03-31/event-source-mappings", input).unwrap();
    seconds(20).await;
    (sandbox, environment)
}

async fn seconds(n: u64) {
    tokio::time::advance(Duration::from_secs(n)).await;
}

fn put(sandbox: &Sandbox, body: &str) {
    let attributes = json!({"Author": {"DataType": "String", "StringValue": "me"}});
    let input = json!({"QueueUrl": URL, "MessageBody": body, "MessageAttributes": attributes});
    call(sandbox, "sqs", "SendMessage", input).unwrap();
}

fn records(invocation: &Invocation) -> Vec<Value> {
    let event: Value = serde_json::from_str(&invocation.payload).unwrap();
    event["Records"].as_array().unwrap().clone()
}

fn bodies(records: &[Value]) -> Vec<&str> {
    let mut all: Vec<&str> = records.iter().map(|record| record["body"].as_str().unwrap()).collect();
    all.sort_unstable();
    all
}

#[tokio::test(start_paused = true)]
async fn messages_come_as_a_batch_and_those_that_failed_come_again_then_go_to_the_dead_letters_byte_for_byte() {
    let (sandbox, environment) = mapped(json!({})).await;
    let bad = "{\"bad\":  true,\t\"x\":1.0}";
    put(&sandbox, "good");
    put(&sandbox, bad);
    seconds(1).await;
    let invocation = taken(&sandbox, &environment).unwrap();
    let batch = records(&invocation);
    assert_eq!(bodies(&batch), ["good", bad]);
    let one = batch.iter().find(|record| record["body"] == bad).unwrap();
    assert_eq!((&one["eventSource"], &one["eventSourceARN"]), (&json!("aws:sqs"), &json!(QUEUE)));
    assert_eq!(one["attributes"]["ApproximateReceiveCount"], "1");
    let author = json!({"stringValue": "me", "stringListValues": [], "binaryListValues": [], "dataType": "String"});
    assert_eq!(one["messageAttributes"], json!({"Author": author}));
    let answer = json!({"batchItemFailures": [{"itemIdentifier": one["messageId"]}]}).to_string();
    sandbox.finish_invocation(&invocation, &Answer::Done(answer));
    seconds(58).await;
    assert!(taken(&sandbox, &environment).is_none(), "it is not visible yet");
    seconds(3).await;
    let again = taken(&sandbox, &environment).unwrap();
    assert_eq!(bodies(&records(&again)), [bad]);
    assert_eq!(records(&again)[0]["attributes"]["ApproximateReceiveCount"], "2");
    fail(&sandbox, &again);
    seconds(120).await;
    assert!(taken(&sandbox, &environment).is_none());
    let letters = messages(&sandbox, "shop-push-dead");
    assert_eq!((letters.len(), &letters[0]["Body"]), (1, &json!(bad)));
    assert_eq!(letters[0]["MessageId"], one["messageId"]);
    assert!(messages(&sandbox, "shop-push").is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_polled_while_nobody_runs_the_function_or_the_mapping_is_off() {
    let (sandbox, environment) = mapped(json!({"Enabled": false})).await;
    put(&sandbox, "one");
    seconds(60).await;
    assert!(taken(&sandbox, &environment).is_none());
    let fork = sandbox.fork();
    let listed = lambda(&sandbox, "GET", "/2015-03-31/event-source-mappings", Value::Null).unwrap();
    let path =
        format!("/2015-03-31/event-source-mappings/{}", listed["EventSourceMappings"][0]["UUID"].as_str().unwrap());
    for world in [&sandbox, &fork] {
        assert_eq!(lambda(world, "PUT", &path, json!({"Enabled": true})).unwrap()["State"], "Enabling");
    }
    seconds(30).await;
    assert!(taken(&sandbox, &environment).is_some());
    assert_eq!(messages(&fork, "shop-push").len(), 1, "in a fork nobody runs it");
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_receive_or_delete_gets_nothing() {
    let (sandbox, environment) = mapped(json!({})).await;
    may(&sandbox, &["sqs:DeleteMessage", "sqs:GetQueueAttributes"]);
    put(&sandbox, "one");
    seconds(30).await;
    assert!(taken(&sandbox, &environment).is_none());
    may(&sandbox, READS);
    seconds(120).await;
    let invocation = taken(&sandbox, &environment).unwrap();
    may(&sandbox, &["sqs:ReceiveMessage", "sqs:GetQueueAttributes"]);
    sandbox.finish_invocation(&invocation, &Answer::Done("{}".to_owned()));
    may(&sandbox, READS);
    seconds(200).await;
    assert!(taken(&sandbox, &environment).is_some(), "what was not deleted comes again");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_batch_is_kept_in_hand_until_others_see_its_messages() {
    let (sandbox, environment) = mapped(json!({"BatchSize": 1})).await;
    let path = "/2017-10-31/functions/shop-push/concurrency";
    lambda(&sandbox, "PUT", path, json!({"ReservedConcurrentExecutions": 0})).unwrap();
    put(&sandbox, "one");
    seconds(30).await;
    assert!(sum(&sandbox, "AWS/Lambda", "Throttles", ("FunctionName", "shop-push")) >= 4.0);
    lambda(&sandbox, "PUT", path, json!({"ReservedConcurrentExecutions": 1})).unwrap();
    seconds(25).await;
    let invocation = taken(&sandbox, &environment).unwrap();
    assert_eq!(records(&invocation)[0]["attributes"]["ApproximateReceiveCount"], "1");
    sandbox.finish_invocation(&invocation, &Answer::Done(String::new()));
    seconds(300).await;
    assert!(taken(&sandbox, &environment).is_none());
}

#[tokio::test(start_paused = true)]
async fn no_more_batches_are_under_way_than_the_mapping_allows() {
    let (sandbox, environment) = mapped(json!({"BatchSize": 1, "ScalingConfig": {"MaximumConcurrency": 2}})).await;
    for body in ["1", "2", "3"] {
        put(&sandbox, body);
    }
    seconds(1).await;
    let first = taken(&sandbox, &environment).unwrap();
    assert!(taken(&sandbox, &environment).is_some());
    assert!(taken(&sandbox, &environment).is_none());
    sandbox.finish_invocation(&first, &Answer::Done(String::new()));
    seconds(1).await;
    assert!(taken(&sandbox, &environment).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_batching_window_gathers_messages() {
    let (sandbox, environment) = mapped(json!({"BatchSize": 100, "MaximumBatchingWindowInSeconds": 5})).await;
    put(&sandbox, "1");
    seconds(3).await;
    assert!(taken(&sandbox, &environment).is_none());
    for n in 2..=15 {
        put(&sandbox, &n.to_string());
    }
    seconds(3).await;
    assert_eq!(records(&taken(&sandbox, &environment).unwrap()).len(), 15);
    for n in 1..=100 {
        put(&sandbox, &n.to_string());
    }
    seconds(1).await;
    assert_eq!(records(&taken(&sandbox, &environment).unwrap()).len(), 100, "a whole batch does not wait");
}

#[tokio::test(start_paused = true)]
async fn alarms_see_what_lies_in_a_queue_and_what_fails() {
    let (sandbox, environment) = mapped(json!({})).await;
    let alarm = |name: &str, namespace: &str, metric: &str, dimension: (&str, &str)| {
        let parameters = [
            ("AlarmName", name),
            ("Namespace", namespace),
            ("MetricName", metric),
            ("Dimensions.member.1.Name", dimension.0),
            ("Dimensions.member.1.Value", dimension.1),
            ("Statistic", "Maximum"),
            ("Period", "60"),
            ("EvaluationPeriods", "1"),
            ("Threshold", "0"),
            ("ComparisonOperator", "GreaterThanThreshold"),
            ("TreatMissingData", "notBreaching"),
        ];
        crate::services::testing::query(&sandbox, "monitoring", "PutMetricAlarm", &parameters).unwrap();
    };
    let state = |name: &str| {
        sandbox.next_event();
        sandbox.resource("monitoring.alarm", name).unwrap().text("StateValue").to_owned()
    };
    alarm("letters", "AWS/SQS", "ApproximateNumberOfMessagesVisible", ("QueueName", "shop-push-dead"));
    alarm("age", "AWS/SQS", "ApproximateAgeOfOldestMessage", ("QueueName", "shop-push"));
    alarm("errors", "AWS/Lambda", "Errors", ("FunctionName", "shop-push"));
    seconds(300).await;
    assert_eq!([state("letters"), state("age"), state("errors")], ["OK", "OK", "OK"]);
    put(&sandbox, "bad");
    seconds(1).await;
    fail(&sandbox, &taken(&sandbox, &environment).unwrap());
    seconds(62).await;
    fail(&sandbox, &taken(&sandbox, &environment).unwrap());
    seconds(120).await;
    assert_eq!([state("age"), state("errors")], ["ALARM", "ALARM"]);
    seconds(120).await;
    assert_eq!(state("letters"), "ALARM");
    seconds(600).await;
    assert_eq!([state("letters"), state("age"), state("errors")], ["ALARM", "OK", "OK"]);
}
