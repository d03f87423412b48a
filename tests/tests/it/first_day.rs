//! The first day: what a stack does with an image that is there before it, and without one.

use wharf::operations::Wanted;
use wharf::rollout::machine::Ending;
use wharf::rollout::record::Status;
use wharf_sandbox::Behaviour;
use wharf_tests::service::Stage;
use wharf_tests::stack::{World, config, in_virtual_time};

const REGISTRY: &str = "[network]\negress = \"public\"\n[services.web]\nport = 8000\n";
const FILE: &str = "[network]\negress = \"public\"\n[cluster]\nmin = 2\nmax = 3\n\
    [edge]\ndomain = \"shop.example.com\"\nzone = \"example.com\"\n\
    [services.web]\nport = 8000\nhealth = \"/healthz\"\ntasks = { min = 2, max = 4 }\n\
    [services.tidy]\nschedule = \"rate(1 hour)\"\nrepository = \"web\"\n";

/// An account with the repository alone, and an image of each tag in it. Answers their digests, too.
async fn with_images(seed: u64, tags: &[&str]) -> (Stage, Vec<String>) {
    let mut stage = Stage::of(World::new(seed, config(FILE)));
    stage.world.config = config(REGISTRY);
    stage.apply().await;
    let mut digests = Vec::new();
    for tag in tags {
        digests.push(stage.push(tag).await);
    }
    stage.world.config = config(FILE);
    (stage, digests)
}

fn desired(stage: &Stage) -> Vec<i64> {
    stage.of_kind("ecs.service").iter().map(|service| service.number("desiredCount")).collect()
}

/// Bounds of the service's scaling.
fn bounds(stage: &Stage) -> Vec<(i64, i64)> {
    let targets = stage.of_kind("application-autoscaling.target");
    targets.iter().map(|target| (target.number("MinCapacity"), target.number("MaxCapacity"))).collect()
}

#[test]
fn an_image_that_is_there_at_the_first_apply_runs_pinned_by_its_digest_and_is_a_rollout_like_any() {
    for seed in 1..4 {
        in_virtual_time(async {
            let (stage, digests) = with_images(seed, &["v1", "v2", "nightly"]).await;
            stage.apply().await;
            assert_eq!((desired(&stage), stage.tasks(&digests[1])), (vec![2], 2), "seed {seed}");
            let rollout = stage.record().await.rollout.expect("a rollout");
            assert_eq!((&rollout.digest, rollout.tag.as_deref()), (&digests[1], Some("v2")));
            assert_eq!((rollout.status, rollout.command.as_str(), rollout.why), (Status::Settled, "apply", None));
            assert_eq!(bounds(&stage), [(2, 4)]);
            stage.plan_is_empty().await;
            // The schedule's task is of the same image.
            let periodic =
                stage.of_kind("ecs.task-definition").into_iter().find(|one| one.text("family") == "shop-tidy");
            assert!(periodic.expect("its revision").attrs["containerDefinitions"].to_string().contains(&digests[1]));

            let again = stage.deploy("again", Wanted::Newest("v*")).await.expect("it is answered");
            assert_eq!(again.ending, Some(Ending::NothingToDo));
            stage.push("v3").await;
            stage.deploy("third", Wanted::Tag("v3")).await.expect("it is answered");
            let back = stage.deploy("back", Wanted::Before).await.expect("it is answered");
            assert_eq!(back.digest, digests[1]);
        });
    }
}

#[test]
fn without_an_image_no_task_is_started_whatever_scales_it_and_the_first_push_sets_the_bounds() {
    in_virtual_time(async {
        let (stage, _) = with_images(1, &["nightly"]).await;
        stage.apply().await;
        stage.plan_is_empty().await;
        tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
        assert_eq!((desired(&stage), bounds(&stage)), (vec![0], vec![(0, 4)]));
        let web = |task: &wharf_sandbox::Resource| task.text("group") == "service:web";
        assert!(!stage.of_kind("ecs.task").iter().any(web));

        let first = stage.push("v1").await;
        let deployed = stage.deploy("first", Wanted::Newest("v*")).await.expect("it is answered");
        assert_eq!(deployed.ending, Some(Ending::Settled));
        assert_eq!((stage.tasks(&first), bounds(&stage)), (2, vec![(2, 4)]));
        stage.plan_is_empty().await;
    });
}

#[test]
fn a_first_version_that_does_not_run_makes_the_apply_fail_with_its_cause_and_leaves_no_task() {
    in_virtual_time(async {
        let (stage, digests) = with_images(1, &["v1"]).await;
        let prints = vec!["no such table".to_owned()];
        let crash = Behaviour { exits: Some((7, 2)), prints, ..Behaviour::default() };
        stage.world.sandbox.image_behaviour(&digests[0], &crash);
        let applied = stage.world.apply().await.expect("it is answered");
        let (_, outcome) = applied.runs.last().expect("a run");
        let failed: Vec<&str> = outcome.failed.iter().map(|(_, failure)| failure.message.as_str()).collect();
        assert!(failed.len() == 1 && failed[0].contains("exit code 7"), "{failed:#?}");
        assert!(failed[0].contains("no such table"), "{failed:#?}");
        let rollout = stage.record().await.rollout.expect("a rollout");
        assert_eq!((rollout.status, rollout.why.as_deref()), (Status::Failed, Some(failed[0])));
        assert_eq!(desired(&stage), [0]);

        // What depends on the service is made by the next apply, and still no task comes of it.
        stage.apply().await;
        assert_eq!((desired(&stage), bounds(&stage)), (vec![0], vec![(0, 4)]));
        let second = stage.push("v2").await;
        let deployed = stage.deploy("second", Wanted::Newest("v*")).await.expect("it is answered");
        assert_eq!((deployed.ending, stage.tasks(&second)), (Some(Ending::Settled), 2));
        assert_eq!(bounds(&stage), [(2, 4)]);
        stage.plan_is_empty().await;
    });
}
