//! What must hold of the list of all that has tags, seen from outside.

use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::services::testing::{code, json as call, query};
use crate::testing::calm;
use crate::weather::Weather;

fn arns(sandbox: &Sandbox, input: Value) -> Vec<String> {
    let answer = call(sandbox, "tagging", "GetResources", input).unwrap();
    let list = answer["ResourceTagMappingList"].as_array().unwrap();
    let mut arns: Vec<String> = list.iter().map(|one| one["ResourceARN"].as_str().unwrap().to_owned()).collect();
    arns.sort();
    arns
}

fn furnish(sandbox: &Sandbox) {
    let tag = |place: &'static str, n: usize| (format!("{place}.{n}.Key"), format!("{place}.{n}.Value"));
    let (key, value) = tag("Tags.member", 1);
    query(sandbox, "sns", "CreateTopic", &[("Name", "shop-t"), (&key, "stack"), (&value, "shop")]).unwrap();
    call(sandbox, "logs", "CreateLogGroup", json!({"logGroupName": "/shop/a", "tags": {"stack": "shop"}})).unwrap();
    let tags = json!([{"Key": "stack", "Value": "other"}]);
    call(sandbox, "ssm", "PutParameter", json!({"Name": "/shop/p", "Type": "String", "Value": "v", "Tags": tags}))
        .unwrap();
    let vpc = [
        ("CidrBlock", "10.0.0.0/16"),
        ("TagSpecification.1.ResourceType", "vpc"),
        ("TagSpecification.1.Tag.1.Key", "stack"),
        ("TagSpecification.1.Tag.1.Value", "shop"),
    ];
    crate::testing::ec2(sandbox, "CreateVpc", &vpc).unwrap();
}

#[test]
fn what_has_a_tag_is_found_by_it_and_by_its_type() {
    let sandbox = calm();
    furnish(&sandbox);
    let of = |value: &str| json!([{"Key": "stack", "Values": [value]}]);
    let shop = arns(&sandbox, json!({"TagFilters": of("shop")}));
    assert_eq!(shop.len(), 3, "{shop:?}");
    assert!(shop[0].starts_with("arn:aws:ec2:us-east-1:123456789012:vpc/vpc-"));
    assert_eq!(shop[1], "arn:aws:logs:us-east-1:123456789012:log-group:/shop/a");
    assert_eq!(shop[2], "arn:aws:sns:us-east-1:123456789012:shop-t");
    assert_eq!(
        arns(&sandbox, json!({"TagFilters": of("other")})),
        ["arn:aws:ssm:us-east-1:123456789012:parameter/shop/p"]
    );
    assert_eq!(arns(&sandbox, json!({"ResourceTypeFilters": ["ec2:vpc", "sns"]})).len(), 2);
    let page = call(&sandbox, "tagging", "GetResources", json!({"ResourcesPerPage": 2})).unwrap();
    let rest = arns(&sandbox, json!({"ResourcesPerPage": 2, "PaginationToken": page["PaginationToken"]}));
    assert_eq!((page["ResourceTagMappingList"].as_array().unwrap().len(), rest.len()), (2, 2));
    assert_eq!(
        code(call(&sandbox, "tagging", "GetResources", json!({"ResourcesPerPage": 0}))),
        "InvalidParameterException"
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_is_heard_of_some_seconds_late() {
    let sandbox = calm();
    sandbox.set_weather(Weather { stale_reads: Duration::from_secs(4), ..Weather::calm() });
    furnish(&sandbox);
    assert!(arns(&sandbox, json!({})).len() < 4);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(arns(&sandbox, json!({})).len(), 4);
    query(&sandbox, "sns", "DeleteTopic", &[("TopicArn", "arn:aws:sns:us-east-1:123456789012:shop-t")]).unwrap();
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(arns(&sandbox, json!({})).len(), 3);
}
