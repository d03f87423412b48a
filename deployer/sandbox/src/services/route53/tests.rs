//! What must hold of hosted zones and their records, seen from outside.

use std::time::Duration;

use crate::dispatch::Delivery;
use crate::sandbox::Sandbox;
use crate::testing::{calm, text};
use crate::wire::Request;

/// A call by its path; answers the body, or the error's code.
fn call(sandbox: &Sandbox, method: &str, uri: &str, body: &str) -> Result<String, String> {
    let authorization = "AWS4-HMAC-SHA256 Credential=AKID/20260105/us-east-1/route53/aws4_request, Signature=0";
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let request = Request {
        method: method.to_owned(),
        path: format!("/2013-04-01/{path}"),
        query: query.to_owned(),
        headers: vec![("authorization".to_owned(), authorization.to_owned())],
        body: body.as_bytes().to_vec(),
    };
    let Delivery::Answer(response) = sandbox.call(&request).delivery else { return Err("no answer".to_owned()) };
    let body = String::from_utf8(response.body).unwrap();
    if response.status < 300 { Ok(body) } else { Err(text(&body, "Code").unwrap_or(body)) }
}

fn create(sandbox: &Sandbox, name: &str, reference: &str) -> Result<String, String> {
    let body = format!(
        "<CreateHostedZoneRequest><Name>{name}</Name><CallerReference>{reference}</CallerReference><HostedZoneConfig><Comment>c</Comment></HostedZoneConfig></CreateHostedZoneRequest>"
    );
    call(sandbox, "POST", "hostedzone", &body)
}

fn zone(sandbox: &Sandbox) -> String {
    id_of(&create(sandbox, "example.com", "one").unwrap())
}

/// The id of the zone in the answer of its creation.
fn id_of(answer: &str) -> String {
    let zone = answer.split_once("<HostedZone>").unwrap().1;
    text(zone, "Id").unwrap().trim_start_matches("/hostedzone/").to_owned()
}

fn set(name: &str, kind: &str, value: &str) -> String {
    format!(
        "<ResourceRecordSet><Name>{name}</Name><Type>{kind}</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>{value}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>"
    )
}

fn change(sandbox: &Sandbox, zone: &str, changes: &[(&str, String)]) -> Result<String, String> {
    let changes: String =
        changes.iter().map(|(action, set)| format!("<Change><Action>{action}</Action>{set}</Change>")).collect();
    let body = format!(
        "<ChangeResourceRecordSetsRequest><ChangeBatch><Changes>{changes}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
    );
    call(sandbox, "POST", &format!("hostedzone/{zone}/rrset/"), &body)
}

fn list(sandbox: &Sandbox, zone: &str, query: &str) -> String {
    call(sandbox, "GET", &format!("hostedzone/{zone}/rrset{query}"), "").unwrap()
}

#[test]
fn a_zone_is_made_once_for_a_reference_and_has_its_own_records() {
    let sandbox = calm();
    let id = zone(&sandbox);
    assert_eq!(create(&sandbox, "example.com", "one").unwrap_err(), "HostedZoneAlreadyExists");
    let got = call(&sandbox, "GET", &format!("hostedzone/{id}"), "").unwrap();
    assert_eq!(got.matches("<NameServer>").count(), 4);
    assert_eq!(text(&got, "ResourceRecordSetCount").as_deref(), Some("2"));
    assert_eq!(text(&got, "Name").as_deref(), Some("example.com."));
    call(&sandbox, "DELETE", &format!("hostedzone/{id}"), "").unwrap();
    assert_eq!(call(&sandbox, "GET", &format!("hostedzone/{id}"), "").unwrap_err(), "NoSuchHostedZone");
    assert!(sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_takes_a_while_to_reach_all_servers() {
    let sandbox = calm();
    let answer = change(&sandbox, &zone(&sandbox), &[("CREATE", set("a.example.com", "A", "192.0.2.1"))]).unwrap();
    let id = text(&answer, "Id").unwrap();
    let status = || text(&call(&sandbox, "GET", id.trim_start_matches('/'), "").unwrap(), "Status").unwrap();
    assert_eq!(status(), "PENDING");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(status(), "INSYNC");
}

#[test]
fn a_batch_is_done_whole_or_not_at_all() {
    let sandbox = calm();
    let id = zone(&sandbox);
    let good = ("CREATE", set("a.example.com", "A", "192.0.2.1"));
    let bad = ("DELETE", set("b.example.com", "A", "192.0.2.1"));
    assert_eq!(change(&sandbox, &id, &[good.clone(), bad]).unwrap_err(), "InvalidChangeBatch");
    assert!(!list(&sandbox, &id, "").contains("a.example.com"));
    change(&sandbox, &id, std::slice::from_ref(&good)).unwrap();
    assert_eq!(change(&sandbox, &id, &[good]).unwrap_err(), "InvalidChangeBatch");
    let other = ("DELETE", set("a.example.com", "A", "192.0.2.2"));
    assert_eq!(change(&sandbox, &id, &[other]).unwrap_err(), "InvalidChangeBatch");
    assert_eq!(call(&sandbox, "DELETE", &format!("hostedzone/{id}"), "").unwrap_err(), "HostedZoneNotEmpty");
}

#[test]
fn records_that_aws_refuses_are_refused() {
    let sandbox = calm();
    let id = zone(&sandbox);
    for (name, kind, value) in [
        ("a.example.org", "A", "192.0.2.1"),
        ("example.com", "CNAME", "a.example.org"),
        ("t.example.com", "TXT", "no quotes"),
        ("a.example.com", "A", "nowhere"),
    ] {
        assert_eq!(change(&sandbox, &id, &[("UPSERT", set(name, kind, value))]).unwrap_err(), "InvalidChangeBatch");
    }
    let both = [("CREATE", set("c.example.com", "CNAME", "x.org")), ("CREATE", set("c.example.com", "A", "192.0.2.1"))];
    assert_eq!(change(&sandbox, &id, &both).unwrap_err(), "InvalidChangeBatch");
    let balancer = "<ResourceRecordSet><Name>a.example.com</Name><Type>A</Type><AliasTarget><HostedZoneId>Z35SXDOTRQ7X7K</HostedZoneId><DNSName>none.us-east-1.elb.amazonaws.com</DNSName><EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget></ResourceRecordSet>";
    assert_eq!(change(&sandbox, &id, &[("CREATE", balancer.to_owned())]).unwrap_err(), "InvalidChangeBatch");
}

#[test]
fn records_are_listed_by_their_names_from_behind_and_by_pages() {
    let sandbox = calm();
    let id = zone(&sandbox);
    let changes =
        ["b.a.example.com", "*.example.com", "z.example.com"].map(|name| ("CREATE", set(name, "A", "192.0.2.1")));
    change(&sandbox, &id, &changes).unwrap();
    let first = list(&sandbox, &id, "?maxitems=4");
    let names: Vec<&str> = first.split("<Name>").skip(1).filter_map(|part| part.split('<').next()).collect();
    assert_eq!(names, ["example.com.", "example.com.", "\\052.example.com.", "b.a.example.com."]);
    assert_eq!(text(&first, "NextRecordName").as_deref(), Some("z.example.com."));
    let rest = list(&sandbox, &id, "?name=z.example.com&type=A");
    assert_eq!(rest.matches("<ResourceRecordSet>").count(), 1);
}

#[test]
fn zones_are_found_by_name_and_tagged() {
    let sandbox = calm();
    let id = zone(&sandbox);
    let found = call(&sandbox, "GET", "hostedzonesbyname?dnsname=example.com&maxitems=1", "").unwrap();
    assert!(text(&found, "Id").unwrap().ends_with(&id));
    let tags =
        "<R><AddTags><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag></AddTags></R>";
    call(&sandbox, "POST", &format!("tags/hostedzone/{id}"), tags).unwrap();
    let gone = "<R><RemoveTagKeys><Key>a</Key><Key>c</Key></RemoveTagKeys></R>";
    call(&sandbox, "POST", &format!("tags/hostedzone/{id}"), gone).unwrap();
    let many = format!("<R><ResourceIds><ResourceId>{id}</ResourceId></ResourceIds></R>");
    let many = call(&sandbox, "POST", "tags/hostedzone", &many).unwrap();
    let one = call(&sandbox, "GET", &format!("tags/hostedzone/{id}"), "").unwrap();
    for answer in [many, one] {
        assert!(answer.contains("<Key>b</Key><Value>2</Value>") && !answer.contains("<Key>a</Key>"), "{answer}");
    }
}

#[test]
fn the_world_asks_a_zone_that_is_delegated_by_its_registrar_or_by_the_zone_above() {
    let sandbox = calm();
    let id = zone(&sandbox);
    change(&sandbox, &id, &[("CREATE", set("a.example.com", "A", "192.0.2.1"))]).unwrap();
    let answers = |name: &str| sandbox.with(|ctx| super::answers(ctx, name, "A"));
    assert_eq!(answers("a.example.com"), None);
    assert!(sandbox.delegate("example.com") && !sandbox.delegate("example.org"));
    assert_eq!(answers("a.example.com"), Some(vec!["192.0.2.1".to_owned()]));
    let below = create(&sandbox, "shop.example.com", "two").unwrap();
    let servers: String = below
        .split("<NameServer>")
        .skip(1)
        .filter_map(|part| part.split('<').next())
        .map(|server| format!("<ResourceRecord><Value>{server}.</Value></ResourceRecord>"))
        .collect();
    let own = id_of(&below);
    change(&sandbox, &own, &[("CREATE", set("a.shop.example.com", "A", "192.0.2.2"))]).unwrap();
    assert_eq!(answers("a.shop.example.com"), None);
    let names = format!(
        "<ResourceRecordSet><Name>shop.example.com</Name><Type>NS</Type><TTL>60</TTL><ResourceRecords>{servers}</ResourceRecords></ResourceRecordSet>"
    );
    change(&sandbox, &id, &[("CREATE", names)]).unwrap();
    assert_eq!(answers("a.shop.example.com"), Some(vec!["192.0.2.2".to_owned()]));
}
