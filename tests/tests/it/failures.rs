//! A version that does not come up, for each cause and in each way of deploying: the cause is named soon after ECS knows
//! it, and the old version serves at every moment.

use std::cell::RefCell;
use std::time::Duration;

use jiff::Timestamp;
use wharf::operations::Wanted;
use wharf::rollout::machine::Ending;
use wharf_sandbox::{Behaviour, Fate, Sandbox};
use wharf_tests::parallel;
use wharf_tests::service::Stage;
use wharf_tests::stack::{config, in_virtual_time};

fn file(deploy: &str, most: u8) -> String {
    format!(
        "[network]\negress = \"public\"\n[cluster]\nmin = 2\nmax = {most}\n\
         [edge]\ndomain = \"shop.example.com\"\nzone = \"example.com\"\n\
         [services.web]\nport = 8000\nhealth = \"/healthz\"\ntasks = {{ min = 2 }}\ndeploy = \"{deploy}\"\n\
         secrets = {{ SECRET_KEY = \"${{secret.key}}\" }}\n"
    )
}

/// What is wrong with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Crash,
    Health,
    Image,
    Secret,
    Capacity,
}

const FAULTS: [Fault; 5] = [Fault::Crash, Fault::Health, Fault::Image, Fault::Secret, Fault::Capacity];

impl Fault {
    /// What the cause says.
    fn words(self) -> &'static str {
        match self {
            Self::Crash => "exit code 7",
            Self::Health => "health checks",
            Self::Image => "CannotPullContainerError",
            Self::Secret => "ResourceInitializationError",
            Self::Capacity => "unable to place a task",
        }
    }

    /// Instances: enough for a rollout, or not.
    fn most(self) -> u8 {
        if self == Self::Capacity { 2 } else { 4 }
    }

    /// Makes it so for an image that is going to be started.
    fn happen(self, stage: &Stage, digest: &str) {
        let sandbox = &stage.world.sandbox;
        match self {
            Self::Crash => {
                let crash = Behaviour { exits: Some((7, 2)), ..Behaviour::default() };
                sandbox.image_behaviour(digest, &crash);
            }
            Self::Health => {
                let sick = Behaviour { paths: [("/healthz".to_owned(), 500)].into(), ..Behaviour::default() };
                sandbox.image_behaviour(digest, &sick);
            }
            Self::Image => gone_at_update(sandbox, "ecr.image", format!("shop/web@{digest}")),
            Self::Secret => {
                let secret = stage.of_kind("ssm.parameter").into_iter().find(|one| one.id.contains("key"));
                gone_at_update(sandbox, "ssm.parameter", secret.expect("its secret").id);
            }
            // Nothing else fits onto the instances.
            Self::Capacity => {
                for instance in stage.of_kind("ecs.container-instance") {
                    let full = |attrs: &mut serde_json::Map<_, _>, _: &mut _| {
                        attrs.insert("_interfaces".to_owned(), 1.into());
                        attrs.insert("_trunk".to_owned(), serde_json::Value::Null);
                    };
                    sandbox.edit(instance.kind, &instance.id, full).expect("it is there");
                }
            }
        }
    }
}

/// Something is taken away at the moment at which the service is told to change.
fn gone_at_update(sandbox: &Sandbox, kind: &'static str, id: String) {
    let account = sandbox.clone();
    sandbox.on_call(move |call| {
        if call.operation == "UpdateService" {
            let _ = account.remove(kind, &id);
        }
        Fate::Normal
    });
}

/// When ECS first knew that the deployment does not come through.
fn known(stage: &Stage, fault: Fault) -> Option<Timestamp> {
    let service = stage.of_kind("ecs.service").into_iter().next()?;
    let events = service.items("events").iter();
    let says = |event: &&serde_json::Value| {
        let message = event["message"].as_str().unwrap_or_default();
        let words = if fault == Fault::Capacity { "unable to place" } else { "deployment failed" };
        message.contains(words)
    };
    let at = events.filter(says).filter_map(|event| event["createdAt"].as_f64()).reduce(f64::min)?;
    Timestamp::from_millisecond(Duration::from_secs_f64(at).as_millis().try_into().ok()?).ok()
}

/// What somebody is told, and how long after ECS knew it.
fn told_in_time(stage: &Stage, fault: Fault, what: &str, why: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !why.contains(fault.words()) {
        wrong.push(format!("{what}: {why}"));
    }
    match known(stage, fault) {
        Some(known) => {
            let late = stage.world.sandbox.now().duration_since(known).as_secs_f64();
            if late > 15.0 {
                wrong.push(format!("{what}: told {late:.1} s after ECS knew it"));
            }
        }
        None => wrong.push(format!("{what}: ECS never knew it")),
    }
    wrong
}

#[test]
fn whatever_is_wrong_with_an_image_a_deployment_names_it_in_time_and_the_old_version_serves() {
    let ways = ["rolling", "blue-green", "canary", "linear"];
    let cases: Vec<(&str, Fault)> = ways.iter().flat_map(|way| FAULTS.map(|fault| (*way, fault))).collect();
    let wrong = parallel::each(&cases, |(way, fault)| {
        let what = format!("{fault:?}, {way}");
        in_virtual_time(async {
            let (stage, first) = Stage::running(config(&file(way, fault.most()))).await;
            let second = stage.push("v2").await;
            fault.happen(&stage, &second);
            let told = RefCell::new(Vec::new());
            let deploy = async {
                let deployed = stage.deploy("second", Wanted::Tag("v2")).await.expect("it is answered");
                stage.world.sandbox.clear_hook();
                match &deployed.ending {
                    Some(Ending::Failed(why)) => told.borrow_mut().extend(told_in_time(&stage, *fault, &what, why)),
                    other => told.borrow_mut().push(format!("{what}: {other:?}")),
                }
            };
            let ((), (fewest, at)) = stage.while_serving(deploy).await;
            let mut wrong = told.into_inner();
            if fewest < 2 || stage.tasks(&first) != 2 {
                wrong.push(format!("{what}: {fewest} served at {at}, then {} of the old version", stage.tasks(&first)));
            }
            wrong
        })
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn whatever_is_wrong_with_a_revision_an_apply_names_it_in_time_and_the_old_one_serves() {
    let ways = ["rolling", "blue-green"];
    let cases: Vec<(&str, Fault)> = ways.iter().flat_map(|way| FAULTS.map(|fault| (*way, fault))).collect();
    let wrong = parallel::each(&cases, |(way, fault)| {
        let what = format!("apply, {fault:?}, {way}");
        in_virtual_time(async {
            let (mut stage, first) = Stage::running(config(&file(way, fault.most()))).await;
            fault.happen(&stage, &first);
            stage.world.config.services.get_mut("web").expect("it is there").memory += 128;
            let told = RefCell::new(Vec::new());
            let apply = async {
                let applied = stage.world.apply().await.expect("it is answered");
                stage.world.sandbox.clear_hook();
                let failed = applied.runs.last().and_then(|(_, outcome)| outcome.failed.first());
                match failed {
                    Some((_, failure)) => {
                        told.borrow_mut().extend(told_in_time(&stage, *fault, &what, &failure.message));
                    }
                    None => told.borrow_mut().push(format!("{what}: it is said to be well")),
                }
            };
            let ((), (fewest, at)) = stage.while_serving(apply).await;
            let mut wrong = told.into_inner();
            if fewest < 2 {
                wrong.push(format!("{what}: {fewest} served at {at}"));
            }
            wrong
        })
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn another_image_of_a_periodic_task_is_its_next_run() {
    let file = "[network]\negress = \"public\"\n[cluster]\n[services.tidy]\nschedule = \"rate(1 hour)\"\nrepository = \"web\"\n";
    in_virtual_time(async {
        let stage = Stage::new(config(file)).await;
        let first = stage.push("v1").await;
        let deployed = stage.deploy_periodic("first", Wanted::Newest("v*")).await.expect("it is answered");
        assert_eq!((&deployed.digest, deployed.ending), (&first, Some(Ending::Settled)));
        stage.plan_is_empty().await;
        let again = stage.deploy_periodic("again", Wanted::Tag("v1")).await.expect("it is answered");
        assert_eq!(again.ending, Some(Ending::NothingToDo));
        let second = stage.push("v2").await;
        stage.deploy_periodic("second", Wanted::Newest("v*")).await.expect("it is answered");
        let back = stage.deploy_periodic("back", Wanted::Before).await.expect("it is answered");
        assert_eq!(back.digest, first);
        stage.deploy_periodic("forth", Wanted::Digest(&second)).await.expect("it is answered");
        stage.plan_is_empty().await;
        tokio::time::sleep(Duration::from_secs(3700)).await;
        let tasks = stage.of_kind("ecs.task");
        let newest = tasks.iter().max_by_key(|task| task.created).expect("its schedule started one");
        assert!(newest.attrs["containers"].to_string().contains(&second), "{newest:#?}");
    });
}
