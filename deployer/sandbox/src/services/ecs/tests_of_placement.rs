//! Where tasks go, and what becomes of the instances under them.

use serde_json::{Value, json};

use super::stage::Stage;
use crate::Behaviour;
use crate::services::testing::query;

/// A cluster whose two instances registered before their capacity provider was attached.
async fn too_early() -> Stage {
    let stage = Stage::bare();
    stage.done("CreateCluster", json!({"clusterName": "shop"}));
    let group = stage.scaled(2, 2);
    stage.pass(300).await;
    let provider = json!({"autoScalingGroupArn": group, "managedScaling": {"status": "ENABLED"}});
    stage.done("CreateCapacityProvider", json!({"name": "nodes", "autoScalingGroupProvider": provider}));
    stage.attach(&["nodes"]).unwrap();
    stage.pass(60).await;
    stage
}

fn instances(stage: &Stage) -> Vec<Value> {
    let arns = stage.done("ListContainerInstances", json!({"cluster": "shop"}))["containerInstanceArns"].clone();
    let described = stage.done("DescribeContainerInstances", json!({"cluster": "shop", "containerInstances": arns}));
    described["containerInstances"].as_array().cloned().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_registers_before_its_provider_is_attached_belongs_to_none() {
    let stage = too_early().await;
    assert!(instances(&stage).iter().all(|instance| instance["capacityProviderName"].is_null()));
    let strategy = json!({"capacityProviderStrategy": [{"capacityProvider": "nodes", "weight": 1}]});
    stage.done("CreateService", stage.service(&stage.define("v1"), strategy));
    stage.pass(600).await;
    assert!(stage.events()[0].contains("No Container Instances were found in your capacity provider."));
    // One that comes in their place belongs to it.
    let old = instances(&stage)[0]["ec2InstanceId"].as_str().unwrap().to_owned();
    let terminate = [("InstanceId", old.as_str()), ("ShouldDecrementDesiredCapacity", "false")];
    query(&stage.sandbox, "autoscaling", "TerminateInstanceInAutoScalingGroup", &terminate).unwrap();
    stage.pass(600).await;
    assert!(instances(&stage).iter().any(|instance| instance["capacityProviderName"] == "nodes"));
    assert_eq!(stage.web()["runningCount"], 2);
}

#[tokio::test(start_paused = true)]
async fn without_room_a_service_is_silent_while_instances_come_and_says_so_when_none_do() {
    let stage = Stage::with_instances(1).await;
    let strategy = json!({
        "capacityProviderStrategy": [{"capacityProvider": "nodes", "weight": 1}], "desiredCount": 30,
    });
    stage.done("CreateService", stage.service(&stage.define("v1"), strategy));
    stage.pass(30).await;
    assert!(!stage.events().iter().any(|event| event.contains("unable to place")), "{:#?}", stage.events());
    stage.pass(600).await;
    assert!(stage.events()[0].contains("unable to place"), "{:#?}", stage.events());
}

#[tokio::test(start_paused = true)]
async fn a_strategy_says_which_instance_gets_the_next_task() {
    for (strategy, instances) in [(json!([{"type": "binpack", "field": "memory"}]), 1), (json!([]), 2)] {
        let stage = Stage::with_instances(2).await;
        let run = json!({
            "cluster": "shop", "taskDefinition": stage.define("v1"), "count": 2, "placementStrategy": strategy,
            "networkConfiguration": stage.network(),
        });
        let started = stage.done("RunTask", run);
        let mut on: Vec<String> = started["tasks"].as_array().unwrap().iter().map(instance_of).collect();
        on.dedup();
        assert_eq!(on.len(), instances, "{strategy}");
    }
}

fn instance_of(task: &Value) -> String {
    task["containerInstanceArn"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_container_that_does_not_hear_is_killed_after_its_stop_timeout() {
    let stage = Stage::with_instances(1).await;
    stage.sandbox.image_behaviour("v2", &Behaviour { deaf: true, ..Behaviour::default() });
    let mut definition = Stage::definition("v2");
    definition["containerDefinitions"][0]["stopTimeout"] = 60.into();
    stage.done("RegisterTaskDefinition", definition);
    let run = json!({"cluster": "shop", "taskDefinition": "web", "networkConfiguration": stage.network()});
    let task = stage.done("RunTask", run)["tasks"][0]["taskArn"].clone();
    stage.pass(60).await;
    stage.done("StopTask", json!({"cluster": "shop", "task": task}));
    let shown = || stage.done("DescribeTasks", json!({"cluster": "shop", "tasks": [task]}))["tasks"][0].clone();
    stage.pass(40).await;
    assert_eq!(shown()["lastStatus"], "STOPPING");
    stage.pass(60).await;
    assert_eq!((&shown()["lastStatus"], &shown()["containers"][0]["exitCode"]), (&json!("STOPPED"), &json!(137)));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_leaves_waits_until_its_tasks_have_moved() {
    let stage = Stage::with_instances(2).await;
    let strategy = json!({"capacityProviderStrategy": [{"capacityProvider": "nodes", "weight": 1}]});
    stage.done("CreateService", stage.service(&stage.define("v1"), strategy));
    stage.steady().await;
    let old = instances(&stage)[0]["ec2InstanceId"].as_str().unwrap().to_owned();
    let terminate = [("InstanceId", old.as_str()), ("ShouldDecrementDesiredCapacity", "false")];
    query(&stage.sandbox, "autoscaling", "TerminateInstanceInAutoScalingGroup", &terminate).unwrap();
    for _ in 0..600 {
        assert!(stage.web()["runningCount"].as_i64() >= Some(2), "{:#?}", stage.events());
        stage.pass(1).await;
    }
    assert!(instances(&stage).iter().all(|instance| instance["ec2InstanceId"] != old.as_str()));
}
