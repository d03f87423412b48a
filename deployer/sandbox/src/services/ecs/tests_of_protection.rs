//! What protected tasks are spared, over the wire.

use serde_json::{Value, json};

use super::stage::Stage;

/// A service of two tasks that run, and their ARNs.
async fn two_tasks() -> (Stage, Vec<Value>) {
    let stage = Stage::with_instances(3).await;
    stage.done("CreateService", stage.service(&stage.define("v1"), json!({})));
    stage.steady().await;
    let tasks: Vec<Value> = stage.tasks("RUNNING").iter().map(|task| task["taskArn"].clone()).collect();
    assert_eq!(tasks.len(), 2);
    (stage, tasks)
}

fn protect(stage: &Stage, tasks: &[Value], minutes: i64) -> Value {
    let input = json!({"cluster": "shop", "tasks": tasks, "protectionEnabled": true, "expiresInMinutes": minutes});
    stage.done("UpdateTaskProtection", input)
}

fn running(stage: &Stage) -> Vec<Value> {
    stage.tasks("RUNNING").iter().map(|task| task["taskArn"].clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn scaling_in_leaves_a_protected_task_alone_until_its_protection_ends() {
    let (stage, tasks) = two_tasks().await;
    let answer = protect(&stage, &tasks[..1], 5);
    assert_eq!(answer["protectedTasks"][0]["protectionEnabled"], true);
    assert!(answer["protectedTasks"][0]["expirationDate"].is_number(), "{answer:#}");
    stage.done("UpdateService", json!({"cluster": "shop", "service": "web", "desiredCount": 0}));
    stage.pass(120).await;
    assert_eq!(running(&stage), tasks[..1]);
    stage.pass(400).await;
    assert_eq!(running(&stage), [Value::Null; 0]);
    let asked = stage.done("GetTaskProtection", json!({"cluster": "shop", "tasks": &tasks[..1]}));
    assert_eq!(asked["protectedTasks"][0]["protectionEnabled"], false);
}

#[tokio::test(start_paused = true)]
async fn a_rolling_deployment_waits_for_a_protected_task_of_the_old_version() {
    let (stage, tasks) = two_tasks().await;
    protect(&stage, &tasks[..1], 10);
    stage.update(&stage.define("v2"));
    stage.pass(300).await;
    assert!(running(&stage).contains(&tasks[0]) && !running(&stage).contains(&tasks[1]));
    stage.pass(600).await;
    assert!(!running(&stage).contains(&tasks[0]));
    assert_eq!(stage.steady().await["runningCount"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_service_drains_until_nothing_protects_its_tasks() {
    let (stage, tasks) = two_tasks().await;
    protect(&stage, &tasks[..1], 60);
    stage.done("DeleteService", json!({"cluster": "shop", "service": "web", "force": true}));
    stage.pass(300).await;
    assert_eq!((stage.web()["status"].as_str(), running(&stage)), (Some("DRAINING"), tasks[..1].to_vec()));
    let off = json!({"cluster": "shop", "tasks": &tasks[..1], "protectionEnabled": false});
    stage.done("UpdateTaskProtection", off);
    stage.pass(120).await;
    assert_eq!(stage.web()["status"], "INACTIVE");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_protected_is_named_and_too_much_at_once_is_refused() {
    let (stage, tasks) = two_tasks().await;
    let too_many = json!({"cluster": "shop", "tasks": vec![tasks[0].clone(); 11], "protectionEnabled": true});
    assert_eq!(stage.refused("UpdateTaskProtection", too_many).0, "InvalidParameterException");
    let too_long = json!({"cluster": "shop", "tasks": tasks, "protectionEnabled": true, "expiresInMinutes": 2881});
    assert_eq!(stage.refused("UpdateTaskProtection", too_long).0, "InvalidParameterException");
    stage.done("UpdateService", json!({"cluster": "shop", "service": "web", "desiredCount": 1}));
    let answer = protect(&stage, &tasks, 5);
    assert_eq!(answer["protectedTasks"].as_array().map(Vec::len), Some(1), "{answer:#}");
    assert_eq!(answer["failures"][0]["reason"], "DEPLOYMENT_BLOCKED");
}
