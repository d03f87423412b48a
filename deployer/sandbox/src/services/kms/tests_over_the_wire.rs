//! What must hold of keys, seen from outside.

use std::time::Duration;

use serde_json::{Value, json};

use crate::authorise::Policy;
use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, json as call, query};
use crate::testing::calm;

fn kms(sandbox: &Sandbox, operation: &str, input: Value) -> Result<Value, Refusal> {
    call(sandbox, "kms", operation, input)
}

fn key(sandbox: &Sandbox) -> String {
    let made = kms(sandbox, "CreateKey", json!({"Tags": [{"TagKey": "a", "TagValue": "b"}]})).unwrap();
    made["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
}

fn policy_naming(role: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "kms:Decrypt", "Resource": "*"},
    ]})
    .to_string()
}

#[test]
fn a_key_nobody_described_has_the_defaults_that_aws_gives() {
    let sandbox = calm();
    let id = key(&sandbox);
    let shown = kms(&sandbox, "DescribeKey", json!({"KeyId": id})).unwrap()["KeyMetadata"].clone();
    for (name, value) in [
        ("KeyState", "Enabled"),
        ("KeySpec", "SYMMETRIC_DEFAULT"),
        ("CustomerMasterKeySpec", "SYMMETRIC_DEFAULT"),
        ("KeyUsage", "ENCRYPT_DECRYPT"),
        ("KeyManager", "CUSTOMER"),
        ("Origin", "AWS_KMS"),
        ("Description", ""),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
    assert_eq!(shown["Arn"], format!("arn:aws:kms:us-east-1:123456789012:key/{id}"));
    assert!(shown.get("_policy").is_none());
}

#[test]
fn a_policy_is_given_back_in_another_layout_and_means_the_same() {
    let sandbox = calm();
    let id = key(&sandbox);
    let given = policy_naming("arn:aws:iam::123456789012:root");
    kms(&sandbox, "PutKeyPolicy", json!({"KeyId": id, "PolicyName": "default", "Policy": given})).unwrap();
    let answer = kms(&sandbox, "GetKeyPolicy", json!({"KeyId": id})).unwrap();
    let text = answer["Policy"].as_str().unwrap();
    assert_ne!(text, given);
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), serde_json::from_str::<Value>(&given).unwrap());
}

#[test]
fn a_policy_that_names_a_role_waits_for_the_role_and_shows_its_id_once_it_is_deleted() {
    let sandbox = calm();
    let id = key(&sandbox);
    let put = || {
        let policy = policy_naming("arn:aws:iam::123456789012:role/app");
        kms(&sandbox, "PutKeyPolicy", json!({"KeyId": id, "Policy": policy}))
    };
    assert_eq!(code(put()), "MalformedPolicyDocumentException");
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let role =
        || query(&sandbox, "iam", "CreateRole", &[("RoleName", "app"), ("AssumeRolePolicyDocument", trust)]).unwrap();
    role();
    put().unwrap();
    query(&sandbox, "iam", "DeleteRole", &[("RoleName", "app")]).unwrap();
    role();
    let shown = kms(&sandbox, "GetKeyPolicy", json!({"KeyId": id})).unwrap().to_string();
    assert!(!shown.contains("role/app") && shown.contains("AROA"), "{shown}");
}

#[test]
fn a_policy_that_locks_its_author_out_is_refused_unless_the_check_is_waived() {
    let sandbox = calm();
    let id = key(&sandbox);
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "logs.us-east-1.amazonaws.com"}, "Action": "kms:*", "Resource": "*"},
    ]})
    .to_string();
    let put = |bypass: bool| {
        kms(&sandbox, "PutKeyPolicy", json!({"KeyId": id, "Policy": policy, "BypassPolicyLockoutSafetyCheck": bypass}))
    };
    assert_eq!(code(put(false)), "MalformedPolicyDocumentException");
    put(true).unwrap();
    assert_eq!(code(kms(&sandbox, "DescribeKey", json!({"KeyId": id}))), "AccessDeniedException");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_deleted_when_its_window_is_over_and_its_aliases_with_it() {
    let sandbox = calm();
    let id = key(&sandbox);
    kms(&sandbox, "CreateAlias", json!({"AliasName": "alias/shop", "TargetKeyId": id})).unwrap();
    let window = |days: i64| json!({"KeyId": id, "PendingWindowInDays": days});
    assert_eq!(code(kms(&sandbox, "ScheduleKeyDeletion", window(6))), "ValidationException");
    assert_eq!(kms(&sandbox, "ScheduleKeyDeletion", window(7)).unwrap()["KeyState"], "PendingDeletion");
    for operation in ["EnableKey", "EnableKeyRotation", "ScheduleKeyDeletion"] {
        assert_eq!(code(kms(&sandbox, operation, json!({"KeyId": id}))), "KMSInvalidStateException", "{operation}");
    }
    tokio::time::advance(Duration::from_secs(6 * 24 * 3600)).await;
    assert_eq!(kms(&sandbox, "DescribeKey", json!({"KeyId": id})).unwrap()["KeyMetadata"]["Enabled"], false);
    tokio::time::advance(Duration::from_secs(24 * 3600 + 1)).await;
    assert_eq!(code(kms(&sandbox, "DescribeKey", json!({"KeyId": id}))), "NotFoundException");
    assert!(sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_deletion_is_cancelled_stays_and_is_disabled() {
    let sandbox = calm();
    let id = key(&sandbox);
    kms(&sandbox, "ScheduleKeyDeletion", json!({"KeyId": id, "PendingWindowInDays": 7})).unwrap();
    kms(&sandbox, "CancelKeyDeletion", json!({"KeyId": id})).unwrap();
    tokio::time::advance(Duration::from_secs(40 * 24 * 3600)).await;
    let shown = kms(&sandbox, "DescribeKey", json!({"KeyId": id})).unwrap()["KeyMetadata"].clone();
    assert_eq!(shown["KeyState"], "Disabled");
    assert!(shown.get("DeletionDate").is_none());
    assert_eq!(code(kms(&sandbox, "EnableKeyRotation", json!({"KeyId": id}))), "DisabledException");
}

#[test]
fn rotation_has_a_period_of_a_year_unless_told_otherwise() {
    let sandbox = calm();
    let id = key(&sandbox);
    let status = || kms(&sandbox, "GetKeyRotationStatus", json!({"KeyId": id})).unwrap();
    assert_eq!(status()["KeyRotationEnabled"], false);
    kms(&sandbox, "EnableKeyRotation", json!({"KeyId": id})).unwrap();
    assert_eq!(status()["RotationPeriodInDays"], 365);
    kms(&sandbox, "EnableKeyRotation", json!({"KeyId": id, "RotationPeriodInDays": 90})).unwrap();
    assert_eq!(status()["RotationPeriodInDays"], 90);
    let short = json!({"KeyId": id, "RotationPeriodInDays": 89});
    assert_eq!(code(kms(&sandbox, "EnableKeyRotation", short)), "ValidationException");
}

#[test]
fn an_alias_is_one_name_that_can_move_to_another_key() {
    let sandbox = calm();
    let (first, second) = (key(&sandbox), key(&sandbox));
    let alias = |key: &str| json!({"AliasName": "alias/shop", "TargetKeyId": key});
    kms(&sandbox, "CreateAlias", alias(&first)).unwrap();
    assert_eq!(code(kms(&sandbox, "CreateAlias", alias(&second))), "AlreadyExistsException");
    kms(&sandbox, "UpdateAlias", alias(&second)).unwrap();
    let found = kms(&sandbox, "DescribeKey", json!({"KeyId": "alias/shop"})).unwrap();
    assert_eq!(found["KeyMetadata"]["KeyId"], *second);
    assert_eq!(code(kms(&sandbox, "GetKeyPolicy", json!({"KeyId": "alias/shop"}))), "NotFoundException");
    let wrong = json!({"AliasName": "shop", "TargetKeyId": first});
    assert_eq!(code(kms(&sandbox, "CreateAlias", wrong)), "ValidationException");
    let reserved = json!({"AliasName": "alias/aws/shop", "TargetKeyId": first});
    assert_eq!(code(kms(&sandbox, "CreateAlias", reserved)), "NotAuthorizedException");
}

#[test]
fn a_key_with_tags_needs_the_permission_to_tag() {
    let sandbox = calm();
    let document = json!({"Statement": {"Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*"}});
    sandbox.set_policy(Some(Policy::parse(&document).unwrap()));
    kms(&sandbox, "CreateKey", json!({})).unwrap();
    let (code, message) = kms(&sandbox, "CreateKey", json!({"Tags": [{"TagKey": "a", "TagValue": "b"}]})).unwrap_err();
    assert_eq!(code, "AccessDeniedException");
    assert!(message.contains("kms:TagResource"), "{message}");
}

#[test]
fn tags_that_aws_refuses_are_refused() {
    let sandbox = calm();
    let tag = |key: &str| json!({"TagKey": key, "TagValue": "v"});
    for (tags, expected) in [
        (vec![tag("aws:x")], "TagException"),
        (vec![tag("a"), tag("a")], "TagException"),
        (vec![tag(&"k".repeat(129))], "ValidationException"),
        ((0..51).map(|n| tag(&n.to_string())).collect(), "TagException"),
    ] {
        assert_eq!(code(kms(&sandbox, "CreateKey", json!({"Tags": tags}))), expected);
    }
}

#[test]
fn a_grant_repeated_under_its_name_is_the_same_grant() {
    let sandbox = calm();
    let id = key(&sandbox);
    let grant = json!({"KeyId": id, "GranteePrincipal": "rds.amazonaws.com", "Operations": ["Decrypt"], "Name": "n"});
    let first = kms(&sandbox, "CreateGrant", grant.clone()).unwrap();
    assert_eq!(first, kms(&sandbox, "CreateGrant", grant).unwrap());
    kms(&sandbox, "RetireGrant", json!({"GrantToken": first["GrantToken"]})).unwrap();
    assert_eq!(kms(&sandbox, "ListGrants", json!({"KeyId": id})).unwrap()["Grants"], json!([]));
}

#[test]
fn asking_for_a_services_key_makes_it_and_it_is_not_the_customers_to_delete() {
    let sandbox = calm();
    let shown = kms(&sandbox, "DescribeKey", json!({"KeyId": "alias/aws/rds"})).unwrap()["KeyMetadata"].clone();
    assert_eq!(shown["KeyManager"], "AWS");
    let again = kms(&sandbox, "DescribeKey", json!({"KeyId": "alias/aws/rds"})).unwrap();
    assert_eq!(again["KeyMetadata"], shown);
    let refused = kms(&sandbox, "ScheduleKeyDeletion", json!({"KeyId": shown["KeyId"]}));
    assert_eq!(code(refused), "AccessDeniedException");
    assert!(sandbox.inventory().is_empty());
}
