//! What must hold of topics and subscriptions, seen from outside.

use std::time::Duration;

use serde_json::json;

use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, element, json as call, query};
use crate::testing::calm;

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:shop-alarms";

fn sns(sandbox: &Sandbox, operation: &str, parameters: &[(&str, &str)]) -> Result<String, Refusal> {
    query(sandbox, "sns", operation, parameters)
}

fn topic(sandbox: &Sandbox, tag: &str) -> Result<String, Refusal> {
    let tag = [("Tags.member.1.Key", "team"), ("Tags.member.1.Value", tag)];
    sns(sandbox, "CreateTopic", &[&[("Name", "shop-alarms")], &tag[..]].concat())
}

fn set(sandbox: &Sandbox, name: &str, value: &str) -> Result<String, Refusal> {
    let parameters = [("TopicArn", TOPIC), ("AttributeName", name), ("AttributeValue", value)];
    sns(sandbox, "SetTopicAttributes", &parameters)
}

fn subscribe(sandbox: &Sandbox, protocol: &str, endpoint: &str) -> Result<String, Refusal> {
    sns(sandbox, "Subscribe", &[("TopicArn", TOPIC), ("Protocol", protocol), ("Endpoint", endpoint)])
}

#[test]
fn a_topic_is_made_once_and_not_again_with_other_tags_or_attributes() {
    let sandbox = calm();
    assert_eq!(element(&topic(&sandbox, "a").unwrap(), "TopicArn"), TOPIC);
    assert!(topic(&sandbox, "a").is_ok());
    let (refused, message) = topic(&sandbox, "b").unwrap_err();
    assert_eq!(refused, "InvalidParameter");
    assert_eq!(message, "Invalid parameter: Tags Reason: Topic already exists with different tags");
    let other = [("Attributes.entry.1.key", "DisplayName"), ("Attributes.entry.1.value", "Shop")];
    let again = sns(&sandbox, "CreateTopic", &[&[("Name", "shop-alarms")], &other[..]].concat());
    assert!(again.unwrap_err().1.contains("different attributes"));
}

#[test]
fn a_policy_about_a_role_that_is_not_there_is_refused() {
    let sandbox = calm();
    topic(&sandbox, "a").unwrap();
    let policy = |principal: &str, action: &str| {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": TOPIC,
            "Principal": {"AWS": principal}}]})
        .to_string()
    };
    let (refused, message) =
        set(&sandbox, "Policy", &policy("arn:aws:iam::123456789012:role/none", "sns:Publish")).unwrap_err();
    assert_eq!(
        (refused.as_str(), message.as_str()),
        ("InvalidParameter", "Invalid parameter: Policy Error: PrincipalNotFound")
    );
    let everything = set(&sandbox, "Policy", &policy("arn:aws:iam::123456789012:root", "*")).unwrap_err();
    assert!(everything.1.contains("out of service scope"));
    set(&sandbox, "Policy", &policy("arn:aws:iam::123456789012:root", "sns:Publish")).unwrap();
    assert!(sns(&sandbox, "GetTopicAttributes", &[("TopicArn", TOPIC)]).unwrap().contains(":root"));
}

#[tokio::test(start_paused = true)]
async fn an_email_waits_to_be_confirmed_and_goes_after_two_days() {
    let sandbox = calm();
    topic(&sandbox, "a").unwrap();
    assert_eq!(
        element(&subscribe(&sandbox, "email", "ops@example.com").unwrap(), "SubscriptionArn"),
        "pending confirmation"
    );
    subscribe(&sandbox, "sqs", "arn:aws:sqs:us-east-1:123456789012:alarms").unwrap();
    assert_eq!(code(subscribe(&sandbox, "pigeon", "x")), "InvalidParameter");
    let list = || sns(&sandbox, "ListSubscriptionsByTopic", &[("TopicArn", TOPIC)]).unwrap();
    assert!(list().contains("<SubscriptionArn>PendingConfirmation</SubscriptionArn>"));
    sns(&sandbox, "Publish", &[("TopicArn", TOPIC), ("Subject", "s"), ("Message", "m")]).unwrap();
    let published = sandbox.published();
    assert_eq!((published[0].message.as_str(), published[0].subject.as_deref()), ("m", Some("s")));
    assert_eq!(published[0].to, [("sqs".to_owned(), "arn:aws:sqs:us-east-1:123456789012:alarms".to_owned())]);
    tokio::time::advance(Duration::from_secs(49 * 3600)).await;
    assert!(!list().contains("ops@example.com"));
    sns(&sandbox, "DeleteTopic", &[("TopicArn", TOPIC)]).unwrap();
    assert_eq!(code(sns(&sandbox, "GetTopicAttributes", &[("TopicArn", TOPIC)])), "NotFound");
    assert!(sandbox.inventory().is_empty());
}

#[test]
fn publishing_to_an_encrypted_topic_needs_its_key() {
    let sandbox = calm();
    topic(&sandbox, "a").unwrap();
    let key = call(&sandbox, "kms", "CreateKey", json!({})).unwrap()["KeyMetadata"]["Arn"].clone();
    set(&sandbox, "KmsMasterKeyId", key.as_str().unwrap()).unwrap();
    let publish = || sns(&sandbox, "Publish", &[("TopicArn", TOPIC), ("Message", "m")]);
    publish().unwrap();
    call(&sandbox, "kms", "DisableKey", json!({"KeyId": key})).unwrap();
    assert_eq!(code(publish()), "KMSNotFound");
}
