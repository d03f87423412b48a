//! What must hold of Cloud Map, seen from outside.

use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, json as call};
use crate::testing::{calm, ec2_id};

fn map(sandbox: &Sandbox, operation: &str, input: Value) -> Result<Value, Refusal> {
    call(sandbox, "servicediscovery", operation, input)
}

async fn namespace(sandbox: &Sandbox) -> Value {
    let vpc = ec2_id(sandbox, "CreateVpc", "vpcId", &[("CidrBlock", "10.0.0.0/16")]);
    let input =
        json!({"Name": "shop.internal", "Vpc": vpc, "CreatorRequestId": "a", "Tags": [{"Key": "k", "Value": "v"}]});
    let begun = map(sandbox, "CreatePrivateDnsNamespace", input.clone()).unwrap();
    assert_eq!(code(map(sandbox, "CreatePrivateDnsNamespace", input)), "DuplicateRequest");
    let operation = || map(sandbox, "GetOperation", begun.clone()).unwrap()["Operation"].clone();
    assert_eq!(operation()["Status"], "SUBMITTED");
    assert_eq!(map(sandbox, "ListNamespaces", json!({})).unwrap()["Namespaces"], json!([]));
    tokio::time::advance(Duration::from_secs(120)).await;
    assert_eq!(operation()["Status"], "SUCCESS");
    operation()["Targets"]["NAMESPACE"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_namespace_comes_with_its_operation_and_goes_only_when_it_is_empty() {
    let sandbox = calm();
    let id = namespace(&sandbox).await;
    let filter = json!({"Filters": [{"Name": "TYPE", "Values": ["DNS_PRIVATE"]}]});
    assert_eq!(map(&sandbox, "ListNamespaces", filter).unwrap()["Namespaces"][0]["ServiceCount"], 0);
    let dns = json!({"DnsRecords": [{"Type": "A", "TTL": 10}]});
    let service = json!({"Name": "mail", "NamespaceId": id, "DnsConfig": dns, "HealthCheckCustomConfig": {"FailureThreshold": 3}});
    let made = map(&sandbox, "CreateService", service.clone()).unwrap()["Service"].clone();
    assert_eq!((&made["DnsConfig"]["RoutingPolicy"], &made["Type"]), (&json!("MULTIVALUE"), &json!("DNS_HTTP")));
    assert_eq!(made["HealthCheckCustomConfig"]["FailureThreshold"], 1);
    assert_eq!(code(map(&sandbox, "CreateService", service)), "ServiceAlreadyExists");
    assert_eq!(code(map(&sandbox, "DeleteNamespace", json!({"Id": id}))), "ResourceInUse");
    map(&sandbox, "DeleteService", json!({"Id": made["Id"]})).unwrap();
    map(&sandbox, "DeleteNamespace", json!({"Id": id})).unwrap();
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(code(map(&sandbox, "GetNamespace", json!({"Id": id}))), "NamespaceNotFound");
}

#[tokio::test(start_paused = true)]
async fn a_service_with_instances_is_found_by_name_and_not_deleted() {
    let sandbox = calm();
    let id = namespace(&sandbox).await;
    let dns = json!({"DnsRecords": [{"Type": "A", "TTL": 10}]});
    let made = map(&sandbox, "CreateService", json!({"Name": "mail", "NamespaceId": id, "DnsConfig": dns})).unwrap();
    let service = made["Service"]["Arn"].as_str().unwrap().to_owned();
    let instance = json!({"ServiceId": service, "InstanceId": "task-1"});
    let mut registered = instance.clone();
    registered["Attributes"] = json!({"AWS_INSTANCE_IPV4": "10.0.0.9"});
    map(&sandbox, "RegisterInstance", registered).unwrap();
    let asked = json!({"NamespaceName": "shop.internal", "ServiceName": "mail"});
    let found = map(&sandbox, "DiscoverInstances", asked).unwrap();
    assert_eq!(found["Instances"][0]["Attributes"]["AWS_INSTANCE_IPV4"], "10.0.0.9");
    assert_eq!(code(map(&sandbox, "DeleteService", json!({"Id": made["Service"]["Id"]}))), "ResourceInUse");
    map(&sandbox, "DeregisterInstance", instance).unwrap();
    map(&sandbox, "DeleteService", json!({"Id": made["Service"]["Id"]})).unwrap();
}

#[tokio::test(start_paused = true)]
async fn tags_are_listed_written_and_taken_off() {
    let sandbox = calm();
    let id = namespace(&sandbox).await;
    let arn = map(&sandbox, "GetNamespace", json!({"Id": id})).unwrap()["Namespace"]["Arn"].clone();
    let tags = || map(&sandbox, "ListTagsForResource", json!({"ResourceARN": arn})).unwrap()["Tags"].clone();
    assert_eq!(tags(), json!([{"Key": "k", "Value": "v"}]));
    map(&sandbox, "TagResource", json!({"ResourceARN": arn, "Tags": [{"Key": "l", "Value": "w"}]})).unwrap();
    map(&sandbox, "UntagResource", json!({"ResourceARN": arn, "TagKeys": ["k"]})).unwrap();
    assert_eq!(tags(), json!([{"Key": "l", "Value": "w"}]));
}
