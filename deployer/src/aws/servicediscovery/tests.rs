//! Namespaces and their services live in the sandbox from creation to deletion.

use super::namespace::Namespace;
use super::service::DiscoveryService;
use crate::aws::Tags;
use crate::aws::ec2::vpc::Vpc;
use crate::aws::testing::{World, out};
use crate::aws::units::Seconds;

fn team(name: &str) -> Tags {
    Tags::from([("team".to_owned(), name.to_owned())])
}

async fn namespace(world: &World) -> Namespace {
    let vpc = Vpc { cidr: "10.0.0.0/16".to_owned(), dns_support: true, dns_hostnames: true, tags: Tags::new() };
    let vpc = world.create("network.vpc", &vpc).await;
    Namespace {
        name: "shop.internal".to_owned(),
        vpc: out(&vpc, "id"),
        description: "names of the services".to_owned(),
        ttl: Seconds(60),
        tags: team("a"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let wanted = namespace(&world).await;
    let made = world.create("cluster.namespace", &wanted).await;
    let changed = Namespace { description: "names".to_owned(), ttl: Seconds(30), tags: team("b"), ..wanted };
    let made = world.update(&made, &changed).await;
    world.delete::<Namespace>(&made).await;
    let kinds: Vec<_> = world.sandbox.inventory().iter().map(|one| one.kind).collect();
    assert!(kinds.iter().all(|kind| kind.starts_with("ec2.")), "{kinds:?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_of_a_namespace_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let space = namespace(&world).await;
    let space = world.create("cluster.namespace", &space).await;
    let wanted = DiscoveryService {
        name: "mailhog".to_owned(),
        namespace: out(&space, "id"),
        description: "catches mail".to_owned(),
        record: "A".to_owned(),
        ttl: Seconds(10),
        tags: team("a"),
    };
    let made = world.create("services.mailhog.discovery", &wanted).await;
    let changed = DiscoveryService { description: "mail".to_owned(), ttl: Seconds(5), tags: team("b"), ..wanted };
    let made = world.update(&made, &changed).await;
    world.delete::<DiscoveryService>(&made).await;
}
