//! What must hold of certificates, seen from outside.

use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, json as call};
use crate::testing::calm;

fn acm(sandbox: &Sandbox, operation: &str, input: Value) -> Result<Value, Refusal> {
    call(sandbox, "acm", operation, input)
}

fn request(sandbox: &Sandbox, more: &Value) -> Result<Value, Refusal> {
    let mut input = json!({"DomainName": "shop.example.com", "ValidationMethod": "DNS", "IdempotencyToken": "t"});
    for (name, value) in more.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    acm(sandbox, "RequestCertificate", input)
}

fn arn(answer: Result<Value, Refusal>) -> String {
    answer.unwrap()["CertificateArn"].as_str().unwrap().to_owned()
}

fn described(sandbox: &Sandbox, arn: &str) -> Value {
    acm(sandbox, "DescribeCertificate", json!({"CertificateArn": arn})).unwrap()["Certificate"].clone()
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

/// Makes the record that proves the certificate's first name, in the zone `example.com`.
fn prove(sandbox: &Sandbox, arn: &str) {
    let record = described(sandbox, arn)["DomainValidationOptions"][0]["ResourceRecord"].clone();
    sandbox.with(|ctx| {
        let zone = ctx.all("route53.hosted-zone").pop().unwrap();
        let name = record["Name"].as_str().unwrap();
        let labels: Vec<&str> = name.trim_end_matches('.').rsplit('.').collect();
        let id = format!("{}|{}|CNAME", zone.id, labels.join("."));
        let values = json!([{"Value": record["Value"]}]);
        let set = json!({"Name": name, "Type": "CNAME", "TTL": 60, "ResourceRecords": values, "_zone": zone.id});
        let set = ctx.resource("route53.record-set", id, set);
        ctx.insert(set);
    });
}

#[tokio::test(start_paused = true)]
async fn a_certificate_is_issued_minutes_after_its_record_stands_in_a_zone_that_the_world_asks() {
    let sandbox = Sandbox::builder().weather(crate::Weather::calm()).zone("example.com").build();
    let arn = arn(request(&sandbox, &json!({})));
    let shown = described(&sandbox, &arn);
    assert!(shown["DomainValidationOptions"][0].get("ResourceRecord").is_none());
    pass(10).await;
    prove(&sandbox, &arn);
    assert_eq!(described(&sandbox, &arn)["Status"], "PENDING_VALIDATION");
    pass(300).await;
    let shown = described(&sandbox, &arn);
    assert_eq!((&shown["Status"], &shown["KeyAlgorithm"]), (&json!("ISSUED"), &json!("RSA-2048")));
    acm(&sandbox, "DeleteCertificate", json!({"CertificateArn": arn})).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_the_world_does_not_ask_proves_nothing() {
    let sandbox = calm();
    sandbox.with(|ctx| {
        crate::services::route53::exists_beforehand(ctx, "example.com");
        let zone = ctx.all("route53.hosted-zone").pop().unwrap().id.clone();
        ctx.update("route53.hosted-zone", &zone, |zone| zone.set("_delegated", false));
    });
    let arn = arn(request(&sandbox, &json!({})));
    pass(10).await;
    prove(&sandbox, &arn);
    pass(3600).await;
    assert_eq!(described(&sandbox, &arn)["Status"], "PENDING_VALIDATION");
    assert!(sandbox.delegate("example.com"));
    pass(300).await;
    assert_eq!(described(&sandbox, &arn)["Status"], "ISSUED");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_proves_times_out_after_three_days() {
    let sandbox = calm();
    let arn = arn(request(&sandbox, &json!({})));
    pass(72 * 3600 + 300).await;
    assert_eq!(described(&sandbox, &arn)["Status"], "VALIDATION_TIMED_OUT");
}

#[tokio::test(start_paused = true)]
async fn a_request_repeated_with_its_token_is_the_same_certificate_for_an_hour() {
    let sandbox = calm();
    let first = arn(request(&sandbox, &json!({})));
    assert_eq!(arn(request(&sandbox, &json!({}))), first);
    assert_ne!(arn(request(&sandbox, &json!({"IdempotencyToken": "u"}))), first);
    pass(3700).await;
    assert_ne!(arn(request(&sandbox, &json!({}))), first);
}

#[tokio::test(start_paused = true)]
async fn two_certificates_of_a_domain_and_its_wildcard_have_one_record() {
    let sandbox = calm();
    let first = arn(request(&sandbox, &json!({})));
    let other = json!({"SubjectAlternativeNames": ["*.shop.example.com"], "IdempotencyToken": "u"});
    let other = arn(request(&sandbox, &other));
    pass(10).await;
    let record = |arn: &str, n: usize| described(&sandbox, arn)["DomainValidationOptions"][n]["ResourceRecord"].clone();
    assert_eq!(record(&other, 0), record(&other, 1));
    assert_eq!(record(&first, 0), record(&other, 0));
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_a_listener_shows_stays_until_minutes_after_it_went() {
    let sandbox = calm();
    let certificate = arn(request(&sandbox, &json!({})));
    let listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/a/b/c";
    sandbox.with(|ctx| {
        let attrs = json!({"LoadBalancerArn": "balancer", "Certificates": [{"CertificateArn": certificate}]});
        let made = ctx.resource("elasticloadbalancing.listener", listener, attrs);
        ctx.insert(made);
    });
    let delete = || acm(&sandbox, "DeleteCertificate", json!({"CertificateArn": certificate}));
    assert_eq!(code(delete()), "ResourceInUseException");
    assert_eq!(described(&sandbox, &certificate)["InUseBy"], json!(["balancer"]));
    let gone = [("ListenerArn", listener)];
    crate::services::testing::query(&sandbox, "elasticloadbalancing", "DeleteListener", &gone).unwrap();
    assert_eq!(code(delete()), "ResourceInUseException");
    pass(130).await;
    delete().unwrap();
}

#[test]
fn a_list_leaves_out_keys_that_nobody_asked_for() {
    let sandbox = calm();
    request(&sandbox, &json!({"KeyAlgorithm": "EC_prime256v1"})).unwrap();
    let count = |includes: Value| {
        let answer = acm(&sandbox, "ListCertificates", json!({"Includes": includes})).unwrap();
        answer["CertificateSummaryList"].as_array().unwrap().len()
    };
    assert_eq!((count(json!({})), count(json!({"keyTypes": ["EC_prime256v1"]}))), (0, 1));
}

#[test]
fn tags_come_with_the_request_and_change_later() {
    let sandbox = calm();
    let tag = |key: &str| json!([{"Key": key, "Value": "v"}]);
    let arn = arn(request(&sandbox, &json!({"Tags": tag("a")})));
    acm(&sandbox, "AddTagsToCertificate", json!({"CertificateArn": arn, "Tags": tag("b")})).unwrap();
    acm(&sandbox, "RemoveTagsFromCertificate", json!({"CertificateArn": arn, "Tags": tag("a")})).unwrap();
    let tags = acm(&sandbox, "ListTagsForCertificate", json!({"CertificateArn": arn})).unwrap();
    assert_eq!(tags["Tags"], tag("b"));
    assert_eq!(code(request(&sandbox, &json!({"Tags": tag("aws:x")}))), "InvalidTagException");
}
