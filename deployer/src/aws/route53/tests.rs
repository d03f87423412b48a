//! Zones and records live in the sandbox from their creation to their deletion.

use wharf_engine::Identity;

use super::delegation::{self, Delegation};
use super::record::{Alias, Record};
use super::zone::{self, Zone, ZoneId};
use crate::aws::testing::{World, out};
use crate::aws::units::Seconds;
use crate::aws::{Out, Tags};

fn zone() -> Zone {
    let tags = Tags::from([("team".to_owned(), "a".to_owned())]);
    Zone { name: "example.com".to_owned(), comment: "the shop's".to_owned(), marked: true, tags }
}

fn plain(zone: &Out<ZoneId>, name: &str, kind: &str, value: &str) -> Record {
    Record::plain(zone.clone(), name, kind, Seconds(60), vec![value.into()])
}

#[tokio::test(start_paused = true)]
async fn a_zone_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let made = world.create("edge.zone", &zone()).await;
    let tags = Tags::from([("team".to_owned(), "b".to_owned())]);
    let made = world.update(&made, &Zone { comment: "another".to_owned(), tags, ..zone() }).await;
    world.delete::<Zone>(&made).await;
    assert!(world.sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_zone_whose_tags_were_never_written_is_the_stacks_by_its_reference_and_gets_them() {
    let world = World::calm().await;
    let made = world.create("edge.zone", &zone()).await;
    let tags = || world.sandbox.resource("route53.hosted-zone", &made.physical).unwrap().tags;
    let whole = tags();
    world.sandbox.edit("route53.hosted-zone", &made.physical, |_, tags| tags.clear()).unwrap();
    let found = world.find::<Zone>(&made.id).await.unwrap();
    assert_eq!((&found.physical, &found.identity), (&made.physical, &made.identity));
    world.update(&found, &zone()).await;
    assert_eq!(tags(), whole);
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_was_there_before_is_found_by_its_name_and_is_not_ours() {
    let world = World::with_zone("example.com").await;
    let found = zone::find_public(&world.aws, "Example.com.").await.unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.ours, found.name_servers.len()), ("example.com", false, 4));
    assert_eq!(zone::find_public(&world.aws, "example.org").await.unwrap(), None);
    assert_eq!(delegation::of(&world.aws, &found.name, &found.name_servers).await, Delegation::Asked);
    let id = wharf_engine::LogicalId::new("edge.zone").unwrap();
    world.wanted.borrow_mut().insert(id.clone(), crate::aws::erased::to_fields(&zone()).unwrap());
    assert_eq!(world.find::<Zone>(&id).await.unwrap().identity, Identity::Foreign);
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_the_world_does_not_ask_is_told_with_the_servers_to_name() {
    let world = World::calm().await;
    let made = world.create("edge.zone", &zone()).await;
    let refused = delegation::demand(&world.aws, &made.physical).await.unwrap_err();
    assert!(refused.message.contains("example.com is not delegated"), "{}", refused.message);
    assert!(refused.hint.unwrap().contains("awsdns"));
    assert!(world.sandbox.delegate("example.com"));
    delegation::demand(&world.aws, &made.physical).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_record_lives_from_creation_to_deletion_with_its_owner_beside_it() {
    let world = World::calm().await;
    let made = world.create("edge.zone", &zone()).await;
    let zone = out(&made, "id");
    let record = world.create("edge.record", &plain(&zone, "*.example.com", "A", "192.0.2.1")).await;
    assert_eq!(record.identity, Identity::Ours(Some(wharf_engine::Generation::from_tag("0a1b2c3d"))));
    let changed = Record { ttl: Some(Seconds(300)), ..plain(&zone, "*.example.com", "A", "192.0.2.2") };
    let record = world.update(&record, &changed).await;
    world.delete::<Record>(&record).await;
    world.delete::<Zone>(&made).await;
    assert!(world.sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_validation_record_with_two_users_goes_with_the_last() {
    let world = World::calm().await;
    let made = world.create("edge.zone", &zone()).await;
    let zone = out(&made, "id");
    let record = plain(&zone, "_x.example.com", "CNAME", "_y.acm-validations.aws");
    let first = world.create("edge.first", &record).await;
    let second = world.create("edge.second", &record).await;
    assert_eq!(first.physical, second.physical);
    world.delete::<Record>(&first).await;
    let second = world.find::<Record>(&second.id).await.unwrap();
    world.delete::<Record>(&second).await;
    world.delete::<Zone>(&made).await;
    assert!(world.sandbox.inventory().is_empty());
}

/// Somebody makes a record by hand.
async fn by_hand(world: &World, zone: &str, record: &Record) {
    use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch};
    let change = Change::builder().action(ChangeAction::Create).resource_record_set(record.set().unwrap());
    let batch = ChangeBatch::builder().changes(change.build().unwrap()).build().unwrap();
    let send = world.aws.route53.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send();
    world.elsewhere(send).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_record_that_somebody_made_by_hand_is_shared_when_it_says_the_same_and_stays() {
    let world = World::calm().await;
    let made = world.create("edge.zone", &zone()).await;
    let record = plain(&out(&made, "id"), "_x.example.com", "CNAME", "_y.acm-validations.aws");
    by_hand(&world, &made.physical, &record).await;
    let shared = world.create("edge.record", &record).await;
    world.delete::<Record>(&shared).await;
    let left = world.sandbox.inventory();
    let names: Vec<&str> =
        left.iter().filter(|r| r.kind == "route53.record-set" && !r.aws_made).map(|r| r.text("Name")).collect();
    assert_eq!(names, ["_x.example.com."]);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_says_something_else_is_foreign_and_not_written_over() {
    let world = World::calm().await;
    let made = world.create("edge.zone", &zone()).await;
    let zone = out(&made, "id");
    by_hand(&world, &made.physical, &plain(&zone, "shop.example.com", "A", "192.0.2.1")).await;
    let wanted = plain(&zone, "shop.example.com", "A", "192.0.2.2");
    let id = wharf_engine::LogicalId::new("edge.record").unwrap();
    world.wanted.borrow_mut().insert(id.clone(), crate::aws::erased::to_fields(&wanted).unwrap());
    assert_eq!(world.find::<Record>(&id).await.unwrap().identity, Identity::Foreign);
    let generation = wharf_engine::Generation::from_tag("0a1b2c3d");
    let new = crate::aws::New { id: &id, generation: &generation, stack: "shop", token: "t" };
    let refused = crate::aws::Kind::create(&wanted, &world.aws, &new).await.unwrap_err();
    assert_eq!(refused.class, wharf_engine::Class::Invalid);
    assert!(refused.message.contains("no stack made it"), "{}", refused.message);
}

#[test]
fn an_alias_is_read_as_it_is_written() {
    let alias = Alias { target: "a.elb.amazonaws.com".into(), zone: "Z1".into(), evaluate_health: false };
    let record = Record {
        zone: "Z2".into(),
        name: "shop.example.com".into(),
        kind: "A".to_owned(),
        alias: Some(alias),
        ttl: None,
        values: Vec::new(),
    };
    let set = record.set().unwrap();
    assert_eq!(set.alias_target().map(|alias| alias.dns_name()), Some("a.elb.amazonaws.com"));
    assert!(set.ttl().is_none() && set.resource_records().is_empty());
}
