//! What of scalable targets and policies needs no service to scale; with one they are tried in the tests of ECS.

use super::target::ScalableTarget;
use crate::aws::kind::Kind;
use crate::aws::testing::World;
use crate::aws::{Out, Tags};
use wharf_engine::{Class, Generation, LogicalId};

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_there_yet_is_waited_for() {
    let world = World::calm().await;
    let id = LogicalId::new("services.web.scaling").unwrap();
    let generation = Generation::from_tag("0a1b2c3d");
    let new = crate::aws::New { id: &id, generation: &generation, stack: "shop", token: "t" };
    let (cluster, service) = (Out::known("shop"), Out::known("web"));
    let target = ScalableTarget { cluster, service, min: 2, max: 6, suspended: false, tags: Tags::new() };
    assert_eq!(target.create(&world.aws, &new).await.unwrap_err().class, Class::NotYetVisible);
}
