//! What must hold of log groups, seen from outside.

use std::time::Duration;

use serde_json::{Value, json};

use crate::authorise::Policy;
use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, json as call};
use crate::testing::calm;
use crate::weather::Weather;

const ARN: &str = "arn:aws:logs:us-east-1:123456789012:log-group:/shop/web";

fn logs(sandbox: &Sandbox, operation: &str, input: Value) -> Result<Value, Refusal> {
    call(sandbox, "logs", operation, input)
}

fn group(sandbox: &Sandbox, name: &str) -> Result<Value, Refusal> {
    logs(sandbox, "CreateLogGroup", json!({"logGroupName": name, "tags": {"k": "v"}}))
}

#[test]
fn a_new_group_has_the_defaults_that_aws_gives_and_no_retention() {
    let sandbox = calm();
    group(&sandbox, "/shop/web").unwrap();
    let groups = logs(&sandbox, "DescribeLogGroups", json!({"logGroupNamePrefix": "/shop"})).unwrap();
    let shown = groups["logGroups"][0].as_object().unwrap();
    let names: Vec<&str> = shown.keys().map(String::as_str).collect();
    for name in ["arn", "creationTime", "deletionProtectionEnabled", "logGroupArn", "logGroupClass", "storedBytes"] {
        assert!(names.contains(&name), "{name}");
    }
    assert_eq!((&shown["arn"], &shown["logGroupArn"]), (&json!(format!("{ARN}:*")), &json!(ARN)));
    assert!(!names.contains(&"retentionInDays") && !names.contains(&"kmsKeyId"));
    assert_eq!(code(group(&sandbox, "/shop/web")), "ResourceAlreadyExistsException");
}

#[test]
fn retention_takes_certain_numbers_of_days_only() {
    let sandbox = calm();
    group(&sandbox, "/shop/web").unwrap();
    let put =
        |days: i64| logs(&sandbox, "PutRetentionPolicy", json!({"logGroupName": "/shop/web", "retentionInDays": days}));
    assert_eq!(code(put(15)), "InvalidParameterException");
    put(14).unwrap();
    let shown = || logs(&sandbox, "DescribeLogGroups", json!({})).unwrap()["logGroups"][0].clone();
    assert_eq!(shown()["retentionInDays"], 14);
    logs(&sandbox, "DeleteRetentionPolicy", json!({"logGroupName": "/shop/web"})).unwrap();
    assert!(shown().get("retentionInDays").is_none());
}

#[test]
fn a_key_must_let_the_service_use_it_for_this_group() {
    let sandbox = calm();
    group(&sandbox, "/shop/web").unwrap();
    let key = call(&sandbox, "kms", "CreateKey", json!({})).unwrap()["KeyMetadata"]["Arn"].clone();
    let associate = || logs(&sandbox, "AssociateKmsKey", json!({"logGroupName": "/shop/web", "kmsKeyId": key}));
    assert_eq!(code(associate()), "InvalidParameterException");
    let allow = |group: &str| {
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"Service": "logs.us-east-1.amazonaws.com"}, "Resource": "*",
             "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
             "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": group}}},
        ]});
        call(&sandbox, "kms", "PutKeyPolicy", json!({"KeyId": key, "Policy": policy.to_string()})).unwrap();
    };
    allow("arn:aws:logs:us-east-1:123456789012:log-group:/other/*");
    assert_eq!(code(associate()), "InvalidParameterException");
    allow("arn:aws:logs:us-east-1:123456789012:log-group:/shop/*");
    associate().unwrap();
    assert_eq!(logs(&sandbox, "DescribeLogGroups", json!({})).unwrap()["logGroups"][0]["kmsKeyId"], key);
}

#[test]
fn permissions_on_a_group_are_asked_for_its_streams_and_those_on_tags_for_itself() {
    let sandbox = calm();
    group(&sandbox, "/shop/web").unwrap();
    let retention = || logs(&sandbox, "PutRetentionPolicy", json!({"logGroupName": "/shop/web", "retentionInDays": 1}));
    let tags = || logs(&sandbox, "ListTagsForResource", json!({"resourceArn": ARN}));
    let allow = |resource: String| {
        let document = json!({"Statement": {"Effect": "Allow", "Action": "logs:*", "Resource": resource}});
        sandbox.set_policy(Some(Policy::parse(&document).unwrap()));
    };
    allow(ARN.to_owned());
    assert_eq!(code(retention()), "AccessDeniedException");
    tags().unwrap();
    allow(format!("{ARN}:*"));
    retention().unwrap();
    assert_eq!(code(tags()), "AccessDeniedException");
}

#[test]
fn the_old_and_the_new_operations_on_tags_see_the_same_tags() {
    let sandbox = calm();
    group(&sandbox, "/shop/web").unwrap();
    logs(&sandbox, "TagResource", json!({"resourceArn": ARN, "tags": {"x": "y"}})).unwrap();
    logs(&sandbox, "UntagLogGroup", json!({"logGroupName": "/shop/web", "tags": ["k"]})).unwrap();
    let old = logs(&sandbox, "ListTagsLogGroup", json!({"logGroupName": "/shop/web"})).unwrap();
    assert_eq!(old, logs(&sandbox, "ListTagsForResource", json!({"resourceArn": ARN})).unwrap());
    assert_eq!(old, json!({"tags": {"x": "y"}}));
}

#[test]
fn a_protected_group_stays() {
    let sandbox = calm();
    group(&sandbox, "/shop/web").unwrap();
    let protect = |on: bool| {
        let input = json!({"logGroupIdentifier": "/shop/web", "deletionProtectionEnabled": on});
        logs(&sandbox, "PutLogGroupDeletionProtection", input).unwrap();
    };
    protect(true);
    let delete = || logs(&sandbox, "DeleteLogGroup", json!({"logGroupName": "/shop/web"}));
    assert_eq!(code(delete()), "ValidationException");
    protect(false);
    delete().unwrap();
    assert!(sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_group_made_again_at_once_meets_its_own_deletion() {
    let weather = Weather { stale_reads: Duration::from_secs(4), ..Weather::calm() };
    let sandbox = Sandbox::builder().seed(1).weather(weather).build();
    group(&sandbox, "/shop/web").unwrap();
    logs(&sandbox, "DeleteLogGroup", json!({"logGroupName": "/shop/web"})).unwrap();
    assert_eq!(code(group(&sandbox, "/shop/web")), "OperationAbortedException");
    assert!(sandbox.inventory().is_empty());
    tokio::time::advance(Duration::from_secs(2)).await;
    group(&sandbox, "/shop/web").unwrap();
}

#[test]
fn groups_are_listed_by_name_and_in_pages() {
    let sandbox = calm();
    for name in ["/shop/c", "/shop/a", "/shop/b"] {
        group(&sandbox, name).unwrap();
    }
    let first = logs(&sandbox, "DescribeLogGroups", json!({"limit": 2})).unwrap();
    let rest = logs(&sandbox, "DescribeLogGroups", json!({"limit": 2, "nextToken": first["nextToken"]})).unwrap();
    let names: Vec<&Value> = [&first, &rest]
        .iter()
        .flat_map(|page| page["logGroups"].as_array().unwrap().iter().map(|group| &group["logGroupName"]))
        .collect();
    assert_eq!(names, ["/shop/a", "/shop/b", "/shop/c"]);
}
