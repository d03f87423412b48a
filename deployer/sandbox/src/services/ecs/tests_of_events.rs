//! What must hold of the events that ECS sends.

use serde_json::{Value, json};

use super::stage::Stage;
use crate::Behaviour;
use crate::services::testing::{heard, listen};

const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/shop";
const WEB: &str = "arn:aws:ecs:us-east-1:123456789012:service/shop/web";

/// A service that runs `v1`, is steady, and is listened to from now on.
async fn heard_service() -> Stage {
    let stage = Stage::with_instances(3).await;
    let breaker = json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true}});
    let input = json!({"deploymentConfiguration": breaker});
    stage.done("CreateService", stage.service(&stage.define("v1"), input));
    stage.steady().await;
    listen(&stage.sandbox, &json!({"source": ["aws.ecs"]}));
    stage
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["detail-type"] == kind).collect()
}

fn deployments(events: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pair = |event: &&Value| (text(&event["detail"]["eventName"]), text(&event["detail"]["deploymentId"]));
    of_kind(events, "ECS Deployment State Change").iter().map(pair).collect()
}

#[tokio::test(start_paused = true)]
async fn a_rollout_tells_of_its_deployment_and_of_each_step_of_its_tasks() {
    let stage = heard_service().await;
    let revision = stage.define("v2");
    stage.update(&revision);
    let id = stage.web()["deployments"][0]["id"].as_str().unwrap().to_owned();
    stage.steady().await;
    stage.pass(30).await;
    let events = heard(&stage.sandbox);
    let named = |state: &str| (format!("SERVICE_DEPLOYMENT_{state}"), id.clone());
    assert_eq!(deployments(&events), [named("IN_PROGRESS"), named("COMPLETED")]);
    let completed = of_kind(&events, "ECS Deployment State Change")[1];
    assert_eq!(completed["resources"], json!([WEB]));
    assert_eq!(completed["detail"]["reason"], format!("ECS deployment {id} completed."));
    let steady = of_kind(&events, "ECS Service Action");
    assert_eq!(steady[0]["detail"]["eventName"], "SERVICE_STEADY_STATE");
    let tasks = of_kind(&events, "ECS Task State Change");
    let new: Vec<&&Value> = tasks.iter().filter(|event| event["detail"]["startedBy"] == id.as_str()).collect();
    let first = &new[0]["detail"]["taskArn"];
    let mut steps: Vec<(i64, &str)> = new
        .iter()
        .filter(|event| event["detail"]["taskArn"] == *first)
        .map(|event| (event["detail"]["version"].as_i64().unwrap(), event["detail"]["lastStatus"].as_str().unwrap()))
        .collect();
    steps.sort_unstable();
    assert_eq!(steps, [(1, "PROVISIONING"), (2, "PENDING"), (3, "RUNNING")]);
    let running = new.iter().find(|event| event["detail"]["lastStatus"] == "RUNNING").unwrap();
    assert_eq!(running["resources"], json!([running["detail"]["taskArn"]]));
    assert_eq!(running["detail"]["clusterArn"], CLUSTER);
    assert_eq!(running["detail"]["taskDefinitionArn"], revision.as_str());
    assert!(running["detail"]["startedAt"].as_str().unwrap().ends_with('Z'));
    assert!(running["detail"]["containers"][0]["imageDigest"].as_str().unwrap().starts_with("sha256:"));
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_rolled_back_fails_by_its_id_and_the_one_before_completes_again() {
    let stage = heard_service().await;
    let good = stage.web()["deployments"][0]["id"].as_str().unwrap().to_owned();
    let crash = Behaviour { exits: Some((1, 2)), ..Behaviour::default() };
    stage.sandbox.image_behaviour("v2", &crash);
    let bad = stage.define("v2");
    stage.update(&bad);
    let failed = stage.web()["deployments"][0]["id"].as_str().unwrap().to_owned();
    stage.until("rolled back", |web| web["taskDefinition"] != bad.as_str()).await;
    stage.steady().await;
    stage.pass(30).await;
    let events = heard(&stage.sandbox);
    let mut seen = deployments(&events);
    // What is sent at the same moment may come in any order.
    seen[1..3].sort();
    let named = |state: &str, id: &str| (format!("SERVICE_DEPLOYMENT_{state}"), id.to_owned());
    let wanted = [
        named("IN_PROGRESS", &failed),
        named("FAILED", &failed),
        named("IN_PROGRESS", &good),
        named("COMPLETED", &good),
    ];
    assert_eq!(seen, wanted);
    let of_failed = of_kind(&events, "ECS Deployment State Change")
        .into_iter()
        .find(|event| event["detail"]["eventName"] == "SERVICE_DEPLOYMENT_FAILED")
        .unwrap();
    assert_eq!(of_failed["detail"]["eventType"], "ERROR");
    let stopped = of_kind(&events, "ECS Task State Change").into_iter().find(|event| {
        event["detail"]["lastStatus"] == "STOPPED" && event["detail"]["stopCode"] == "EssentialContainerExited"
    });
    let stopped = &stopped.unwrap()["detail"];
    assert_eq!(stopped["containers"][0]["exitCode"], 1);
    assert_eq!(stopped["stoppedReason"], "Essential container in task exited");
}

#[tokio::test(start_paused = true)]
async fn a_task_without_a_place_is_told_of_with_what_it_lacks() {
    let stage = heard_service().await;
    let mut large = Stage::definition("v2");
    large["memory"] = "60000".into();
    let large = stage.done("RegisterTaskDefinition", large)["taskDefinition"]["taskDefinitionArn"].clone();
    stage.update(large.as_str().unwrap());
    stage.pass(900).await;
    let events = heard(&stage.sandbox);
    let failure = of_kind(&events, "ECS Service Action")
        .into_iter()
        .find(|event| event["detail"]["eventName"] == "SERVICE_TASK_PLACEMENT_FAILURE")
        .unwrap();
    assert_eq!(failure["detail"]["eventType"], "ERROR");
    assert_eq!(failure["detail"]["reason"], "RESOURCE:MEMORY");
}
