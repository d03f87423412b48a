//! What must hold of messages on their way from topics to queues.

use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, element, json as call, query};
use crate::testing::calm;

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:signals";
const QUEUES: &str = "arn:aws:sqs:us-east-1:123456789012";

fn sns(sandbox: &Sandbox, operation: &str, parameters: &[(&str, &str)]) -> Result<String, Refusal> {
    query(sandbox, "sns", operation, parameters)
}

fn with_topic() -> Sandbox {
    let sandbox = calm();
    sns(&sandbox, "CreateTopic", &[("Name", "signals")]).unwrap();
    sandbox
}

fn queue(sandbox: &Sandbox, name: &str, open: bool) {
    let statement = json!({"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": format!("{QUEUES}:{name}"), "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}}});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let attributes = if open { json!({"Policy": policy}) } else { json!({}) };
    call(sandbox, "sqs", "CreateQueue", json!({"QueueName": name, "Attributes": attributes})).unwrap();
}

/// Subscribes a queue. Answers the subscription.
fn subscribe(sandbox: &Sandbox, name: &str, attributes: &[(&str, &str)]) -> Result<String, Refusal> {
    let endpoint = format!("{QUEUES}:{name}");
    let names: Vec<[String; 2]> = (1..=attributes.len())
        .map(|n| [format!("Attributes.entry.{n}.key"), format!("Attributes.entry.{n}.value")])
        .collect();
    let mut parameters = vec![("TopicArn", TOPIC), ("Protocol", "sqs"), ("Endpoint", endpoint.as_str())];
    for ([key, value], (name, text)) in names.iter().zip(attributes) {
        parameters.extend([(key.as_str(), *name), (value.as_str(), *text)]);
    }
    Ok(element(&sns(sandbox, "Subscribe", &parameters)?, "SubscriptionArn"))
}

fn publish(sandbox: &Sandbox, message: &str, attribute: Option<(&str, &str)>) -> String {
    let mut parameters = vec![("TopicArn", TOPIC), ("Message", message)];
    if let Some((kind, value)) = attribute {
        parameters.extend([
            ("MessageAttributes.entry.1.Name", "severity"),
            ("MessageAttributes.entry.1.Value.DataType", kind),
            ("MessageAttributes.entry.1.Value.StringValue", value),
        ]);
    }
    element(&sns(sandbox, "Publish", &parameters).unwrap(), "MessageId")
}

async fn received(sandbox: &Sandbox, queue: &str) -> Vec<Value> {
    tokio::time::advance(Duration::from_secs(1)).await;
    let url = format!("https://sqs.us-east-1.amazonaws.com/123456789012/{queue}");
    let input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]});
    let answer = call(sandbox, "sqs", "ReceiveMessage", input).unwrap();
    answer["Messages"].as_array().cloned().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_subscribes_needs_no_confirmation_and_gets_the_message_in_its_envelope() {
    let sandbox = with_topic();
    queue(&sandbox, "q", true);
    let subscription = subscribe(&sandbox, "q", &[]).unwrap();
    assert!(subscription.starts_with(TOPIC));
    let id = publish(&sandbox, "{\"odd\": \"é\\n\"}", Some(("Number", "99.12")));
    let messages = received(&sandbox, "q").await;
    let text = messages[0]["Body"].as_str().unwrap();
    assert!(text.starts_with("{\n  \"Type\" : \"Notification\",\n  \"MessageId\" : "), "{text}");
    let body: Value = serde_json::from_str(text).unwrap();
    assert_eq!(body["Message"], "{\"odd\": \"é\\n\"}");
    assert_eq!((&body["MessageId"], &body["TopicArn"]), (&json!(id), &json!(TOPIC)));
    assert_eq!(body["MessageAttributes"], json!({"severity": {"Type": "Number", "Value": "99.12"}}));
    assert_eq!(body.get("Subject"), None);
    assert_eq!(body["Timestamp"], "2026-01-05T09:00:00.000Z");
    assert!(body["UnsubscribeURL"].as_str().unwrap().ends_with(&subscription));
    assert_eq!(messages[0].get("MessageAttributes"), None);
}

#[tokio::test(start_paused = true)]
async fn raw_delivery_hands_the_message_and_its_attributes_on() {
    let sandbox = with_topic();
    queue(&sandbox, "q", true);
    subscribe(&sandbox, "q", &[("RawMessageDelivery", "true")]).unwrap();
    publish(&sandbox, "plain text", Some(("String", "high")));
    let messages = received(&sandbox, "q").await;
    assert_eq!(messages[0]["Body"], "plain text");
    assert_eq!(messages[0]["MessageAttributes"]["severity"]["StringValue"], "high");
}

#[tokio::test(start_paused = true)]
async fn a_filter_lets_through_what_it_names() {
    let sandbox = with_topic();
    queue(&sandbox, "by-attribute", true);
    queue(&sandbox, "by-body", true);
    subscribe(&sandbox, "by-attribute", &[("FilterPolicy", "{\"severity\": [{\"prefix\": \"h\"}]}")]).unwrap();
    let scope = ("FilterPolicyScope", "MessageBody");
    subscribe(&sandbox, "by-body", &[("FilterPolicy", "{\"kind\": [\"alarm\"]}"), scope]).unwrap();
    publish(&sandbox, "{\"kind\": \"alarm\"}", Some(("String", "low")));
    publish(&sandbox, "{\"kind\": \"other\"}", Some(("String", "high")));
    let only = |messages: Vec<Value>| -> Value {
        assert_eq!(messages.len(), 1);
        let body: Value = serde_json::from_str(messages[0]["Body"].as_str().unwrap()).unwrap();
        serde_json::from_str(body["Message"].as_str().unwrap()).unwrap()
    };
    assert_eq!(only(received(&sandbox, "by-attribute").await)["kind"], "other");
    assert_eq!(only(received(&sandbox, "by-body").await)["kind"], "alarm");
    let refused = subscribe(&sandbox, "third", &[("FilterPolicy", "{\"a\": 1}")]).unwrap_err().1;
    let wanted = "Invalid parameter: Attributes Reason: FilterPolicy: &quot;a&quot; must be an object or an array";
    assert_eq!(refused, wanted);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_lets_nobody_in_loses_the_message_to_its_dead_letter_queue_or_altogether() {
    let sandbox = with_topic();
    queue(&sandbox, "closed", false);
    queue(&sandbox, "shut", false);
    queue(&sandbox, "dead", true);
    let redrive = json!({"deadLetterTargetArn": format!("{QUEUES}:dead")}).to_string();
    subscribe(&sandbox, "closed", &[("RedrivePolicy", &redrive)]).unwrap();
    subscribe(&sandbox, "shut", &[]).unwrap();
    publish(&sandbox, "hello", None);
    let letters = received(&sandbox, "dead").await;
    let body: Value = serde_json::from_str(letters[0]["Body"].as_str().unwrap()).unwrap();
    assert_eq!(body["Message"], "hello");
    let lost = sandbox.undelivered();
    let ends: Vec<(String, bool)> = lost.iter().map(|one| (one.to.clone(), one.buried)).collect();
    assert_eq!(lost.len(), 2);
    assert!(ends.contains(&(format!("{QUEUES}:closed"), true)) && ends.contains(&(format!("{QUEUES}:shut"), false)));
    assert!(lost[0].why.starts_with("AccessDenied: sns.amazonaws.com is not authorized"), "{}", lost[0].why);
    let wrong = subscribe(&sandbox, "q", &[("RedrivePolicy", "{\"deadLetterTargetArn\": \"x\"}")]);
    assert_eq!(code(wrong), "InvalidParameter");
}

#[tokio::test(start_paused = true)]
async fn what_the_bus_publishes_on_a_topic_reaches_its_subscribers() {
    let sandbox = with_topic();
    queue(&sandbox, "q", true);
    subscribe(&sandbox, "q", &[("RawMessageDelivery", "true")]).unwrap();
    let rule = json!({"Name": "r", "EventPattern": "{\"source\": [\"aws.guardduty\"]}"});
    call(&sandbox, "events", "PutRule", rule).unwrap();
    let target = json!({"Id": "1", "Arn": TOPIC, "InputPath": "$.detail.severity"});
    call(&sandbox, "events", "PutTargets", json!({"Rule": "r", "Targets": [target]})).unwrap();
    let find = || sandbox.put_event("aws.guardduty", "GuardDuty Finding", json!({"severity": 8}), &[]);
    find();
    // The topic's own policy speaks to its account only.
    assert!(received(&sandbox, "q").await.is_empty());
    assert_eq!(sandbox.undelivered().len(), 1);
    let statement = json!({"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish",
        "Resource": TOPIC});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let set = [("TopicArn", TOPIC), ("AttributeName", "Policy"), ("AttributeValue", &policy)];
    sns(&sandbox, "SetTopicAttributes", &set).unwrap();
    find();
    assert_eq!(received(&sandbox, "q").await[0]["Body"], "8");
    assert_eq!(sandbox.published()[0].subject, None);
}
