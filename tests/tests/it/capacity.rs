//! Instances for the tasks: tied to their capacity provider from the first, and named when they do not suffice.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use wharf::operations::Wanted;
use wharf::rollout::machine::Ending;
use wharf_tests::served::Served;
use wharf_tests::service::Stage;
use wharf_tests::stack::{World, config, in_virtual_time};
use wharf_tests::target;

/// A worker: without a port, so without a load balancer that would take its time.
const WORKER: &str = "[network]\negress = \"public\"\n[cluster]\nmin = 2\nmax = 2\n[services.web]\n";

#[test]
fn every_instance_belongs_to_the_provider_and_a_worker_settles() {
    for seed in 1..4 {
        in_virtual_time(async {
            let stage = Stage::of(World::new(seed, config(WORKER)));
            stage.apply().await;
            let first = stage.push("v1").await;
            let deployed = stage.deploy("first", Wanted::Tag("v1")).await.expect("it is answered");
            assert_eq!((deployed.ending, stage.tasks(&first)), (Some(Ending::Settled), 2), "seed {seed}");
            tokio::time::sleep(Duration::from_secs(300)).await;
            let instances = stage.of_kind("ecs.container-instance");
            assert_eq!(instances.len(), 2);
            assert!(instances.iter().all(|instance| instance.text("capacityProviderName").starts_with("shop-")));
        });
    }
}

#[test]
fn a_group_of_instances_that_somebody_deleted_comes_back_with_its_provider_and_the_service_runs_again() {
    in_virtual_time(async {
        let (stage, digest) = Stage::running(config(WORKER)).await;
        let session = stage.session("by hand").await;
        let groups = stage.of_kind("autoscaling.group");
        let [group] = groups.as_slice() else { panic!("{groups:?}") };
        let delete = || session.aws.autoscaling.delete_auto_scaling_group().auto_scaling_group_name(&group.id);
        let send = || delete().force_delete(true).send();
        session.aws.call("autoscaling:DeleteAutoScalingGroup", &group.id, send).await.expect("it goes");
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(stage.tasks(&digest), 0);
        stage.apply().await;
        stage.plan_is_empty().await;
        assert_eq!(stage.tasks(&digest), 2);
    });
}

#[test]
fn instances_that_belong_to_no_provider_are_named_at_once() {
    in_virtual_time(async {
        let stage = Stage::new(config(WORKER)).await;
        stage.push("v1").await;
        tokio::time::sleep(Duration::from_secs(300)).await;
        let instances = stage.of_kind("ecs.container-instance");
        for instance in &instances {
            let orphan = |attrs: &mut serde_json::Map<_, _>, _: &mut _| drop(attrs.remove("capacityProviderName"));
            stage.world.sandbox.edit(instance.kind, &instance.id, orphan).expect("it is there");
        }
        let begun = stage.world.sandbox.now();
        let deployed = stage.deploy("first", Wanted::Tag("v1")).await.expect("it is answered");
        let Some(Ending::Failed(why)) = deployed.ending else { panic!("{deployed:#?}") };
        assert!(why.contains("No Container Instances were found in your capacity provider"), "{why}");
        assert!(instances.iter().all(|instance| why.contains(&instance.id)), "{why}");
        assert!(stage.world.sandbox.now().duration_since(begun).as_secs() < 60);
    });
}

/// The binary itself, on an empty account that is served and whose time goes fast.
#[test]
fn the_binary_applies_and_deploys_a_worker() {
    let served = in_virtual_time(async { Served::copy_of(&World::calm(3, config(WORKER)).sandbox, 60.0) });
    let dir = tempfile::tempdir().expect("a directory");
    let file = format!("[stack]\nname = \"shop\"\nregion = \"us-east-1\"\n{WORKER}");
    std::fs::write(dir.path().join("wharf.toml"), file).expect("a stack file");
    let wharf = |arguments: &[&str]| {
        let mut command = Command::new(target().join("debug/wharf"));
        command.args(["--config", "wharf.toml", "--endpoint-url", &served.url]).args(arguments);
        command.current_dir(&dir).env_clear().env("USER", "tester").env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_ACCESS_KEY_ID", "sandbox").env("AWS_SECRET_ACCESS_KEY", "sandbox").stdin(Stdio::null());
        let output = command.output().expect("wharf can be started; `cargo build -p wharf` builds it");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    wharf(&["apply", "--yes", "--functions", "sandbox"]);
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 1}, "layers": []});
    let served_world = World::in_account(served.sandbox.clone(), config(WORKER));
    let push = async {
        let session = served_world.session("push").await.expect("the account can be reached");
        let put = session.aws.ecr.put_image().repository_name("shop/web").image_tag("v1");
        put.image_manifest(manifest.to_string()).send().await.expect("an image can be pushed");
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(push);
    wharf(&["deploy", "web"]);
    let tasks = served.sandbox.of_kind("ecs.task");
    assert_eq!(tasks.iter().filter(|task| task.text("lastStatus") == "RUNNING").count(), 2);
}
