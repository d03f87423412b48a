//! What invokes a function without a queue between: a rule, a topic, an alarm. Each needs the function's own permission,
//! for that service and that source; without it nothing arrives.

use std::time::Duration;

use serde_json::{Value, json};

use super::testing::{FUNCTION, LETTERS, fail, hosted, lambda, messages, queue, taken};
use crate::lambda::{Answer, Environment};
use crate::sandbox::Sandbox;
use crate::services::testing::{json as call, query};

const RULE: &str = "arn:aws:events:us-east-1:123456789012:rule/orders";
const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:signals";
const ALARM: &str = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:shop-queue";

/// A way to the function, with what AWS asks for it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html>,
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sns-create-package.html>,
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html>
#[derive(Clone, Copy, Debug)]
struct Way {
    service: &'static str,
    source: &'static str,
    open: fn(&Sandbox),
    send: fn(&Sandbox),
}

const WAYS: [Way; 3] = [
    Way { service: "events.amazonaws.com", source: RULE, open: rule, send: put_event },
    Way { service: "sns.amazonaws.com", source: TOPIC, open: subscription, send: publish },
    Way { service: "lambda.alarms.cloudwatch.amazonaws.com", source: ALARM, open: alarm, send: ring },
];

fn rule(sandbox: &Sandbox) {
    let pattern = json!({"source": ["shop"]}).to_string();
    call(sandbox, "events", "PutRule", json!({"Name": "orders", "EventPattern": pattern})).unwrap();
    let targets =
        json!({"Rule": "orders", "Targets": [{"Id": "f", "Arn": FUNCTION, "DeadLetterConfig": {"Arn": LETTERS}}]});
    let answer = call(sandbox, "events", "PutTargets", targets).unwrap();
    assert_eq!(answer["FailedEntryCount"], 0);
}

fn put_event(sandbox: &Sandbox) {
    let entry = json!({"Source": "shop", "DetailType": "order", "Detail": "{\"n\": 1}"});
    call(sandbox, "events", "PutEvents", json!({"Entries": [entry]})).unwrap();
}

fn subscription(sandbox: &Sandbox) {
    query(sandbox, "sns", "CreateTopic", &[("Name", "signals")]).unwrap();
    let redrive = json!({"deadLetterTargetArn": LETTERS}).to_string();
    let attributes = [("Attributes.entry.1.key", "RedrivePolicy"), ("Attributes.entry.1.value", redrive.as_str())];
    let whom = [("TopicArn", TOPIC), ("Protocol", "lambda"), ("Endpoint", FUNCTION)];
    query(
        sandbox,
        "sns",
        "Subscribe",
        &[whom, [attributes[0], attributes[1], ("ReturnSubscriptionArn", "true")]].concat(),
    )
    .unwrap();
}

fn publish(sandbox: &Sandbox) {
    query(sandbox, "sns", "Publish", &[("TopicArn", TOPIC), ("Message", "hello"), ("Subject", "news")]).unwrap();
}

fn alarm(sandbox: &Sandbox) {
    let alarm = json!({
        "AlarmName": "shop-queue", "Namespace": "Shop", "MetricName": "Length", "Statistic": "Maximum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": [FUNCTION],
    });
    call(sandbox, "monitoring", "PutMetricAlarm", alarm).unwrap();
}

fn ring(sandbox: &Sandbox) {
    let set = json!({"AlarmName": "shop-queue", "StateValue": "ALARM", "StateReason": "a test"});
    call(sandbox, "monitoring", "SetAlarmState", set).unwrap();
}

/// Lets a service invoke the function for a source.
fn permit(sandbox: &Sandbox, service: &str, source: &str) {
    let permission =
        json!({"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": service, "SourceArn": source});
    lambda(sandbox, "POST", "/2015-03-31/functions/shop-push/policy", permission).unwrap();
}

/// An account where what cannot be delivered becomes a letter.
async fn account() -> (Sandbox, Environment) {
    let (sandbox, environment) = hosted(&[], json!({})).await;
    let send = |service: &str| json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sqs:SendMessage", "Resource": LETTERS});
    let policy =
        json!({"Version": "2012-10-17", "Statement": [send("events.amazonaws.com"), send("sns.amazonaws.com")]});
    queue(&sandbox, "shop-push-dead", json!({"Policy": policy.to_string()}));
    (sandbox, environment)
}

async fn arrived(sandbox: &Sandbox, environment: &Environment) -> Option<Value> {
    for _ in 0..30 {
        tokio::time::advance(Duration::from_secs(1)).await;
        if let Some(invocation) = taken(sandbox, environment) {
            sandbox.finish_invocation(&invocation, &Answer::Done("null".to_owned()));
            return Some(serde_json::from_str(&invocation.payload).unwrap());
        }
    }
    None
}

#[tokio::test(start_paused = true)]
async fn each_arrives_by_its_own_permission_and_by_no_other() {
    for way in WAYS {
        let elsewhere = format!("{}-of-others", way.source);
        for (permission, arrives) in [
            (None, false),
            (Some((way.service, way.source)), true),
            (Some((way.service, elsewhere.as_str())), false),
            (Some(("s3.amazonaws.com", way.source)), false),
        ] {
            let (sandbox, environment) = account().await;
            (way.open)(&sandbox);
            if let Some((service, source)) = permission {
                permit(&sandbox, service, source);
            }
            (way.send)(&sandbox);
            let payload = arrived(&sandbox, &environment).await;
            assert_eq!(payload.is_some(), arrives, "{way:?} {permission:?}: {payload:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_arrives_has_the_form_that_the_service_gives_it() {
    let mut payloads = Vec::new();
    for way in WAYS {
        let (sandbox, environment) = account().await;
        (way.open)(&sandbox);
        permit(&sandbox, way.service, way.source);
        (way.send)(&sandbox);
        payloads.push(arrived(&sandbox, &environment).await.unwrap());
    }
    let [event, notification, alarm] = &payloads[..] else { panic!("{payloads:#?}") };
    assert_eq!((&event["detail-type"], &event["detail"]), (&json!("order"), &json!({"n": 1})));
    // <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>
    let record = &notification["Records"][0];
    assert_eq!((&record["EventSource"], &record["EventVersion"]), (&json!("aws:sns"), &json!("1.0")));
    assert_eq!((&record["Sns"]["Message"], &record["Sns"]["Subject"]), (&json!("hello"), &json!("news")));
    assert_eq!(alarm["source"], "aws.cloudwatch");
    assert_eq!((&alarm["alarmArn"], &alarm["alarmData"]["state"]["value"]), (&json!(ALARM), &json!("ALARM")));
}

#[tokio::test(start_paused = true)]
async fn what_a_rule_or_a_topic_may_not_deliver_is_a_dead_letter_and_an_alarm_writes_it_in_its_history() {
    for way in &WAYS[..2] {
        let (sandbox, _) = account().await;
        (way.open)(&sandbox);
        (way.send)(&sandbox);
        tokio::time::advance(Duration::from_secs(5)).await;
        sandbox.next_event();
        assert_eq!(messages(&sandbox, "shop-push-dead").len(), 1, "{way:?}");
    }
    let (sandbox, _) = account().await;
    alarm(&sandbox);
    ring(&sandbox);
    let asked = json!({"AlarmName": "shop-queue", "HistoryItemType": "Action"});
    let history = call(&sandbox, "monitoring", "DescribeAlarmHistory", asked).unwrap();
    let said = history["AlarmHistoryItems"][0]["HistorySummary"].as_str().unwrap_or_default();
    assert!(said.starts_with("Failed to execute action"), "{history}");
}

#[tokio::test(start_paused = true)]
async fn what_a_function_fails_on_is_tried_again_as_lambda_does_it() {
    for way in WAYS {
        let (sandbox, environment) = account().await;
        (way.open)(&sandbox);
        permit(&sandbox, way.service, way.source);
        (way.send)(&sandbox);
        let mut tries = 0;
        for _ in 0..600 {
            tokio::time::advance(Duration::from_secs(1)).await;
            if let Some(invocation) = taken(&sandbox, &environment) {
                fail(&sandbox, &invocation);
                tries += 1;
            }
        }
        assert_eq!(tries, 3, "{way:?}");
    }
}
