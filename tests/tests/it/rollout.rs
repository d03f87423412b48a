//! Another image of a service: deployed, rolled back, refused by its own tasks; in the account's own time, on the whole
//! platform, and with the permissions of a deployment alone.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use wharf::operations::{Error, RolloutError, Wanted};
use wharf::rollout::machine::Ending;
use wharf::rollout::record::Status;
use wharf_sandbox::{Behaviour, Fate};
use wharf_tests::service::Stage;
use wharf_tests::stack::{World, config, in_virtual_time};

const FILE: &str = "[network]\negress = \"public\"\n[cluster]\nmin = 2\nmax = 2\n\
    [edge]\ndomain = \"shop.example.com\"\nzone = \"example.com\"\n\
    [services.web]\nport = 8000\nhealth = \"/healthz\"\ntasks = { min = 2 }\n\
    secrets = { SECRET_KEY = \"${secret.key}\" }\n";

#[test]
fn the_first_push_brings_a_service_up_and_no_plan_and_no_apply_takes_a_deployed_image_back() {
    in_virtual_time(async {
        let mut stage = Stage::new(config(FILE)).await;
        stage.plan_is_empty().await;
        let none = stage.deploy("none", Wanted::Newest("v*")).await.unwrap_err();
        assert!(matches!(none, Error::Rollout(RolloutError::NoRelease { .. })), "{none:?}");

        let first = stage.push("v1").await;
        let deployed = stage.deploy("a", Wanted::Newest("v*")).await.unwrap();
        assert_eq!((deployed.ending, deployed.tag.as_deref()), (Some(Ending::Settled), Some("v1")));
        assert_eq!((stage.tasks(&first), stage.healthy()), (2, 2));
        stage.plan_is_empty().await;

        let writes = stage.count("PutItem");
        let again = stage.deploy("b", Wanted::Tag("v1")).await.unwrap();
        assert_eq!((again.ending, stage.count("PutItem")), (Some(Ending::NothingToDo), writes));

        stage.push("nightly").await;
        let second = stage.push("v2").await;
        stage.push("dev").await;
        let deployed = stage.watched(Wanted::Newest("v*"), "").await;
        assert_eq!((&deployed.digest, deployed.ending), (&second, Some(Ending::Settled)));
        assert_eq!(deployed.serves.iter().map(|serves| serves.tasks).max(), Some(2));
        stage.plan_is_empty().await;

        // Another field: a new revision with the image that runs.
        stage.world.config.services.get_mut("web").unwrap().memory += 128;
        stage.apply().await;
        assert_eq!(stage.tasks(&second), 2);
        stage.plan_is_empty().await;
    });
}

#[test]
fn one_goes_back_to_what_settled_before_and_without_a_record_to_the_revision_before() {
    in_virtual_time(async {
        let (stage, first) = Stage::running(config(FILE)).await;
        let nothing = stage.deploy("nothing", Wanted::Before).await.unwrap_err();
        assert!(matches!(nothing, Error::Rollout(RolloutError::NothingBefore(_))), "{nothing:?}");
        let second = stage.push("v2").await;
        stage.deploy("second", Wanted::Tag("v2")).await.unwrap();
        let crash = Behaviour { exits: Some((1, 2)), ..Behaviour::default() };
        let third = stage.push("v3").await;
        stage.world.sandbox.image_behaviour(&third, &crash);
        stage.deploy("third", Wanted::Tag("v3")).await.unwrap();

        let back = stage.deploy("back", Wanted::Before).await.unwrap();
        assert_eq!((&back.digest, back.ending), (&first, Some(Ending::Settled)));
        stage.plan_is_empty().await;

        let item = stage.of_kind("dynamodb.item").into_iter().find(|item| item.id.contains("rollout")).unwrap();
        stage.world.sandbox.remove(item.kind, &item.id).unwrap();
        let back = stage.deploy("without", Wanted::Before).await.unwrap();
        assert!([&second, &third].contains(&&back.digest), "{back:#?}");
    });
}

#[test]
fn containers_that_crash_are_named_with_their_last_words_and_the_old_version_serves_all_along() {
    in_virtual_time(async {
        let (stage, first) = Stage::running(config(FILE)).await;
        let prints = vec!["no such table".to_owned()];
        let second = stage.push("v2").await;
        stage
            .world
            .sandbox
            .image_behaviour(&second, &Behaviour { exits: Some((7, 2)), prints, ..Behaviour::default() });
        let deployed = stage.watched(Wanted::Tag("v2"), &first).await;
        stage.failed(&deployed, &first, "exit code 7").await;
        stage.failed(&deployed, &first, "no such table").await;
    });
}

#[test]
fn a_bad_health_path_is_named_and_the_old_version_serves_all_along() {
    in_virtual_time(async {
        let (stage, first) = Stage::running(config(FILE)).await;
        let second = stage.push("v2").await;
        let sick = Behaviour { paths: [("/healthz".to_owned(), 500)].into(), ..Behaviour::default() };
        stage.world.sandbox.image_behaviour(&second, &sick);
        let deployed = stage.watched(Wanted::Tag("v2"), &first).await;
        stage.failed(&deployed, &first, "health checks").await;
    });
}

#[test]
fn an_image_that_is_missing_is_named_before_anything_is_written_and_when_it_goes_on_the_way() {
    in_virtual_time(async {
        let (stage, first) = Stage::running(config(FILE)).await;
        let writes = stage.count("PutItem");
        let missing = stage.deploy("none", Wanted::Tag("v9")).await.unwrap_err();
        assert!(matches!(&missing, Error::Rollout(RolloutError::NoImage { wanted, .. }) if wanted == "v9"));
        assert_eq!(stage.count("PutItem"), writes);

        let second = stage.push("v2").await;
        let sandbox = stage.world.sandbox.clone();
        let id = format!("shop/web@{second}");
        stage.world.sandbox.on_call(move |call| {
            if call.operation == "UpdateService" {
                let _ = sandbox.remove("ecr.image", &id);
            }
            Fate::Normal
        });
        let deployed = stage.watched(Wanted::Tag("v2"), &first).await;
        stage.world.sandbox.clear_hook();
        stage.failed(&deployed, &first, "CannotPullContainerError").await;
    });
}

#[test]
fn a_secret_that_is_missing_is_named_and_the_old_version_serves_all_along() {
    in_virtual_time(async {
        let (stage, first) = Stage::running(config(FILE)).await;
        stage.push("v2").await;
        let secret = stage.of_kind("ssm.parameter").into_iter().find(|one| one.id.contains("key")).unwrap();
        stage.world.sandbox.remove(secret.kind, &secret.id).unwrap();
        let deployed = stage.watched(Wanted::Tag("v2"), &first).await;
        let Some(Ending::Failed(why)) = &deployed.ending else { panic!("{deployed:#?}") };
        assert!(why.contains("ResourceInitializationError") && why.contains(&secret.id), "{why}");
        assert_eq!((stage.least(), stage.tasks(&first)), (Some(2), 2));
    });
}

#[test]
fn without_room_for_its_tasks_a_deployment_is_taken_back_and_what_is_lacking_named() {
    in_virtual_time(async {
        let (stage, first) = Stage::running(config(FILE)).await;
        stage.push("v2").await;
        let session = stage.session("filler").await;
        // Somebody fills the instances up.
        let image = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web@{first}");
        let ecs = &session.aws.ecs;
        let shown = ecs.describe_task_definition().task_definition("shop-web").send().await.unwrap();
        let shown = shown.task_definition.unwrap();
        let mut container = shown.container_definitions.unwrap().remove(0);
        (container.image, container.secrets, container.port_mappings) = (Some(image), None, None);
        let filler = ecs.register_task_definition().family("shop-filler").network_mode("host".into()).memory("256");
        let filler = filler.cpu("256").set_execution_role_arn(shown.execution_role_arn);
        filler.container_definitions(container).send().await.unwrap();
        let mut fillers = 0;
        while ecs.run_task().cluster("shop").task_definition("shop-filler").send().await.unwrap().failures().is_empty()
        {
            fillers += 1;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        let deployed = stage.watched(Wanted::Tag("v2"), &first).await;
        let Some(Ending::Failed(why)) = &deployed.ending else { panic!("{deployed:#?}") };
        assert!(why.contains("unable to place a task"), "{why}");
        assert_eq!(stage.least(), Some(2));
        assert_eq!(deployed.status, Status::RolledBack);
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(stage.tasks(&first), 2 + fillers);
    });
}

#[test]
fn a_first_version_that_crashes_goes_back_to_no_task_and_the_next_one_comes_up() {
    in_virtual_time(async {
        let stage = Stage::new(config(FILE)).await;
        let first = stage.push("v1").await;
        stage.world.sandbox.image_behaviour(&first, &Behaviour { exits: Some((7, 2)), ..Behaviour::default() });
        let deployed = stage.deploy("a", Wanted::Tag("v1")).await.unwrap();
        let Some(Ending::Failed(why)) = &deployed.ending else { panic!("{deployed:#?}") };
        assert!(why.contains("exit code 7"), "{why}");
        assert_eq!((deployed.status, deployed.serves.len()), (Status::Failed, 0));
        let desired = || stage.of_kind("ecs.service").iter().map(|one| one.attrs["desiredCount"].clone()).next();
        assert_eq!(desired(), Some(json!(0)));
        stage.plan_is_empty().await;

        let second = stage.push("v2").await;
        let deployed = stage.deploy("b", Wanted::Tag("v2")).await.unwrap();
        assert_eq!(deployed.ending, Some(Ending::Settled));
        assert_eq!((stage.tasks(&second), desired()), (2, Some(json!(2))));
    });
}

#[test]
fn of_two_deployments_at_once_one_is_refused_and_one_is_done() {
    in_virtual_time(async {
        let (stage, _) = Stage::running(config(FILE)).await;
        let second = stage.push("v2").await;
        let third = stage.push("v3").await;
        let before = stage.count("UpdateService");
        let (one, other) =
            tokio::join!(stage.deploy("one", Wanted::Digest(&second)), stage.deploy("other", Wanted::Digest(&third)));
        let refused =
            [&one, &other].into_iter().filter(|result| matches!(result, Err(Error::Rollout(RolloutError::Claim(_)))));
        assert_eq!(refused.count(), 1, "{one:?} {other:?}");
        assert_eq!(stage.count("UpdateService"), before + 1);
        let won = one.or(other).unwrap();
        assert_eq!(won.ending, Some(Ending::Settled));
        assert_eq!(stage.tasks(&won.digest), 2);
    });
}

#[test]
fn who_comes_after_a_deployment_that_was_killed_follows_what_it_began() {
    in_virtual_time(async {
        let (stage, _) = Stage::running(config(FILE)).await;
        let second = stage.push("v2").await;
        let before = stage.count("UpdateService");
        let killed = tokio::time::timeout(Duration::from_secs(8), stage.deploy("killed", Wanted::Tag("v2"))).await;
        assert!(killed.is_err());
        stage.world.sandbox.set_policy(None);
        assert_eq!(stage.record().await.rollout.unwrap().status, Status::Deploying);
        let deployed = stage.deploy("next", Wanted::Tag("v2")).await.unwrap();
        assert!(matches!(deployed.ending, Some(Ending::Settled | Ending::NothingToDo)), "{deployed:#?}");
        assert_eq!((stage.count("UpdateService"), stage.tasks(&second)), (before + 1, 2));
        let record = stage.record().await;
        assert!(record.holder.is_none() && record.all().all(|rollout| !rollout.status.is_open()), "{record:#?}");
    });
}

#[test]
fn in_typical_weather_images_come_out_and_go_back() {
    in_virtual_time(async {
        for seed in 1..4 {
            let stage = Stage::of(World::new(seed, config(FILE)));
            stage.apply().await;
            let mut digests = Vec::new();
            for tag in ["v1", "v2"] {
                digests.push(stage.push(tag).await);
                let deployed = stage.deploy(tag, Wanted::Tag(tag)).await.unwrap();
                assert_eq!(deployed.ending, Some(Ending::Settled), "{deployed:#?}");
            }
            let back = stage.deploy("back", Wanted::Before).await.unwrap();
            assert_eq!((&back.digest, back.ending), (&digests[0], Some(Ending::Settled)));
            assert_eq!(stage.record().await.all().count(), 3);
            stage.plan_is_empty().await;
        }
    });
}

#[test]
fn killed_after_any_call_and_tried_again_the_end_is_the_same() {
    in_virtual_time(async {
        let (stage, _) = Stage::running(config(FILE)).await;
        let second = stage.push("v2").await;
        for call in 1.. {
            let moment = stage.world.sandbox.now();
            let fork = Stage::of(stage.world.fork_at(moment));
            let (tell, told) = tokio::sync::oneshot::channel();
            let (left, tell) = (AtomicUsize::new(call), Mutex::new(Some(tell)));
            fork.world.sandbox.on_call(move |_| {
                if left.fetch_sub(1, Ordering::SeqCst) == 1
                    && let Some(tell) = tell.lock().unwrap().take()
                {
                    let _ = tell.send(());
                }
                Fate::Normal
            });
            let ended = tokio::select! {
                biased;
                _ = told => false,
                deployed = fork.deploy("killed", Wanted::Tag("v2")) => deployed.is_ok(),
            };
            fork.world.sandbox.clear_hook();
            fork.world.sandbox.set_policy(None);
            if ended {
                assert!(call > 12, "{call}");
                break;
            }
            let deployed =
                fork.deploy("next", Wanted::Tag("v2")).await.unwrap_or_else(|error| panic!("{call}: {error:?}"));
            assert!(matches!(deployed.ending, Some(Ending::Settled | Ending::NothingToDo)), "{call}: {deployed:#?}");
            assert_eq!((fork.tasks(&second), fork.healthy()), (2, 2), "{call}");
            assert_eq!(fork.count("UpdateService"), 1, "{call}");
            let record = fork.record().await;
            assert!(
                record.holder.is_none() && record.all().all(|rollout| !rollout.status.is_open()),
                "{call} {record:#?}"
            );
        }
    });
}
