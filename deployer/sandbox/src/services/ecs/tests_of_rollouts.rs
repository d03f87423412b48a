//! What must hold while a service changes, in the account's own time.

use serde_json::{Value, json};

use super::stage::{Edge, REGISTRY, Stage};
use crate::Behaviour;

fn strategy(more: Value) -> Value {
    let mut settings = json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true}});
    for (name, value) in more.as_object().into_iter().flatten() {
        settings[name] = value.clone();
    }
    settings
}

/// A service behind a balancer that runs `v1` and is steady.
async fn behind_a_balancer() -> (Stage, Edge) {
    let stage = Stage::with_instances(3).await;
    let edge = stage.edge().await;
    stage.done("CreateService", stage.service(&stage.define("v1"), json!({"loadBalancers": edge.rolling()})));
    stage.steady().await;
    (stage, edge)
}

/// The same with a strategy that shifts traffic.
async fn shifting(more: Value) -> (Stage, Edge) {
    let stage = Stage::with_instances(3).await;
    let edge = stage.edge().await;
    let input = json!({"loadBalancers": edge.shifting(), "deploymentConfiguration": strategy(more)});
    stage.done("CreateService", stage.service(&stage.define("v1"), input));
    stage.steady().await;
    (stage, edge)
}

#[tokio::test(start_paused = true)]
async fn a_rolling_update_never_has_fewer_healthy_targets_than_the_minimum() {
    let (stage, edge) = behind_a_balancer().await;
    assert_eq!(stage.healthy(&edge.live), 2);
    let revision = stage.define("v2");
    stage.update(&revision);
    for _ in 0..600 {
        assert!(stage.healthy(&edge.live) >= 2, "{:#?}", stage.events());
        let web = stage.web();
        if web["deployments"].as_array().map(Vec::len) == Some(1) {
            break;
        }
        stage.pass(1).await;
    }
    let web = stage.steady().await;
    assert_eq!(web["taskDefinition"], revision);
    assert!(stage.tasks("RUNNING").iter().all(|task| task["taskDefinitionArn"] == revision.as_str()));
    assert!(stage.events().iter().any(|event| event.contains("has reached a steady state")));
}

#[tokio::test(start_paused = true)]
async fn containers_that_crash_trip_the_breaker_and_the_old_version_goes_on_serving() {
    let (stage, edge) = behind_a_balancer().await;
    let before = stage.web();
    let crash = Behaviour { exits: Some((1, 2)), prints: vec!["no database".to_owned()], ..Behaviour::default() };
    stage.sandbox.image_behaviour("v2", &crash);
    stage.update(&stage.define("v2"));
    let failed = stage.web()["deployments"][0]["id"].clone();
    for _ in 0..900 {
        assert!(stage.healthy(&edge.live) >= 2);
        let web = stage.web();
        if web["deployments"][0]["id"] != failed && web["deployments"].as_array().map(Vec::len) == Some(1) {
            break;
        }
        stage.pass(1).await;
    }
    let after = stage.steady().await;
    assert_ne!(after["deployments"][0]["id"], failed, "the failed deployment does not come back");
    assert_eq!(after["taskDefinition"], before["taskDefinition"]);
    assert!(stage.events().iter().any(|event| event.contains("circuit breaker")), "{:#?}", stage.events());
    let ended = stage.tasks("STOPPED");
    let crashed = ended.iter().filter(|task| task["containers"][0]["exitCode"] == 1).count();
    assert!(crashed >= 3, "{crashed}");
    let of = stage.done("ListServiceDeployments", json!({"cluster": "shop", "service": "web"}));
    assert_eq!(of["serviceDeployments"][0]["status"], "ROLLBACK_SUCCESSFUL", "{of:#}");
}

#[tokio::test(start_paused = true)]
async fn what_a_container_printed_last_can_be_read() {
    let (stage, _) = behind_a_balancer().await;
    let crash = Behaviour { exits: Some((1, 2)), prints: vec!["no database".to_owned()], ..Behaviour::default() };
    stage.sandbox.image_behaviour("v2", &crash);
    stage.update(&stage.define("v2"));
    stage.pass(60).await;
    let read = json!({"logGroupName": "/shop/web", "filterPattern": "\"no database\""});
    let found = crate::services::testing::json(&stage.sandbox, "logs", "FilterLogEvents", read).unwrap();
    let stream = found["events"][0]["logStreamName"].as_str().unwrap_or_default();
    assert!(stream.starts_with("web/web/"), "{found}");
}

#[tokio::test(start_paused = true)]
async fn targets_that_answer_wrongly_are_replaced_and_trip_the_breaker() {
    let (stage, edge) = behind_a_balancer().await;
    let sick = Behaviour { paths: [("/healthz".to_owned(), 500)].into(), ..Behaviour::default() };
    stage.sandbox.image_behaviour("v2", &sick);
    let bad = stage.define("v2");
    stage.update(&bad);
    stage.until("rolled back", |web| web["taskDefinition"] != bad.as_str()).await;
    stage.steady().await;
    assert_eq!(stage.healthy(&edge.live), 2);
    assert!(stage.events().iter().any(|event| event.contains("ELB health checks")), "{:#?}", stage.events());
}

#[tokio::test(start_paused = true)]
async fn without_roll_back_a_failed_deployment_is_shown_as_failed() {
    let stage = Stage::with_instances(2).await;
    let settings = json!({"deploymentCircuitBreaker": {"enable": true, "rollback": false}});
    stage.sandbox.image_behaviour("v1", &Behaviour { exits: Some((3, 1)), ..Behaviour::default() });
    stage.done("CreateService", stage.service(&stage.define("v1"), json!({"deploymentConfiguration": settings})));
    let web = stage.until("failed", |web| web["deployments"][0]["rolloutState"] == "FAILED").await;
    let reason = web["deployments"][0]["rolloutStateReason"].as_str().unwrap_or_default();
    assert!(reason.contains("circuit breaker") && web["deployments"][0]["failedTasks"].as_i64() >= Some(3), "{web:#}");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_not_there_is_named() {
    let stage = Stage::with_instances(2).await;
    stage.done("CreateService", stage.service(&stage.define("absent"), json!({})));
    stage.until("failing", |web| web["deployments"][0]["failedTasks"].as_i64() > Some(0)).await;
    stage.pass(30).await;
    let ended = stage.failed_to_start();
    let reason = ended["stoppedReason"].as_str().unwrap_or_default();
    assert!(
        reason.starts_with("CannotPullContainerError") && reason.contains(&format!("{REGISTRY}/shop:absent")),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_not_there_is_named() {
    let stage = Stage::with_instances(2).await;
    let mut definition = Stage::definition("v1");
    definition["containerDefinitions"][0]["secrets"] =
        json!([{"name": "TOKEN", "valueFrom": "arn:aws:ssm:us-east-1:123456789012:parameter/shop/token"}]);
    stage.done("RegisterTaskDefinition", definition);
    stage.done("CreateService", stage.service("web", json!({})));
    stage.until("failing", |web| web["deployments"][0]["failedTasks"].as_i64() > Some(0)).await;
    stage.pass(30).await;
    let ended = stage.failed_to_start();
    let reason = ended["stoppedReason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("ResourceInitializationError") && reason.contains("/shop/token"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn without_room_the_group_grows_to_its_maximum_and_then_the_service_says_so() {
    let stage = Stage::with_instances(1).await;
    stage.done("CreateService", stage.service(&stage.define("v1"), json!({"desiredCount": 5})));
    stage.until("four run", |web| web["runningCount"] == 4).await;
    assert!(stage.groups().contains("<DesiredCapacity>2</DesiredCapacity>"));
    stage.pass(120).await;
    let events = stage.events();
    let words = "was unable to place a task because no container instance met all of its requirements";
    assert!(events.iter().any(|event| event.contains(words)), "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn tasks_of_an_instance_that_drains_start_elsewhere() {
    let stage = Stage::with_instances(2).await;
    stage.done("CreateService", stage.service(&stage.define("v1"), json!({})));
    stage.steady().await;
    let machines = stage.done("ListContainerInstances", json!({"cluster": "shop"}))["containerInstanceArns"].clone();
    let shown = stage.done("DescribeContainerInstances", json!({"cluster": "shop", "containerInstances": machines}));
    let machine = &shown["containerInstances"][0];
    let drain =
        json!({"cluster": "shop", "containerInstances": [machine["containerInstanceArn"]], "status": "DRAINING"});
    stage.done("UpdateContainerInstancesState", drain);
    stage.pass(180).await;
    let running = stage.tasks("RUNNING");
    assert_eq!(running.len(), 2);
    assert!(running.iter().all(|task| task["containerInstanceArn"] != machine["containerInstanceArn"]), "{running:#?}");
}

#[tokio::test(start_paused = true)]
async fn blue_green_shifts_all_traffic_bakes_and_leaves_the_other_group_live() {
    let (stage, edge) = shifting(json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 2})).await;
    assert_eq!((stage.healthy(&edge.live), stage.weight(&edge, &edge.live)), (2, 100));
    let revision = stage.define("v2");
    stage.update(&revision);
    let mut shifted = false;
    for _ in 0..900 {
        let (live, other) = (stage.weight(&edge, &edge.live), stage.weight(&edge, &edge.other));
        assert!(live == 0 || stage.healthy(&edge.live) >= 2, "traffic goes where nobody is well");
        assert!(other == 0 || stage.healthy(&edge.other) >= 2, "traffic goes where nobody is well");
        if other == 100 && !shifted {
            shifted = true;
            stage.pass(60).await;
            assert_eq!(stage.web()["deployments"].as_array().map(Vec::len), Some(2), "it bakes");
        }
        if shifted && stage.web()["deployments"].as_array().map(Vec::len) == Some(1) {
            break;
        }
        stage.pass(1).await;
    }
    let web = stage.steady().await;
    assert_eq!((&web["taskDefinition"], stage.weight(&edge, &edge.other)), (&json!(revision), 100));
    stage.pass(60).await;
    assert_eq!(stage.healthy(&edge.live), 0);
    // And the next one goes back.
    stage.update(&stage.define("v1"));
    stage.until("on its way", |web| web["deployments"].as_array().map(Vec::len) == Some(2)).await;
    stage.steady().await;
    assert_eq!(stage.weight(&edge, &edge.live), 100);
}

#[tokio::test(start_paused = true)]
async fn a_canary_gets_its_part_first_and_a_line_goes_step_by_step() {
    let canary = json!({"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 2});
    let line = json!({"stepPercent": 25.0, "stepBakeTimeInMinutes": 1});
    let cases = [
        (json!({"strategy": "CANARY", "canaryConfiguration": canary}), vec![0, 10, 100]),
        (json!({"strategy": "LINEAR", "linearConfiguration": line}), vec![0, 25, 50, 75, 100]),
    ];
    for (settings, expected) in cases {
        let (stage, edge) = shifting(settings).await;
        stage.update(&stage.define("v2"));
        let mut seen = vec![0];
        for _ in 0..900 {
            let weight = stage.weight(&edge, &edge.other);
            if seen.last() != Some(&weight) {
                seen.push(weight);
            }
            if weight == 100 {
                break;
            }
            stage.pass(1).await;
        }
        assert_eq!(seen, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn blue_green_with_a_version_that_crashes_leaves_the_traffic_where_it_is() {
    let (stage, edge) = shifting(json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1})).await;
    stage.sandbox.image_behaviour("v2", &Behaviour { exits: Some((1, 2)), ..Behaviour::default() });
    let bad = stage.define("v2");
    stage.update(&bad);
    for _ in 0..900 {
        assert_eq!(stage.weight(&edge, &edge.live), 100);
        assert!(stage.healthy(&edge.live) >= 2);
        if stage.web()["taskDefinition"] != bad.as_str() {
            break;
        }
        stage.pass(1).await;
    }
    stage.steady().await;
    assert_eq!((stage.weight(&edge, &edge.live), stage.healthy(&edge.live)), (100, 2));
}

#[tokio::test(start_paused = true)]
async fn a_deployment_can_be_stopped_and_goes_back() {
    let (stage, edge) = behind_a_balancer().await;
    let before = stage.web()["taskDefinition"].clone();
    stage.update(&stage.define("v2"));
    let of =
        stage.done("ListServiceDeployments", json!({"cluster": "shop", "service": "web", "status": ["IN_PROGRESS"]}));
    let arn = of["serviceDeployments"][0]["serviceDeploymentArn"].clone();
    stage.done("StopServiceDeployment", json!({"serviceDeploymentArn": arn, "stopType": "ROLLBACK"}));
    let web = stage.steady().await;
    assert_eq!((&web["taskDefinition"], stage.healthy(&edge.live)), (&before, 2));
    let shown = stage.done("DescribeServiceDeployments", json!({"serviceDeploymentArns": [arn]}));
    assert_eq!(shown["serviceDeployments"][0]["status"], "ROLLBACK_SUCCESSFUL", "{shown:#}");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_stops_a_rollout_and_takes_it_back() {
    let stage = Stage::with_instances(3).await;
    let alarm = json!({
        "AlarmName": "errors", "Namespace": "Shop", "MetricName": "Errors", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "ignore",
    });
    let watch = |operation: &str, input: Value| {
        crate::services::testing::json(&stage.sandbox, "monitoring", operation, input).unwrap()
    };
    watch("PutMetricAlarm", alarm);
    let alarms = json!({"alarmNames": ["errors"], "enable": true, "rollback": true});
    let settings = strategy(json!({"alarms": alarms}));
    stage.done("CreateService", stage.service(&stage.define("v1"), json!({"deploymentConfiguration": settings})));
    let before = stage.steady().await["taskDefinition"].clone();
    let bad = stage.define("v2");
    stage.update(&bad);
    stage.pass(3).await;
    watch("SetAlarmState", json!({"AlarmName": "errors", "StateValue": "ALARM", "StateReason": "a test"}));
    stage.until("rolled back", |web| web["taskDefinition"] == before).await;
    let of = stage.done("ListServiceDeployments", json!({"cluster": "shop", "service": "web"}));
    let reason = of["serviceDeployments"][0]["statusReason"].as_str().unwrap_or_default();
    assert!(reason.contains("alarm") && reason.contains("errors"), "{of:#}");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_has_one_task_on_each_instance_and_is_replaced_in_its_place() {
    let stage = Stage::with_instances(3).await;
    let mut input = stage.service(&stage.define("v1"), json!({"schedulingStrategy": "DAEMON"}));
    assert_eq!(stage.refused("CreateService", input.clone()).0, "InvalidParameterException");
    input.as_object_mut().unwrap().remove("desiredCount");
    stage.done("CreateService", input);
    let on = || -> std::collections::BTreeSet<String> {
        let running = stage.tasks("RUNNING");
        running.iter().map(|task| task["containerInstanceArn"].to_string()).collect()
    };
    let web = stage.until("everywhere", |web| web["runningCount"] == 3).await;
    assert_eq!((on().len(), &web["deploymentConfiguration"]["maximumPercent"]), (3, &json!(100)));
    let revision = stage.define("v2");
    stage.update(&revision);
    let all_new =
        |tasks: &[Value]| tasks.len() == 3 && tasks.iter().all(|t| t["taskDefinitionArn"] == revision.as_str());
    for _ in 0..600 {
        stage.pass(1).await;
        if all_new(&stage.tasks("RUNNING")) {
            break;
        }
    }
    assert!(all_new(&stage.tasks("RUNNING")));
    stage.steady().await;
    assert_eq!(on().len(), 3);
    stage.done("DeleteService", json!({"cluster": "shop", "service": "web"}));
}

#[tokio::test(start_paused = true)]
async fn distinct_instances_take_one_task_of_the_service_each() {
    let stage = Stage::with_instances(2).await;
    let constraint = json!({"desiredCount": 5, "placementConstraints": [{"type": "distinctInstance"}]});
    stage.done("CreateService", stage.service(&stage.define("v1"), constraint));
    stage.until("three run", |web| web["runningCount"] == 3).await;
    stage.pass(120).await;
    assert_eq!(stage.web()["runningCount"], 3);
    assert!(stage.events().iter().any(|event| event.contains("DistinctInstance")), "{:#?}", stage.events());
}
