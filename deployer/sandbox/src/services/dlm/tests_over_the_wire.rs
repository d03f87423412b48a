//! What must hold of lifecycle policies, seen from outside.

use std::time::Duration;

use serde_json::{Value, json};

use crate::dispatch::Delivery;
use crate::sandbox::Sandbox;
use crate::services::testing::{heard, listen, query};
use crate::store::{Resource, Tags};
use crate::testing::calm;
use crate::wire::Request;

const ROLE: &str = "arn:aws:iam::123456789012:role/shop-dlm";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn dlm(sandbox: &Sandbox, method: &str, path: &str, input: &Value) -> (u16, Value) {
    let credential = "AWS4-HMAC-SHA256 Credential=AKID/20260105/us-east-1/dlm/aws4_request, Signature=0";
    let headers = vec![("authorization".to_owned(), credential.to_owned())];
    let body = if input.is_null() { Vec::new() } else { input.to_string().into_bytes() };
    let request = Request { method: method.to_owned(), path: path.to_owned(), headers, body, ..Request::default() };
    let Delivery::Answer(response) = sandbox.call(&request).delivery else { panic!("no answer") };
    (response.status, serde_json::from_slice(&response.body).unwrap_or_default())
}

fn with_role(service: &str) -> Sandbox {
    let sandbox = calm();
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}]});
    let role = [("RoleName", "shop-dlm"), ("AssumeRolePolicyDocument", &trust.to_string())];
    query(&sandbox, "iam", "CreateRole", &role).unwrap();
    let tags = Tags::from([("backup".to_owned(), "daily".to_owned()), ("team".to_owned(), "a".to_owned())]);
    sandbox.plant(Resource {
        kind: "ec2.volume",
        id: "vol-0a".to_owned(),
        attrs: json!({"size": 30, "encrypted": true}).as_object().unwrap().clone(),
        tags,
        aws_made: false,
        created: sandbox.now(),
    });
    sandbox
}

fn policy() -> Value {
    json!({
        "ExecutionRoleArn": ROLE, "Description": "shop volumes", "State": "ENABLED", "Tags": {"team": "a"},
        "PolicyDetails": {
            "ResourceTypes": ["VOLUME"], "TargetTags": [{"Key": "backup", "Value": "daily"}],
            "Schedules": [{"Name": "daily", "CopyTags": true, "TagsToAdd": [{"Key": "by", "Value": "dlm"}],
                "CreateRule": {"Interval": 24, "IntervalUnit": "HOURS", "Times": ["03:00"]},
                "RetainRule": {"Count": 3}}],
        },
    })
}

fn snapshots(sandbox: &Sandbox) -> Vec<Resource> {
    sandbox.resources().into_iter().filter(|one| one.kind == "ec2.snapshot").collect()
}

#[tokio::test(start_paused = true)]
async fn a_policy_makes_a_snapshot_of_each_tagged_volume_every_day_and_keeps_so_many() {
    let sandbox = with_role("dlm.amazonaws.com");
    let (status, made) = dlm(&sandbox, "POST", "/policies", &policy());
    assert_eq!(status, 200, "{made}");
    tokio::time::advance(DAY).await;
    let first = snapshots(&sandbox);
    assert_eq!(first.len(), 1);
    let tag = |name: &str| first[0].tags.get(name).map(String::as_str);
    assert_eq!((tag("team"), tag("by"), tag("dlm:managed")), (Some("a"), Some("dlm"), Some("true")));
    assert_eq!(first[0].created.to_string(), "2026-01-06T03:00:00Z");
    tokio::time::advance(10 * DAY).await;
    assert_eq!(snapshots(&sandbox).len(), 3);
    let id = made["PolicyId"].as_str().unwrap();
    let (_, got) = dlm(&sandbox, "GET", &format!("/policies/{id}"), &Value::Null);
    assert_eq!((&got["Policy"]["State"], &got["Policy"]["Tags"]["team"]), (&json!("ENABLED"), &json!("a")));
    assert_eq!(dlm(&sandbox, "DELETE", &format!("/policies/{id}"), &Value::Null).0, 200);
    tokio::time::advance(10 * DAY).await;
    assert_eq!(snapshots(&sandbox).len(), 3, "a policy leaves its snapshots behind");
}

#[tokio::test(start_paused = true)]
async fn a_policy_without_its_role_is_in_error_and_makes_nothing() {
    let sandbox = with_role("dlm.amazonaws.com");
    let (_, made) = dlm(&sandbox, "POST", "/policies", &policy());
    query(&sandbox, "iam", "DeleteRole", &[("RoleName", "shop-dlm")]).unwrap();
    tokio::time::advance(2 * DAY).await;
    assert!(snapshots(&sandbox).is_empty());
    let (_, list) = dlm(&sandbox, "GET", "/policies", &Value::Null);
    assert_eq!((&list["Policies"][0]["State"], &list["Policies"][0]["PolicyId"]), (&json!("ERROR"), &made["PolicyId"]));
    let id = made["PolicyId"].as_str().unwrap();
    let (status, _) = dlm(&sandbox, "PATCH", &format!("/policies/{id}"), &json!({"State": "DISABLED"}));
    assert_eq!(status, 200);
}

#[test]
fn a_role_that_does_not_trust_the_service_is_refused() {
    let sandbox = with_role("ec2.amazonaws.com");
    assert_eq!(dlm(&sandbox, "POST", "/policies", &policy()).0, 400);
    let mut odd = policy();
    odd["PolicyDetails"]["Schedules"][0]["FastRestoreRule"] = json!({"Count": 1, "AvailabilityZones": ["us-east-1a"]});
    assert!(dlm(&with_role("dlm.amazonaws.com"), "POST", "/policies", &odd).1.to_string().contains("FastRestoreRule"));
}

#[test]
fn tags_of_a_policy_come_and_go() {
    let sandbox = with_role("dlm.amazonaws.com");
    let (_, made) = dlm(&sandbox, "POST", "/policies", &policy());
    let path =
        format!("/tags/arn%3Aaws%3Adlm%3Aus-east-1%3A123456789012%3Apolicy%2F{}", made["PolicyId"].as_str().unwrap());
    assert_eq!(dlm(&sandbox, "POST", &path, &json!({"Tags": {"cost": "x"}})).0, 200);
    assert_eq!(dlm(&sandbox, "GET", &path, &Value::Null).1["Tags"], json!({"cost": "x", "team": "a"}));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_and_a_policy_in_error_are_told_of() {
    let sandbox = with_role("dlm.amazonaws.com");
    let (_, made) = dlm(&sandbox, "POST", "/policies", &policy());
    listen(&sandbox, &json!({"source": ["aws.ec2", "aws.dlm"]}));
    tokio::time::advance(DAY).await;
    let event = heard(&sandbox).pop().unwrap();
    let id = &snapshots(&sandbox)[0].id;
    let arn = format!("arn:aws:ec2::us-east-1:snapshot/{id}");
    assert_eq!((&event["detail-type"], &event["resources"]), (&json!("EBS Snapshot Notification"), &json!([arn])));
    let detail = &event["detail"];
    assert_eq!((&detail["event"], &detail["result"]), (&json!("createSnapshot"), &json!("succeeded")));
    assert_eq!(detail["source"], "arn:aws:ec2::us-east-1:volume/vol-0a");
    query(&sandbox, "iam", "DeleteRole", &[("RoleName", "shop-dlm")]).unwrap();
    tokio::time::advance(2 * DAY).await;
    let events = heard(&sandbox);
    let policy = format!("arn:aws:dlm:us-east-1:123456789012:policy/{}", made["PolicyId"].as_str().unwrap());
    assert_eq!(events.len(), 1, "a policy that stays in error says so once");
    assert_eq!(
        (&events[0]["detail-type"], &events[0]["resources"]),
        (&json!("DLM Policy State Change"), &json!([policy]))
    );
    assert_eq!((&events[0]["detail"]["state"], &events[0]["detail"]["policy_id"]), (&json!("ERROR"), &json!(policy)));
}
