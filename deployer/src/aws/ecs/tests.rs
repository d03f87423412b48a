//! The kinds of ECS live in the sandbox from creation to deletion.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{Tag, TaskDefinitionField};
use wharf_engine::{Found, Generation, Health, LogicalId};

use super::cluster::Cluster;
use super::service::{Deployment, Service};
use super::task_definition::TaskDefinition;
use super::task_definition::container::{Container, HealthCheck, Mount, Port, Ulimit};
use crate::aws::applicationautoscaling::policy::ScalingPolicy;
use crate::aws::applicationautoscaling::target::ScalableTarget;
use crate::aws::ec2::subnet::Subnet;
use crate::aws::ec2::vpc::Vpc;
use crate::aws::kind::{Kind, New};
use crate::aws::testing::{World, out};
use crate::aws::units::Seconds;
use crate::aws::{Out, Tags, Text};

fn team(name: &str) -> Tags {
    Tags::from([("team".to_owned(), name.to_owned())])
}

fn cluster() -> Cluster {
    Cluster {
        container_insights: "enabled".to_owned(),
        exec_key: None,
        exec_log_group: None,
        exec_log_encrypted: false,
        tags: team("a"),
    }
}

/// Every setting that needs no other resource, with another value than AWS's own.
fn definition() -> TaskDefinition {
    let container = Container {
        image: Text::known("123456789012.dkr.ecr.us-east-1.amazonaws.com/web"),
        command: vec!["serve".to_owned()],
        entry_point: vec!["/init".to_owned()],
        working_directory: Some("/app".to_owned()),
        ports: vec![Port { container: 8000, protocol: "tcp".to_owned(), name: Some("http".to_owned()) }],
        env: BTreeMap::from([("A".to_owned(), Text::known("1")), ("B".to_owned(), Text::known("2"))]),
        health: Some(HealthCheck {
            command: vec!["CMD".to_owned(), "true".to_owned()],
            interval: Seconds(10),
            timeout: Seconds(3),
            retries: 2,
            start_period: Seconds(15),
        }),
        stop_timeout: Some(Seconds(25)),
        read_only_root: true,
        init_process: true,
        drop_capabilities: vec!["ALL".to_owned()],
        user: Some("1000".to_owned()),
        ulimits: BTreeMap::from([("nofile".to_owned(), Ulimit { soft: 1024, hard: 4096 })]),
        mounts: BTreeMap::from([("/tmp".to_owned(), Mount { volume: "tmp".to_owned(), read_only: false })]),
        labels: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        ..Container::default()
    };
    let volume = super::task_definition::Volume { host_path: None };
    TaskDefinition {
        family: "shop-web".to_owned(),
        network_mode: "awsvpc".to_owned(),
        compatibilities: vec!["EC2".to_owned()],
        cpu: Some(512),
        memory: Some(1024),
        architecture: "ARM64".to_owned(),
        execution_role: None,
        task_role: None,
        containers: BTreeMap::from([("web".to_owned(), container)]),
        versions: BTreeMap::from([("web".to_owned(), ":v1".to_owned())]),
        volumes: BTreeMap::from([("tmp".to_owned(), volume)]),
        tags: team("a"),
    }
}

async fn service(world: &World, definition: &Found) -> Service {
    let vpc = Vpc { cidr: "10.0.0.0/16".to_owned(), dns_support: true, dns_hostnames: true, tags: Tags::new() };
    let vpc = world.create("network.vpc", &vpc).await;
    let mut subnets = Vec::new();
    for (letter, cidr) in [("a", "10.0.0.0/24"), ("b", "10.0.1.0/24")] {
        let subnet = Subnet {
            vpc: out(&vpc, "id"),
            cidr: cidr.to_owned(),
            zone: format!("us-east-1{letter}"),
            public_ips: false,
            tags: Tags::new(),
        };
        subnets.push(out(&world.create(&format!("network.private-{letter}"), &subnet).await, "id"));
    }
    Service {
        name: "web".to_owned(),
        cluster: Out::known("shop"),
        task_definition: out(definition, "arn"),
        desired_count: 0,
        launch_type: Some("EC2".to_owned()),
        strategy: Vec::new(),
        scheduling: "REPLICA".to_owned(),
        deployment: Deployment::default(),
        spread: vec!["attribute:ecs.availability-zone".to_owned(), "instanceId".to_owned()],
        zone_rebalancing: false,
        grace_period: None,
        target_groups: Vec::new(),
        load_balancer: None,
        registries: Vec::new(),
        subnets,
        security_groups: Vec::new(),
        public_ip: false,
        exec: false,
        propagate_tags: "SERVICE".to_owned(),
        managed_tags: true,
        tags: team("a"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let made = world.create("cluster.cluster", &cluster()).await;
    let changed = Cluster { container_insights: "enhanced".to_owned(), tags: team("b"), ..cluster() };
    let made = world.update(&made, &changed).await;
    world.delete::<Cluster>(&made).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_definition_goes_with_every_revision_that_rollouts_left() {
    let world = World::calm().await;
    let made = world.create("services.web.task-definition", &definition()).await;
    let made = world.update(&made, &TaskDefinition { tags: team("b"), ..definition() }).await;
    rolled_out(&world, &made, "web:v2").await;
    world.delete::<TaskDefinition>(&made).await;
    tokio::time::sleep(std::time::Duration::from_secs(120)).await;
    assert!(world.sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_is_replaced_while_a_rollout_registers_one_like_it_leaves_what_runs() {
    let world = World::calm().await;
    world.create("cluster.cluster", &cluster()).await;
    let id = LogicalId::new("services.web.task-definition").unwrap();
    let first = world.create(id.as_str(), &definition()).await;
    let wanted = service(&world, &first).await;
    world.create("services.web.service", &wanted).await;
    let new = New { id: &id, generation: &Generation::from_tag("ffffffff"), stack: "shop", token: "t" };
    let next = TaskDefinition { memory: Some(2048), ..definition() }.create(&world.aws, &new).await.unwrap();
    // A push that came before the service runs the new one: its revision is like the old one, and the newest.
    let pushed = rolled_out(&world, &first, "web:v2").await;
    let update = world.aws.ecs.update_service().cluster("shop").service("web").task_definition(&next.physical).send();
    world.elsewhere(update).await.unwrap();
    let status = async |arn: &str| {
        let shown = world.aws.ecs.describe_task_definition().task_definition(arn).send();
        world.elsewhere(shown).await.unwrap().task_definition.unwrap().status.unwrap().as_str().to_owned()
    };

    for going in [first.physical.as_str(), &pushed] {
        let wanted = crate::aws::Query { wanted: BTreeMap::new(), only: Some((id.clone(), Some(going.to_owned()))) };
        let found = TaskDefinition::find(&world.aws, &wanted).await.unwrap().remove(0);
        TaskDefinition::delete(&world.aws, &found).await.unwrap();
        assert_eq!(status(going).await, "INACTIVE");
        assert_eq!(status(&next.physical).await, "ACTIVE");
    }
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_was_only_taken_out_of_use_is_found_unless_the_stack_wants_its_family() {
    let world = World::calm().await;
    let id = LogicalId::new("services.tidy.task-definition").unwrap();
    let made = world.create(id.as_str(), &definition()).await;
    let deregister = world.aws.ecs.deregister_task_definition().task_definition(&made.physical).send();
    world.elsewhere(deregister).await.unwrap();
    let found = async |wanted| {
        let query = crate::aws::Query { wanted, only: None };
        let found = TaskDefinition::find(&world.aws, &query).await.unwrap();
        found.into_iter().map(|found| found.physical).collect::<Vec<_>>()
    };
    assert_eq!(found(BTreeMap::from([(id, definition())])).await, [""; 0]);
    assert_eq!(found(BTreeMap::new()).await, std::slice::from_ref(&made.physical));
    world.delete::<TaskDefinition>(&made).await;
    tokio::time::sleep(std::time::Duration::from_secs(120)).await;
    assert!(world.sandbox.inventory().is_empty());
}

/// Registers what a rollout does: the same revision with another image, and its tags again. Answers its ARN.
async fn rolled_out(world: &World, now: &Found, image: &str) -> String {
    let ecs = &world.aws.ecs;
    world
        .elsewhere(async {
            let shown =
                ecs.describe_task_definition().task_definition(&now.physical).include(TaskDefinitionField::Tags);
            let shown = shown.send().await.unwrap();
            let tags: Vec<Tag> = shown.tags().to_vec();
            let old = shown.task_definition.unwrap();
            let mut containers = old.container_definitions.clone().unwrap();
            containers[0].image = Some(format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/{image}"));
            let register = ecs
                .register_task_definition()
                .family(old.family.clone().unwrap())
                .network_mode(old.network_mode.clone().unwrap())
                .set_requires_compatibilities(old.requires_compatibilities.clone())
                .set_cpu(old.cpu.clone())
                .set_memory(old.memory.clone())
                .set_runtime_platform(old.runtime_platform.clone())
                .set_container_definitions(Some(containers))
                .set_volumes(old.volumes.clone())
                .set_tags(Some(tags));
            register.send().await.unwrap().task_definition.unwrap().task_definition_arn.unwrap()
        })
        .await
}

#[tokio::test(start_paused = true)]
async fn a_service_lives_from_creation_to_deletion_and_what_a_rollout_runs_is_kept() {
    let world = World::calm().await;
    let home = world.create("cluster.cluster", &cluster()).await;
    let id = "services.web.task-definition";
    let first = world.create(id, &definition()).await;
    let wanted = service(&world, &first).await;
    let made = world.create("services.web.service", &wanted).await;

    // A push: another revision, and the service runs it.
    let pushed = rolled_out(&world, &first, "web:v2").await;
    let update = world.aws.ecs.update_service().cluster("shop").service("web").task_definition(&pushed).send();
    world.elsewhere(update).await.unwrap();
    let now = world.find::<TaskDefinition>(&LogicalId::new(id).unwrap()).await.unwrap();
    assert_eq!(now.physical, pushed);
    let fields = crate::aws::erased::to_fields(&definition()).unwrap();
    assert!(wharf_engine::diff(TaskDefinition::RULES, &fields, &now).is_empty());

    // An apply that changes something else: a new revision with the image that runs.
    let logical = LogicalId::new(id).unwrap();
    let generation = Generation::from_tag("ffffffff");
    let new = New { id: &logical, generation: &generation, stack: "shop", token: "t" };
    let bigger = TaskDefinition { memory: Some(2048), ..definition() };
    let next = bigger.create(&world.aws, &new).await.unwrap();
    let shown = world.aws.ecs.describe_task_definition().task_definition(&next.physical).send();
    let shown = world.elsewhere(shown).await.unwrap().task_definition.unwrap();
    assert!(shown.container_definitions()[0].image().unwrap().ends_with("/web:v2"));

    // What the run did not come to use is used by the next: both are found.
    let kind = crate::aws::erased::Erased::<TaskDefinition>::default();
    let both = crate::aws::AnyKind::find(&kind, &world.aws, BTreeMap::new(), None).await.unwrap();
    assert_eq!(both.len(), 2);
    assert!([&home, &made].iter().all(|found| found.health == Health::Ready));
}

#[tokio::test(start_paused = true)]
async fn a_service_changes_in_place_and_goes_by_force() {
    let world = World::calm().await;
    world.create("cluster.cluster", &cluster()).await;
    let first = world.create("services.web.task-definition", &definition()).await;
    let wanted = service(&world, &first).await;
    let made = world.create("services.web.service", &wanted).await;
    assert_eq!(made.health, Health::Ready);
    let changed = Service {
        deployment: Deployment { min_percent: 50, rollback: false, ..Deployment::default() },
        spread: vec!["attribute:ecs.availability-zone".to_owned()],
        zone_rebalancing: true,
        subnets: wanted.subnets[..1].to_vec(),
        exec: true,
        propagate_tags: "TASK_DEFINITION".to_owned(),
        managed_tags: false,
        tags: team("b"),
        ..wanted
    };
    let made = world.update(&made, &changed).await;
    world.delete::<Service>(&made).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_scales_between_its_bounds_by_its_policies() {
    let world = World::calm().await;
    world.create("cluster.cluster", &cluster()).await;
    let first = world.create("services.web.task-definition", &definition()).await;
    let wanted = service(&world, &first).await;
    world.create("services.web.service", &wanted).await;
    let target = ScalableTarget {
        cluster: Out::known("shop"),
        service: Out::known("web"),
        min: 2,
        max: 6,
        suspended: false,
        tags: team("a"),
    };
    let bounds = world.create("services.web.scaling", &target).await;
    let changed = ScalableTarget { min: 1, max: 8, suspended: true, tags: team("b"), ..target };
    let bounds = world.update(&bounds, &changed).await;
    let policy = ScalingPolicy {
        target: out(&bounds, "resource"),
        metric: "ECSServiceAverageCPUUtilization".to_owned(),
        resource_label: None,
        value: 60,
        scale_in_cooldown: Seconds(300),
        scale_out_cooldown: Seconds(60),
        scale_in: true,
    };
    let made = world.create("services.web.scaling-cpu", &policy).await;
    let changed = ScalingPolicy { value: 50, scale_in: false, scale_out_cooldown: Seconds(30), ..policy };
    let made = world.update(&made, &changed).await;
    world.delete::<ScalingPolicy>(&made).await;
    world.delete::<ScalableTarget>(&bounds).await;
}
