//! The command before a deployment by hand: run once in the new image before ECS is told; where it fails, ECS is not told,
//! and the cause is named with the last lines.

use serde_json::json;
use wharf::operations::{Deployed, Wanted};
use wharf::rollout::machine::Ending;
use wharf::rollout::record::Status;
use wharf_sandbox::{Behaviour, Fate, Resource};
use wharf_tests::service::Stage;
use wharf_tests::stack::{config, in_virtual_time};

const FILE: &str = "[network]\negress = \"public\"\n[cluster]\nmin = 2\nmax = 2\n\
    [edge]\ndomain = \"shop.example.com\"\nzone = \"example.com\"\n\
    [services.web]\nport = 8000\nhealth = \"/healthz\"\ntasks = { min = 2 }\n";

fn command() -> Vec<String> {
    ["python", "manage.py", "migrate"].map(str::to_owned).to_vec()
}

fn ends(code: i32, after: u64, prints: &[&str]) -> Behaviour {
    let prints = prints.iter().map(|line| (*line).to_owned()).collect();
    Behaviour { exits: Some((code, after)), prints, ..Behaviour::default() }
}

/// An image whose command does this.
async fn push(stage: &Stage, tag: &str, does: Behaviour) -> String {
    let digest = stage.push(tag).await;
    let commands = [(command().join(" "), does)].into();
    stage.world.sandbox.image_behaviour(&digest, &Behaviour { commands, ..Behaviour::default() });
    digest
}

/// The tasks that ran a command of their own.
fn commands(stage: &Stage) -> Vec<Resource> {
    stage.of_kind("ecs.task").into_iter().filter(|task| task.text("startedBy") == "wharf-deploy").collect()
}

/// It was not deployed for these reasons, and what ran before still serves.
async fn not_deployed(stage: &Stage, deployed: &Deployed, first: &str, updates: usize, reasons: &[&str]) {
    let Some(Ending::NotBegun(why)) = &deployed.ending else { panic!("{deployed:#?}") };
    for reason in reasons {
        assert!(why.contains(reason), "{reason}: {why}");
    }
    assert_eq!((stage.count("UpdateService"), deployed.status), (updates, Status::Failed), "{why}");
    let rollout = stage.record().await.rollout.expect("a rollout");
    assert_eq!((rollout.status, rollout.why.as_ref()), (Status::Failed, Some(why)));
    assert!(stage.record().await.holder.is_none(), "the next one need not wait");
    assert_eq!((stage.tasks(first), stage.healthy()), (2, 2));
    stage.plan_is_empty().await;
}

#[test]
fn it_runs_once_in_the_new_image_before_the_service_is_updated() {
    in_virtual_time(async {
        let (stage, _) = Stage::running(config(FILE)).await;
        let second = push(&stage, "v2", ends(0, 90, &["applied"])).await;
        let deployed = stage.deploy_after("a", Wanted::Tag("v2"), &command()).await.unwrap();
        assert_eq!(deployed.ending, Some(Ending::Settled));
        let [task] = &commands(&stage)[..] else { panic!("one task: {:#?}", commands(&stage)) };
        assert_eq!(task.attrs["overrides"]["containerOverrides"][0]["command"], json!(command()));
        assert!(task.attrs["containers"].to_string().contains(&second), "{:#?}", task.attrs);
        let log = stage.world.sandbox.call_log();
        let place = |operation: &str| log.iter().rposition(|call| call.operation == operation);
        assert!(place("RunTask") < place("UpdateService"), "it comes before");
        assert_eq!(stage.tasks(&second), 2);
        stage.plan_is_empty().await;

        // What runs needs no command.
        let again = stage.deploy_after("b", Wanted::Tag("v2"), &command()).await.unwrap();
        assert_eq!((again.ending, commands(&stage).len()), (Some(Ending::NothingToDo), 1));
    });
}

#[test]
fn one_that_fails_keeps_ecs_from_being_told_and_its_last_lines_are_shown() {
    in_virtual_time(async {
        let (stage, first) = Stage::running(config(FILE)).await;
        let updates = stage.count("UpdateService");
        push(&stage, "v2", ends(3, 5, &["applying 0042_orders", "column exists"])).await;
        let deployed = stage.deploy_after("a", Wanted::Tag("v2"), &command()).await.unwrap();
        not_deployed(&stage, &deployed, &first, updates, &["exit code 3", "last lines of web", "column exists"]).await;
        // What is mended comes out.
        let third = push(&stage, "v3", ends(0, 5, &[])).await;
        let deployed = stage.deploy_after("b", Wanted::Tag("v3"), &command()).await.unwrap();
        assert_eq!((deployed.ending, stage.tasks(&third)), (Some(Ending::Settled), 2));
    });
}

#[test]
fn one_that_never_ends_is_stopped_and_named_while_the_claim_stays_fresh() {
    in_virtual_time(async {
        let (stage, first) = Stage::running(config(FILE)).await;
        let updates = stage.count("UpdateService");
        push(&stage, "v2", ends(0, 100_000, &["waiting for a lock"])).await;
        let deployed = stage.deploy_after("a", Wanted::Tag("v2"), &command()).await.unwrap();
        let reasons = ["did not end within 5 minutes", "waiting for a lock"];
        not_deployed(&stage, &deployed, &first, updates, &reasons).await;
        assert!(commands(&stage).iter().all(|task| task.text("lastStatus") == "STOPPED"));
    });
}

/// They ran one after the other.
pub(crate) fn assert_apart(mut tasks: Vec<Resource>) {
    tasks.sort_by_key(|task| task.created);
    for pair in tasks.windows(2) {
        let moment = |task: &Resource, name: &str| task.attrs[name].as_f64().unwrap_or(f64::INFINITY);
        let (ended, begun) = (moment(&pair[0], "stoppedAt"), moment(&pair[1], "createdAt"));
        assert!(ended <= begun, "two at once: {ended} {begun}");
    }
}

#[test]
fn one_whose_run_is_dead_is_waited_for_before_another_is_begun() {
    in_virtual_time(async {
        let (stage, _) = Stage::running(config(FILE)).await;
        push(&stage, "v2", ends(0, 200, &["applied"])).await;
        let (command, dies) = (command(), std::time::Duration::from_secs(30));
        let died = tokio::time::timeout(dies, stage.deploy_after("a", Wanted::Tag("v2"), &command)).await;
        assert!(died.is_err() && commands(&stage).len() == 1, "it died while the command ran: {died:#?}");
        let deployed = stage.deploy_after("b", Wanted::Tag("v2"), &command).await.unwrap();
        assert_eq!((deployed.ending, commands(&stage).len()), (Some(Ending::Settled), 2));
        assert_apart(commands(&stage));
    });
}

#[test]
fn one_whose_run_is_dead_and_that_never_ends_is_named_with_what_stops_it() {
    in_virtual_time(async {
        let (stage, first) = Stage::running(config(FILE)).await;
        let updates = stage.count("UpdateService");
        push(&stage, "v2", ends(0, 100_000, &[])).await;
        let (command, dies) = (command(), std::time::Duration::from_secs(30));
        let died = tokio::time::timeout(dies, stage.deploy_after("a", Wanted::Tag("v2"), &command)).await;
        let [task] = &commands(&stage)[..] else { panic!("it died while the command ran: {died:#?}") };
        let id = task.id.rsplit('/').next().expect("it has an id");
        let deployed = stage.deploy_after("b", Wanted::Tag("v2"), &command).await.unwrap();
        let stops = format!("aws ecs stop-task --cluster shop --task {id}");
        not_deployed(&stage, &deployed, &first, updates, &["has not ended", &stops]).await;
        assert_eq!(commands(&stage).len(), 1, "no other was begun");
    });
}

#[test]
fn one_that_cannot_start_keeps_ecs_from_being_told() {
    in_virtual_time(async {
        let (stage, first) = Stage::running(config(FILE)).await;
        let updates = stage.count("UpdateService");
        let second = push(&stage, "v2", ends(0, 5, &[])).await;
        let (sandbox, id) = (stage.world.sandbox.clone(), format!("shop/web@{second}"));
        stage.world.sandbox.on_call(move |call| {
            if call.operation == "RunTask" {
                let _ = sandbox.remove("ecr.image", &id);
            }
            Fate::Normal
        });
        let deployed = stage.deploy_after("a", Wanted::Tag("v2"), &command()).await.unwrap();
        stage.world.sandbox.clear_hook();
        not_deployed(&stage, &deployed, &first, updates, &["CannotPullContainerError"]).await;
    });
}
