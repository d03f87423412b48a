//! Certificates live in the sandbox from their request to their deletion.

use wharf_engine::{Class, Health};

use super::certificate::Certificate;
use super::issued::IssuedCertificate;
use crate::aws::route53::record::Record;
use crate::aws::route53::zone::{self, Zone};
use crate::aws::testing::{World, out};
use crate::aws::units::Seconds;
use crate::aws::{Out, Tags};

pub(crate) fn certificate() -> Certificate {
    Certificate {
        domain: "shop.example.com".to_owned(),
        alternative_names: vec!["*.shop.example.com".to_owned(), "mail.example.com".to_owned()],
        tags: Tags::from([("team".to_owned(), "a".to_owned())]),
    }
}

#[test]
fn a_wildcard_is_proven_by_the_record_of_the_name_below() {
    assert_eq!(certificate().proven_domains(), ["mail.example.com", "shop.example.com"]);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_names_its_records_before_it_is_issued_and_is_issued_once_they_stand() {
    let world = World::with_zone("example.com").await;
    let zone = zone::find_public(&world.aws, "example.com").await.unwrap().unwrap();
    let made = world.create("edge.certificate", &certificate()).await;
    let mut records = Vec::new();
    for domain in certificate().proven_domains() {
        let name: Out<String> = out(&made, &format!("record-name/{domain}"));
        let value: Out<String> = out(&made, &format!("record-value/{domain}"));
        let record = Record::plain(zone.id.as_str().into(), name, "CNAME", Seconds(60), vec![value]);
        records.push(world.create(&format!("edge.record-{}", records.len()), &record).await);
    }
    let wanted = IssuedCertificate {
        certificate: out(&made, "arn"),
        zone: Some(zone.id.as_str().into()),
        records: records.iter().map(|record| out(record, "name")).collect(),
    };
    let begun = tokio::time::Instant::now();
    let issued = world.create("edge.certificate-issued", &wanted).await;
    assert!(begun.elapsed() > std::time::Duration::from_secs(30), "AWS has to look first");
    let tags = Tags::from([("team".to_owned(), "b".to_owned())]);
    let made = world.update(&made, &Certificate { tags, ..certificate() }).await;
    world.delete::<IssuedCertificate>(&issued).await;
    for record in &records {
        world.delete::<Record>(record).await;
    }
    world.delete::<Certificate>(&made).await;
    assert!(world.sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_nobody_asks_is_refused_at_once() {
    let world = World::calm().await;
    let zone = Zone { name: "example.com".to_owned(), comment: String::new(), marked: true, tags: Tags::new() };
    let zone = world.create("edge.zone", &zone).await;
    let made = world.create("edge.certificate", &certificate()).await;
    let wanted =
        IssuedCertificate { certificate: out(&made, "arn"), zone: Some(out(&zone, "id")), records: Vec::new() };
    let id = wharf_engine::LogicalId::new("edge.certificate-issued").unwrap();
    let generation = wharf_engine::Generation::from_tag("0a1b2c3d");
    let new = crate::aws::New { id: &id, generation: &generation, stack: "shop", token: "t" };
    let refused = crate::aws::Kind::create(&wanted, &world.aws, &new).await.unwrap_err();
    assert_eq!(refused.class, Class::Invalid);
    assert!(refused.hint.unwrap().contains("name these servers"));
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_nobody_proved_in_time_has_failed() {
    let world = World::calm().await;
    let made = world.create("edge.certificate", &certificate()).await;
    tokio::time::sleep(std::time::Duration::from_secs(73 * 3600)).await;
    let found = world.find::<Certificate>(&made.id).await.unwrap();
    assert!(matches!(found.health, Health::Failed(_)), "{:?}", found.health);
}
