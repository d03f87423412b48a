//! The command before a rollout: run once, before ECS is told; where it fails, ECS is not told, and people are.

use std::time::Duration;

use wharf_events::Severity;
use wharf_sandbox::{Behaviour, Fate, Resource};

use super::stage::Stage;
use crate::one_off::{self, OneOff};
use crate::record::Status;

/// The one-off tasks that there were.
fn commands(stage: &Stage) -> Vec<Resource> {
    let tasks = stage.of_kind("ecs.task").into_iter();
    tasks.filter(|task| task.attrs["group"] == "wharf-push:web").collect()
}

/// It was not deployed, what ran before still does, and people were told why.
async fn not_deployed(stage: &Stage, updates: usize, said: &[&str]) {
    assert_eq!(stage.count("UpdateService"), updates, "{said:?}");
    let rollout = stage.rollout("web").await;
    assert_eq!(rollout.status, Status::Failed, "{rollout:#?}");
    let notice = stage.notices().pop().unwrap();
    assert_eq!((notice.severity, notice.title.as_str()), (Severity::Warning, "web: v2 was not deployed"));
    for said in said {
        assert!(notice.text.contains(said), "{said}: {}", notice.text);
    }
}

#[tokio::test(start_paused = true)]
async fn it_runs_once_in_the_new_image_before_the_service_is_updated() {
    let stage = Stage::preparing().await.fork();
    let digest = stage.push_quietly("web", "v2").await;
    let event = stage.event("web", &digest, Some("v2"), 0);
    for _ in 0..3 {
        assert_eq!(stage.hear(&[event.clone(), event.clone()]).await, 0);
    }
    let [task] = &commands(&stage)[..] else { panic!("one task") };
    assert_eq!(stage.count("UpdateService"), 0);
    let given = &task.attrs["overrides"]["containerOverrides"][0];
    assert_eq!(given["command"], serde_json::json!(["python", "manage.py", "migrate"]));
    assert!(task.attrs["containers"].to_string().contains(&digest), "{:#?}", task.attrs);
    assert!(!task.attrs["attachments"].as_array().unwrap().is_empty(), "it is in the service's network");
    stage.settle().await;
    assert_eq!((stage.tasks(&digest), stage.count("RunTask"), stage.count("UpdateService")), (2, 1, 1));
    let titles = ["web: v2 is being prepared: the command before it runs", "web: v2 runs"];
    assert_eq!(stage.titles(), titles);
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_stops_the_rollout_and_its_last_lines_are_told() {
    let stage = Stage::preparing().await.fork();
    let digest = stage.push_quietly("web", "v2").await;
    let prints = vec!["applying 0042_orders".to_owned(), "column exists".to_owned()];
    stage.sandbox.image_behaviour(&digest, &Behaviour { exits: Some((3, 5)), prints, ..Behaviour::default() });
    assert_eq!(stage.hear(&[stage.event("web", &digest, Some("v2"), 0)]).await, 0);
    stage.settle().await;
    not_deployed(&stage, 0, &["exit code 3", "column exists"]).await;
    assert_eq!(stage.schedule().await, 0);
    assert_eq!(stage.count("RunTask"), 1, "what fails is not tried again by itself");
}

#[tokio::test(start_paused = true)]
async fn one_whose_image_cannot_be_pulled_stops_the_rollout() {
    let stage = Stage::preparing().await.fork();
    let digest = stage.push_quietly("web", "v2").await;
    let (sandbox, id) = (stage.sandbox.clone(), format!("shop/web@{digest}"));
    stage.sandbox.on_call(move |call| {
        if call.operation == "RunTask" {
            let _ = sandbox.remove("ecr.image", &id);
        }
        Fate::Normal
    });
    assert_eq!(stage.hear(&[stage.event("web", &digest, Some("v2"), 0)]).await, 0);
    stage.sandbox.clear_hook();
    stage.settle().await;
    not_deployed(&stage, 0, &["CannotPullContainerError"]).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_never_ends_is_stopped_and_told_of() {
    let stage = Stage::preparing().await.fork();
    let digest = stage.push_quietly("web", "v2").await;
    let prints = vec!["waiting for a lock".to_owned()];
    let behaviour = Behaviour { exits: Some((0, 100_000)), prints, ..Behaviour::default() };
    stage.sandbox.image_behaviour(&digest, &behaviour);
    assert_eq!(stage.hear(&[stage.event("web", &digest, Some("v2"), 0)]).await, 0);
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(stage.schedule().await, 0);
    }
    stage.settle().await;
    not_deployed(&stage, 0, &["did not end within 10 minutes", "waiting for a lock"]).await;
    assert!(commands(&stage).iter().all(|task| task.attrs["lastStatus"] == "STOPPED"));
}

#[tokio::test(start_paused = true)]
async fn one_without_an_exit_code_has_not_ended_well() {
    let stage = Stage::preparing().await.fork();
    let digest = stage.push_quietly("web", "v2").await;
    assert_eq!(stage.hear(&[stage.event("web", &digest, Some("v2"), 0)]).await, 0);
    tokio::time::sleep(Duration::from_secs(60)).await;
    for task in commands(&stage) {
        assert_eq!(task.attrs["lastStatus"], "STOPPED");
        let forget = |attrs: &mut serde_json::Map<String, serde_json::Value>, _: &mut wharf_sandbox::Tags| {
            attrs["containers"][0].as_object_mut().unwrap().remove("exitCode");
        };
        stage.sandbox.edit("ecs.task", &task.id, forget).unwrap();
    }
    stage.settle().await;
    not_deployed(&stage, 0, &["the command before it failed"]).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_start_stops_the_rollout() {
    let stage = Stage::preparing().await.fork();
    let digest = stage.push_quietly("web", "v2").await;
    // Nobody has room any more.
    for instance in stage.of_kind("ecs.container-instance") {
        stage.sandbox.remove("ecs.container-instance", &instance.id).unwrap();
    }
    assert_eq!(stage.hear(&[stage.event("web", &digest, Some("v2"), 0)]).await, 0);
    not_deployed(&stage, 0, &["could not be started", "No Container Instances"]).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_finds_no_room_is_tried_again_for_as_long_as_an_instance_takes_and_then_told_of() {
    let stage = Stage::preparing().await;
    let digest = stage.push_quietly("web", "v2").await;
    for room_comes in [true, false] {
        let stage = stage.fork();
        let instances = stage.of_kind("ecs.container-instance");
        let set = |instance: &Resource, units: &serde_json::Value| {
            let change = |attrs: &mut serde_json::Map<String, serde_json::Value>, _: &mut wharf_sandbox::Tags| {
                attrs.insert("_cpu".to_owned(), units.clone());
            };
            stage.sandbox.edit("ecs.container-instance", &instance.id, change).unwrap();
        };
        instances.iter().for_each(|instance| set(instance, &0.into()));
        let event = [stage.event("web", &digest, Some("v2"), 0)];
        let mut tries = 0;
        while stage.hear(&event).await > 0 {
            tokio::time::sleep(Duration::from_secs(360)).await;
            tries += 1;
            instances.iter().filter(|_| room_comes).for_each(|instance| set(instance, &instance.attrs["_cpu"]));
        }
        if room_comes {
            stage.settle().await;
            assert_eq!((tries, stage.tasks(&digest), stage.count("UpdateService")), (1, 2, 1));
        } else {
            not_deployed(&stage, 0, &["could not be started", "RESOURCE"]).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_meanwhile_waits_for_its_end_and_then_has_its_turn_alone() {
    let stage = Stage::preparing().await.fork();
    stage.push("web", "v2").await;
    let third = stage.push("web", "v3").await;
    let fourth = stage.push("web", "v4").await;
    assert_eq!(commands(&stage).len(), 1, "two commands at once could be in each other's way");
    stage.settle().await;
    assert_eq!((stage.tasks(&fourth), stage.tasks(&third)), (2, 0));
    assert_eq!((stage.count("RunTask"), stage.count("UpdateService")), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_changed_while_it_ran_keeps_the_change() {
    let stage = Stage::preparing().await.fork();
    let digest = stage.push("web", "v2").await;
    let ecs = &stage.function.clients.ecs;
    let now = ecs.describe_services().cluster("shop").services("web").send().await.unwrap();
    let arn = now.services()[0].task_definition().unwrap().to_owned();
    let shown = ecs.describe_task_definition().task_definition(&arn).include("TAGS".into()).send().await.unwrap();
    let mut changed = crate::revision::Revision { tags: shown.tags().to_vec(), sdk: shown.task_definition.unwrap() };
    changed.sdk.memory = Some("768".to_owned());
    let made = changed.registration(ecs).send().await.unwrap().task_definition.unwrap();
    let made = made.task_definition_arn.unwrap();
    ecs.update_service().cluster("shop").service("web").task_definition(made).send().await.unwrap();
    stage.settle().await;
    assert_eq!(stage.tasks(&digest), 2);
    let now = ecs.describe_services().cluster("shop").services("web").send().await.unwrap();
    let arn = now.services()[0].task_definition().unwrap().to_owned();
    let shown = ecs.describe_task_definition().task_definition(&arn).send().await.unwrap();
    assert_eq!(shown.task_definition.unwrap().memory(), Some("768"));
}

/// The task of a deployment by hand that died while its command ran, which takes so long.
async fn left_by_hand(stage: &Stage, seconds: u64) {
    let ecs = &stage.function.clients.ecs;
    let answer = ecs.describe_services().cluster("shop").services("web").send().await.unwrap();
    let (service, command) = (&answer.services()[0], ["python", "manage.py", "migrate"].map(str::to_owned));
    let revision = service.task_definition().unwrap();
    let shown = ecs.describe_task_definition().task_definition(revision).send().await.unwrap().task_definition.unwrap();
    let (_, digest) = shown.container_definitions()[0].image().unwrap().split_once('@').unwrap();
    let migrates = Behaviour { exits: Some((0, seconds)), ..Behaviour::default() };
    let commands = [(command.join(" "), migrates)].into();
    stage.sandbox.image_behaviour(digest, &Behaviour { commands, ..Behaviour::default() });
    let task = OneOff {
        cluster: "shop",
        service,
        revision,
        container: "web",
        command: &command,
        started_by: one_off::BY_HAND,
        token: "of a run that is dead",
    };
    task.request(ecs).group(one_off::group("web")).send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_a_deployment_by_hand_left_is_waited_for() {
    let stage = Stage::preparing().await.fork();
    left_by_hand(&stage, 200).await;
    let digest = stage.push("web", "v2").await;
    assert_eq!((commands(&stage).len(), stage.rollout("web").await.status), (1, Status::Preparing), "it waits");
    assert_eq!(stage.schedule().await, 0);
    assert_eq!(commands(&stage).len(), 1, "the schedule begins no other");
    stage.settle().await;
    assert_eq!((stage.tasks(&digest), commands(&stage).len(), stage.count("UpdateService")), (2, 2, 1));
    let mut both = commands(&stage);
    both.sort_by_key(|task| task.created);
    let moment = |task: &Resource, name: &str| task.attrs[name].as_f64().unwrap();
    assert!(moment(&both[0], "stoppedAt") <= moment(&both[1], "createdAt"), "one after the other");
}

#[tokio::test(start_paused = true)]
async fn one_that_a_deployment_by_hand_left_and_that_never_ends_is_told_of() {
    let stage = Stage::preparing().await.fork();
    left_by_hand(&stage, 100_000).await;
    stage.push("web", "v2").await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(stage.schedule().await, 0);
    }
    not_deployed(&stage, 0, &["could not be started", "of a deployment still runs"]).await;
    assert_eq!(commands(&stage).len(), 1);
}
